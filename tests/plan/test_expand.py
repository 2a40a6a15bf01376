"""Rows into slots: names that stay the same, and requests that differ where they must."""

from hypothesis import given
from hypothesis import strategies as st

from cavendish.model.identity import digest
from cavendish.model.request import ImageRequest
from cavendish.plan.expand import Ordinals, Wish, for_slot, slots


def wishes(*prompts, n=2, **fields):
    return [Wish(i, str(i), ImageRequest.of(p, "m", n=n, **fields)) for i, p in enumerate(prompts)]


def ids(*prompts, n=2):
    return [slot.id for slot in slots(wishes(*prompts, n=n), Ordinals())]


def test_one_slot_for_each_picture():
    got = list(slots(wishes("a", "b", n=3), Ordinals()))
    assert [(s.row, s.ordinal) for s in got] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert len({s.id for s in got}) == 6


def test_a_changed_row_renames_that_row_alone():
    before, after = ids("a", "b", "c"), ids("a", "B", "c")
    assert [x == y for x, y in zip(before, after, strict=True)] == [True, True, False, False, True, True]


def test_the_same_wish_twice_is_two_wishes():
    assert len(set(ids("a", "a", "a"))) == 6


@given(st.lists(st.sampled_from("abcd"), max_size=20), st.randoms(use_true_random=False))
def test_rows_may_be_moved_about(prompts, random):
    shuffled = list(prompts)
    random.shuffle(shuffled)
    assert sorted(ids(*prompts)) == sorted(ids(*shuffled))


def test_n_is_no_part_of_the_name():
    assert digest(ImageRequest.of("a", "m", n=1)) == digest(ImageRequest.of("a", "m", n=9))
    assert set(ids("a", n=2)) < set(ids("a", n=4))


def test_ordinals_go_on_after_skipped_rows():
    ordinals = Ordinals(lambda _form: 5)
    got = [slot.id.rsplit(".", 1)[1] for slot in slots(wishes("a", "a"), ordinals)]
    assert got == ["5", "6", "7", "8"]


def test_each_slot_and_each_refill_has_its_own_seed():
    made = list(slots(wishes("a", n=4, seed=2**31 - 2), Ordinals()))
    seeds = {for_slot(slot, "wire", attempt).seed for slot in made for attempt in (1, 2, 3)}
    assert len(seeds) == 12
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_one_picture_is_asked_for_and_nothing_else_is_changed():
    (slot,) = slots(wishes("generate 4 images of a cat", n=1, size="2K"), Ordinals())
    sent = for_slot(slot, "wire-id")
    assert (sent.n, sent.model, sent.modalities) == (1, "wire-id", ("IMAGE",))
    assert sent.prompt == "generate 4 images of a cat"
    assert sent.having(n=1, model="m", modalities=None) == slot.request


def test_modalities_that_were_asked_for_are_kept():
    (slot,) = slots(wishes("a", n=1, modalities=("TEXT", "IMAGE")), Ordinals())
    assert for_slot(slot, "wire").modalities == ("TEXT", "IMAGE")
