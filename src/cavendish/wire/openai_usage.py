"""``usage`` of OpenAI's formats, both ways: that of the Images API and that of chats, which name their members apart.

OpenRouter and xAI state what an answer cost; their figures are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

from ..model.money import nusd
from ..model.usage import NOTHING_USED, Usage
from .reading import count, integer, mapping, number

_MAX_DOLLARS: Final = 1e9
_TICKS_PER_NUSD: Final = 10
"""xAI counts in 1e-10 dollars."""


def read_usage(usage: Any, *, with_picture: bool) -> Usage:
    """The usage of one answer, under either set of names.

    Where a picture came and nothing says how many tokens it took, all output but the thoughts counts as the picture: a
    bill that is too high by some words, not too low by a picture.
    """
    inputs = mapping(usage, "inputTokensDetails") or mapping(usage, "promptTokensDetails")
    outputs = mapping(usage, "outputTokensDetails") or mapping(usage, "completionTokensDetails")
    written = count(usage, "outputTokens") or count(usage, "completionTokens")
    thoughts = min(count(outputs, "reasoningTokens"), written)
    image, words = count(outputs, "imageTokens"), count(outputs, "textTokens")
    if with_picture and not image and not words:
        image = written - thoughts
    return Usage(
        input_tokens=count(usage, "inputTokens") or count(usage, "promptTokens"),
        input_image_tokens=count(inputs, "imageTokens"),
        cached_tokens=count(inputs, "cachedTokens"),
        output_image_tokens=image,
        output_text_tokens=max(written - image - thoughts, 0),
        thought_tokens=thoughts,
        images=count(usage, "generatedImages"),
        cost_nusd=_cost_nusd(usage),
    )


def total_usage(usages: Iterable[Usage]) -> Usage:
    """All of them together: each picture of a stream reports what it took."""
    total = NOTHING_USED
    for usage in usages:
        counts = {name: getattr(total, name) + getattr(usage, name) for name in _COUNTS}
        costs = [cost for cost in (total.cost_nusd, usage.cost_nusd) if cost is not None]
        total = Usage(**counts, cost_nusd=sum(costs) if costs else None)
    return total


_COUNTS: Final = tuple(field.name for field in fields(Usage) if field.name != "cost_nusd")


def _cost_nusd(usage: Any) -> int | None:
    dollars = number(usage, "cost")
    if dollars is not None and 0 <= dollars < _MAX_DOLLARS:
        return nusd(dollars)
    ticks = integer(usage, "costInUsdTicks")
    return None if ticks is None or ticks < 0 else ticks // _TICKS_PER_NUSD


def write_images_usage(usage: Usage) -> dict[str, Any]:
    """The usage as the Images API has it."""
    return _written(usage, ("input_tokens", "output_tokens"), ("input_tokens_details", "output_tokens_details"))


def write_chat_usage(usage: Usage) -> dict[str, Any]:
    """The usage as chats have it."""
    details = ("prompt_tokens_details", "completion_tokens_details")
    written = _written(usage, ("prompt_tokens", "completion_tokens"), details)
    # Zero is said, too: OpenRouter's client takes no details without these.
    written[details[0]]["cached_tokens"] = usage.cached_tokens
    written[details[1]]["reasoning_tokens"] = usage.thought_tokens
    return written


def _written(usage: Usage, totals: tuple[str, str], details: tuple[str, str]) -> dict[str, Any]:
    output = usage.output_image_tokens + usage.output_text_tokens + usage.thought_tokens
    inputs = {"text_tokens": usage.input_tokens - usage.input_image_tokens, "image_tokens": usage.input_image_tokens}
    outputs = {"image_tokens": usage.output_image_tokens, "text_tokens": usage.output_text_tokens}
    further: Mapping[str, Any] = {"generated_images": usage.images}
    written: dict[str, Any] = {
        totals[0]: usage.input_tokens,
        totals[1]: output,
        "total_tokens": usage.input_tokens + output,
        details[0]: inputs | ({"cached_tokens": usage.cached_tokens} if usage.cached_tokens else {}),
        details[1]: outputs | ({"reasoning_tokens": usage.thought_tokens} if usage.thought_tokens else {}),
        **{name: value for name, value in further.items() if value},
    }
    return written if usage.cost_nusd is None else {**written, "cost": usage.cost_nusd / 1e9}
