import pytest

from cavendish.catalog.cards import Limits
from cavendish.govern.dimension import Dimension, dimension_of
from cavendish.govern.lessons import Lessons
from cavendish.model.fault import Fault, FaultKind

D = Dimension
K = FaultKind


@pytest.mark.parametrize(
    "kind, limit, dimension",
    [
        (K.RATE_LIMITED, "GenerateRequestsPerMinutePerProjectPerModel", D.REQUESTS),
        (K.RATE_LIMITED, "generativelanguage.googleapis.com/generate_requests_per_model", D.REQUESTS),
        (K.RATE_LIMITED, "GenerateContentInputTokensPerModelPerMinute", D.TOKENS),
        (K.RATE_LIMITED, "GenerateRequestsPerDayPerProjectPerModel-FreeTier", D.DAY),
        (K.DAY_QUOTA, "", D.DAY),
        (K.SPEND_LIMIT, "", D.SPEND),
        (K.RATE_LIMITED, "input-images per min", D.IMAGES),
        (K.RATE_LIMITED, "ModelAccountIpmRateLimitExceeded", D.IMAGES),
        (K.RATE_LIMITED, "ModelAccountTpmRateLimitExceeded", D.TOKENS),
        (K.RATE_LIMITED, "rate limit for gemini-3-pro-image", D.REQUESTS),
        (K.RATE_LIMITED, "max concurrent requests", D.IN_FLIGHT),
        (K.RATE_LIMITED, "", D.REQUESTS),
    ],
)
def test_dimension(kind, limit, dimension):
    assert dimension_of(Fault(kind, limit=limit)) is dimension


def said(value: int | None, limit: str = "requests per minute", kind: FaultKind = K.RATE_LIMITED) -> Fault:
    return Fault(kind, limit=limit, limit_value=value)


def test_only_lower_limits_are_believed():
    lessons = Lessons(Limits(requests_per_minute=100), 1000.0)
    assert not lessons.learn(said(None), 0.0)
    assert not lessons.learn(said(100), 0.0)
    assert not lessons.learn(said(500), 0.0)
    assert lessons.limit(D.REQUESTS) == 100
    assert lessons.learn(said(20), 0.0)
    assert not lessons.learn(said(20), 0.0)
    assert lessons.limit(D.REQUESTS) == 20
    assert lessons.learn(said(5), 0.0)
    assert lessons.limit(D.REQUESTS) == 5


def test_what_was_unknown_is_learned():
    lessons = Lessons(Limits(), 1000.0)
    assert lessons.limit(D.DAY) is None
    assert lessons.learn(said(250, kind=K.DAY_QUOTA), 0.0)
    assert lessons.learn(said(7, "images per minute"), 0.0)
    assert (lessons.limit(D.DAY), lessons.limit(D.IMAGES), lessons.limit(D.REQUESTS)) == (250, 7, None)


def test_money_is_not_learned():
    assert not Lessons(Limits(), 1000.0).learn(said(10, kind=K.SPEND_LIMIT), 0.0)


def test_lessons_end():
    lessons = Lessons(Limits(requests_per_minute=100), 1000.0)
    lessons.learn(said(20), 0.0)
    lessons.learn(said(7, "images per minute"), 500.0)
    assert lessons.ends_at_s == 1000.0
    lessons.forget(1000.0)
    assert (lessons.limit(D.REQUESTS), lessons.limit(D.IMAGES)) == (100, 7)
    assert lessons.ends_at_s == 1500.0


def test_state_round_trip():
    lessons = Lessons(Limits(requests_per_minute=100), 1000.0)
    lessons.learn(said(20), 100.0)
    copy = Lessons(Limits(requests_per_minute=100), 1000.0)
    copy.restore(lessons.to_state(300.0), 5300.0)
    assert copy.limit(D.REQUESTS) == 20
    assert copy.ends_at_s == 6100.0
