"""A request, written: an ``Open`` as the body of generateContent.

``extra`` holds members under their place in the body (``{"safetySettings": [...], "generationConfig": {"topP":
0.9}}``); what the request itself says goes before it. No member is sent that the request does not speak of: some
models refuse the ones they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, cast
from urllib.parse import quote

from ...model.call import Open
from ...model.request import Image, ImageRequest, Notice
from ...wire.message import WireRequest
from ...wire.reading import mapping
from .parts import write_part
from .schema import VERTEX

Version = Literal["v1", "v1beta"]
Spelling = Literal["imageConfig", "responseFormat"]

NOT_IN_EXTRA: Final = frozenset({"contents", "model"})
"""What is asked, and of whom, is said by the request alone."""

_SEARCHES: Final = {"web": "webSearch", "image": "imageSearch"}


def write_open(call: Open, version: Version, spelling: Spelling) -> WireRequest:
    """The call as it goes to Google, or to a relay that speaks like it."""
    model = quote(call.request.model.removeprefix("models/"), safe="")
    method = "streamGenerateContent" if call.stream else "generateContent"
    return WireRequest(
        "POST",
        f"/{version}/models/{model}:{method}",
        write_body(call.request, spelling),
        query=(("alt", "sse"),) if call.stream else (),
    )


def write_body(request: ImageRequest, spelling: Spelling) -> dict[str, Any]:
    """The body alone, as a line of a batch file has it, too."""
    body: dict[str, Any] = {
        "contents": [
            {"role": turn.role.value, "parts": [write_part(part) for part in turn.parts]} for turn in request.turns
        ]
    }
    if request.system is not None:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    if generation := _generation(request, spelling):
        body["generationConfig"] = generation
    extra = {name: value for name, value in request.extra.items() if _is_ours(name)}
    tools = _tools(request, extra.pop("tools", None))
    if tools:
        body["tools"] = tools
    return _laid_over(extra, body)


def _is_ours(name: str) -> bool:
    return name in VERTEX.members and name not in NOT_IN_EXTRA


def _generation(request: ImageRequest, spelling: Spelling) -> dict[str, Any]:
    image = _said(aspectRatio=request.aspect_ratio, imageSize=request.size)
    thinking = _said(
        thinkingLevel=request.thinking.upper() if request.thinking is not None else None,
        includeThoughts=request.include_thoughts or None,
    )
    return _said(
        responseModalities=list(request.modalities) if request.modalities is not None else None,
        **({spelling: image if spelling == "imageConfig" else {"image": image}} if image else {}),
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
        if further_search := mapping(tool, "googleSearch"):
            how = {name: value for name, value in further_search.items() if name != "searchTypes"}
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


_SAID: Final = {"use": "the role of a reference"}


def left_out(request: ImageRequest) -> tuple[Notice, ...]:
    """A notice for each field that this format has no word for."""
    fields = {
        "quality": request.quality is not None,
        "output_format": request.output_format is not None,
        "use": any(isinstance(part, Image) and part.use is not None for turn in request.turns for part in turn.parts),
    }
    unsaid = [name for name, wanted in fields.items() if wanted]
    unsaid += [f"extra.{name}" for name in request.extra if not _is_ours(name)]
    return tuple(
        Notice("unsupported", f"{_SAID.get(name, name)} cannot be said to a Gemini API and is left out", name)
        for name in unsaid
    )
