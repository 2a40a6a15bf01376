"""Systems: which ones the simulator serves, below which path, and with which wire format.

The wire format and its options are those of the catalog's endpoint of the same name, so that a system is simulated as
the client speaks to it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, cast

from ..catalog.cards import EndpointCard
from ..dialects.by_name import DIALECTS
from ..wire.dialect import Dialect

ANY = r".*"
_CHAT = r".*/chat/completions|/models"
_IMAGES = r".*/images(?:/generations|/edits)?"


@dataclass(frozen=True, slots=True)
class System:
    """One system below a path of the server's.

    ``endpoint`` is its name in the catalog, and the name of the profile it has unless another is given. ``paths`` are
    those that it answers, where several systems share one ``prefix``.
    """

    endpoint: str
    prefix: str
    paths: str = ANY


SYSTEMS = (
    System("google-imagen", "", r".*/models/[^/]+:predict"),
    System("vertex", "/vertex", r".*/projects/.*"),
    System("vertex-express", "/vertex"),
    System("apiyi-chat", "/apiyi/v1", _CHAT),
    System("apiyi-images", "/apiyi/v1", _IMAGES),
    System("apiyi", "/apiyi"),
    System("apiyi-ark", "/apiyi-ark/v1"),
    System("openai", "/openai/v1"),
    System("byteplus", "/ark/api/v3"),
    System("volcengine", "/volcengine/api/v3"),
    System("bfl", "/bfl"),
    System("fal", "/fal"),
    System("fal-direct", "/fal-direct"),
    System("openrouter", "/openrouter/api/v1", _CHAT),
    System("openrouter-images", "/openrouter/api/v1", _IMAGES),
    System("local", "/local/v1"),
)
"""In the order in which they are asked whether a path is theirs. All else is the system's at the root."""


def speaks(card: EndpointCard) -> Dialect:
    """The wire format of an endpoint, with those of its options that are the format's."""
    make = DIALECTS[card.dialect]
    known = {field.name for field in fields(cast("Any", make))}
    return make(**{name: value for name, value in card.options.items() if name in known})
