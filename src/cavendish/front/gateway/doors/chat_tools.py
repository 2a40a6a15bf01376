"""Tools of chats: a search is what a picture is grounded on; nothing else is called, for the model draws by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from ....model.request import Grounding, ImageRequest, Notice
from ....wire.message import WireRequest
from ....wire.reading import entries_of, items, mapping, text

_ABOUT_TOOLS: Final = ("tools", "tool_choice", "functions", "function_call", "parallel_tool_calls")
_SEARCHES: Final = frozenset(
    {"web_search", "web_search_preview", "google_search", "googleSearch", "openrouter:web_search"}
)
_ANSWERS: Final = frozenset({"tool", "function"})
_GOOGLE_S: Final = ("googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval")


def without_tools(request: ImageRequest) -> tuple[ImageRequest, tuple[Notice, ...]]:
    """The request with its searches as grounding, and a notice of tools that nobody will call.

    Searches are asked for as OpenAI has it (``web_search_options``), as OpenRouter has it (``plugins``), and as tools
    in the words of either world.
    """
    extra = dict(request.extra)
    said = {name: extra.pop(name, None) for name in _ABOUT_TOOLS}
    searches, others = [*_options(extra)], list[str]()
    for tool in (*entries_of(said["tools"]), *entries_of(said["functions"])):
        found = list(_searches(tool))
        searches += found
        others += [] if found else [_name(tool)]
    if isinstance(said["tool_choice"], Mapping) or said["tool_choice"] == "required":
        others = others or ["tool"]
    grounding = tuple(dict.fromkeys((*request.grounding, *searches)))
    notices = [_left_out(others)] if others else []
    return request.having(grounding=grounding, extra=extra), tuple(notices)


def without_calls(wire: WireRequest) -> tuple[WireRequest, tuple[Notice, ...]]:
    """The request without what tools answered earlier: chats of other models are gone on with here."""
    messages = items(wire.body, "messages")
    kept = [message for message in messages if text(message, "role").strip().lower() not in _ANSWERS]
    if len(kept) == len(messages):
        return wire, ()
    notice = Notice("tools_left_out", "what tools answered earlier is not told to a model that draws", "messages")
    return replace(wire, body={**cast("Mapping[str, Any]", wire.body), "messages": kept}), (notice,)


def _options(extra: dict[str, Any]) -> Iterator[Grounding]:
    """Searches that are asked for beside the tools; what says no more than that is taken out."""
    if isinstance(extra.get("web_search_options"), Mapping):
        del extra["web_search_options"]
        yield "web"
    plugins = entries_of(extra.get("plugins"))
    if any(text(plugin, "id") == "web" for plugin in plugins):
        extra["plugins"] = [plugin for plugin in plugins if text(plugin, "id") != "web"]
        if not extra["plugins"]:
            del extra["plugins"]
        yield "web"


def _searches(tool: Any) -> Iterator[Grounding]:
    for name in _GOOGLE_S:
        if isinstance(tool, Mapping) and name in tool:
            yield from _kinds(cast("Mapping[str, Any]", tool)[name])
    if text(tool, "type") in _SEARCHES or text(mapping(tool, "function"), "name") in _SEARCHES:
        yield "web"


def _kinds(search: Any) -> Iterable[Grounding]:
    types = mapping(search, "searchTypes")
    kinds: list[Grounding] = ["image"] if "imageSearch" in types else []
    return ["web", *kinds] if "webSearch" in types or not types else kinds


def _name(tool: Any) -> str:
    return text(mapping(tool, "function"), "name") or text(tool, "name") or text(tool, "type") or "tool"


def _left_out(names: Iterable[str]) -> Notice:
    which = ", ".join(dict.fromkeys(names))
    return Notice("tools_left_out", f"the model draws by itself, and calls no {which}", "tools")
