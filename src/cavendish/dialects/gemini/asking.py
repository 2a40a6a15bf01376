"""A request, written: an ``Open`` as the body of generateContent.

``extra`` holds members under their place in the body (``{"safetySettings": [...], "generationConfig": {"topP":
0.9}}``); what the request itself says goes before it. No member is sent that the request does not speak of: some
models refuse the ones they do not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, cast
from urllib.parse import quote

from ...model.call import Open
from ...model.request import Image, ImageRequest, Notice, Part
from ...wire.message import WireRequest
from ...wire.reading import mapping
from .formats import listed
from .parts import write_part
from .schema import ANY, DEVELOPER, VERTEX, Shape, foreign, native, other_than, part_of

Version = Literal["v1", "v1beta", "v1beta1"]
Spelling = Literal["imageConfig", "responseFormat"]

NOT_IN_EXTRA: Final = frozenset({"contents", "model"})
"""What is asked, and of whom, is said by the request alone."""

PARTS: Final = "parts"
"""The member of ``extra`` that holds what parts say beside their words or picture (``videoMetadata``,
``mediaResolution``, ...), by turn and part: ``{"0.1": {"mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}}}``."""

OUTPUT_TYPES: Final = {"png": "image/png", "jpeg": "image/jpeg"}
"""What Vertex AI can be asked to give."""

_SEARCHES: Final = {"web": "webSearch", "image": "imageSearch"}


def write_open(call: Open, root: str, spelling: Spelling, shape: Shape = DEVELOPER) -> WireRequest:
    """The call as it goes to Google, or to a relay that speaks like it. ``root`` is the path before ``/models``."""
    model = quote(call.request.model.removeprefix("models/"), safe="")
    method = "streamGenerateContent" if call.stream else "generateContent"
    return WireRequest(
        "POST",
        f"{root}/models/{model}:{method}",
        write_body(call.request, spelling, shape),
        query=(("alt", "sse"),) if call.stream else (),
    )


def write_body(request: ImageRequest, spelling: Spelling, shape: Shape = DEVELOPER) -> dict[str, Any]:
    """The body alone, as a line of a batch file has it, too."""
    extra = {name: value for name, value in request.extra.items() if name in _passed_on(shape)}
    extra = cast("dict[str, Any]", native(extra, shape, other_than(shape)))
    body: dict[str, Any] = {"contents": _contents(request, shape)}
    if request.system is not None:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    if generation := _generation(request, spelling, shape):
        body["generationConfig"] = generation
    tools = _tools(request, extra.pop("tools", None))
    if tools:
        body["tools"] = tools
    written = _laid_over(extra, body)
    return listed(written) if shape is VERTEX else written


def _passed_on(shape: Shape) -> frozenset[str]:
    return frozenset(shape.members) - NOT_IN_EXTRA


def _contents(request: ImageRequest, shape: Shape) -> list[dict[str, Any]]:
    mine, other = part_of(shape), part_of(other_than(shape))
    further = request.extra.get(PARTS)

    def written(part: Part, place: str) -> dict[str, Any]:
        return _laid_over(native(mapping(further, place), mine, other), write_part(part))

    return [
        {
            "role": turn.role.value,
            "parts": [written(part, part_place(i, j)) for j, part in enumerate(turn.parts)],
        }
        for i, turn in enumerate(request.turns)
    ]


def _generation(request: ImageRequest, spelling: Spelling, shape: Shape) -> dict[str, Any]:
    image = _said(aspectRatio=request.aspect_ratio, imageSize=request.size)
    thinking = _said(
        thinkingLevel=request.thinking.upper() if request.thinking is not None else None,
        includeThoughts=request.include_thoughts or None,
    )
    written = {spelling: image if spelling == "imageConfig" else {"image": image}} if image else {}
    if shape is VERTEX and request.output_format in OUTPUT_TYPES:
        output = {"imageOutputOptions": {"mimeType": OUTPUT_TYPES[request.output_format]}}
        written["imageConfig"] = {**written.get("imageConfig", {}), **output}
    return _said(
        responseModalities=list(request.modalities) if request.modalities is not None else None,
        **written,
        thinkingConfig=thinking or None,
        temperature=request.temperature,
        seed=request.seed,
        candidateCount=request.n if request.n != 1 else None,
    )


def _said(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _tools(request: ImageRequest, further: Any) -> list[Any]:
    """Search, and the tools from ``extra``. A search there only says how to search."""
    tools = list(cast("list[Any]", further)) if isinstance(further, list) else []
    if not request.grounding:
        return tools
    search: dict[str, Any] = {}
    if request.grounding != ("web",):
        search["searchTypes"] = {_SEARCHES[kind]: {} for kind in request.grounding}
    for i, tool in enumerate(tools):
        if isinstance(tool, Mapping) and "googleSearch" in tool:
            how = {name: value for name, value in mapping(tool, "googleSearch").items() if name != "searchTypes"}
            tools[i] = {**tool, "googleSearch": {**how, **search}}
            return tools
    return [{"googleSearch": search}, *tools]


def _laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both objects in one; where both speak, ``over`` does, and objects within objects likewise."""
    both = dict(under)
    for name, value in over.items():
        below = both.get(name)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = _laid_over(cast("Mapping[str, Any]", below), cast("Mapping[str, Any]", value))  # noqa: PLW2901
        both[name] = value
    return both


def _unsaid(extra: Mapping[str, Any], shape: Shape) -> Iterator[str]:
    """The places in ``extra`` that are not sent."""
    other, passed = other_than(shape), _passed_on(shape)
    for name, value in extra.items():
        if name == PARTS:
            for place in extra[PARTS] if isinstance(value, Mapping) else ():
                yield from foreign(mapping(value, place), part_of(shape), part_of(other), f"{PARTS}.{place}")
        elif name not in passed:
            yield name
        else:
            yield from foreign(value, shape.members[name], other.members.get(name, ANY), name)


def part_place(turn: int, part: int) -> str:
    """The name of a part within ``extra.parts``."""
    return f"{turn}.{part}"


_SAID: Final = {"use": "the role of a reference"}


def left_out(request: ImageRequest, shape: Shape = DEVELOPER) -> tuple[Notice, ...]:
    """A notice for each field that this format has no word for."""
    formats = OUTPUT_TYPES if shape is VERTEX else ()
    fields = {
        "quality": request.quality is not None,
        "output_format": request.output_format is not None and request.output_format not in formats,
        "use": any(isinstance(part, Image) and part.use is not None for turn in request.turns for part in turn.parts),
    }
    unsaid = [name for name, wanted in fields.items() if wanted]
    unsaid += [f"extra.{place}" for place in dict.fromkeys(_unsaid(request.extra, shape))]
    return tuple(
        Notice("unsupported", f"{_SAID.get(name, name)} cannot be said to a Gemini API and is left out", name)
        for name in unsaid
    )
