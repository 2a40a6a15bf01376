"""A request, written: an ``Open`` as the body of chat/completions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...model.call import Open
from ...model.request import Image, ImageRequest, Notice, Role, Text, Turn
from ...wire.message import WireRequest
from .messages import write_messages
from .spelling import EXTRAS, Spelling, has_suffix, laid_over, placed, with_suffix

PATH = "/chat/completions"
INCLUDE_USAGE = {"include_usage": True}
"""Without it a stream does not say what was used."""


def write_open(call: Open, spelling: Spelling, members: Iterable[str]) -> WireRequest:
    """The call as it goes to the endpoint. ``members``: further ones that its servers know."""
    request = call.request
    known = EXTRAS | frozenset(members)
    body: dict[str, Any] = {name: value for name, value in request.extra.items() if name in known}
    for said in (_plain(call, spelling), *_shape(request, spelling), _thinking(request, spelling)):
        body = laid_over(body, said)
    return WireRequest("POST", PATH, body)


def _plain(call: Open, spelling: Spelling) -> dict[str, Any]:
    request = call.request
    default = ["image", "text"] if spelling.modalities else None
    said: dict[str, Any] = {
        "model": with_suffix(request.model, request.size) if spelling.size_in == "suffix" else request.model,
        "messages": write_messages(request, spelling.history),
        "modalities": default if request.modalities is None else [word.lower() for word in request.modalities],
        "n": request.n if request.n != 1 else None,
        "seed": request.seed,
        "temperature": request.temperature,
        "stream": call.stream or None,
        "stream_options": INCLUDE_USAGE if call.stream else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _shape(request: ImageRequest, spelling: Spelling) -> tuple[dict[str, Any], dict[str, Any]]:
    ratio = placed(spelling.ratio_in, aspect_ratio=request.aspect_ratio)
    return ratio, placed(spelling.size_in, image_size=request.size)


def _thinking(request: ImageRequest, spelling: Spelling) -> dict[str, Any]:
    thoughts = request.include_thoughts or None
    if spelling.thinking_in == "effort":
        said = {"reasoning_effort": request.thinking, "include_reasoning": thoughts}
        return {name: value for name, value in said.items() if value is not None}
    if spelling.thinking_in == "none" or not (request.thinking or thoughts):
        return {}
    said = {"thinking_level": request.thinking, "include_thoughts": thoughts}
    config = {name: value for name, value in said.items() if value is not None}
    return {"extra_body": {"google": {"thinking_config": config}}}


# --- what goes unsaid ------------------------------------------------------------------------------------------------


def left_out(request: ImageRequest, spelling: Spelling, members: Iterable[str]) -> tuple[Notice, ...]:
    """A notice for each field that this format, or this endpoint's way of it, has no word for."""
    parts = [part for turn in request.turns for part in turn.parts]
    unheard = spelling.thinking_in == "none"
    fields = {
        "size": request.size is not None and not _says_size(request.size, spelling),
        "aspect_ratio": request.aspect_ratio is not None and spelling.ratio_in == "none",
        "thinking": request.thinking is not None and unheard,
        "include_thoughts": request.include_thoughts and unheard,
        "grounding": bool(request.grounding),
        "quality": request.quality is not None,
        "output_format": request.output_format is not None,
        "use": any(isinstance(part, Image) and part.use is not None for part in parts),
        "thoughts": any(part.thought for part in parts),
        "signature": any(part.signature is not None for part in parts),
        "order": any(map(_is_reordered, request.turns)) and spelling.history != "markdown",
    }
    unsaid = [name for name, wanted in fields.items() if wanted]
    unsaid += [f"extra.{name}" for name in request.extra if name not in EXTRAS | frozenset(members)]
    return tuple(Notice("unsupported", f"{name} cannot be said in a chat and is left out", name) for name in unsaid)


def _says_size(size: str, spelling: Spelling) -> bool:
    if spelling.size_in == "suffix":
        return has_suffix(size)
    return spelling.size_in != "none"


def _is_reordered(turn: Turn) -> bool:
    """Whether a model spoke after a picture: its words and pictures are sent apart."""
    spoken = [part for part in turn.parts if not part.thought]
    before, after = spoken, spoken[1:]
    mixed = any(isinstance(a, Image) and isinstance(b, Text) for a, b in zip(before, after, strict=False))
    return turn.role is Role.MODEL and mixed
