"""How many pictures one call is asked for."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.catalog.cards import Latency, Limits
from cavendish.catalog.load import load
from cavendish.model.blob import Blob
from cavendish.model.request import Image, ImageRequest
from cavendish.plan.split import ALONE, Several, even

KITE = ImageRequest.of("a kite", "m")
VASE = Image(blob=Blob("00", 1, "image/png", "vase.png"))

several = st.builds(
    Several,
    most=st.integers(1, 15),
    serial=st.booleans(),
    requests_per_minute=st.none() | st.integers(1, 100),
    with_references=st.sampled_from([0, 0, 4, 15]),
    latency_s=st.floats(0.5, 60.0),
)


@given(several, st.integers(0, 300), st.integers(0, 4), st.integers(0, 2000))
def test_a_split_sums_up_and_holds_every_bound(how, wanted, references, waiting):
    request = ImageRequest.of("a kite", "m", references=(VASE,) * references)
    calls = how.split(wanted, request, waiting)
    assert sum(calls) == wanted
    assert all(1 <= call <= how.most for call in calls)
    if how.with_references:
        assert all(call == 1 or call + references <= how.with_references for call in calls)
    assert list(calls) == sorted(calls, reverse=True)
    assert not calls or max(calls) - min(calls) <= 1


@given(several, st.integers(1, 300))
def test_drawn_side_by_side_there_are_as_few_calls_as_can_be(how, wanted):
    if not how.serial:
        assert len(how.split(wanted, KITE)) == -(-wanted // how.bound(KITE))


@given(several, st.integers(1, 100))
def test_a_seed_is_one_picture_s(how, wanted):
    assert how.split(wanted, KITE.having(seed=7)) == (1,) * wanted


@pytest.mark.parametrize(
    "how, wanted, waiting, calls",
    [
        (ALONE, 3, 0, (1, 1, 1)),
        (Several(10), 4, 0, (4,)),
        (Several(10), 11, 0, (6, 5)),
        (Several(4), 9, 0, (3, 3, 3)),
        # One after another: nothing is gained but where requests are what there is too little of.
        (Several(15, serial=True), 4, 0, (1, 1, 1, 1)),
        (Several(15, serial=True, requests_per_minute=500), 40, 0, (1,) * 40),
        # 10 a minute: 40 single calls start over three minutes, ten calls of four at once.
        (Several(15, serial=True, requests_per_minute=10, latency_s=15.0), 40, 0, (4,) * 10),
        # The row is small, but the queue is long.
        (Several(15, serial=True, requests_per_minute=10, latency_s=15.0), 4, 40, (4,)),
    ],
)
def test_worked_by_hand(how, wanted, waiting, calls):
    assert how.split(wanted, KITE, waiting) == calls


def test_even_parts():
    assert even(7, 3) == (3, 2, 2)
    assert even(6, 3) == (3, 3)


def test_what_the_catalog_says_of_a_route():
    resolved = load().resolve("nano-banana-2", "google", date(2026, 11, 21))
    assert Several.of(resolved, Limits()).most == 1
    offer = replace(
        resolved.offer,
        pictures_per_call=10,
        several="serial",
        pictures_and_references=15,
        latency={resolved.card.default_size: Latency(7.0, 9.0)},
    )
    how = Several.of(replace(resolved, offer=offer), Limits(images_per_minute=5, requests_per_minute=50))
    assert how == Several(5, serial=True, requests_per_minute=50, with_references=15, latency_s=7.0)
    unmeasured = replace(resolved, offer=replace(offer, latency={}, several="parallel"))
    assert Several.of(unmeasured, Limits()) == Several(10, with_references=15)
