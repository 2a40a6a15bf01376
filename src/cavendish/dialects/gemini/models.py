"""ListModels, GetModel and countTokens, both ways: what an endpoint says it serves.

Members as in a recording of ListModels of 2026-08. Vertex AI's list of its publisher's models, and relays that
answer with OpenAI's, are read, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...wire.message import WireResponse
from ...wire.reading import count, flag, items, number, text, text_of


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model as an endpoint describes it. Limits in tokens, 0 when it says none. ``id`` is without ``models/``."""

    id: str
    display_name: str = ""
    version: str = ""
    description: str = ""
    input_token_limit: int = 0
    output_token_limit: int = 0
    methods: tuple[str, ...] = ()
    temperature: float | None = None
    max_temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    thinking: bool = False


def read_models(body: Any) -> tuple[tuple[ModelEntry, ...], str]:
    """The models of one page, and the token of the next (empty: there is none). Never raises."""
    listed = items(body, "models") or items(body, "publisherModels") or items(body, "data")
    models = tuple(model for entry in listed if (model := read_model(entry)))
    return models, text(body, "nextPageToken")


def read_model(entry: Any) -> ModelEntry | None:
    """One model, ``None`` when it has no name."""
    name = (text(entry, "name") or text(entry, "id")).removeprefix("publishers/google/").removeprefix("models/")
    if not name:
        return None
    return ModelEntry(
        id=name,
        display_name=text(entry, "displayName"),
        version=text(entry, "version"),
        description=text(entry, "description"),
        input_token_limit=count(entry, "inputTokenLimit"),
        output_token_limit=count(entry, "outputTokenLimit"),
        methods=tuple(word for method in items(entry, "supportedGenerationMethods") if (word := text_of(method))),
        temperature=number(entry, "temperature"),
        max_temperature=number(entry, "maxTemperature"),
        top_p=number(entry, "topP"),
        top_k=number(entry, "topK"),
        thinking=flag(entry, "thinking"),
    )


def list_models_reply(models: Sequence[ModelEntry], next_page_token: str = "") -> WireResponse:
    """One page of ListModels."""
    body: dict[str, Any] = {"models": [write_model(model) for model in models]}
    return WireResponse(200, body={**body, "nextPageToken": next_page_token} if next_page_token else body)


def model_reply(model: ModelEntry) -> WireResponse:
    """The answer of GetModel."""
    return WireResponse(200, body=write_model(model))


def write_model(model: ModelEntry) -> dict[str, Any]:
    """One entry; members at their defaults are left out."""
    entry: dict[str, Any] = {
        "name": f"models/{model.id}",
        "version": model.version,
        "displayName": model.display_name,
        "description": model.description,
        "inputTokenLimit": model.input_token_limit,
        "outputTokenLimit": model.output_token_limit,
        "supportedGenerationMethods": list(model.methods),
        "thinking": model.thinking,
    }
    numbers = {
        "temperature": model.temperature,
        "maxTemperature": model.max_temperature,
        "topP": model.top_p,
        "topK": model.top_k,
    }
    said = {name: value for name, value in entry.items() if value}
    return {**said, **{name: value for name, value in numbers.items() if value is not None}}


def read_token_count(body: Any) -> tuple[int, int]:
    """All input tokens that countTokens found, and those of pictures among them."""
    details = items(body, "promptTokensDetails")
    pictures = sum(count(entry, "tokenCount") for entry in details if text(entry, "modality").upper() == "IMAGE")
    return count(body, "totalTokens"), pictures


def token_count_reply(total: int, pictures: int = 0) -> WireResponse:
    """The answer of countTokens."""
    by_modality = {"TEXT": total - pictures, "IMAGE": pictures}
    details = [{"modality": name, "tokenCount": tokens} for name, tokens in by_modality.items() if tokens > 0]
    body = {"totalTokens": total, "promptTokensDetails": details}
    return WireResponse(200, body={name: value for name, value in body.items() if value})
