"""ResponsesForm: answers as the Responses API writes them, whole or in events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ....model.call import Call, Done, Open, Reply
from ....model.fault import Fault, FaultKind
from ....model.request import Image, Notice, Part, Text
from ....model.result import Picture
from ....model.usage import Usage
from ....wire.message import Spilled, WireRequest, WireResponse
from ....wire.openai_error import error_object, fault_in, no_such_path, write_error
from ....wire.openai_pictures import words_of
from .chat_form import beside, in_openai_s_words, without_drafts
from .responses_asked import IMAGE_TOOL, ResponseCall, ResponseWish, Unreadable, read_body
from .sources import citations, sources_of

CALL: Final = f"{IMAGE_TOOL}_call"
_STAGE: Final = f"response.{CALL}"


@dataclass(frozen=True, slots=True)
class Drawn(Done):
    """What came of a job. ``drawn`` are its pictures as the books have them, in the order of ``finals``."""

    drawn: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponsesForm:
    """The server's side of OpenAI's Responses API, as far as it is about pictures. Implements what a door needs."""

    now: int = 0

    @property
    def name(self) -> str:
        """``openai_responses``."""
        return "openai_responses"

    def write_call(self, call: Call) -> WireRequest:
        """No endpoint is asked in this format (``ValueError``)."""
        raise ValueError(f"no endpoint is asked in this format: {type(call).__name__}")

    def unsupported(self, call: Call) -> tuple[Notice, ...]:  # noqa: ARG002 - nothing is ever written
        """Nothing."""
        return ()

    def read_reply(self, response: WireResponse, call: Call) -> Fault:  # noqa: ARG002 - nobody answers in it
        """Never asked for."""
        return Fault(FaultKind.SERVER_ERROR, "no endpoint answers in this format", status=response.status)

    def read_call(self, request: WireRequest) -> ResponseCall | Fault:
        """What a client asks for. Never raises."""
        if request.method != "POST":
            return no_such_path(request)
        try:
            return read_body(request.body, self.now)
        except Unreadable as error:
            return Fault(FaultKind.INVALID_REQUEST, str(error), reason=error.code, status=400)

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """A response with its pictures; without any it is an error."""
        if not isinstance(reply, Done) or not reply.pictures:
            return write_error(in_openai_s_words(fault_in(reply)))
        return WireResponse(200, body=response_of(reply, wish_of(call)))


def wish_of(call: Call) -> ResponseWish:
    """How an answer is to look; of a call that says nothing of it, as of one with nothing but a model and words."""
    if isinstance(call, ResponseCall):
        return call.wish
    model = call.request.model if isinstance(call, Open) else ""
    return read_body({"model": model or "-", "input": "-"}, 0).wish


def id_of(job_id: str) -> str:
    """The id of the response that a job makes."""
    return f"resp_{job_id}"


def call_id(job_id: str, ordinal: int) -> str:
    """The id of the call that draws a picture: it names the job, and which of its pictures."""
    return f"ig_{job_id}_{ordinal}"


# --- whole -----------------------------------------------------------------------------------------------------------


def response_of(reply: Done, wish: ResponseWish, output: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """The response object."""
    short = bool(reply.shortfall)
    return {
        **bare(reply.response_id, wish.head, "incomplete" if short else "completed"),
        "output": list(items_of(reply) if output is None else output),
        "incomplete_details": {"reason": "content_filter"} if short else None,
        "usage": usage_of(reply.usage),
        **sources_of(reply.grounding),
        **beside(reply),
    }


def bare(job_id: str, head: Mapping[str, Any], status: str, fault: Fault | None = None) -> dict[str, Any]:
    """A response object without any output: one under way, or one that failed."""
    error = error_object(in_openai_s_words(fault)) if fault else None
    return {
        "id": id_of(job_id),
        **head,
        "status": status,
        "error": {"code": error["code"], "message": error["message"]} if error else None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }


def items_of(reply: Done) -> Iterator[dict[str, Any]]:
    """What a response holds: for each picture what was thought, its call, and what was said."""
    done = without_drafts(reply)
    start = 0
    drawn = done.drawn if isinstance(done, Drawn) else (None,) * len(done.finals)
    for number, (final, picture) in enumerate(zip(done.finals, drawn, strict=True), 1):
        end = final + 1 if number < len(done.finals) else len(done.parts)
        name = f"{done.response_id}_{picture.slot.ordinal if picture else number - 1}"
        size = f"{picture.width}x{picture.height}" if picture else None
        cited = citations(picture.grounding) if picture else []
        yield from _items(done.parts[start:end], done.parts[final], name, size, cited)
        start = end


def _items(
    parts: Sequence[Part], picture: Part, name: str, size: str | None, cited: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    assert isinstance(picture, Image)
    thoughts = [part.text for part in parts if isinstance(part, Text) and part.thought]
    if thoughts:
        summary = [{"type": "summary_text", "text": words} for words in thoughts]
        yield {"id": f"rs_{name}", "type": "reasoning", "summary": summary}
    media_type = picture.media_type or (picture.blob.media_type if picture.blob else "")
    yield {
        "id": f"ig_{name}",
        "type": CALL,
        "status": "completed",
        "output_format": media_type.removeprefix("image/") or None,
        "size": size,
        "result": Spilled((picture.blob,)) if picture.blob else None,
    }
    words = words_of(parts)
    if words:
        notes = [{"type": "url_citation", **page} for page in cited]
        said: dict[str, Any] = {"type": "output_text", "text": words, "annotations": notes, "logprobs": []}
        yield {"id": f"msg_{name}", "type": "message", "role": "assistant", "status": "completed", "content": [said]}


def usage_of(usage: Usage) -> dict[str, Any]:
    """The usage, as the Responses API has it: always there, since clients read it unasked. What nobody counts is 0."""
    written = usage.output_image_tokens + usage.output_text_tokens + usage.thought_tokens
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": usage.thought_tokens},
        "total_tokens": usage.input_tokens + written,
    }


# --- in events -------------------------------------------------------------------------------------------------------


def events_of(reply: Done, wish: ResponseWish, drafts: Sequence[Image]) -> Iterator[dict[str, Any]]:
    """The events of one picture; before the first of all, those that begin a response."""
    yield from _beginning(reply.response_id, wish)
    for item in items_of(reply):
        known = wish.drawing.pop(item["id"], None)
        if known is None:
            yield from _added(wish, item)
        index = len(wish.sent) - 1 if known is None else known
        wish.sent[index] = item
        place = {"output_index": index, "item_id": item["id"]}
        if item["type"] == CALL:
            for number, draft in enumerate(drafts):
                yield _partial(wish, place, draft, number)
            yield _event(wish, f"{_STAGE}.completed", **place)
        else:
            yield from _speaking(wish, place, item)
        yield _event(wish, "response.output_item.done", output_index=index, item=item)


def draft_of(job_id: str, ordinal: int, draft: Image, number: int, wish: ResponseWish) -> Iterator[dict[str, Any]]:
    """The events of a draft, while its picture is drawn; before the first of a picture, those that begin its call."""
    name = call_id(job_id, ordinal)
    if name not in wish.drawing:
        yield from _beginning(job_id, wish)
        yield from _added(wish, {"id": name, "type": CALL, "output_format": None, "size": None, "result": None})
        wish.drawing[name] = len(wish.sent) - 1
    yield _partial(wish, {"output_index": wish.drawing[name], "item_id": name}, draft, number)


def _added(wish: ResponseWish, item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    index, begun = len(wish.sent), _begun(item)
    wish.sent.append(begun)
    yield _event(wish, "response.output_item.added", output_index=index, item=begun)
    if item["type"] == CALL:
        for stage in ("in_progress", "generating"):
            yield _event(wish, f"{_STAGE}.{stage}", output_index=index, item_id=item["id"])


def _partial(wish: ResponseWish, place: dict[str, Any], draft: Image, number: int) -> dict[str, Any]:
    shown = Spilled((draft.blob,)) if draft.blob else ""
    return _event(wish, f"{_STAGE}.partial_image", **place, partial_image_index=number, partial_image_b64=shown)


def _given_up(wish: ResponseWish) -> Iterator[dict[str, Any]]:
    """The calls that were begun and brought no picture."""
    for index in wish.drawing.values():
        wish.sent[index] = {**wish.sent[index], "status": "failed"}
        yield _event(wish, "response.output_item.done", output_index=index, item=wish.sent[index])
    wish.drawing.clear()


def _beginning(job_id: str, wish: ResponseWish) -> Iterator[dict[str, Any]]:
    if not wish.sent:
        response = bare(job_id, wish.head, "in_progress")
        yield _event(wish, "response.created", response=response)
        yield _event(wish, "response.in_progress", response=response)


def ending_of(reply: Reply, wish: ResponseWish) -> Iterator[dict[str, Any]]:
    """How a response ended; when pictures are missing, with an error that clients raise."""
    yield from _given_up(wish)
    if isinstance(reply, Done):
        response = response_of(reply, wish, wish.sent)
        yield _event(wish, f"response.{response['status']}", response=response)
        fault = next(iter(reply.shortfall), None)
    else:
        fault = fault_in(reply)
        yield from _beginning(wish.job, wish)
        yield _event(wish, "response.failed", response=bare(wish.job, wish.head, "failed", fault))
    if fault is not None:
        error = error_object(in_openai_s_words(fault))
        said = {"code": error["code"], "message": error["message"], "param": error["param"]}
        yield _event(wish, "error", **said, error=error)


def _event(wish: ResponseWish, kind: str, **members: Any) -> dict[str, Any]:
    return {"type": kind, "sequence_number": next(wish.numbers), **members}


def _begun(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item before anything is in it."""
    emptied: dict[str, Any] = {"result": None, "output_format": None, "size": None, "content": [], "summary": []}
    return {**item, "status": "in_progress", **{name: value for name, value in emptied.items() if name in item}}


def _speaking(wish: ResponseWish, place: dict[str, Any], item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for number, part in enumerate(item.get("content", ())):
        at = {**place, "content_index": number}
        empty = {**part, "text": ""}
        yield _event(wish, "response.content_part.added", **at, part=empty)
        yield _event(wish, "response.output_text.delta", **at, delta=part["text"], logprobs=[])
        yield _event(wish, "response.output_text.done", **at, text=part["text"], logprobs=[])
        yield _event(wish, "response.content_part.done", **at, part=part)
