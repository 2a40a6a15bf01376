"""Other frameworks and older SDKs for Python, unchanged, and what each of them is to find behind the gateway."""

from pathlib import Path
from typing import Any

import pytest

from tests.strangers.gateway.served import Served, facts_of
from tests.strangers.gateway.test_javascript import jpeg, png

pytestmark = pytest.mark.strangers


def refused(name: str, status: int | None = None) -> dict[str, Any]:
    return {"error": name, "status": status}


GOOGLE = {
    "one": jpeg(1),
    "four": jpeg(4),
    "edit": jpeg(1),
    "shape": jpeg(1),
    "models": "models/nano-banana-2",
    "tokens": True,
    "stream": jpeg(3),
    "chat": [jpeg(3), 3],
    "asynchronous": jpeg(2),
    "files": ["image/jpeg", True, jpeg(1)],
    "batch of a file": ["JOB_STATE_SUCCEEDED", "kite", True],
    "no such model": refused("ClientError", 404),
    "wrong key": refused("ClientError", 401),
    "blocked prompt": True,
    "refused picture": ["IMAGE_SAFETY"],
}


def test_google_genai_of_the_first_generation(served: Served, tmp_path: Path) -> None:
    """The only one that still asks for Imagen's pictures without Vertex AI."""
    found = facts_of("python-before", "google_genai_older.py", served, tmp_path, IMAGEN="yes")
    assert found == GOOGLE | {"imagen": png(4)}


def test_google_genai_of_the_second_generation(served: Served, tmp_path: Path) -> None:
    assert facts_of("python-frameworks", "google_genai_older.py", served, tmp_path) == GOOGLE


def test_openai_of_the_first_generation(served: Served, tmp_path: Path) -> None:
    assert facts_of("python-before", "openai_older.py", served, tmp_path) == {
        "one": jpeg(1),
        "four": jpeg(4),
        "edit": jpeg(2),
        "edit of several": jpeg(1),
        "variation": jpeg(1),
        "no such model": refused("NotFoundError", 404),
        "blocked prompt": refused("BadRequestError", 400),
        "wrong key": refused("AuthenticationError", 401),
        "masked edit": png(1),
        "stream": [png(2), ["image_generation.completed", "image_generation.partial_image"]],
        "chat": jpeg(2),
        "responses": jpeg(1),
        "files": [True, True, True],
    }


def test_litellm(served: Served, tmp_path: Path) -> None:
    """Four pictures by Gemini's form are four candidates of one request."""
    by_gemini, by_openai = (
        {f"{form} four": jpeg(4), f"{form} chat": jpeg(1), f"{form} streamed chat": jpeg(1), f"{form} edit": jpeg(1)}
        for form in ("gemini", "openai")
    )
    assert facts_of("python-litellm", "with_litellm.py", served, tmp_path) == {
        **by_gemini,
        "gemini no such model": refused("NotFoundError", 404),
        "gemini wrong key": refused("AuthenticationError", 401),
        "gemini refused": 0,
        **by_openai,
        "openai no such model": refused("NotFoundError", 404),
        "openai wrong key": refused("BadRequestError", 401),
        "openai refused": refused("BadRequestError", 400),
        "imagen four": png(4),
    }


def test_langchain(served: Served, tmp_path: Path) -> None:
    assert facts_of("python-frameworks", "with_langchain.py", served, tmp_path) == {
        "google": jpeg(1),
        "google refused": "",
        "google chat": jpeg(2),
        "google edit": jpeg(1),
        "google stream": jpeg(1),
        "openai tool": jpeg(1),
        "openai markdown": jpeg(1),
        "openai markdown stream": jpeg(1),
        "openai links": [True, True],
        "openai alone": True,
        "openai refused": refused("OpenAIInvalidRequestError", 400),
    }


def test_llama_index(served: Served, tmp_path: Path) -> None:
    assert facts_of("python-frameworks", "with_llama_index.py", served, tmp_path) == {
        "chat": jpeg(1),
        "conversation": jpeg(2),
        "edit": jpeg(1),
        "refused": refused("RuntimeError"),
    }


def test_pydantic_ai(served: Served, tmp_path: Path) -> None:
    assert facts_of("python-tools", "with_pydantic_ai.py", served, tmp_path) == {
        "google": jpeg(1),
        "google refused": refused("ContentFilterError"),
        "google wrong model": refused("ModelNotFoundError", 404),
        "google conversation": jpeg(2),
        "google edit": jpeg(1),
        "openai": png(1),
    }


def test_gemimg(served: Served, tmp_path: Path) -> None:
    assert facts_of("python-tools", "with_gemimg.py", served, tmp_path) == {
        "one": png(1),
        "by the variable": png(1),
        "edit": png(1),
        "wrong key": refused("RuntimeError"),
    }


def test_nanobanana_mcp_server(served: Served, tmp_path: Path) -> None:
    before = served.used()["pictures"]
    assert facts_of("python-tools", "with_nanobanana_mcp.py", served, tmp_path) == {"three": ["image", 3, 3]}
    assert served.used()["pictures"] - before == 3
