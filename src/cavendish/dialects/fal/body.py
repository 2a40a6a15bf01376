"""A request, both ways: an ``Open`` as the input of a model at fal, and that input as an ``Open``.

The model is the path. A size is one of fal's names or ``WIDTHxHEIGHT`` (``image_size``), or a word of the models that
have a ``resolution``; there half of 1K is ``0.5K``, where others say ``512``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from ...model.call import Open
from ...model.request import Image, ImageRequest, Notice, Use
from ...wire.data_uri import read_picture, write_picture
from ...wire.last_turn import one_turn, picture_for, pictures_of, prompt_of, unsaid
from ...wire.passed_on import passed_on
from ...wire.reading import entries_of, integer, member, text

EXTRAS: Final = frozenset(
    {
        "enable_safety_checker",
        "enhance_prompt",
        "guidance_scale",
        "image_prompt_strength",
        "negative_prompt",
        "num_inference_steps",
        "raw",
        "safety_tolerance",
        "strength",
        "sync_mode",
    }
)
"""Members that go through as they are."""

SIZE_NAMES: Final = frozenset(
    {"square_hd", "square", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9"}
)
_SAID: Final = frozenset({"size", "aspect_ratio", "seed", "output_format", "mask"})
_PIXELS: Final = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
_RESOLUTIONS: Final = {"512": "0.5K"}
_SIZES: Final = {resolution: size for size, resolution in _RESOLUTIONS.items()}


class Unreadable(ValueError):
    """The input is not what a model would take: why, and which member is at fault."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


# --- writing ---------------------------------------------------------------------------------------------------------


def write_body(request: ImageRequest) -> dict[str, Any]:
    """The input of a model."""
    mask = picture_for(request, Use.MASK)
    said: dict[str, Any] = {
        "prompt": prompt_of(request),
        "num_images": request.n if request.n != 1 else None,
        **_write_size(request.size),
        "aspect_ratio": request.aspect_ratio,
        "seed": request.seed,
        "output_format": request.output_format,
        "image_urls": [write_picture(image) for image in pictures_of(request)] or None,
        "mask_url": write_picture(mask) if mask else None,
    }
    known = {name: value for name, value in request.extra.items() if name in EXTRAS}
    return {**known, **{name: value for name, value in said.items() if value is not None}}


def _write_size(size: str | None) -> dict[str, Any]:
    if size is None:
        return {}
    if pixels := _PIXELS.fullmatch(size):
        return {"image_size": {"width": int(pixels[1]), "height": int(pixels[2])}}
    return {"image_size": size} if size in SIZE_NAMES else {"resolution": _RESOLUTIONS.get(size, size)}


def left_out(request: ImageRequest) -> tuple[Notice, ...]:
    """A notice for each field that this format has no word for."""
    return unsaid(request, _SAID, EXTRAS, "fal")


# --- reading ---------------------------------------------------------------------------------------------------------


def read_body(body: Any, model: str, most_images: int) -> Open:
    """The call that an input stands for. Raises ``Unreadable``."""
    if not isinstance(body, Mapping):
        raise Unreadable("Input should be a valid dictionary")
    said = cast("Mapping[str, Any]", body)
    try:
        extra = passed_on(said, EXTRAS)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    request = ImageRequest(
        turns=one_turn(_prompt(said), _pictures(said)),
        model=model,
        n=_count(said, most_images),
        size=_read_size(said),
        aspect_ratio=text(said, "aspectRatio") or None,
        seed=integer(said, "seed"),
        output_format=text(said, "outputFormat") or None,
        extra=extra,
    )
    return Open(request)


def _prompt(body: Mapping[str, Any]) -> str:
    prompt = body.get("prompt")
    if prompt is None:
        raise Unreadable("Field required", "prompt")
    if not isinstance(prompt, str):
        raise Unreadable("Input should be a valid string", "prompt")
    return prompt


def _count(body: Mapping[str, Any], most: int) -> int:
    if member(body, "numImages") is None:
        return 1
    n = integer(body, "numImages")
    if n is None or not 1 <= n <= most:
        raise Unreadable(f"Input should be a whole number from 1 to {most}", "num_images")
    return n


def _read_size(body: Mapping[str, Any]) -> str | None:
    size = member(body, "imageSize")
    if size is None:
        resolution = text(body, "resolution")
        return _SIZES.get(resolution, resolution) or None
    if isinstance(size, str) and size in SIZE_NAMES:
        return size
    pixels = f"{integer(size, 'width')}x{integer(size, 'height')}"
    if not _PIXELS.fullmatch(pixels):
        raise Unreadable("Input should be a name of a size, or its width and height", "image_size")
    return pixels


def _pictures(body: Mapping[str, Any]) -> list[Image]:
    one, mask = member(body, "imageUrl"), member(body, "maskUrl")
    entries = entries_of(member(body, "imageUrls"))
    found = [_picture(entry, "image_urls") for entry in entries or ([] if one is None else [one])]
    return [*found, *([] if mask is None else [replace(_picture(mask, "mask_url"), use=Use.MASK)])]


def _picture(value: Any, place: str) -> Image:
    image = read_picture(value)
    if image is None:
        raise Unreadable("Input should be an address or a data URI", place)
    return image
