"""A request, both ways: an ``Open`` as the body of Ark's images/generations, and that body as an ``Open``.

There is no ``n``: several pictures are a group, whose ``max_images`` is an upper bound. There is one prompt, some
pictures, and no conversation. A size is a word or ``WIDTHxHEIGHT``; a ratio is only said in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from ...model.call import Open
from ...model.request import Image, ImageRequest, Notice
from ...wire.data_uri import read_picture, write_picture
from ...wire.last_turn import one_turn, pictures_of, prompt_of, unsaid
from ...wire.message import Spilled
from ...wire.passed_on import passed_on
from ...wire.reading import entries_of, flag, integer, mapping, member, text

ResponseFormat = Literal["b64_json", "url"]

MAX_GROUP: Final = 15
"""Pictures of one group, its references among them."""

EXTRAS: Final = frozenset(
    {
        "background",
        "guidance_scale",
        "image_guidance_scale",
        "layer_decomposition",
        "optimize_prompt_options",
        "response_format",
        "tools",
        "user",
        "watermark",
    }
)
"""Members that go through as they are."""

_SEARCH: Final = {"type": "web_search"}
_SAID: Final = frozenset({"size", "seed", "output_format"})
_RATIO_TOLERANCE: Final = 0.03
"""Ark's own table of pixels is this far off its ratios: 1312x736 for 16:9, 6240x2656 for 21:9."""


class Unreadable(ValueError):
    """The request is not what Ark would take: what it would say, and under which code."""

    def __init__(self, message: str, code: str = "InvalidParameter") -> None:
        super().__init__(message)
        self.code = code


# --- writing ---------------------------------------------------------------------------------------------------------


def write_body(call: Open, response_format: ResponseFormat) -> dict[str, Any]:
    """The body of a call."""
    request = call.request
    pictures = [write_picture(image) for image in pictures_of(request)]
    tools = [*([_SEARCH] if "web" in request.grounding else []), *entries_of(request.extra.get("tools"))]
    said: dict[str, Any] = {
        "prompt": prompt_of(request) or None,
        "image": pictures[0] if len(pictures) == 1 else pictures or None,
        "size": request.size,
        "seed": request.seed,
        "output_format": request.output_format,
        "stream": call.stream or None,
        "tools": tools or None,
    }
    known = {name: value for name, value in request.extra.items() if name in EXTRAS}
    return {
        "response_format": response_format,
        # Left out, it would be drawn.
        "watermark": False,
        **known,
        "model": request.model,
        **{name: value for name, value in said.items() if value is not None},
        **_group(request.n),
    }


def _group(n: int) -> dict[str, Any]:
    if n == 1:
        return {}
    return {"sequential_image_generation": "auto", "sequential_image_generation_options": {"max_images": n}}


def left_out(request: ImageRequest) -> tuple[Notice, ...]:
    """A notice for each field that this format has no word for."""
    said = set(_SAID)
    if "image" not in request.grounding:
        said.add("grounding")
    if _same_shape(request.size, request.aspect_ratio):
        said.add("aspect_ratio")
    return unsaid(request, said, EXTRAS, "Ark")


def _same_shape(size: str | None, ratio: str | None) -> bool:
    """Whether a size in pixels has the ratio already."""
    width, height = _pair(size or "", "x")
    across, down = _pair(ratio or "", ":")
    if not (width and height and across and down):
        return False
    return abs(width * down / (height * across) - 1) <= _RATIO_TOLERANCE


def _pair(words: str, between: str) -> tuple[int, int]:
    first, _, second = words.partition(between)
    both = first.isascii() and first.isdigit() and second.isascii() and second.isdigit()
    return (int(first), int(second)) if both and len(words) <= len("99999x99999") else (0, 0)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_body(body: Any, response_format: ResponseFormat) -> Open:
    """The call that a body stands for. Raises ``Unreadable``."""
    if not isinstance(body, Mapping):
        raise Unreadable("the request body must be a JSON object")
    said = cast("Mapping[str, Any]", body)
    pictures = _pictures(said.get("image"))
    request = ImageRequest(
        turns=one_turn(_prompt(said), pictures),
        model=_model(said),
        n=_count(said, len(pictures)),
        size=text(said, "size") or None,
        grounding=("web",) if any(map(_is_search, _tools(said))) else (),
        seed=integer(said, "seed"),
        output_format=text(said, "output_format") or None,
        extra=_extra(said, response_format),
    )
    return Open(request, stream=flag(said, "stream"))


def _model(body: Mapping[str, Any]) -> str:
    model = text(body, "model")
    if not model:
        raise Unreadable("the parameter model is missing", "MissingParameter")
    return model


def _prompt(body: Mapping[str, Any]) -> str:
    prompt = body.get("prompt")
    if isinstance(prompt, Spilled):
        raise Unreadable("the parameter prompt holds base64 data: send pictures as image", "InvalidParameter.Prompt")
    if not isinstance(prompt, str | None):
        raise Unreadable("the parameter prompt must be a string", "InvalidParameter.Prompt")
    # With layers to be taken apart there may be nothing to say.
    if not prompt and not flag(body, "layerDecomposition"):
        raise Unreadable("the parameter prompt is missing", "MissingParameter")
    return prompt or ""


def _pictures(value: Any) -> list[Image]:
    entries = () if value is None else entries_of(value) if isinstance(value, list) else (value,)
    read = [read_picture(entry) for entry in entries]
    if not all(read):
        raise Unreadable("image must be a URL or data:image/...;base64,...", "InvalidImageURL.InvalidFormat")
    return [image for image in read if image]


def _count(body: Mapping[str, Any], references: int) -> int:
    word = member(body, "sequentialImageGeneration")
    if word not in (None, "auto", "disabled"):
        raise Unreadable("sequential_image_generation must be auto or disabled")
    if word != "auto":
        return 1
    options = mapping(body, "sequentialImageGenerationOptions")
    most = integer(options, "maxImages", MAX_GROUP - references if "max_images" not in options else 0) or 0
    if not 1 <= most <= MAX_GROUP:
        raise Unreadable(f"max_images must be from 1 to {MAX_GROUP}")
    if most + references > MAX_GROUP:
        raise Unreadable(f"references and max_images must be at most {MAX_GROUP} together")
    return most


def _tools(body: Mapping[str, Any]) -> tuple[Any, ...]:
    return entries_of(body.get("tools"))


def _is_search(tool: Any) -> bool:
    return text(tool, "type") == _SEARCH["type"]


def _extra(body: Mapping[str, Any], response_format: ResponseFormat) -> dict[str, Any]:
    try:
        extra = passed_on(body, EXTRAS)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    extra["tools"] = [tool for tool in _tools(body) if tool != _SEARCH]
    # Unless told otherwise, Ark draws its mark and answers with an address.
    extra["watermark"] = flag(body, "watermark", default=True)
    extra["response_format"] = text(body, "responseFormat") or "url"
    usual: dict[str, Any] = {"tools": [], "watermark": False, "response_format": response_format}
    return {name: value for name, value in extra.items() if name not in usual or value != usual[name]}
