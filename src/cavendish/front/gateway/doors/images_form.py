"""ImagesForm: the Images API as the gateway answers it: with the time, what was really drawn, and links where asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from ....dialects.openai_images import OpenaiImagesDialect
from ....engine.ports import Clock
from ....model.call import Call, Done, Open, Reply
from ....model.fault import Fault, FaultKind
from ....model.request import Image, Notice
from ....model.result import Picture
from ....wire import media
from ....wire.message import WireResponse
from ....wire.openai_usage import write_chat_usage
from ..jobs.links import Links
from .chat_form import MODERATED, beside
from .sources import sources_of

_UPSTREAM: Final = frozenset(
    {FaultKind.SERVER_ERROR, FaultKind.MALFORMED, FaultKind.JOB_FAILED, FaultKind.JOB_EXPIRED, FaultKind.NOT_AN_IMAGE}
)
"""What went wrong behind the gateway and not in it."""

BAD_GATEWAY: Final = 502
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{2,60}")


@dataclass(frozen=True, slots=True)
class ImagesCall(Open):
    """A call with how its answer is wanted.

    ``base`` is the address of the gateway for links, empty for pictures in the body. ``chat_usage``: tokens are
    counted in the words of chats, as OpenRouter's client reads them. ``notices``: what was chosen for the caller.
    """

    base: str = ""
    chat_usage: bool = False
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivered(Done):
    """What came of a job, and the pictures as they are in the books, in the order of ``finals``."""

    made: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class ImagesForm(OpenaiImagesDialect):
    """The dialect with the gateway's own manners. ``clock`` tells the time, ``links`` make the addresses."""

    clock: Clock | None = None
    links: Links | None = None

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """An answer, or an error that says whose trouble it was."""
        reply = _in_openai_s_codes(reply)
        written = _linked(reply, call, self) if isinstance(reply, Delivered) else reply
        response = OpenaiImagesDialect.write_reply(self, written, call)
        if not isinstance(reply, Done) or not 200 <= response.status < 300:
            upstream = not isinstance(reply, Done) and getattr(reply, "kind", None) in _UPSTREAM
            return replace(response, status=BAD_GATEWAY) if upstream and response.status == 500 else response
        if response.stream:
            return replace(response, body=[self._event(event, reply) for event in response.body])
        return replace(response, body=self._body(response.body, reply, call))

    def draft(self, picture: Image, number: int, call: Open) -> list[dict[str, Any]]:
        """The event of a draft, while its picture is drawn."""
        both = Done(parts=(picture, picture), finals=(1,))
        event = OpenaiImagesDialect.write_reply(self, both, replace(call, stream=True)).body[0]
        return [{**event, "created_at": self._now(), "partial_image_index": number}]

    def _body(self, body: dict[str, Any], reply: Done, call: Call) -> dict[str, Any]:
        shown = {"created": self._now(), **_drawn(reply), **_asked(call)}
        told = {**body, **shown, **beside(reply, missing=False), **sources_of(reply.grounding)}
        if isinstance(call, ImagesCall) and call.chat_usage and "usage" in body:
            told["usage"] = write_chat_usage(reply.usage)
        return told

    def _event(self, event: dict[str, Any], reply: Done) -> dict[str, Any]:
        known = {name: value for name, value in _drawn(reply).items() if name == "size"}
        last = beside(reply, missing=False) if str(event["type"]).endswith(".completed") else {}
        return {**event, "created_at": self._now(), **known, **last}

    def _now(self) -> int:
        return int(self.clock.now()) if self.clock else 0


def _in_openai_s_codes(reply: Reply) -> Reply:
    """The reply without codes of other providers: clients compare them with OpenAI's own."""
    match reply:
        case Fault():
            return _in_its_code(reply)
        case Done() if reply.shortfall:
            return replace(reply, shortfall=tuple(map(_in_its_code, reply.shortfall)))
        case _:
            return reply


def _in_its_code(fault: Fault) -> Fault:
    """Of a refusal there is one code, whatever its provider calls it."""
    own = _CODE.fullmatch(fault.reason) is not None and fault.kind not in MODERATED
    return fault if own else replace(fault, reason="")


def _linked(reply: Delivered, call: Call, form: ImagesForm) -> Done:
    """The reply with addresses in place of bytes, when they are wanted; events always have bytes."""
    if not isinstance(call, ImagesCall) or not call.base or call.stream or form.links is None or form.clock is None:
        return reply
    parts = list(reply.parts)
    now = form.clock.now()
    for place, picture in zip(sorted(reply.finals), reply.made, strict=True):
        parts[place] = Image(uri=form.links.url(picture, call.base, now))
    return replace(reply, parts=tuple(parts))


def _drawn(reply: Done) -> dict[str, Any]:
    """Size and format as they are, where all pictures have the same."""
    if not isinstance(reply, Delivered):
        return {}
    sizes = {f"{picture.width}x{picture.height}" for picture in reply.made}
    formats = {_format(picture) for picture in reply.made}
    one_size = {"size": next(iter(sizes))} if len(sizes) == 1 else {"size": "auto"}
    return {**one_size, **({"output_format": next(iter(formats))} if len(formats) == 1 else {})}


def _format(picture: Picture) -> str:
    named = media.extension(picture.blob.media_type)
    return {"jpg": "jpeg"}.get(named, named)


def _asked(call: Call) -> dict[str, Any]:
    background = call.request.extra.get("background") if isinstance(call, Open) else None
    return {"background": background} if background in {"transparent", "opaque"} else {}
