"""Clients that ask again by themselves, by a line that breaks in the middle of an answer: nothing is bought twice."""

from pathlib import Path

import pytest

from tests.strangers.gateway.served import OWN, Served, breaking, facts_of
from tests.strangers.gateway.test_javascript import GENERATIONS, jpeg

pytestmark = pytest.mark.strangers

AFTER = 100_000  # bytes: an answer has 400 kB


@pytest.mark.parametrize("environment", [OWN, "python-before"])
def test_openai_s_sdk_asks_again_and_gets_what_was_bought(served: Served, tmp_path: Path, environment: str) -> None:
    before = served.used()
    with breaking(served, AFTER) as line:
        assert facts_of(environment, "broken_openai.py", line, tmp_path) == {"one": jpeg(1)}
    assert served.used()["pictures"] - before["pictures"] == 1


@GENERATIONS
def test_the_ai_sdk_asks_again_and_gets_what_was_bought(served: Served, tmp_path: Path, generation: str) -> None:
    before = served.used()
    with breaking(served, AFTER) as line:
        assert facts_of(generation, "broken_ai_sdk.mjs", line, tmp_path) == {"one": jpeg(1)}
    assert served.used()["pictures"] - before["pictures"] == 1


def test_a_user_who_asks_again_gets_what_was_bought(served: Served, tmp_path: Path) -> None:
    before = served.used()
    with breaking(served, AFTER) as line:
        found = facts_of("javascript-newest", "broken_twice.mjs", line, tmp_path)
    assert found == {"first": {"error": "TypeError", "name": "TypeError", "status": None}, "second": jpeg(1)}
    assert served.used()["pictures"] - before["pictures"] == 1


@GENERATIONS
def test_the_ai_sdk_asks_again_after_an_answer_without_a_picture(
    served: Served, tmp_path: Path, generation: str
) -> None:
    """It is told the same each time: what was paid for was paid for once."""
    before = served.used()
    found = facts_of(generation, "refused_ai_sdk.mjs", served, tmp_path)
    assert set(found["none"]) == {"error", "name", "status"}
    assert served.used()["requests"] - before["requests"] == 1
