"""The guide's examples, as a reader runs them: OpenAI's client without asyncio, in a program of its own thread."""

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest

from cavendish.front.gateway.app import Gateway
from tests.docs.pages import DOCS, blocks

GUIDE = DOCS / "guides" / "gateway-chat.md"


def run(page: Path) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for block in blocks(page):
        if block.language == "py":
            exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
    names["client"].close()
    return names


async def test_the_examples_run(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{gateway.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    names = await asyncio.to_thread(run, GUIDE)
    assert isinstance(names["client"], openai.OpenAI)
    assert len(names["answer"].choices[0].message.images) == 1
    assert len(names["pictures"]) == 1
    assert names["second"].previous_response_id == names["first"].id
