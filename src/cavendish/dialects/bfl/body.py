"""A request, both ways: an ``Open`` as the body of a task, and that body as an ``Open``. One task is one picture.

The model is the path. A size is ``WIDTHxHEIGHT``. Pictures have members of their own by what they are for: references
to be followed, one for its style alone (``image_prompt``), one to be filled in where its mask says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from ...model.call import Open
from ...model.request import Image, ImageRequest, Notice, Part, Role, Text, Turn, Use
from ...wire.data_uri import read_picture, write_picture
from ...wire.last_turn import picture_for, pictures_of, prompt_of, unsaid
from ...wire.message import Spilled
from ...wire.passed_on import passed_on
from ...wire.reading import integer, member, text

MAX_REFERENCES: Final = 10
"""Of the newest models; which model takes how many is not known here."""

_BORDERS: Final = frozenset({"top", "bottom", "left", "right"})
"""By how many pixels a picture is to be expanded."""

EXTRAS: Final = _BORDERS | {
    "disable_pup",
    "guidance",
    "image_prompt_strength",
    "prompt_upsampling",
    "raw",
    "safety_tolerance",
    "steps",
}
"""Members that go through as they are."""

_WEBHOOKS: Final = ("webhookUrl", "webhookSecret")
_SAID: Final = frozenset({"aspect_ratio", "seed", "output_format", "mask"})
_PIXELS: Final = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)


class Unreadable(ValueError):
    """The request is not what the API would take: why, and which member is at fault."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message)


# --- writing ---------------------------------------------------------------------------------------------------------


def write_body(request: ImageRequest) -> dict[str, Any]:
    """The body of a task."""
    size = _PIXELS.fullmatch(request.size or "")
    said: dict[str, Any] = {
        "prompt": prompt_of(request),
        "width": int(size[1]) if size else None,
        "height": int(size[2]) if size else None,
        "aspect_ratio": request.aspect_ratio,
        "seed": request.seed,
        "output_format": request.output_format,
        **_pictures(request),
    }
    known = {name: value for name, value in request.extra.items() if name in EXTRAS}
    return {**known, **{name: value for name, value in said.items() if value is not None}}


def _pictures(request: ImageRequest) -> dict[str, str | Spilled]:
    mask = picture_for(request, Use.MASK)
    style = picture_for(request, Use.STYLE) if _one_style(request) else None
    references = pictures_of(request, *((Use.STYLE,) if style else ()))
    to_change = mask is not None or not _BORDERS.isdisjoint(request.extra)
    named = {**dict(zip(_places(to_change=to_change), references, strict=False)), "mask": mask, "image_prompt": style}
    return {name: write_picture(image, bare=True) for name, image in named.items() if image is not None}


def _places(*, to_change: bool) -> Iterator[str]:
    """The members for references, in their order."""
    if to_change:
        yield "image"
    yield "input_image"
    for number in range(2, MAX_REFERENCES + 1):
        yield f"input_image_{number}"


def _one_style(request: ImageRequest) -> bool:
    return sum(image.use is Use.STYLE for image in request.references) == 1


def left_out(request: ImageRequest) -> tuple[Notice, ...]:
    """A notice for each field that this format has no word for."""
    said = set(_SAID)
    if request.size is not None and _PIXELS.fullmatch(request.size):
        said.add("size")
    if _one_style(request) and all(image.use in {None, Use.STYLE, Use.MASK} for image in request.references):
        said.add("use")
    notices = unsaid(request, said, EXTRAS, "Black Forest Labs")
    if request.n == 1:
        return notices
    text_of_n = "one task draws one picture: n cannot be said to Black Forest Labs and is left out"
    return (*notices, Notice("unsupported", text_of_n, "n"))


# --- reading ---------------------------------------------------------------------------------------------------------


def read_body(body: Any, model: str) -> Open:
    """The call that a body stands for. Raises ``Unreadable``."""
    if not isinstance(body, Mapping):
        raise Unreadable("Input should be a valid dictionary")
    said = cast("Mapping[str, Any]", body)
    if any(member(said, name) is not None for name in _WEBHOOKS):
        raise Unreadable("nobody is called back from here: poll instead", "webhook_url")
    try:
        extra = passed_on(said, EXTRAS)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    request = ImageRequest(
        turns=(Turn(Role.USER, (*_read_pictures(said, extra), *_prompt(said))),),
        model=model,
        size=_size(said),
        aspect_ratio=text(said, "aspectRatio") or None,
        seed=integer(said, "seed"),
        output_format=text(said, "outputFormat") or None,
        extra=extra,
    )
    return Open(request)


def _prompt(body: Mapping[str, Any]) -> tuple[Part, ...]:
    prompt = body.get("prompt")
    if not isinstance(prompt, str | None):
        raise Unreadable("Input should be a valid string", "prompt")
    return (Text(prompt),) if prompt else ()


def _size(body: Mapping[str, Any]) -> str | None:
    width, height = integer(body, "width"), integer(body, "height")
    if width is None and height is None:
        return None
    if width is None or height is None:
        raise Unreadable("width and height go together", "height" if height is None else "width")
    size = f"{width}x{height}"
    if not _PIXELS.fullmatch(size):
        raise Unreadable(f"{size} is no size of a picture", "width")
    return size


def _read_pictures(body: Mapping[str, Any], extra: Mapping[str, Any]) -> Iterator[Image]:
    to_change = body.get("image") is not None
    if to_change and body.get("mask") is None and _BORDERS.isdisjoint(extra):
        raise Unreadable("Field required", "mask")
    for name in _places(to_change=to_change):
        if image := _picture(body, name):
            yield image
    if style := _picture(body, "image_prompt"):
        yield replace(style, use=Use.STYLE)
    if mask := _picture(body, "mask"):
        yield replace(mask, use=Use.MASK)


def _picture(body: Mapping[str, Any], name: str) -> Image | None:
    value = body.get(name)
    if value is None or value == "":
        return None
    image = read_picture(value)
    if image is None:
        raise Unreadable("Input should be a picture as base64 or its address", name)
    return image
