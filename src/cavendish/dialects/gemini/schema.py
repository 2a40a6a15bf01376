"""The members of a generateContent request, and what Google says to one that is not among them.

Google parses proto3 JSON: camelCase and snake_case are equal at every level, ``null`` counts as missing, an unknown
name is an error. Names from the types and converters of google-genai 3.4.0 (2026-11-16).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from ...wire.message import Spilled
from ...wire.reading import as_number, snake

Kind = Literal["any", "bool", "float", "int32", "string", "message"]

MAX_PROBLEMS: Final = 20
"""An error text with more lines than this helps nobody."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand under a name. ``any`` is not looked into, so the names in it stay as they are."""

    kind: Kind = "any"
    members: Mapping[str, Shape] = field(default_factory=dict[str, "Shape"])
    repeated: bool = False
    single_too: bool = False
    """A list of it, or one without the list."""


ANY: Final = Shape()
_BOOL: Final = Shape("bool")
_FLOAT: Final = Shape("float")
_INT: Final = Shape("int32")
_STRING: Final = Shape("string")


def _message(opaque: str = "", **members: Shape) -> Shape:
    return Shape("message", members | dict.fromkeys(opaque.split(), ANY))


def _list_of(shape: Shape, *, single_too: bool = False) -> Shape:
    return Shape(shape.kind, shape.members, repeated=True, single_too=single_too)


def _also(shape: Shape, **members: Shape) -> Shape:
    return Shape(shape.kind, {**shape.members, **members}, shape.repeated, shape.single_too)


_BLOB = _message(mimeType=_STRING, data=_STRING)
_FILE = _message(mimeType=_STRING, fileUri=_STRING)
PART_PAYLOADS: Final = frozenset({"text", "inlineData", "fileData"})
PART_DETAILS: Final = frozenset({"videoMetadata", "mediaResolution", "partMetadata"})
"""What may stand beside a payload, and is passed on as it came."""

_PART = _message(
    "functionCall functionResponse executableCode codeExecutionResult toolCall toolResponse videoMetadata partMetadata"
    " mediaResolution mediaProcessing audioTranscription speechMetadata documentMetadata spreadsheetMetadata"
    " audioMetadata",
    text=_STRING,
    inlineData=_BLOB,
    fileData=_FILE,
    thought=_BOOL,
    thoughtSignature=_STRING,
)
_IMAGE_CONFIG = _message(aspectRatio=_STRING, imageSize=_STRING)
_IMAGE_FORMAT = _message("delivery", aspectRatio=_STRING, imageSize=_STRING, mimeType=_STRING)
_GENERATION = _message(
    "responseModalities responseSchema responseJsonSchema speechConfig mediaResolution translationConfig"
    " audioTranscriptionConfig",
    temperature=_FLOAT,
    topP=_FLOAT,
    topK=_FLOAT,
    candidateCount=_INT,
    maxOutputTokens=_INT,
    stopSequences=_list_of(_STRING),
    seed=_INT,
    presencePenalty=_FLOAT,
    frequencyPenalty=_FLOAT,
    responseMimeType=_STRING,
    responseLogprobs=_BOOL,
    logprobs=_INT,
    enableEnhancedCivicAnswers=_BOOL,
    thinkingConfig=_message("thinkingLevel", includeThoughts=_BOOL, thinkingBudget=_INT),
    imageConfig=_IMAGE_CONFIG,
    responseFormat=_list_of(_message("text audio video", image=_IMAGE_FORMAT), single_too=True),
)
_SEARCH = _message(searchTypes=_message("webSearch imageSearch"))
_TOOLS = (
    "functionDeclarations codeExecution urlContext googleMaps googleSearchRetrieval fileSearch computerUse mcpServers"
)
_SAFETY = _message("category threshold")
_TOOL_CONFIG = _message(
    functionCallingConfig=_message("mode allowedFunctionNames streamFunctionCallArguments"),
    retrievalConfig=_message("latLng languageCode"),
    includeServerSideToolInvocations=_BOOL,
)
_REQUEST = {
    "model": _STRING,
    "contents": _list_of(_message(role=_STRING, parts=_list_of(_PART))),
    "systemInstruction": _message(role=_STRING, parts=_list_of(_PART)),
    "generationConfig": _GENERATION,
    "safetySettings": _list_of(_SAFETY),
    "toolConfig": _TOOL_CONFIG,
    "cachedContent": _STRING,
    "labels": ANY,
    "serviceTier": ANY,
    "continuationToken": _STRING,
}
_DEVELOPER_SEARCH = _also(_SEARCH, timeRangeFilter=ANY)
DEVELOPER: Final = Shape(
    "message",
    {
        **_REQUEST,
        "tools": _list_of(_message(_TOOLS, googleSearch=_DEVELOPER_SEARCH)),
        "store": _BOOL,
    },
)
"""A request to the Gemini Developer API."""


def _vertex() -> Shape:
    """Vertex AI knows further members, and lacks some of the Developer API's."""
    file = _also(_FILE, displayName=_STRING)
    part = _also(_PART, inlineData=_also(_BLOB, displayName=_STRING), fileData=file)
    content = _message(role=_STRING, parts=_list_of(part))
    output = _message(mimeType=_STRING, compressionQuality=_INT)
    image = _also(_IMAGE_CONFIG, personGeneration=_STRING, prominentPeople=_STRING, imageOutputOptions=output)
    generation = _also(
        _GENERATION,
        imageConfig=image,
        audioTimestamp=_BOOL,
        enableAffectiveDialog=_BOOL,
        routingConfig=ANY,
        modelConfig=ANY,
    )
    search = _also(_SEARCH, excludeDomains=ANY, blockingConfidence=ANY)
    further = dict.fromkeys(("retrieval", "enterpriseWebSearch", "parallelAiSearch", "exaAiSearch"), ANY)
    return Shape(
        "message",
        {
            **_REQUEST,
            "contents": _list_of(content),
            "systemInstruction": content,
            "generationConfig": generation,
            "safetySettings": _list_of(_also(_SAFETY, method=ANY)),
            "tools": _list_of(_also(_message(_TOOLS, googleSearch=search), **further)),
            "modelArmorConfig": ANY,
            "outputConfig": ANY,
        },
    )


VERTEX: Final = _vertex()
"""A request to Vertex AI."""


def part_of(shape: Shape) -> Shape:
    """The shape of one part of a request."""
    return _one_of(shape.members["contents"].members["parts"])


def other_than(shape: Shape) -> Shape:
    """The other kind of request."""
    return DEVELOPER if shape is VERTEX else VERTEX


def foreign(value: Any, mine: Shape, other: Shape, path: str = "") -> Iterator[str]:
    """The places of members that only the other kind of request knows. Never deeper than the shapes are."""
    if isinstance(value, list) and mine.repeated:
        for entry in cast("list[Any]", value):
            yield from foreign(entry, _one_of(mine), _one_of(other), path)
    elif isinstance(value, Mapping):
        for name, entry in cast("Mapping[str, Any]", value).items():
            place = f"{path}.{name}" if path else name
            if name in mine.members:
                yield from foreign(entry, mine.members[name], other.members.get(name, ANY), place)
            elif name in other.members:
                yield place


def native(value: Any, mine: Shape, other: Shape) -> Any:
    """The value without those members. Names that neither knows stay: they may be new."""
    if isinstance(value, list) and mine.repeated:
        return [native(entry, _one_of(mine), _one_of(other)) for entry in cast("list[Any]", value)]
    if not isinstance(value, Mapping):
        return cast("Any", value)
    return {
        name: native(entry, mine.members.get(name, ANY), other.members.get(name, ANY))
        for name, entry in cast("Mapping[str, Any]", value).items()
        if name in mine.members or name not in other.members
    }


def _one_of(shape: Shape) -> Shape:
    return Shape(shape.kind, shape.members)


class Unreadable(ValueError):
    """The request is not what Google would take; the message is what Google would say."""


def canonical(value: Any, shape: Shape) -> dict[str, Any]:
    """A request body with all known names in camelCase and no ``null`` members. Raises ``Unreadable``."""
    problems: list[str] = []
    read = _canonical(value, shape, "", problems)
    if problems:
        raise Unreadable("\n".join(problems[:MAX_PROBLEMS]))
    return cast("dict[str, Any]", read)


def _canonical(value: Any, shape: Shape, path: str, problems: list[str]) -> Any:
    """Never deeper than the shapes are: what they do not describe is taken as it is."""
    if shape.repeated:
        if not isinstance(value, list):
            if shape.single_too:
                return _single(value, shape, path, problems)
            return _wrong(value, f"'{path}'", problems)
        entries = cast("list[Any]", value)
        return [_single(entry, shape, f"{path}[{i}]", problems) for i, entry in enumerate(entries)]
    return _single(value, shape, path, problems)


def _single(value: Any, shape: Shape, path: str, problems: list[str]) -> Any:
    if shape.kind == "any":
        return value
    if shape.kind != "message":
        fits = _FITS[shape.kind](value)
        return value if fits else _wrong(value, f"'{path}' (TYPE_{shape.kind.upper()})", problems)
    if not isinstance(value, Mapping):
        return _wrong(value, f"'{path}'" if path else "the top", problems)
    return _members(cast("Mapping[str, Any]", value), shape, path, problems)


def _members(value: Mapping[str, Any], shape: Shape, path: str, problems: list[str]) -> dict[str, Any]:
    names = _names(shape.members)
    read: dict[str, Any] = {}
    for spelled, entry in value.items():
        name = names.get(spelled)
        if name is None:
            at = f" at '{path}'" if path else ""
            problems.append(f'Invalid JSON payload received. Unknown name "{spelled}"{at}: Cannot find field.')
        elif entry is not None:
            inner = f"{path}.{snake(name)}" if path else snake(name)
            read[name] = _canonical(entry, shape.members[name], inner, problems)
    return read


def _names(members: Iterable[str]) -> dict[str, str]:
    """Each name by both of its spellings."""
    return {spelling: name for name in members for spelling in (name, snake(name))}


def _wrong(value: Any, place: str, problems: list[str]) -> None:
    # Google repeats the value. Of a long one that would be an error of megabytes.
    shown = f', "{value}"' if isinstance(value, str | int | float) and len(str(value)) <= MAX_SHOWN_CHARS else ""
    problems.append(f"Invalid value at {place}{shown}")


MAX_SHOWN_CHARS: Final = 100


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return as_number(value) is not None


def _is_whole(value: Any) -> bool:
    found = as_number(value)
    return found is not None and found == int(found)


def _is_string(value: Any) -> bool:
    return isinstance(value, str | Spilled)


_FITS: Final = {"bool": _is_bool, "float": _is_number, "int32": _is_whole, "string": _is_string}
