"""Answers, both ways: pictures and the errors of single pictures, in one body or in events.

In a stream ``partial_succeeded`` is a whole picture of the group, no preview. A picture that was refused has an error
in its place, and the group goes on; an error of Ark's own ends it. Only pictures that came are billed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from ...model.call import Done, Open
from ...model.fault import Charged, Fault, FaultKind
from ...model.request import Image
from ...model.usage import NOTHING_USED, Usage
from ...wire.data_uri import read_picture
from ...wire.message import Headers, Spilled, WireResponse
from ...wire.reading import blob_of, count, entries_of, integer, items, mapping, member, text
from .errors import error_in, error_object, read_error, read_object

_PREFIX: Final = "image_generation."
_REQUEST_ID: Final = "X-Request-Id"


@dataclass(slots=True)
class _Gathered:
    """What an answer, or the events of one, have said."""

    status: int
    pictures: list[tuple[int, Image]] = field(default_factory=list[tuple[int, Image]])
    refused: list[Fault] = field(default_factory=list[Fault])
    error: Mapping[str, Any] = field(default_factory=dict[str, Any])
    usage: Usage = NOTHING_USED
    model: str = ""
    ended: bool = False
    known: bool = False
    """Whether anything was said that only Ark says."""

    def add(self, value: Any) -> None:
        """One body, or one event."""
        kind = text(value, "type").removeprefix(_PREFIX)
        entries = items(value, "data")
        for entry in entries:
            self._add_item(entry, len(self.pictures))
        if kind in {"partial_succeeded", "partial_failed"}:
            entries = (value,)
            self._add_item(value, integer(value, "imageIndex", len(self.pictures)) or 0)
        elif found := mapping(value, "error"):
            self.error = found
        self.ended = self.ended or kind == "completed"
        self.model = self.model or text(value, "model")
        if used := mapping(value, "usage"):
            self.usage = read_usage(used)
        self.known = self.known or bool(entries or used or kind == "completed")

    def _add_item(self, entry: Any, place: int) -> None:
        image = _read_picture(entry)
        if image:
            self.pictures.append((place, image))
        elif found := error_in(entry):
            self.refused.append(read_object(found, self.status))
        else:
            message = "an entry without a picture"
            self.refused.append(Fault(FaultKind.MALFORMED, message, charged=Charged.UNKNOWN, status=self.status))

    @property
    def in_order(self) -> tuple[Image, ...]:
        """The pictures as they stand in the group."""
        return tuple(image for _, image in sorted(self.pictures, key=lambda found: found[0]))


def read_answer(response: WireResponse, call: Open) -> Done | Fault:
    """What an answer to ``Open`` means. Never raises."""
    if not 200 <= response.status < 300:
        return read_error(response)
    answer = _Gathered(response.status)
    body: Any = response.body
    for value in entries_of(body) if isinstance(body, list) else (body,):
        answer.add(value)
    broken = response.cut and not answer.ended
    if answer.pictures:
        return _done(response, answer, call.request.n, broken=broken)
    if answer.error:
        return read_error(response, answer.error)
    if broken:
        return Fault(FaultKind.CUT, "the answer broke off", charged=Charged.UNKNOWN, status=response.status)
    if answer.refused:
        return replace(answer.refused[0], usage=answer.usage)
    if not answer.known:
        return read_error(response)
    charged = Charged.YES if answer.usage.images else Charged.NO
    return Fault(FaultKind.NO_IMAGE, charged=charged, status=response.status, usage=answer.usage)


def _done(response: WireResponse, answer: _Gathered, wanted: int, *, broken: bool) -> Done:
    pictures = answer.in_order
    finals = tuple(range(min(len(pictures), max(wanted, 1))))
    missing = list(answer.refused)
    if answer.error:
        missing.append(read_error(response, answer.error))
    elif broken:
        message = "the line broke before the group was whole"
        missing.append(Fault(FaultKind.CUT, message, charged=Charged.UNKNOWN, status=response.status))
    return Done(
        parts=pictures,
        finals=finals,
        usage=answer.usage,
        answered_by=answer.model,
        response_id=response.headers.get(_REQUEST_ID),
        shortfall=tuple(missing[: max(wanted - len(finals), 0)]),
    )


def _read_picture(entry: Any) -> Image | None:
    if blob := blob_of(member(entry, "b64_json")):
        return Image(blob=blob, media_type=blob.media_type)
    return read_picture(member(entry, "url"))


# --- usage -----------------------------------------------------------------------------------------------------------


def read_usage(used: Mapping[str, Any]) -> Usage:
    """Pictures that came and their tokens, which are pixels: width times height by 256."""
    return Usage(
        images=count(used, "generatedImages"),
        output_image_tokens=count(used, "outputTokens"),
        input_tokens=max(count(used, "totalTokens") - count(used, "outputTokens"), 0),
        searches=count(mapping(used, "toolUsage"), "webSearch"),
    )


def write_usage(usage: Usage, pictures: int) -> dict[str, Any]:
    """The usage as Ark words it."""
    said: dict[str, Any] = {
        "generated_images": usage.images or pictures,
        "output_tokens": usage.output_image_tokens,
        "total_tokens": usage.input_tokens + usage.output_image_tokens,
    }
    return {**said, **({"tool_usage": {"web_search": usage.searches}} if usage.searches else {})}


# --- writing ---------------------------------------------------------------------------------------------------------


def write_done(done: Done, call: Open) -> WireResponse:
    """An answer with pictures, in events when the call is streamed."""
    headers = Headers(((_REQUEST_ID, done.response_id),)) if _is_header(done.response_id) else Headers()
    named = {"model": done.answered_by or call.request.model, "created": 0}
    pictures = _told(done, call)
    entries = [_item(image, call.request.size) for image in pictures]
    entries += [{"error": error_object(fault)[0]} for fault in done.shortfall]
    usage = write_usage(done.usage, len(pictures))
    if not call.stream:
        return WireResponse(200, headers, {**named, "data": entries, "usage": usage})
    events = [{"type": _event(entry), **named, "image_index": i, **entry} for i, entry in enumerate(entries)]
    completed = {"type": f"{_PREFIX}completed", **named, "usage": usage}
    return WireResponse(200, headers, [*events, completed], stream=True)


def _event(entry: Mapping[str, Any]) -> str:
    return f"{_PREFIX}partial_{'failed' if 'error' in entry else 'succeeded'}"


def _told(done: Done, call: Open) -> tuple[Image, ...]:
    """The pictures to deliver; of one that is taken apart, its layers, too."""
    if not call.request.extra.get("layer_decomposition"):
        return done.pictures
    return (*done.pictures, *(part for part in done.extras if isinstance(part, Image)))


def _item(image: Image, size: str | None) -> dict[str, Any]:
    picture = {"url": image.uri or ""} if image.blob is None else {"b64_json": Spilled((image.blob,))}
    return {**cast("dict[str, Any]", picture), **({"size": size} if size and "x" in size else {})}


def _is_header(words: str) -> bool:
    return bool(words) and words.isascii() and words.isprintable() and words == words.strip()
