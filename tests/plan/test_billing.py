"""Whether calls without a picture are billed: the rules as a table."""

import pytest

from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.usage import Usage
from cavendish.plan.billing import RULES, charged

NO, YES, UNKNOWN = Charged.NO, Charged.YES, Charged.UNKNOWN
THOUGHT = Usage(12, thought_tokens=240)
FREE = "Unable to show the generated image. You will not be charged for this request. Try rephrasing the prompt."

TABLE = [
    # kind, fields, google, relay by tokens, relay by request
    (FaultKind.INVALID_REQUEST, {"status": 400}, NO, NO, NO),
    (FaultKind.MODEL_NOT_FOUND, {"status": 404}, NO, NO, NO),
    (FaultKind.RATE_LIMITED, {"status": 429}, NO, NO, NO),
    (FaultKind.SERVER_ERROR, {"status": 500}, NO, NO, NO),
    (FaultKind.OVERLOADED, {"status": 503}, NO, NO, NO),
    (FaultKind.SERVER_ERROR, {"status": 500, "charged": UNKNOWN}, NO, UNKNOWN, UNKNOWN),
    (FaultKind.SERVER_ERROR, {"status": 502}, NO, UNKNOWN, UNKNOWN),
    (FaultKind.TIMEOUT, {"status": 504}, NO, UNKNOWN, UNKNOWN),
    (FaultKind.TIMEOUT, {"status": 524}, NO, UNKNOWN, UNKNOWN),
    (FaultKind.PROMPT_BLOCKED, {"status": 400}, NO, NO, NO),
    (FaultKind.CONNECT, {}, NO, NO, NO),
    (FaultKind.TIMEOUT, {"charged": UNKNOWN}, UNKNOWN, YES, YES),
    (FaultKind.CANCELLED, {"charged": UNKNOWN}, UNKNOWN, YES, YES),
    # The call never left.
    (FaultKind.TIMEOUT, {}, NO, NO, NO),
    (FaultKind.CANCELLED, {}, NO, NO, NO),
    (FaultKind.CUT, {}, NO, NO, NO),
    (FaultKind.CUT, {"status": 200}, UNKNOWN, UNKNOWN, UNKNOWN),
    (FaultKind.IMAGE_SAFETY, {"status": 200, "usage": THOUGHT}, YES, YES, UNKNOWN),
    (FaultKind.IMAGE_SAFETY, {"status": 200}, NO, NO, UNKNOWN),
    (FaultKind.IMAGE_SAFETY, {"status": 200, "charged": UNKNOWN}, UNKNOWN, UNKNOWN, UNKNOWN),
    (FaultKind.IMAGE_SAFETY, {"status": 200, "usage": THOUGHT, "charged": YES}, YES, YES, UNKNOWN),
    (FaultKind.PROMPT_BLOCKED, {"status": 200, "usage": Usage(12)}, NO, NO, UNKNOWN),
    (FaultKind.PROMPT_BLOCKED, {"status": 200, "usage": Usage(12), "charged": YES}, NO, NO, UNKNOWN),
    (FaultKind.TEXT_ONLY, {"status": 200, "usage": THOUGHT}, YES, YES, UNKNOWN),
    (FaultKind.IMAGE_OTHER, {"status": 200, "usage": THOUGHT, "message": FREE}, NO, NO, NO),
    (FaultKind.IMAGE_OTHER, {"status": 200, "usage": THOUGHT}, YES, YES, UNKNOWN),
    (FaultKind.MALFORMED, {"status": 200, "charged": UNKNOWN}, UNKNOWN, UNKNOWN, UNKNOWN),
    # A picture that was made, and whose address had died.
    (FaultKind.CUT, {"status": 404, "charged": YES}, YES, YES, YES),
    (FaultKind.NOT_AN_IMAGE, {"status": 200, "charged": YES}, YES, YES, YES),
    (FaultKind.JOB_FAILED, {"charged": UNKNOWN}, UNKNOWN, UNKNOWN, UNKNOWN),
    (FaultKind.BUDGET, {}, NO, NO, NO),
    (FaultKind.DUPLICATE, {"charged": YES, "status": 200}, YES, YES, YES),
]


@pytest.mark.parametrize("kind,fields,google,by_tokens,by_request", TABLE)
def test_rules(kind, fields, google, by_tokens, by_request):
    fault = Fault(kind, **fields)
    found = [charged(fault, rule).charged for rule in ("google", "relay_tokens", "relay_per_request")]
    assert found == [google, by_tokens, by_request]


def test_a_mode_that_bills_refusals():
    for kind in (FaultKind.IMAGE_SAFETY, FaultKind.PROMPT_BLOCKED, FaultKind.NO_IMAGE, FaultKind.TEXT_ONLY):
        assert charged(Fault(kind, status=200), "relay_per_request", bills_refusals=True).charged is YES
    assert charged(Fault(FaultKind.RATE_LIMITED, status=429), "relay_per_request", bills_refusals=True).charged is NO


def test_a_mode_that_does_not_bill_a_refused_picture_bills_words_all_the_same():
    def found(kind):
        fault = Fault(kind, charged=YES, status=200, usage=THOUGHT)
        return charged(fault, "relay_tokens", bills_refusals=False).charged

    assert [found(FaultKind.IMAGE_SAFETY), found(FaultKind.PROHIBITED), found(FaultKind.TEXT_ONLY)] == [NO, NO, YES]


@pytest.mark.parametrize("kind", list(FaultKind))
@pytest.mark.parametrize("rule", list(RULES))
def test_nothing_but_the_charge_is_changed_and_asking_twice_changes_nothing(kind, rule):
    fault = Fault(kind, "m", retry_after_s=3.0, status=200, text="t", usage=THOUGHT)
    once = charged(fault, rule)
    assert once.having(charged=fault.charged) == fault
    assert charged(once, rule) == once
