"""The door for OpenAI's Images API: generations, edits and variations, and OpenRouter's ``/images``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from aiohttp import web

from ....errors import RequestError
from ....io.desk.books import JobEntry
from ....model.call import Call, Done, Open, Reply
from ....model.fault import Fault
from ....model.request import ImageRequest, Notice
from ....wire.message import Field, Form, WireRequest
from ....wire.reading import member, text
from ....wire.sse import END_OF_STREAM
from ..batches.files import Files
from ..jobs.answer import reply_of
from ..jobs.desk import Desk
from ..jobs.drafting import Draft
from ..transit.intake import Intake
from ..wants import Answer, Asked, Refused, fault_of
from .door import Door
from .images_form import Delivered, ImagesCall, ImagesForm
from .wishes import in_its_words, lifted

VARIATIONS: Final = "/images/variations"
EDITS: Final = "/images/edits"
OPENROUTER: Final = "/images"
VARY: Final = "Draw another version of this picture: the same subject, style and composition, with other details."
"""What a variation asks for: no model of today makes them without words."""

_PICTURES: Final = ("image", "image[]", "images", "images[]", "input_references", "input_image")
_BY_ADDRESS, _IN_BODY = "url", "b64_json"
_OLD: Final = frozenset({"dall-e-2"})
"""What clients name when they ask for a variation and think of no model: no other ever made them."""


class ImagesDoor(Door):
    """OpenAI's wire format for pictures."""

    def __init__(self, desk: Desk, intake: Intake, files: Files) -> None:
        self._files = files
        form = ImagesForm(spelling="server", max_n=desk.rules.max_n, clock=desk.clock, links=desk.links)
        super().__init__(form, desk, intake, ending=END_OF_STREAM)
        self.form = form

    def read(self, request: web.Request, wire: WireRequest) -> Call | Fault:
        """What a request asks for, and how it wants its answer."""
        try:
            wire, notices = self._completed(wire)
            call = self.dialect.read_call(wire)
            if not isinstance(call, Open):
                return call
            wanted, extra = _response_format(call.request.extra)
            base = self.desk.links.base(request) if wanted == _BY_ADDRESS else ""
            asked = lifted(call.request if extra == call.request.extra else call.request.having(extra=extra))
        except RequestError as error:
            return fault_of(error)
        return ImagesCall(asked, call.stream, base=base, chat_usage=wire.path == OPENROUTER, notices=notices)

    def asked(self, request: web.Request, caller: str, call: Open) -> Asked:
        """What the desk is told of a call, with what was chosen for it."""
        asked = super().asked(request, caller, call)
        return replace(asked, notices=call.notices) if isinstance(call, ImagesCall) else asked

    def wish(self, call: Open) -> dict[str, Any]:
        """Whether links are wanted, and how tokens are counted."""
        return {"url": bool(call.base), "chat_usage": call.chat_usage} if isinstance(call, ImagesCall) else {}

    def later(self, request: web.Request, entry: JobEntry) -> Open:
        """The call of a job, so that its answer looks as it was wanted."""
        wish = entry.told.get("wish", {})
        base = self.desk.links.base(request) if wish.get("url") else ""
        return ImagesCall(entry.request, base=base, chat_usage=bool(wish.get("chat_usage")))

    async def prepared(self, request: web.Request, asked: Asked) -> Asked:
        """What is asked, in the words of its model."""
        asked = await super().prepared(request, asked)
        found = await self._files.referenced(asked.request, asked.caller)
        if isinstance(found, Fault):
            raise Refused(found)
        _check_pictures(found)
        return in_its_words(replace(asked, request=found), self.desk.routes())

    def draft(self, draft: Draft, call: Open) -> Iterable[Any]:
        """The event of a draft."""
        return self.form.draft(draft.picture, draft.number, call)

    def made(self, answer: Answer) -> Reply:
        """What came of a job, with the pictures as the books have them."""
        reply = reply_of(answer)
        if not isinstance(reply, Done):
            return reply
        return Delivered(**{field.name: getattr(reply, field.name) for field in fields(Done)}, made=answer.pictures)

    def _completed(self, wire: WireRequest) -> tuple[WireRequest, tuple[Notice, ...]]:
        """The request with what SDKs let their users leave out."""
        notices: list[Notice] = []
        model, varies = _said(wire.body, "model"), wire.path == VARIATIONS
        if not model or (varies and model in _OLD):
            chosen = self.desk.routes().default_model
            notices.append(Notice("model_chosen", f"no model was named: {chosen} draws", "model"))
            wire = _with(wire, "model", chosen)
        if varies:
            if not _said(wire.body, "prompt"):
                wire = _with(wire, "prompt", VARY)
            notices.append(Notice("variation_as_edit", "a variation is made as an edit of the picture", "prompt"))
            wire = replace(wire, path=EDITS)
        if wire.path == EDITS and not _has_picture(wire.body):
            raise RequestError("Missing required parameter: 'image'.", field="image")
        return wire, tuple(notices)


def _response_format(extra: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """How pictures are wanted, and the members without that."""
    others = dict(extra)
    wanted = others.pop("response_format", None) or _IN_BODY
    if wanted not in {_BY_ADDRESS, _IN_BODY}:
        raise RequestError(f"response_format cannot be {wanted!r}", field="response_format", hints=("url or b64_json",))
    return wanted, others


def _said(body: Any, name: str) -> str:
    if not isinstance(body, Form):
        return text(body, name)
    return next((field.value for field in body.fields if field.name == name and isinstance(field.value, str)), "")


def _with(wire: WireRequest, name: str, value: str) -> WireRequest:
    if isinstance(wire.body, Form):
        others = tuple(field for field in wire.body.fields if field.name != name)
        return replace(wire, body=Form((*others, Field(name, value))))
    body: Any = wire.body
    return replace(wire, body={**body, name: value}) if isinstance(body, Mapping) else wire


def _has_picture(body: Any) -> bool:
    if isinstance(body, Form):
        return any(field.name in _PICTURES and field.value for field in body.fields)
    return any(member(body, name) not in (None, [], "") for name in _PICTURES)


def _check_pictures(request: ImageRequest) -> None:
    """Refuse bytes that are no picture here: no provider would draw upon them, and some bill the attempt."""
    for number, image in enumerate(request.references, start=1):
        if image.blob is not None and not image.blob.media_type.startswith("image/"):
            raise RequestError(f"Invalid image file: number {number} is no picture that is known", field="image")
