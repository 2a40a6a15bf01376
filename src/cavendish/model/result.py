"""Picture and Failure: how a slot ends. Never as nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .blob import Blob
from .call import GroundingNote
from .fault import Fault
from .request import Image, ImageRequest, JsonValue, Notice, Part
from .usage import NOTHING_USED, Usage


@dataclass(frozen=True, slots=True)
class Slot:
    """One wanted picture of a request.

    ``key`` names the row or prompt for people, ``row`` is its place in the input (from 0), ``ordinal`` which of its
    pictures this is (from 0), ``id`` the identity under which the ledger keeps it.
    """

    id: str
    key: str
    row: int
    ordinal: int
    request: ImageRequest = field(compare=False)
    columns: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue], compare=False)


@dataclass(frozen=True, slots=True)
class Route:
    """A model at an endpoint in a mode. ``wire_model`` is the id that the endpoint is sent."""

    endpoint: str
    model: str
    wire_model: str
    mode: str = "standard"

    def __str__(self) -> str:
        """``google/gemini-3.1-flash-image``, with the mode when it is not the standard one."""
        base = f"{self.endpoint}/{self.model}"
        return base if self.mode == "standard" else f"{base}:{self.mode}"


@dataclass(frozen=True, slots=True)
class Picture:
    """A slot that ended well. ``blob.ref`` is the file's name inside the run folder; sizes in pixels.

    ``extras`` are the other parts of its answer, in order; the first ``place`` of them came before the picture. Of one
    that is ``cell`` of a sheet (from 1, row by row; else 0), the last picture among these is the sheet.
    """

    slot: Slot
    blob: Blob
    width: int
    height: int
    route: Route
    attempts: int
    cost_nusd: int
    cost_known: bool = True
    text: str = ""
    usage: Usage = NOTHING_USED
    extras: tuple[Part, ...] = ()
    signature: str | Blob | None = None
    grounding: GroundingNote | None = None
    notices: tuple[Notice, ...] = ()
    latency_s: float = 0.0
    finish: str = ""
    answered_by: str = ""
    response_id: str = ""
    place: int = 0
    cell: int = 0

    @property
    def sheet(self) -> Blob | None:
        """The sheet that it was cut from, as it came; ``None`` for a picture of its own."""
        before = [part.blob for part in self.extras[: self.place] if isinstance(part, Image)]
        return before[-1] if self.cell and before else None


@dataclass(frozen=True, slots=True)
class Failure:
    """A slot that ended without a picture, and why. ``cost_nusd`` is what its attempts were billed all the same.

    ``request_id`` is what the provider calls the last exchange, for whoever asks its support.
    """

    slot: Slot
    fault: Fault
    attempts: int
    cost_nusd: int = 0
    cost_known: bool = True
    route: Route | None = None
    request_id: str = ""


Outcome = Picture | Failure
