"""Answers, both ways: what a reply of the Images API means, and how a reply is said.

An answer is a list of pictures, or a stream: each picture's drafts (``partial_image``), then the picture itself
(``completed``). Pictures that were asked for and did not come have no place in the list: the answer is an error, or
shorter. Our own gateway says why under ``failures``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...model.call import Call, Done, Open
from ...model.fault import Charged, Fault, FaultKind
from ...model.request import Image, ImageRequest, Part, Text
from ...wire.message import WireResponse
from ...wire.openai_error import error_of, has_large_picture, read_error, read_error_object
from ...wire.openai_pictures import read_failures, read_items, read_picture, words_of, write_failures, write_items
from ...wire.openai_usage import read_usage, total_usage, write_images_usage
from ...wire.reading import entries_of, items, mapping, member, text
from .events import write_events


@dataclass(slots=True)
class _Gathered:
    """An answer as far as it arrived. ``known``: something in it looked like an answer."""

    parts: list[Part] = field(default_factory=list[Part])
    finals: list[int] = field(default_factory=list[int])
    faults: list[Fault] = field(default_factory=list[Fault])
    usages: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    model: str = ""
    response_id: str = ""
    error: Mapping[str, Any] | None = None
    known: bool = False


def read_answer(response: WireResponse, call: Open) -> Done | Fault:
    """What an answer to ``Open`` means. Never raises."""
    if not 200 <= response.status < 300:
        return read_error(response, large_pictures=has_large_picture(call.request))
    if response.binary is not None and not response.cut:
        return Done(parts=(Image(blob=response.binary, media_type=response.binary.media_type),), finals=(0,))
    events = entries_of(response.body)
    answer = _of_events(events) if events else _of_object(response.body)
    if not answer.finals:
        return _without_picture(response, answer, call)
    return _done(response, answer, max(call.request.n, 1))


def read_drafts(event: Any) -> tuple[Image, ...]:
    """The picture of an event that is not its last. Never raises."""
    picture = read_picture(event) if text(event, "type").endswith("partial_image") else None
    return (picture,) if picture else ()


def _of_object(body: Any) -> _Gathered:
    """An answer that is not streamed."""
    answer = _Gathered(known=member(body, "data") is not None or member(body, "created") is not None)
    answer.parts, answer.faults = read_items(items(body, "data"))
    answer.finals = [i for i, part in enumerate(answer.parts) if isinstance(part, Image)]
    _take_common(answer, body)
    return answer


def _of_events(events: Iterable[Any]) -> _Gathered:
    """A stream, up to its first error. A server may answer a wish for one with a list of one plain answer."""
    answer = _Gathered()
    for event in events:
        if member(event, "error") is not None:
            answer.error = error_of(event)
            break
        kind = text(event, "type")
        answer.known = answer.known or bool(kind) or member(event, "data") is not None
        if kind.endswith("text_chunk"):
            _take_words(answer, text(event, "text") or text(event, "delta"))
        elif items(event, "data"):
            _take_items(answer, items(event, "data"))
        else:
            _take_picture(answer, event, draft=kind.endswith("partial_image"))
        _take_common(answer, event)
    return answer


def _take_words(answer: _Gathered, words: str) -> None:
    """OpenRouter tells what the model says bit by bit."""
    if answer.parts and isinstance(last := answer.parts[-1], Text):
        answer.parts[-1] = Text(last.text + words)
    elif words:
        answer.parts.append(Text(words))


def _take_items(answer: _Gathered, values: Iterable[Any]) -> None:
    parts, faults = read_items(values)
    answer.finals += [len(answer.parts) + i for i, part in enumerate(parts) if isinstance(part, Image)]
    answer.parts += parts
    answer.faults += faults


def _take_picture(answer: _Gathered, event: Any, *, draft: bool) -> None:
    picture = read_picture(event)
    if picture is None:
        return
    if words := text(event, "revisedPrompt"):
        answer.parts.append(Text(words))
    if not draft:
        answer.finals.append(len(answer.parts))
    answer.parts.append(picture)


def _take_common(answer: _Gathered, event: Any) -> None:
    if usage := mapping(event, "usage"):
        answer.usages.append(usage)
    answer.faults += read_failures(event)
    answer.model = text(event, "model") or answer.model
    answer.response_id = text(event, "id") or answer.response_id


# --- what it means ---------------------------------------------------------------------------------------------------


def _done(response: WireResponse, answer: _Gathered, wanted: int) -> Done:
    finals = tuple(answer.finals[:wanted])
    missing = wanted - len(finals)
    faults = [*answer.faults, *_broken(response, answer)]
    used = [read_usage(usage, with_picture=True) for usage in answer.usages]
    return Done(
        parts=tuple(answer.parts),
        finals=finals,
        usage=total_usage(used),
        answered_by=answer.model,
        response_id=answer.response_id,
        shortfall=tuple(faults[:missing]),
    )


def _broken(response: WireResponse, answer: _Gathered) -> Iterable[Fault]:
    """Why a stream ended before all pictures came. Those that did are whole."""
    if answer.error is not None:
        yield replace(read_error_object(answer.error, response.status), charged=Charged.UNKNOWN)
    elif response.cut:
        yield Fault(FaultKind.CUT, "the answer broke off", charged=Charged.UNKNOWN, status=response.status)


def _without_picture(response: WireResponse, answer: _Gathered, call: Open) -> Fault:
    usage = total_usage(read_usage(usage, with_picture=False) for usage in answer.usages)
    if answer.faults:
        return replace(answer.faults[0], usage=usage)
    if response.cut:
        message = "the answer broke off" if answer.known else "the line broke before the answer"
        return Fault(FaultKind.CUT, message, charged=Charged.UNKNOWN, status=response.status, usage=usage)
    if answer.error is not None or error_of(response.body) is not None or not answer.known:
        fault = read_error(response, large_pictures=has_large_picture(call.request))
        return replace(fault, usage=usage) if fault.usage != usage and usage.reported else fault
    said = words_of(answer.parts)
    wrote = usage.output_image_tokens or usage.output_text_tokens or usage.thought_tokens
    return Fault(
        FaultKind.TEXT_ONLY if said.strip() else FaultKind.NO_IMAGE,
        charged=Charged.YES if wrote else Charged.UNKNOWN,
        status=response.status,
        text=said,
        usage=usage,
    )


# --- writing ---------------------------------------------------------------------------------------------------------


def write_done(done: Done, call: Call) -> WireResponse:
    """An answer with pictures, in events when the call is streamed."""
    request = call.request if isinstance(call, Open) else None
    closing: dict[str, Any] = {**_trailer(done), **write_failures(done.shortfall)}
    if isinstance(call, Open) and call.stream:
        return WireResponse(200, body=write_events(done, call.request, closing), stream=True)
    said = _said(request)
    return WireResponse(200, body={"created": 0, **said, "data": write_items(done.parts, done.finals), **closing})


def _trailer(done: Done) -> dict[str, Any]:
    written = {"model": done.answered_by, "id": done.response_id}
    usage = {"usage": write_images_usage(done.usage)} if done.usage.reported else {}
    return {**{name: value for name, value in written.items() if value}, **usage}


def _said(request: ImageRequest | None) -> dict[str, Any]:
    """What the answer repeats of the request."""
    if request is None:
        return {}
    words = {"size": request.size, "quality": request.quality, "output_format": request.output_format}
    return {name: value for name, value in words.items() if value is not None}
