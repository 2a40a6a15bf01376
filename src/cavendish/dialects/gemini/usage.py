"""usageMetadata: what an answer says it counted, both ways.

Rules measured on recordings of 2025 and 2026: the total is prompt + candidates + thoughts; ``candidatesTokensDetails``
lists the picture tokens, what remains is text; a refusal repeats its thoughts as candidates, and its total counts them
once. A text-only answer has no details.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...model.call import GroundingNote
from ...model.usage import Usage
from ...wire.reading import count, integer, items, text


def write_count(text_tokens: int, image_tokens: int) -> dict[str, Any]:
    """The answer of countTokens."""
    details = [{"modality": "TEXT", "tokenCount": text_tokens}]
    if image_tokens:
        details.append({"modality": "IMAGE", "tokenCount": image_tokens})
    return {"totalTokens": text_tokens + image_tokens, "promptTokensDetails": details}


def read_usage(metadata: Any, *, with_picture: bool, grounding: GroundingNote | None = None) -> Usage:
    """The usage of one answer. Searches are the queries of the grounding, since the usage does not count them.

    Where a picture came and nothing says how many tokens it took (relays drop the details), all output counts as the
    picture: a bill that is too high by some words, not too low by a picture.
    """
    outputs = items(metadata, "candidatesTokensDetails")
    image = _of_modality(outputs, "IMAGE")
    candidates = count(metadata, "candidatesTokenCount") or sum(count(entry, "tokenCount") for entry in outputs)
    thoughts = count(metadata, "thoughtsTokenCount")
    if with_picture and not outputs:
        image = candidates
    elif _repeats_thoughts(metadata, candidates, thoughts) and not image:
        candidates = 0
    return Usage(
        input_tokens=_prompt(metadata),
        input_image_tokens=_of_modality(items(metadata, "promptTokensDetails"), "IMAGE"),
        cached_tokens=count(metadata, "cachedContentTokenCount"),
        output_image_tokens=image,
        output_text_tokens=max(candidates - image, 0),
        thought_tokens=thoughts,
        searches=len(grounding.web_queries) + len(grounding.image_queries) if grounding else 0,
    )


def _prompt(metadata: Any) -> int:
    return count(metadata, "promptTokenCount") + count(metadata, "toolUsePromptTokenCount")


def _repeats_thoughts(metadata: Any, candidates: int, thoughts: int) -> bool:
    return 0 < thoughts == candidates and integer(metadata, "totalTokenCount") in {None, _prompt(metadata) + thoughts}


def _of_modality(details: tuple[Any, ...], modality: str) -> int:
    return sum(count(entry, "tokenCount") for entry in details if text(entry, "modality").upper() == modality)


TRAFFIC: Final[Mapping[str, str]] = {
    "ON_DEMAND": "standard",
    "ON_DEMAND_PRIORITY": "priority",
    "ON_DEMAND_FLEX": "flex",
    "ON_DEMAND_OFFPEAK": "offpeak",
    "PROVISIONED_THROUGHPUT": "provisioned",
}
"""What Vertex AI calls ``trafficType``, in the words of the Developer API's ``serviceTier`` where it has one."""

_TRAFFIC_OF: Final = {tier: traffic for traffic, tier in TRAFFIC.items()}


def read_tier(metadata: Any) -> str:
    """The class of service that was given."""
    traffic = text(metadata, "trafficType")
    return text(metadata, "serviceTier").lower() or TRAFFIC.get(traffic, traffic)


def write_usage(usage: Usage, *, with_picture: bool, tier: str = "", vertex: bool = False) -> dict[str, Any]:
    """The usage as Google words it; counts that are zero are left out, as Google does.

    Vertex AI lists words beside pictures in the details, and has another word for the tier.
    """
    output = usage.output_image_tokens + usage.output_text_tokens
    written: dict[str, Any] = {
        "promptTokenCount": usage.input_tokens,
        "cachedContentTokenCount": usage.cached_tokens,
        "candidatesTokenCount": output if with_picture or output else usage.thought_tokens,
        "thoughtsTokenCount": usage.thought_tokens,
        "totalTokenCount": usage.input_tokens + output + usage.thought_tokens,
        "promptTokensDetails": _details(
            TEXT=usage.input_tokens - usage.input_image_tokens, IMAGE=usage.input_image_tokens
        ),
        "candidatesTokensDetails": _output_details(usage, with_picture=with_picture, vertex=vertex),
        **({"trafficType": _TRAFFIC_OF.get(tier, tier)} if vertex else {"serviceTier": tier}),
    }
    return {name: value for name, value in written.items() if value}


def _output_details(usage: Usage, *, with_picture: bool, vertex: bool) -> list[dict[str, Any]]:
    if usage.output_image_tokens and vertex:
        return _details(TEXT=usage.output_text_tokens, IMAGE=usage.output_image_tokens)
    if usage.output_image_tokens:
        return _details(IMAGE=usage.output_image_tokens)
    # Without details a picture would be taken to account for all of it.
    return _details(TEXT=usage.output_text_tokens) if with_picture else []


def _details(**by_modality: int) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": tokens} for modality, tokens in by_modality.items() if tokens > 0]
