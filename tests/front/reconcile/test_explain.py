"""Each class of difference, with sums worked by hand; and that no amount is lost, however the rows are dealt."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.front.reconcile.difference import Kind
from cavendish.model.money import nusd
from tests.front.reconcile.made import (
    DAY,
    DAY_S,
    EACH,
    HOUR,
    NB2,
    NOON,
    PRO,
    a_bill,
    a_call,
    a_line,
    account,
    of_unknown_fate,
)


def calls(count, **changes):
    return [a_call(f"c{number}", **changes) for number in range(count)]


def kinds(found):
    return [(part.kind, part.amount_nusd) for part in found.differences]


def settled(found):
    return {name: cost for part in found.differences for v in part.verdicts for name, cost in v.costs_nusd.items()}


# --- by sum -----------------------------------------------------------------------------------------------------------


def test_sums_that_agree_have_no_difference():
    found = account(a_bill(a_line("0.201")), calls(3))
    assert kinds(found) == []
    assert (found.calls, found.ours_nusd, found.theirs_nusd) == (3, 201_000_000, 201_000_000)
    assert found.is_explained


def test_a_call_of_unknown_fate_that_the_sum_has_was_billed():
    found = account(a_bill(a_line("0.201")), [*calls(2), of_unknown_fate()])
    assert kinds(found) == [(Kind.UNKNOWN_FATE, EACH)]
    assert settled(found) == {"u": EACH}


def test_a_call_of_unknown_fate_that_the_sum_lacks_was_not_billed():
    found = account(a_bill(a_line("0.134")), [*calls(2), of_unknown_fate()])
    assert kinds(found) == [(Kind.UNKNOWN_FATE, 0)]
    assert settled(found) == {"u": 0}


def test_which_of_several_calls_of_unknown_fate_was_billed_a_sum_cannot_tell():
    found = account(a_bill(a_line("0.201")), [*calls(2), of_unknown_fate("u1"), of_unknown_fate("u2")])
    assert kinds(found) == [(Kind.UNKNOWN_FATE, EACH)]
    assert "1 of 2 calls" in found.differences[0].text
    assert settled(found) == {}


def test_estimates_that_are_a_little_off_still_count_the_calls():
    fates = [of_unknown_fate(f"u{number}", estimate=70_000_000) for number in range(3)]
    found = account(a_bill(a_line("0.201")), fates)
    assert kinds(found) == [(Kind.UNKNOWN_FATE, 201_000_000)]
    assert sum(settled(found).values()) == 201_000_000


def test_half_a_call_explains_nothing():
    found = account(a_bill(a_line("0.0335")), [of_unknown_fate()])
    assert kinds(found) == [(Kind.UNEXPLAINED, 33_500_000)]
    assert not found.is_explained


def test_rounding_is_half_a_step_of_each_line():
    cents = nusd("0.01")
    assert kinds(account(a_bill(a_line("0.20", step_nusd=cents)), calls(3))) == [(Kind.ROUNDING, -1_000_000)]
    too_much = account(a_bill(a_line("0.19", step_nusd=cents)), calls(3))
    assert kinds(too_much) == [(Kind.UNEXPLAINED, -11_000_000)]


def test_a_model_that_we_never_called_is_not_ours():
    found = account(a_bill(a_line("0.067"), a_line("0.134", model=PRO)), calls(1))
    assert kinds(found) == [(Kind.NOT_OURS, nusd("0.134"))]


def test_a_name_that_nobody_knows_proves_nothing_while_calls_of_ours_have_no_line():
    found = account(a_bill(a_line("0.067", model="Image tokens, batch")), calls(1))
    assert not found.is_explained
    assert sorted(kinds(found)) == [(Kind.UNEXPLAINED, -EACH), (Kind.UNEXPLAINED, EACH)]


def test_a_model_without_a_line_was_not_billed():
    lines = a_line("0.067"), a_line("0.5", model=PRO)
    found = account(a_bill(*lines), [*calls(1), a_call("p", model=PRO, booked_nusd=nusd("0.5")), a_call("x", at=NOON)])
    assert kinds(found) == [(Kind.NOT_BILLED, -EACH)]
    nothing = account(a_bill(a_line("0.067")), [*calls(1), a_call("p", model=PRO)])
    assert kinds(nothing) == [(Kind.NOT_BILLED, -EACH)]


def test_more_whole_calls_than_ours_are_another_programs_where_drafts_were_counted():
    found = account(a_bill(a_line("0.335")), calls(3, counted=True))
    assert kinds(found) == [(Kind.NOT_OURS, 2 * EACH)]
    assert "2 calls at $0.0670" in found.differences[0].text


def test_whole_pictures_more_are_drafts_where_answers_counted_nothing():
    found = account(a_bill(a_line("0.335")), calls(3))
    assert kinds(found) == [(Kind.DRAFTS, 2 * EACH)]


def test_another_price_is_told_with_what_it_seems_to_be():
    found = account(a_bill(a_line("0.300", quantity=4)), calls(4, counted=True))
    assert kinds(found) == [(Kind.PRICE, nusd("0.032"))]
    assert "$0.0750 a picture, 1.12 times" in found.differences[0].text
    assert "the list of 2026-11-01" in found.differences[0].text


def test_two_days_in_one_ratio_are_another_price_without_any_count():
    ours = [*calls(4, counted=True), *(a_call(f"d{n}", at=NOON + DAY_S, counted=True) for n in range(2))]
    bill = a_bill(a_line("0.2948"), a_line("0.1474", day=DAY + timedelta(1)))
    assert kinds(account(bill, ours)) == [(Kind.PRICE, 26_800_000), (Kind.PRICE, 13_400_000)]
    one_day = account(a_bill(a_line("0.2948")), ours[:4])
    assert kinds(one_day) == [(Kind.UNEXPLAINED, 26_800_000)]


def test_a_price_that_the_catalog_does_not_know_is_told():
    found = account(a_bill(a_line("0.09")), [a_call(booked_nusd=0, unpriced=True)])
    assert kinds(found) == [(Kind.PRICE, nusd("0.09"))]
    assert "without a known price" in found.differences[0].text


def test_days_that_begin_at_another_hour_are_found():
    # Three calls at 20:00 UTC and two at 04:00 of the next day: on the bill, whose days end at 08:00 UTC, one day.
    evening = [a_call(f"e{n}", at=NOON + 8 * HOUR) for n in range(3)]
    night = [a_call(f"n{n}", at=NOON + 16 * HOUR) for n in range(2)]
    late = [a_call("l", at=NOON + 23 * HOUR)]
    bill = a_bill(a_line("0.335"), a_line("0.067", day=DAY + timedelta(1)))
    found = account(bill, [*evening, *night, *late])
    assert kinds(found) == [(Kind.DAY_BORDER, 0)]
    assert "2 calls" in found.differences[0].text
    assert "later" in found.differences[0].text


def test_a_call_outside_of_the_time_of_a_bill_is_not_compared():
    found = account(a_bill(a_line("0.067")), [*calls(1), a_call("old", at=NOON - 9 * DAY_S)])
    assert kinds(found) == []
    assert found.left_out == ("1 call of ours not compared: outside of its time",)


def test_a_line_without_an_amount_is_not_taken_for_nothing():
    found = account(a_bill(a_line(None)), calls(1))
    assert (found.ours_nusd, found.theirs_nusd, kinds(found)) == (0, 0, [])
    assert found.left_out


# --- by name ----------------------------------------------------------------------------------------------------------


def named(name, **changes):
    return a_call(name, ids=(f"id-{name}",), **changes)


def line_of(name, dollars, **changes):
    return a_line(dollars, id=f"id-{name}", **changes)


def test_lines_of_one_call_are_added_up():
    found = account(a_bill(line_of("a", "0.06"), line_of("a", "0.007")), [named("a")])
    assert (kinds(found), found.theirs_nusd) == ([], EACH)


def test_a_call_of_unknown_fate_is_settled_by_its_name():
    unknown = of_unknown_fate("u", ids=("id-u",)), of_unknown_fate("v", ids=("id-v",))
    found = account(a_bill(line_of("u", "0.07"), line_of("v", "0")), unknown)
    assert kinds(found) == [(Kind.UNKNOWN_FATE, nusd("0.07")), (Kind.UNKNOWN_FATE, 0)]
    assert settled(found) == {"u": nusd("0.07"), "v": 0}


def test_a_call_for_several_pictures_is_settled_to_the_last_nano_dollar():
    call = of_unknown_fate(attempts=("u1", "u2", "u3"), ids=("id-u",))
    assert settled(account(a_bill(line_of("u", "0.1")), [call])) == {
        "u1": 33_333_334,
        "u2": 33_333_333,
        "u3": 33_333_333,
    }


def test_a_name_that_a_full_list_lacks_was_not_billed():
    found = account(a_bill(line_of("a", "0.067")), [named("a"), named("b"), of_unknown_fate("u", ids=("id-u",))])
    assert kinds(found) == [(Kind.UNKNOWN_FATE, 0), (Kind.NOT_BILLED, -EACH)]
    assert settled(found) == {"u": 0}


def test_a_name_that_was_asked_about_and_is_not_there_says_nothing():
    found = account(a_bill(line_of("a", "0.067"), complete=False), [named("a"), named("b")])
    assert kinds(found) == []
    assert found.left_out == ("1 call of ours not compared: without a name that it could be asked about",)


def test_a_name_that_we_do_not_know_is_not_ours():
    found = account(a_bill(line_of("a", "0.067"), line_of("z", "0.067")), [named("a")])
    assert kinds(found) == [(Kind.NOT_OURS, EACH)]


def test_what_was_booked_as_free_and_billed_is_told():
    found = account(a_bill(line_of("a", "0.067")), [named("a", booked_nusd=0)])
    assert kinds(found) == [(Kind.BOOKED_FREE, EACH)]


@pytest.mark.parametrize("counted, kind", [(False, Kind.DRAFTS), (True, Kind.UNEXPLAINED)])
def test_a_draft_is_billed_like_a_picture_and_explains_only_answers_that_counted_nothing(counted, kind):
    found = account(a_bill(line_of("a", "0.134"), line_of("b", "0.067")), [named("a", counted=counted), named("b")])
    assert kinds(found) == [(kind, EACH)]


def test_a_price_that_changed_at_some_hour_is_told_from_there_on():
    ours = [named(str(n), at=NOON + n, counted=True) for n in range(5)]
    lines = [line_of(str(n), "0.067" if n < 2 else "0.08") for n in range(5)]
    found = account(a_bill(*lines), ours)
    assert kinds(found) == [(Kind.PRICE, 3 * nusd("0.013"))]
    assert found.differences[0].calls == 3


def test_two_that_cancel_out_are_not_explained():
    lines = line_of("a", "0.080"), line_of("b", "0.054")
    found = account(a_bill(*lines), [named("a"), named("b")])
    assert found.difference_nusd == 0
    assert found.differences
    assert not found.is_explained


# --- laws -------------------------------------------------------------------------------------------------------------

AMOUNTS = st.sampled_from([0, 1, EACH, 2 * EACH, nusd("0.101"), nusd("0.05")])
NAMES = st.sampled_from(["", "x", "y", "z"])
MOMENTS = st.integers(-2, 2).map(lambda quarter: NOON + quarter * DAY_S / 4)


@st.composite
def some_calls(draw):
    found = []
    for number in range(draw(st.integers(0, 7))):
        name = draw(NAMES)
        call = a_call(f"c{number}", at=draw(MOMENTS), ids=(name,) if name else (), counted=draw(st.booleans()))
        call = replace(call, model=draw(st.sampled_from([NB2, PRO])), booked_nusd=draw(AMOUNTS))
        if draw(st.integers(0, 3)) == 0:
            call = replace(call, booked_nusd=0, unknown=True, estimate_nusd=draw(st.none() | AMOUNTS))
        found.append(call)
    return found


@st.composite
def some_lines(draw):
    lines = []
    for number in range(draw(st.integers(0, 7))):
        line = a_line("0", id=draw(NAMES), day=DAY + timedelta(draw(st.integers(-1, 1))), place=str(number))
        line = replace(
            line, model=draw(st.sampled_from([NB2, PRO, "?", ""])), step_nusd=draw(st.sampled_from([0, 1000]))
        )
        lines.append(replace(line, amount_nusd=draw(st.none() | AMOUNTS), quantity=draw(st.none() | st.integers(0, 3))))
    return lines


@given(some_calls(), some_lines(), st.booleans())
def test_ours_and_all_differences_are_theirs(ours, lines, complete):
    found = account(a_bill(*lines, complete=complete), ours)
    assert found.ours_nusd + sum(part.amount_nusd for part in found.differences) == found.theirs_nusd
    assert found.explained_nusd + found.unexplained_nusd == found.difference_nusd
    assert found.theirs_nusd <= sum(line.amount_nusd or 0 for line in lines)


@given(some_calls(), some_lines(), st.randoms())
def test_the_order_of_rows_changes_nothing(ours, lines, dice):
    before = account(a_bill(*lines), ours)
    dice.shuffle(ours)
    dice.shuffle(lines)
    assert account(a_bill(*lines), ours) == before


@given(some_calls(), some_lines())
def test_only_calls_of_unknown_fate_are_settled_and_each_once(ours, lines):
    found = account(a_bill(*lines), ours)
    names = [name for part in found.differences for v in part.verdicts for name in v.costs_nusd]
    assert len(names) == len(set(names))
    assert set(names) <= {call.attempts[0] for call in ours if call.unknown}


@given(some_calls())
def test_a_bill_of_what_we_booked_differs_in_nothing(ours):
    ours = [replace(call, ids=(), unknown=False, unpriced=False, estimate_nusd=None) for call in ours]
    lines = [a_line("0", day=None, at=call.at, model=call.model) for call in ours]
    lines = [replace(line, amount_nusd=call.booked_nusd) for line, call in zip(lines, ours, strict=True)]
    assert kinds(account(a_bill(*lines), ours)) == []
