"""A request, read: the body of generateContent as an ``Open``, or the fault that Google would answer with.

Taken as it comes from all clients seen: both casings at every level, both base64 alphabets, missing roles, any case of
enumerations, ``imageConfig`` or ``responseFormat`` (an object or a list of one, strings or enumerations). What a
model can do is not judged here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import unquote

from ...model.call import Fetch, Open
from ...model.fault import Fault, FaultKind, Scope
from ...model.request import Grounding, ImageRequest, Modality, Part, Role, Text, Turn
from ...wire.fetched import read_fetch
from ...wire.message import Spilled, WireRequest
from ...wire.reading import entries_of, flag, integer, leaves, mapping, number, text, text_of
from .asking import OUTPUT_TYPES, PARTS, part_place
from .formats import plain_word
from .parts import read_part, read_signature
from .schema import DEVELOPER, PART_DETAILS, PART_PAYLOADS, VERTEX, Shape, Unreadable, canonical

_PATH: Final = re.compile(
    r"(?:https?://[^/?#]+)?(?:/v1(?:alpha|beta\d?)?)?/(?P<place>(?:projects/[^/?#]{1,200}/)?(?:[^:?#]{1,400}?/)??)models/"
    r"(?P<model>[^:?#]{1,400}):(?P<method>\w{1,40})"
)
_METHODS: Final = {"generateContent": False, "streamGenerateContent": True}

_SEARCHES: Final[tuple[Grounding, ...]] = ("web", "image")
_SAID_HERE: Final = ("contents", "model", "systemInstruction", "generationConfig", "tools")
_SAID_IN_GENERATION: Final = (
    "responseModalities", "imageConfig", "responseFormat", "thinkingConfig", "temperature", "seed", "candidateCount",
)  # fmt: skip


def read_request(request: WireRequest) -> Open | Fetch | Fault:
    """What a client asks for. Never raises."""
    if request.method.upper() == "GET":
        return read_fetch(request)
    match = _PATH.fullmatch(request.path)
    if request.method.upper() != "POST" or not match or match["method"] not in _METHODS:
        return Fault(
            FaultKind.MODEL_NOT_FOUND,
            f"{request.method} {request.path} is not served here.",
            scope=Scope.MODEL,
            reason="NOT_FOUND",
            status=404,
        )
    shape = VERTEX if "publishers/" in match["place"] else DEVELOPER
    asked = read_body(request.body, unquote(match["model"]), shape)
    return asked if isinstance(asked, Fault) else Open(asked, stream=_METHODS[match["method"]])


def read_count(request: WireRequest, model: str) -> ImageRequest | Fault:
    """What countTokens is asked about: contents alone, or a whole request. Never raises."""
    whole = mapping(request.body, "generateContentRequest")
    return read_body(whole or request.body, model)


def read_body(body: Any, model: str, shape: Shape = DEVELOPER) -> ImageRequest | Fault:
    """The request that a body stands for, of that model. Never raises."""
    try:
        return _read(canonical(body, shape), model)
    except Unreadable as error:
        return Fault(FaultKind.INVALID_REQUEST, str(error), reason="INVALID_ARGUMENT", status=400)


def _read(body: Mapping[str, Any], model: str) -> ImageRequest:
    generation = mapping(body, "generationConfig")
    thinking = mapping(generation, "thinkingConfig")
    level = text(thinking, "thinkingLevel").strip().lower()
    turns, details = _turns(body.get("contents"))
    extra = {**_extra(body, generation), **({PARTS: details} if details else {})}
    _check_passed_on(extra)
    return ImageRequest(
        turns=turns,
        model=model.rpartition("models/")[2],
        n=_count(generation),
        size=_image_word(generation, "imageSize"),
        aspect_ratio=_image_word(generation, "aspectRatio"),
        system=_system(body),
        thinking=None if level in {"", "thinking_level_unspecified"} else level,
        include_thoughts=flag(thinking, "includeThoughts"),
        modalities=_modalities(generation),
        grounding=_grounding(body),
        seed=integer(generation, "seed"),
        temperature=number(generation, "temperature"),
        output_format=_FORMATS.get(_output_type(generation)),
        extra=extra,
    )


def _count(generation: Mapping[str, Any]) -> int:
    count = integer(generation, "candidateCount", 1) or 0
    if count < 1:
        raise Unreadable("Invalid value at 'generation_config.candidate_count': it must be positive.")
    return count


# --- turns -----------------------------------------------------------------------------------------------------------


def _turns(contents: Any) -> tuple[tuple[Turn, ...], dict[str, Any]]:
    """The turns, and what their parts say beside their words and pictures."""
    turns: list[Turn] = []
    details: dict[str, Any] = {}
    for i, content in enumerate(entries_of(contents)):
        turns.append(_turn(content, i, details))
    return tuple(turns), details


def _turn(content: Any, index: int, details: dict[str, Any]) -> Turn:
    role = text(content, "role").strip().lower() or Role.USER.value
    if role not in {Role.USER, Role.MODEL}:
        raise Unreadable("Please use a valid role: user, model.")
    values = entries_of(mapping({"of": content}, "of").get("parts"))
    parts: list[Part] = []
    for i, value in enumerate(values):
        if part := _part(value, f"contents[{index}].parts[{i}]"):
            if further := _details(value):
                details[part_place(index, len(parts))] = further
            parts.append(part)
    return Turn(Role(role), tuple(parts))


def _details(value: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value[name] for name in value if name in PART_DETAILS}
    for name in ("inlineData", "fileData"):
        if shown := text(mapping(value, name), "displayName"):
            found[name] = {"displayName": shown}
    return found


def _part(value: Any, place: str) -> Part | None:
    said = {name for name in value if name not in {"thought", "thoughtSignature", *PART_DETAILS}}
    if further := sorted(said - PART_PAYLOADS):
        raise Unreadable(f"{further[0]} at '{place}' is not supported for image models.")
    if len(said) > 1:
        raise Unreadable(f"Invalid value at '{place}' (oneof), oneof field 'data' is already set.")
    _check_payload(value, place)
    parts = read_part(value)
    return parts[0] if parts else None


def _check_payload(value: Any, place: str) -> None:
    if "inlineData" in value and not read_part(value):
        raise Unreadable(f"Invalid value at '{place}.inline_data.data' (TYPE_BYTES), Base64 decoding failed.")
    if "fileData" in value and not text(value["fileData"], "fileUri"):
        raise Unreadable(f"Invalid value at '{place}.file_data.file_uri': it is empty.")
    if isinstance(value.get("text"), Spilled):
        raise Unreadable(f"The text at '{place}' holds base64 data: send pictures as inlineData.")
    if value.get("thoughtSignature") and read_signature(value) is None:
        raise Unreadable(f"Invalid value at '{place}.thought_signature' (TYPE_BYTES), Base64 decoding failed.")


def _system(body: Mapping[str, Any]) -> str | None:
    instruction = body.get("systemInstruction")
    if instruction is None:
        return None
    parts = [
        _part(value, f"system_instruction.parts[{i}]") for i, value in enumerate(entries_of(instruction.get("parts")))
    ]
    if any(part is not None and not isinstance(part, Text) for part in parts):
        raise Unreadable("Invalid value at 'system_instruction': only text is supported.")
    return "\n".join(part.text for part in parts if isinstance(part, Text)) if parts else None


# --- generationConfig and tools --------------------------------------------------------------------------------------


def _formats(generation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The picture formats that are asked for: the old spelling before the new one."""
    yield mapping(generation, "imageConfig")
    asked = generation.get("responseFormat")
    for entry in entries_of(asked) or (asked,):
        yield mapping(entry, "image")


def _image_word(generation: Mapping[str, Any], name: str) -> str | None:
    words = (plain_word(text(image, name)) for image in _formats(generation))
    return next((word for word in words if word), None)


def _modalities(generation: Mapping[str, Any]) -> tuple[Modality, ...] | None:
    asked = generation.get("responseModalities")
    words = [text_of(word).strip().upper() for word in entries_of([asked] if isinstance(asked, str) else asked)]
    words = [word for word in dict.fromkeys(words) if word != "MODALITY_UNSPECIFIED"]
    if any(word not in {"TEXT", "IMAGE"} for word in words):
        shown = ", ".join(words)
        raise Unreadable(f"The requested combination of response modalities ({shown}) is not supported by the model.")
    return cast("tuple[Modality, ...]", tuple(words)) or None


def _grounding(body: Mapping[str, Any]) -> tuple[Grounding, ...]:
    """What is searched, by all search tools together."""
    asked: set[Grounding] = set()
    for tool in entries_of(body.get("tools")):
        if "googleSearch" in tool:
            types = mapping(tool["googleSearch"], "searchTypes")
            if "webSearch" in types or not types:
                asked.add("web")
            if "imageSearch" in types:
                asked.add("image")
    return tuple(kind for kind in _SEARCHES if kind in asked)


def _extra(body: Mapping[str, Any], generation: Mapping[str, Any]) -> dict[str, Any]:
    """All that is known to Google and not to us, under its place."""
    extra = {name: value for name, value in body.items() if name not in _SAID_HERE and value not in _NOTHING}
    further = {name: v for name, v in generation.items() if name not in _SAID_IN_GENERATION and v not in _NOTHING}
    further |= {
        name: rest
        for name in ("imageConfig", "thinkingConfig", "responseFormat")
        if (rest := _rest(name, generation.get(name)))
    }
    tools = [rest for tool in _tools(body) if (rest := tool)]
    return {**extra, **({"generationConfig": further} if further else {}), **({"tools": tools} if tools else {})}


def _check_passed_on(extra: Mapping[str, Any]) -> None:
    """What is passed on without a look must be such that it can be: Python reads NaN as JSON, but it is none."""
    for value in leaves(extra):
        if isinstance(value, Spilled):
            raise Unreadable("Base64 data stands where none is expected.")
        if isinstance(value, float) and not math.isfinite(value):
            raise Unreadable("Invalid JSON payload received. A number is not finite.")


_FORMATS: Final = {media_type: word for word, media_type in OUTPUT_TYPES.items()}


def _output_type(generation: Mapping[str, Any]) -> str:
    return text(mapping(mapping(generation, "imageConfig"), "imageOutputOptions"), "mimeType")


_NOTHING: Final[tuple[Any, ...]] = (None, [], {})


def _rest(name: str, value: Any) -> dict[str, Any]:
    """What a member of generationConfig says beside the words that are read here."""
    if name != "responseFormat":
        rest = {key: entry for key, entry in _object(value).items() if key not in _READ[name]}
        return _without_format(rest) if "imageOutputOptions" in rest else rest
    merged: dict[str, Any] = {}
    for entry in entries_of(value) or (value,):
        merged |= _object(entry)
    image = _rest("imageConfig", merged.pop("image", None))
    return {**merged, "image": image} if image else merged


def _without_format(image: dict[str, Any]) -> dict[str, Any]:
    """What ``imageConfig`` says beside the type of file that ``output_format`` has a word for."""
    told = image.pop("imageOutputOptions")
    further = {name: value for name, value in _object(told).items() if name != "mimeType" or value not in _FORMATS}
    return {**image, **({"imageOutputOptions": further} if further else {})}


_READ: Final = {
    "imageConfig": frozenset({"aspectRatio", "imageSize"}),
    "thinkingConfig": frozenset({"thinkingLevel", "includeThoughts"}),
}


def _tools(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The tools without what ``grounding`` says of the searches."""
    for tool in entries_of(body.get("tools")):
        rest = {name: value for name, value in _object(tool.get("googleSearch")).items() if name != "searchTypes"}
        others = {name: value for name, value in tool.items() if name != "googleSearch"}
        yield {**({"googleSearch": rest} if rest else {}), **others}


def _object(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
