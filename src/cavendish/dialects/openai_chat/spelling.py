"""Where chats say what OpenAI has no words for: the size and the ratio of a picture, thinking, earlier pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from ...wire.reading import mapping, text

Where = Literal["image_config", "google", "top", "suffix", "none"]
Thinking = Literal["effort", "google", "none"]
History = Literal["images", "markdown", "user"]
Answers = Literal["images", "markdown", "both"]

_SUFFIX: Final = re.compile(r"-(\d{1,2}k|512px)", re.IGNORECASE)
_WORD: Final = re.compile(r"[1-9]\d?K|512")

EXTRAS: Final = frozenset(
    {
        "extra_body", "frequency_penalty", "google", "image_config", "logit_bias", "max_completion_tokens",
        "max_tokens", "metadata", "min_p", "models", "plugins", "presence_penalty", "provider", "reasoning",
        "repetition_penalty", "response_format", "route", "safety_identifier", "safety_settings", "service_tier",
        "session_id", "stop", "store", "stream_options", "tool_choice", "tools", "top_k", "top_p", "trace",
        "transforms", "usage", "user", "verbosity", "web_search_options",
    }
)  # fmt: skip
"""Members that a request has no field for (openai-python 3.52.0, openrouter 1.3.84, QuantumNous/new-api)."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """An endpoint's ways, see ``OpenaiChatDialect``."""

    size_in: Where = "image_config"
    ratio_in: Where = "image_config"
    thinking_in: Thinking = "effort"
    history: History = "images"
    modalities: bool = False

    def check(self) -> None:
        """Raises ``TypeError`` for a word that there is not."""
        ways = {"size_in": Where, "ratio_in": Where, "thinking_in": Thinking, "history": History}
        for name, words in ways.items():
            if getattr(self, name) not in get_args(words) or (name, getattr(self, name)) == ("ratio_in", "suffix"):
                raise TypeError(f"{name}: no such way: {getattr(self, name)!r}")


def has_suffix(size: str) -> bool:
    """Whether there is a suffix for a size: for the words of Gemini's models alone."""
    return _WORD.fullmatch(size) is not None


def with_suffix(model: str, size: str | None) -> str:
    """The id of a model in a size: ``-4k``, ``-512px``; the plain id stands for 1K."""
    if size is None or size == "1K" or not has_suffix(size):
        return model
    return f"{model}-512px" if size == "512" else f"{model}-{size.lower()}"


def without_suffix(model: str) -> tuple[str, str | None]:
    """The plain id and the size that a suffix named."""
    match = next((found for found in _SUFFIX.finditer(model) if found.end() == len(model)), None)
    if match is None or not match.start():
        return model, None
    word = match[1].upper()
    return model[: match.start()], "512" if word == "512PX" else word


# --- objects within objects ------------------------------------------------------------------------------------------

_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "image_config": ("image_config",),
    "google": ("extra_body", "google", "image_config"),
    "top": (),
}
PLACES: Final = (("image_config",), ("extra_body", "google", "image_config"), ("google", "image_config"), ())
"""Where size and ratio are looked for."""

THOUGHTS: Final = (("extra_body", "google", "thinking_config"), ("google", "thinking_config"))


def placed(where: str, **members: Any) -> dict[str, Any]:
    """The members that say something, in their place; nothing where there is none."""
    said = {name: value for name, value in members.items() if value is not None}
    if where not in _PATHS or not said:
        return {}
    for name in reversed(_PATHS[where]):
        said = {name: said}
    return said


def at(body: Any, path: tuple[str, ...]) -> Any:
    """The object that a path of names leads to."""
    for name in path:
        body = mapping(body, name)
    return body


def word_at(body: Any, paths: tuple[tuple[str, ...], ...], *names: str) -> str:
    """The first word that one of these names has in one of these places."""
    found = (text(at(body, path), name).strip() for path in paths for name in names)
    return next(filter(None, found), "")


def laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both objects in one; where both speak, ``over`` does, and objects within objects likewise."""
    both = dict(under)
    for name, value in over.items():
        below = both.get(name)
        deeper = isinstance(below, Mapping) and isinstance(value, Mapping)
        both[name] = laid_over(cast("Mapping[str, Any]", below), cast("Mapping[str, Any]", value)) if deeper else value
    return both


def without(body: Mapping[str, Any], path: tuple[str, ...], names: frozenset[str]) -> dict[str, Any]:
    """The object without members of these names at the end of a path, and without objects that are empty then."""
    if not path:
        return {name: value for name, value in body.items() if name not in names}
    inner = body.get(path[0])
    if not isinstance(inner, Mapping):
        return dict(body)
    left = without(cast("Mapping[str, Any]", inner), path[1:], names)
    rest = {name: value for name, value in body.items() if name != path[0]}
    return {**rest, path[0]: left} if left else rest
