"""What the cases of every dialect must show at least: registering a dialect asks for them."""

import json
from typing import Any

import pytest

from cavendish.dialects.by_name import DIALECTS
from cavendish.model.fault import FaultKind
from tests.dialects.test_laws_of_all import cases

K = FaultKind

EACH_HAS = (
    K.INVALID_REQUEST, K.BAD_KEY, K.NO_CREDIT, K.FORBIDDEN, K.MODEL_NOT_FOUND, K.RATE_LIMITED, K.OVERLOADED,
    K.SERVER_ERROR, K.TIMEOUT, K.MALFORMED, K.CUT, K.PROMPT_BLOCKED, K.IMAGE_SAFETY, K.NO_IMAGE,
)  # fmt: skip
UNHEARD_OF = {"bfl": {K.FORBIDDEN: "its 403 is about the key"}}
"""Kinds that nothing in a system's documents leads to, and why."""

each = pytest.mark.parametrize("name", DIALECTS)


def answers(name: str) -> list[dict[str, Any]]:
    """All cases of answers, with the status they came under."""
    return [{"status": 200, **case} for case in cases(name, requests=False)]


def kinds(name: str) -> set[str]:
    """The kinds of faults that the cases end in, those of slots that stayed empty with them."""
    expected = [case["expect"] for case in answers(name)]
    return {e["kind"] for e in expected if "kind" in e} | {kind for e in expected for kind in e.get("shortfall", ())}


@each
def test_every_class_of_error_and_refusal_is_shown(name):
    excused = UNHEARD_OF.get(name, {})
    assert [kind.value for kind in EACH_HAS if kind.value not in kinds(name) and kind not in excused] == []
    assert [kind.value for kind in excused if kind.value in kinds(name)] == []


@each
def test_bodies_that_are_no_json_are_shown_as_success_and_as_failure(name):
    raw = [case for case in answers(name) if "raw" in case and not case.get("cut") and not _is_json(case["raw"])]
    assert [case["name"] for case in raw if case["status"] < 300]
    assert [case["name"] for case in raw if case["status"] >= 500]


@each
def test_one_picture_several_and_none_are_shown(name):
    finals = [len(case["expect"].get("finals", ())) for case in answers(name)]
    assert 1 in finals
    assert 0 in finals
    assert any(count > 1 for count in finals) or name == "bfl", "one task there is one picture"


@each
def test_429_is_shown_with_a_wait_and_without(name):
    waits = {"retry_after_s" in case["expect"] for case in answers(name) if case["status"] == 429}
    assert waits == {True, False}


def _is_json(words: str) -> bool:
    try:
        json.loads(words)
    except ValueError:
        return False
    return True
