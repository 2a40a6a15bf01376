"""The SDKs for JavaScript in two generations, unchanged, and what each of them is to find behind the gateway."""

from pathlib import Path
from typing import Any

import pytest

from tests.strangers.gateway.served import Served, facts_of

pytestmark = pytest.mark.strangers

GENERATIONS = pytest.mark.parametrize("generation", ["javascript-newest", "javascript-before"])


def jpeg(count: int) -> list[Any]:
    return ["image/jpeg", count, count]


def png(count: int) -> list[Any]:
    return ["image/png", count, count]


def refused(name: str, status: int) -> dict[str, Any]:
    return {"error": name, "name": name if name == "ApiError" else "Error", "status": status}


GOOGLE = {
    "one": jpeg(1),
    "four": jpeg(4),
    "another model": jpeg(2),
    "shape": [jpeg(2), True, True],
    "edit": jpeg(1),
    "edit of several": jpeg(2),
    "thoughts and search": jpeg(1),
    "stream": jpeg(3),
    "chat": [jpeg(3), 3],
    "streamed chat": jpeg(2),
    "tokens": True,
    "models": [True, "models/nano-banana-2"],
    "files": ["a kite", "image/png", "ACTIVE", True, jpeg(1), ["ApiError", 403]],
    "a file's bytes": True,
    "inline batch": ["JOB_STATE_SUCCEEDED", "birds", True, jpeg(2)],
    "batch of a file": ["kite", jpeg(1)],
    "cancelled batch": ["JOB_STATE_CANCELLED", 404],
    "no such model": refused("ApiError", 404),
    "too many": refused("ApiError", 400),
    "wrong key": refused("ApiError", 401),
    "blocked prompt": True,
    "refused picture": ["IMAGE_SAFETY"],
    "refused request": refused("ApiError", 400),
    "refused stream": refused("ApiError", 400),
    "side by side": jpeg(5),
}


@GENERATIONS
def test_google_genai(served: Served, tmp_path: Path, generation: str) -> None:
    assert facts_of(generation, "google_genai.mjs", served, tmp_path) == GOOGLE


OPENAI = {
    "one": jpeg(1),
    "four": jpeg(4),
    "more than OpenAI's ten": jpeg(12),
    "OpenAI's model": [png(2), "png", True, True],
    "addresses": [jpeg(2), True],
    "edit": jpeg(2),
    "edit of several": jpeg(1),
    "masked edit": png(1),
    "stream": [png(2), ["image_generation.completed", "image_generation.partial_image"]],
    "chat": jpeg(3),
    "four choices": jpeg(4),
    "streamed chat": jpeg(2),
    "chat helper": [1, "stop"],
    "responses": [jpeg(2), "completed"],
    "streamed responses": jpeg(1),
    "models": [True, "nano-banana-2"],
    "files": ["kite.png", True, True, True, True, ["NotFoundError", 404]],
    "batch": ["completed", {"total": 2, "completed": 1, "failed": 1}, jpeg(2), "line-1", True],
    "cancelled batch": "cancelled",
    "no such model": refused("NotFoundError", 404),
    "too many": refused("BadRequestError", 400),
    "wrong key": refused("AuthenticationError", 401),
    "blocked prompt": ["BadRequestError", 400, "moderation_blocked", True],
    "refused picture": "moderation_blocked",
    "refused chat": refused("BadRequestError", 400),
    "fewer": [jpeg(2), 1],
    "stream that breaks": [1, "APIError", "moderation_blocked"],
    "streamed chat that breaks": [1, "APIError", "moderation_blocked"],
    "side by side": jpeg(5),
}


@GENERATIONS
def test_openai(served: Served, tmp_path: Path, generation: str) -> None:
    assert facts_of(generation, "openai.mjs", served, tmp_path) == OPENAI


AI_SDK = {
    "google one": jpeg(1),
    "google five": jpeg(5),
    "google text": jpeg(1),
    "google thoughts": "image/jpeg",
    "google chat": jpeg(1),
    "google stream": jpeg(1),
    "google edit": jpeg(1),
    "openai one": png(1),
    "openai four": png(4),
    "openai another model": jpeg(3),
    "openai edit": png(2),
    "openai tool": png(1),
    "compatible four": jpeg(4),
    "compatible edit": jpeg(1),
    "openrouter image": jpeg(2),
    "openrouter chat": jpeg(1),
    "openrouter stream": jpeg(1),
    "google no such model": ["AI_APICallError", None, 404],
    "google wrong key": ["AI_APICallError", None, 401],
    "google refused": ["AI_NoImageGeneratedError", None, None],
    "google blocked": ["AI_NoImageGeneratedError", None, None],
    "openai no such model": ["AI_APICallError", None, 404],
    "openai wrong key": ["AI_APICallError", None, 401],
    "openai refused": ["AI_APICallError", None, 400],
    "compatible refused": ["AI_APICallError", None, 400],
}
# What the SDK itself does not do, without asking anybody.
ITS_OWN_LIMITS: dict[str, dict[str, Any]] = {
    "javascript-newest": {"google no such model": ["Error", None, None]},
    "javascript-before": {"google five": {"error": "Error", "name": "Error", "status": None}},
}


@GENERATIONS
def test_ai_sdk(served: Served, tmp_path: Path, generation: str) -> None:
    expected = AI_SDK | ITS_OWN_LIMITS[generation]
    assert facts_of(generation, "ai_sdk.mjs", served, tmp_path) == expected
