"""The last turn: a request for formats that know one prompt and some pictures, but no conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from ..model.request import Image, ImageRequest, Notice, Role, Text, Turn, Use

_FIELDS: Final = (
    "size", "aspect_ratio", "system", "thinking", "include_thoughts", "modalities", "grounding", "seed", "temperature",
    "quality", "output_format",
)  # fmt: skip


def prompt_of(request: ImageRequest) -> str:
    """The words of the last turn."""
    return request.prompt


def pictures_of(request: ImageRequest, *apart: Use) -> tuple[Image, ...]:
    """The pictures of the last turn; when it has none, the latest one of the conversation: it is what is edited.

    Those for a use that the format has a place ``apart`` for are left out, and so are masks: taken for a reference, a
    mask would be drawn.
    """
    wanted = [part for part in request.references if part.use not in {Use.MASK, *apart}]
    if not wanted:
        earlier = (part for turn in reversed(request.turns[:-1]) for part in reversed(turn.parts))
        pictures = (part for part in earlier if isinstance(part, Image) and not part.thought)
        wanted = [part for part in pictures if part.use is not Use.MASK][:1]
    return tuple(map(_plain, wanted))


def picture_for(request: ImageRequest, use: Use) -> Image | None:
    """The first picture of the last turn that is for this use."""
    return next((_plain(part) for part in request.references if part.use is use), None)


def _plain(image: Image) -> Image:
    return replace(image, use=None, thought=False, signature=None)


def unsaid(request: ImageRequest, said: Iterable[str], extras: Iterable[str], format_name: str) -> tuple[Notice, ...]:
    """A notice for each field that goes unsaid: ``said`` names the fields, ``extras`` the members that do not."""
    spoken, known = frozenset(said), frozenset(extras)
    missing = [name for name, wanted in _wanted(request).items() if wanted and name not in spoken]
    missing += [f"extra.{name}" for name in request.extra if name not in known]
    return tuple(
        Notice("unsupported", f"{name} cannot be said to {format_name} and is left out", name) for name in missing
    )


def _wanted(request: ImageRequest) -> Mapping[str, bool]:
    wanted = {name: bool(getattr(request, name)) or getattr(request, name) == 0 for name in _FIELDS}
    last = request.turns[-1].parts if request.turns else ()
    return {
        **wanted,
        # Words and pictures are sent apart, so only words that follow all pictures stay where they are.
        "turns": len(request.turns) > 1,
        "order": any(isinstance(part, Text) for part in last[:-1]),
        "use": any(isinstance(part, Image) and part.use not in (None, Use.MASK) for part in last),
        "mask": any(isinstance(part, Image) and part.use is Use.MASK for part in last),
        "include_thoughts": request.include_thoughts,
        # A picture alone is what these formats give anyway.
        "modalities": request.modalities is not None and "TEXT" in request.modalities,
    }


def one_turn(prompt: str, pictures: Iterable[Image]) -> tuple[Turn, ...]:
    """The turn that such a format asks with: pictures, then words."""
    return (Turn(Role.USER, (*pictures, *((Text(prompt),) if prompt else ()))),)
