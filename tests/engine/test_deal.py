"""Laws of dealing: one thing for each slot, the bill to the last nano-dollar, and no part of the reply lost."""

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from cavendish.engine.deal import Good, beside, bills, deal, divided, said, shares
from cavendish.model.call import Done
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import Image, Text
from cavendish.model.usage import Usage

faults = st.builds(Fault, st.sampled_from(FaultKind), charged=st.sampled_from(Charged))
amounts = st.integers(0, 10**12)
usages = st.builds(Usage, *([st.integers(0, 9999)] * 8), st.none() | amounts)
parts = st.lists(st.just(Image(uri="https://x/1")) | st.just(Text("words")), min_size=1, max_size=8).map(tuple)


@given(amounts, st.integers(1, 20))
def test_shares_sum_up_and_are_even(amount, among):
    each = shares(amount, among)
    assert (len(each), sum(each)) == (among, amount)
    assert max(each) - min(each) <= 1


@given(usages, st.integers(1, 15))
def test_what_was_used_sums_up(usage, among):
    each = divided(usage, among)
    for name in (field.name for field in fields(usage)):
        assert sum(getattr(one, name) or 0 for one in each) == (getattr(usage, name) or 0)


@given(parts, st.integers(0, 8), st.lists(faults, max_size=4), st.lists(faults, max_size=4), st.integers(1, 10))
def test_each_slot_gets_one_thing_and_pictures_come_first(found, count, bad, shortfall, slots):
    good = [Good(i, 8, 8) for i, part in enumerate(found) if isinstance(part, Image)][:count]
    dealt = deal(Done(found, tuple(g.index for g in good), shortfall=tuple(shortfall)), good, bad, slots)
    assert len(dealt) == slots
    assert list(dealt[: len(good)]) == good[:slots]
    assert all(isinstance(one, Fault) for one in dealt[len(good) :])


@given(st.lists(st.builds(Good, st.integers(0, 5), st.just(8), st.just(8)) | faults, min_size=1, max_size=10), amounts)
def test_the_bill_is_borne_by_those_who_are_charged(found, cost):
    divided_bill = bills(found, cost, Usage(images=7))
    charged = [one for one in found if isinstance(one, Good) or one.charged is Charged.YES]
    assert sum(bill.cost_nusd or 0 for bill in divided_bill) == (cost if charged else 0)
    assert sum(bill.usage.images for bill in divided_bill) == 7
    for one, bill in zip(found, divided_bill, strict=True):
        if isinstance(one, Fault) and one.charged is not Charged.YES:
            assert bill.cost_nusd == (0 if one.charged is Charged.NO else None)
    unknown = bills(found, None, Usage())
    assert {bill.cost_nusd for bill in unknown} <= {None, 0}


@given(parts, st.data())
def test_no_part_is_lost_and_none_is_given_twice(found, data):
    finals = [i for i, part in enumerate(found) if isinstance(part, Image)]
    good = [Good(i, 8, 8) for i in finals if data.draw(st.booleans())]
    told = beside(Done(found, tuple(finals)), good, {one.index for one in good})
    if good:
        places = [i for one in told for i, _ in one] + [one.index for one in good]
        assert sorted(places) == list(range(len(found)))
        assert all(found[i] is part for one in told for i, part in one)


def test_only_what_was_said_aloud_is_text():
    assert said((Text("a"), Text("b", thought=True), Image(uri="u"), Text("c"))) == "a\nc"
