"""What a response was asked, as the items that the Responses API lists, and how many tokens that comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from ....model.fault import Fault, FaultKind
from ....model.request import Image, ImageRequest, Part, Role, Text, Turn
from ....wire.data_uri import write_picture
from ....wire.message import Spilled
from .responses_asked import IMAGE_TOOL

PAGE: Final = 20
MOST: Final = 100


def input_items(request: ImageRequest, response_id: str) -> list[dict[str, Any]]:
    """The turns of a request, oldest first; earlier pictures of the model's are calls of its tool."""
    return [
        {"id": f"{kind}_{response_id}_{number}", **item}
        for number, (kind, item) in enumerate(each for turn in request.turns for each in _of_turn(turn))
    ]


def _of_turn(turn: Turn) -> Iterator[tuple[str, dict[str, Any]]]:
    if turn.role is Role.USER:
        content = [_content(part) for part in turn.parts]
        yield "msg", {"type": "message", "role": "user", "status": "completed", "content": content}
        return
    for part in turn.parts:
        if part.thought:
            continue
        if isinstance(part, Text):
            words: dict[str, Any] = {"type": "output_text", "text": part.text, "annotations": [], "logprobs": []}
            yield "msg", {"type": "message", "role": "assistant", "status": "completed", "content": [words]}
        else:
            drawn = Spilled((part.blob,)) if part.blob else None
            yield "ig", {"type": f"{IMAGE_TOOL}_call", "status": "completed", "result": drawn}


def _content(part: Part) -> dict[str, Any]:
    if isinstance(part, Image):
        return {"type": "input_image", "detail": "auto", "image_url": write_picture(part), "file_id": None}
    return {"type": "input_text", "text": part.text}


def page_of(entries: Sequence[Mapping[str, Any]], query: Mapping[str, str]) -> dict[str, Any] | Fault:
    """One page of a list, the newest first unless ``order`` says otherwise."""
    order, limit, after = query.get("order", "desc"), query.get("limit", str(PAGE)), query.get("after", "")
    if order not in {"asc", "desc"}:
        return _wrong("Invalid value for 'order': supported values are: 'asc' and 'desc'.")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:6]) <= MOST):
        return _wrong(f"Invalid value for 'limit': expected a number from 1 to {MOST}.")
    listed = list(entries if order == "asc" else reversed(entries))
    places = {str(entry["id"]): place for place, entry in enumerate(listed)}
    if after and after not in places:
        return _wrong(f"Invalid value for 'after': there is no item '{after}'.")
    rest = listed[places[after] + 1 :] if after else listed
    shown = rest[: int(limit)]
    ends = {"first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None}
    return {"object": "list", "data": shown, **ends, "has_more": len(rest) > len(shown)}


def after_number(events: Iterable[Mapping[str, Any]], number: int | None) -> Iterator[Mapping[str, Any]]:
    """The events that a client has not had, when it had them up to that one."""
    return (event for event in events if number is None or event["sequence_number"] > number)


def _wrong(message: str) -> Fault:
    return Fault(FaultKind.INVALID_REQUEST, message, reason="invalid_value", status=400)
