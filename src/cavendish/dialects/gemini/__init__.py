"""Gemini: Google's generateContent in both directions, with the errors of the relays that offer it.

Must not know which models exist, who serves them or what they cost.
"""

from ...wire.google import error_object, read_google_error
from .asked import read_body, read_count
from .asking import write_body
from .dialect import GeminiDialect
from .models import (
    ModelEntry,
    list_models_reply,
    model_reply,
    read_model,
    read_models,
    read_token_count,
    token_count_reply,
)

__all__ = [
    "GeminiDialect",
    "ModelEntry",
    "error_object",
    "list_models_reply",
    "model_reply",
    "read_body",
    "read_count",
    "read_google_error",
    "read_model",
    "read_models",
    "read_token_count",
    "token_count_reply",
    "write_body",
]
