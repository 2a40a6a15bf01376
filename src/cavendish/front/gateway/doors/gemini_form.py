"""GeminiForm: Google's formats as the gateway answers in them, with what could not be honoured beside the answer.

Google's SDKs read what they know of a body and leave the rest, so a further member disturbs none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from ....dialects.gemini import GeminiDialect
from ....dialects.imagen import ImagenDialect
from ....dialects.imagen.body import read_seed
from ....model.call import Call, Done, Fetch, Open, Reply
from ....model.fault import Fault, FaultKind
from ....wire.message import WireRequest, WireResponse
from ....wire.passed_on import passed_on
from ....wire.reading import mapping, snake
from .chat_form import beside

_READ: Final = frozenset(
    spelling
    for name in ("sampleCount", "sampleImageSize", "aspectRatio", "seed", "outputOptions", "includeRaiReason")
    for spelling in (name, snake(name))
)
"""Parameters of ``predict`` that are fields of a request, or make no difference here."""


@dataclass(frozen=True, slots=True)
class GeminiForm(GeminiDialect):
    """``generateContent`` and its stream."""

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """The reply as Google says it, and the notices."""
        return _noted(GeminiDialect.write_reply(self, reply, call), reply)


@dataclass(frozen=True, slots=True)
class PredictForm(ImagenDialect):
    """``predict``. Here more may be said than Imagen was told: a seed by any surface, and what other models know."""

    def read_call(self, request: WireRequest) -> Open | Fetch | Fault:
        """What a client asks for, with all that it says."""
        call = ImagenDialect.read_call(self, request)
        parameters = mapping(request.body, "parameters")
        if not isinstance(call, Open):
            return call
        try:
            extra = passed_on(parameters, {name for name in parameters if name not in _READ})
            asked = call.request.having(seed=read_seed(parameters), extra={**_told(call.request.extra), **extra})
        except ValueError as error:
            return Fault(FaultKind.INVALID_REQUEST, f"Invalid value: {error}", reason="INVALID_ARGUMENT", status=400)
        return replace(call, request=asked)

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """The reply as Google says it, and the notices."""
        return _noted(ImagenDialect.write_reply(self, reply, call), reply)


def _told(extra: Mapping[str, Any]) -> dict[str, Any]:
    """The members that somebody said: why a picture was filtered is told whether it was asked for or not."""
    return {name: value for name, value in extra.items() if name != "includeRaiReason"}


def _noted(written: WireResponse, reply: Reply) -> WireResponse:
    """The answer with a member beside it; of a stream in the last event, which tells how it ended."""
    noted = beside(reply, missing=False) if isinstance(reply, Done) else {}
    if not noted:
        return written
    body: Any = written.body
    if isinstance(body, Mapping):
        return replace(written, body={**cast("Mapping[str, Any]", body), **noted})
    *events, last = cast("Iterable[dict[str, Any]]", body)
    return replace(written, body=[*events, {**last, **noted}])
