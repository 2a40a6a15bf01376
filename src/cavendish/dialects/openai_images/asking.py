"""A request, written: an ``Open`` as the body of images/generations, images/edits or OpenRouter's images.

There is one prompt, some pictures and no conversation. With pictures it is an edit: a form with a file for each, or
JSON that names them. A size goes as it is: which pixels a word stands for is a fact about models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ...model.call import Open
from ...model.request import Image, ImageRequest, Notice, Use
from ...wire import media
from ...wire.data_uri import write_picture
from ...wire.last_turn import picture_for, pictures_of, prompt_of, unsaid
from ...wire.message import Field, Form, WireRequest
from ...wire.openai_pictures import FILE_ID
from .spelling import Spelling, extras_of, is_pixels, says

GENERATIONS: Final = "/images/generations"
EDITS: Final = "/images/edits"
OPENROUTER: Final = "/images"


def write_open(call: Open, spelling: Spelling, members: Iterable[str], *, form: bool) -> WireRequest:
    """The call as it goes to the endpoint. ``members``: further ones that its servers know."""
    request = call.request
    body = _body(call, spelling, members)
    pictures, mask = drawn_upon(request)
    if spelling == "openrouter":
        if pictures:
            body["input_references"] = [_part(image) for image in pictures]
        return WireRequest("POST", OPENROUTER, body)
    if not pictures:
        return WireRequest("POST", GENERATIONS, body)
    if form and all(image.blob for image in (*pictures, *mask)):
        return WireRequest("POST", EDITS, Form(tuple(_fields(body, pictures, mask))))
    body["images"] = [_reference(image) for image in pictures]
    if mask:
        body["mask"] = _reference(mask[0])
    return WireRequest("POST", EDITS, body)


def drawn_upon(request: ImageRequest) -> tuple[tuple[Image, ...], tuple[Image, ...]]:
    """The reference pictures, and the mask of the first of them, if there is one."""
    pictures, mask = pictures_of(request), picture_for(request, Use.MASK)
    return pictures, (mask,) if pictures and mask else ()


def _body(call: Open, spelling: Spelling, members: Iterable[str]) -> dict[str, Any]:
    request = call.request
    known = extras_of(spelling) | frozenset(members)
    said: dict[str, Any] = {
        "model": request.model,
        "prompt": prompt_of(request),
        "n": request.n if request.n != 1 else None,
        **_shape(request, spelling),
        "quality": request.quality,
        "output_format": request.output_format,
        "stream": call.stream or None,
    }
    extra = {name: value for name, value in request.extra.items() if name in known}
    return {**extra, **{name: value for name, value in said.items() if value is not None}}


def _shape(request: ImageRequest, spelling: Spelling) -> dict[str, Any]:
    if spelling == "openai":
        return {"size": request.size}
    word = "resolution" if spelling == "openrouter" else "image_size"
    name = "size" if is_pixels(request.size or "auto") else word
    return {name: request.size, "aspect_ratio": request.aspect_ratio, "seed": request.seed}


# --- pictures --------------------------------------------------------------------------------------------------------


def _fields(body: Mapping[str, Any], pictures: tuple[Image, ...], mask: tuple[Image, ...]) -> Iterator[Field]:
    for name, value in body.items():
        yield Field(name, value if isinstance(value, str) else json.dumps(value))
    name = "image" if len(pictures) == 1 else "image[]"
    for number, image in enumerate(pictures, start=1):
        yield _file(name, f"image-{number}", image)
    for image in mask:
        yield _file("mask", "mask", image)


def _file(name: str, stem: str, image: Image) -> Field:
    assert image.blob is not None
    media_type = image.media_type or image.blob.media_type
    return Field(name, image.blob, f"{stem}.{media.extension(media_type)}", media_type)


def _reference(image: Image) -> dict[str, Any]:
    if (image.uri or "").startswith(FILE_ID):
        return {"file_id": image.uri}
    return {"image_url": write_picture(image)}


def _part(image: Image) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": write_picture(image)}}


# --- what goes unsaid ------------------------------------------------------------------------------------------------


def left_out(request: ImageRequest, spelling: Spelling, members: Iterable[str]) -> tuple[Notice, ...]:
    """A notice for each field that this format has no word for."""
    said = says(spelling)
    _, mask = drawn_upon(request)
    if spelling != "openrouter" and sum(image.use is Use.MASK for image in request.references) == len(mask):
        said |= frozenset({"mask"})
    return unsaid(request, said, extras_of(spelling) | frozenset(members), "an Images API")
