"""A request of the Responses API, read: what is asked of the image tool, and how the answer is to look."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from ....dialects.openai_chat.messages import Unreadable, read_messages
from ....model.call import Open
from ....model.request import Grounding, Image, ImageRequest, Modality, Notice, Part, Role, Text, Turn, Use
from ....wire.openai_pictures import read_picture
from ....wire.passed_on import passed_on
from ....wire.reading import entries_of, flag, integer, items, mapping, member, number, text, text_of

IMAGE_TOOL: Final = "image_generation"
_SEARCHES: Final = frozenset({"web_search", "web_search_preview"})
_TOOL_SAID: Final = frozenset(
    {
        "type", "model", "size", "quality", "n", "aspect_ratio", "output_format", "input_image_mask", "action",
    }
)  # fmt: skip
_SAID: Final = frozenset(
    {
        "model", "input", "tools", "instructions", "stream", "store", "background", "previous_response_id", "metadata",
        "temperature", "reasoning", "n", "seed", "modalities",
    }
)  # fmt: skip
_SHAPES_NO_PICTURE: Final = frozenset(
    {
        "include", "max_output_tokens", "max_tool_calls", "parallel_tool_calls", "prompt_cache_key",
        "safety_identifier", "service_tier", "stream_options", "text", "tool_choice", "top_logprobs", "top_p",
        "truncation", "user",
    }
)  # fmt: skip
"""Members that are about words and bills of the model that would call the tool. Here the model draws by itself."""

_PASSED_OVER: Final = frozenset(
    {
        "reasoning", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output",
        "web_search_call", "file_search_call", "code_interpreter_call", "mcp_call", "mcp_list_tools", "compaction",
    }
)  # fmt: skip
"""Items of models that are not asked again, and of tools that are not called here."""

CALLED: Final = "image_generation_call:"
"""Begins the address of a picture that is named by the id of the call that drew it."""

PREVIOUS: Final = "previous_response:"
"""Begins the address of all that came before, which stands as a first turn of the model's."""


@dataclass(frozen=True, slots=True)
class ResponseWish:
    """How a response is to look. ``head`` holds its members that are known at once.

    ``notices`` are of what of the request has no meaning here. ``job`` is what the response is made of. ``numbers``
    counts the events of its stream, ``sent`` holds the items that are in it so far, ``drawing`` the places of
    those whose pictures are not there yet, and ``after`` is the number of the event that the client had last.
    ``again``: it is shown once more.
    """

    head: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notices: tuple[Notice, ...] = ()
    job: str = ""
    store: bool = True
    background: bool = False
    again: bool = False
    after: int | None = None
    partial: bool = False
    numbers: Iterator[int] = field(default_factory=itertools.count)
    sent: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    drawing: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class ResponseCall(Open):
    """A call with how its answer is to look."""

    wish: ResponseWish = field(default_factory=ResponseWish)


def read_body(body: Any, created: int) -> ResponseCall:
    """The call that a body stands for. Raises ``Unreadable``."""
    if not isinstance(body, Mapping):
        raise Unreadable("The request body must be a JSON object.", "invalid_json")
    said = cast("Mapping[str, Any]", body)
    tools = (cast("Mapping[str, Any]", tool) for tool in items(said, "tools") if text(tool, "type") == IMAGE_TOOL)
    tool = next(tools, dict[str, Any]())
    _check_elsewhere(said)
    model = text(tool, "model") or text(said, "model")
    if not model:
        raise Unreadable("Missing required parameter: 'model'.", "missing_required_parameter")
    system, turns = _conversation(member(said, "input"))
    if previous := text(said, "previous_response_id"):
        turns = (Turn(Role.MODEL, (Image(uri=f"{PREVIOUS}{previous}"),)), *turns)
    instructions = "\n".join(filter(None, (text(said, "instructions"), system)))
    reasoning = mapping(said, "reasoning")
    request = ImageRequest(
        turns=_masked(turns, tool),
        model=model,
        n=_count(tool, said),
        size=_word(tool, "size"),
        aspect_ratio=_word(tool, "aspect_ratio"),
        system=instructions or None,
        thinking=_word(reasoning, "effort"),
        include_thoughts=bool(text(reasoning, "summary")),
        modalities=_modalities(said),
        grounding=_searches(said),
        quality=_word(tool, "quality"),
        output_format=text(tool, "output_format") or None,
        temperature=_real(said, "temperature"),
        seed=_whole(said, "seed"),
        extra=_extra(said, tool),
    )
    return ResponseCall(request, flag(said, "stream"), _wish(said, tool, created))


def _wish(said: Mapping[str, Any], tool: Mapping[str, Any], created: int) -> ResponseWish:
    stored = member(said, "store")
    previous = text(said, "previous_response_id")
    head = {
        "object": "response",
        "created_at": created,
        "background": flag(said, "background"),
        "instructions": text(said, "instructions") or None,
        "max_output_tokens": integer(said, "max_output_tokens"),
        "metadata": {str(name): text_of(value) for name, value in mapping(said, "metadata").items()},
        "model": text(said, "model") or text(tool, "model"),
        "parallel_tool_calls": True,
        "previous_response_id": previous or None,
        "reasoning": {"effort": text(mapping(said, "reasoning"), "effort") or None, "summary": None},
        "store": stored is not False,
        "temperature": number(said, "temperature"),
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [_plain(tool)] if tool else [],
        "top_p": number(said, "topP"),
        "truncation": "disabled",
    }
    background = flag(said, "background")
    if background and stored is False:
        raise Unreadable("Invalid value for 'store': a response in the background must be stored.")
    partial = bool(integer(tool, "partial_images"))
    return ResponseWish(
        head, tuple(_other_tools(said)), store=stored is not False, background=background, partial=partial
    )


def _check_elsewhere(said: Mapping[str, Any]) -> None:
    """What OpenAI keeps for its users is not here: an answer without it would be to another question."""
    for name, instead in (("conversation", "previous_response_id"), ("prompt", "input")):
        if member(said, name) is not None:
            raise Unreadable(f"Unsupported parameter: '{name}'. Use '{instead}' instead.", "unsupported_parameter")


def _other_tools(said: Mapping[str, Any]) -> Iterator[Notice]:
    kinds = dict.fromkeys(text(tool, "type") for tool in items(said, "tools"))
    others = [kind for kind in kinds if kind not in {IMAGE_TOOL, *_SEARCHES}]
    if others:
        yield Notice("tools_left_out", f"the model draws by itself, and calls no {', '.join(others)}", "tools")


def _plain(tool: Mapping[str, Any]) -> dict[str, Any]:
    """The tool as it was asked for, without the bytes of a mask."""
    kept = {name: value for name, value in tool.items() if name != "input_image_mask"}
    return passed_on(kept, tuple(kept))


def _word(said: Any, name: str) -> str | None:
    word = text(said, name).strip()
    return None if word.lower() in {"", "auto"} else word


def _count(tool: Any, said: Any) -> int:
    for holder in (tool, said):
        count = _whole(holder, "n")
        if count is not None and count < 1:
            raise Unreadable(f"Invalid 'n': expected a value >= 1, but got {count}.", "integer_below_min_value")
        if count is not None:
            return count
    return 1


def _whole(said: Any, name: str) -> int | None:
    found = integer(said, name)
    if found is None and member(said, name) is not None:
        raise Unreadable(f"Invalid type for '{name}': expected an integer.", "invalid_type")
    return found


def _real(said: Any, name: str) -> float | None:
    found = number(said, name)
    if found is None and member(said, name) is not None:
        raise Unreadable(f"Invalid type for '{name}': expected a number.", "invalid_type")
    return found


def _modalities(said: Any) -> tuple[Modality, ...] | None:
    """As chats have them: whether the model is to say something, too."""
    words = tuple(dict.fromkeys(text_of(word).strip().upper() for word in items(said, "modalities")))
    if any(word not in {"TEXT", "IMAGE"} for word in words):
        raise Unreadable("Invalid value for 'modalities': supported values are: 'text' and 'image'.")
    return cast("tuple[Modality, ...]", words) or None


def _searches(said: Any) -> tuple[Grounding, ...]:
    return ("web",) if any(text(tool, "type") in _SEARCHES for tool in items(said, "tools")) else ()


def _extra(said: Mapping[str, Any], tool: Mapping[str, Any]) -> dict[str, Any]:
    """All that no field of a request says."""
    try:
        # Drafts are of use in a stream alone.
        unsaid = _TOOL_SAID if flag(said, "stream") else _TOOL_SAID | {"partial_images"}
        further = passed_on(tool, tuple(name for name in tool if name not in unsaid))
        plain = {name: value for name, value in said.items() if name not in _SAID | _SHAPES_NO_PICTURE}
        return {**passed_on(plain, tuple(plain)), **{name: value for name, value in further.items() if value != "auto"}}
    except ValueError as error:
        raise Unreadable(f"Invalid value: {error}.") from error


# --- input -----------------------------------------------------------------------------------------------------------


def _conversation(value: Any) -> tuple[str | None, tuple[Turn, ...]]:
    """What the system says, and the turns of the input. Earlier pictures may be named by their call alone."""
    if words := text_of(value):
        return None, (Turn(Role.USER, (Text(words),)),)
    system: list[str] = []
    turns: list[Turn] = []
    for place, item in enumerate(entries_of(value)):
        kind = text(item, "type")
        if kind in {"", "message"}:
            said, spoken = read_messages([item])
            system += [said] if said else []
            turns += spoken
        elif kind in {f"{IMAGE_TOOL}_call", "item_reference"}:
            turns += _called(item, place)
        elif kind not in _PASSED_OVER:
            raise Unreadable(f"Invalid value at 'input[{place}].type': '{kind}' is not known here.")
    if not turns:
        raise Unreadable("Missing required parameter: 'input'.", "missing_required_parameter")
    return "\n".join(system) or None, tuple(turns)


def _called(item: Any, place: int) -> list[Turn]:
    """A picture that was drawn before: its bytes, or the id of its call. Other references are to words."""
    picture = read_picture(member(item, "result"))
    call_id = text(item, "id")
    if picture is None and call_id.startswith("ig_"):
        picture = Image(uri=f"{CALLED}{call_id}")
    if picture is None and text(item, "type") != "item_reference":
        raise Unreadable(f"Invalid value at 'input[{place}]': neither a result nor the id of a call.")
    return [Turn(Role.MODEL, (picture,))] if picture else []


def _masked(turns: tuple[Turn, ...], tool: Any) -> tuple[Turn, ...]:
    mask = member(tool, "input_image_mask")
    if mask is None:
        return turns
    picture = read_picture(mask)
    if picture is None or turns[-1].role is not Role.USER:
        raise Unreadable("Invalid value for 'input_image_mask': expected a data URL or the id of a file.")
    masked: Part = Image(blob=picture.blob, uri=picture.uri, media_type=picture.media_type, use=Use.MASK)
    return (*turns[:-1], Turn(Role.USER, (*turns[-1].parts, masked)))
