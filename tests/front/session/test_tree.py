"""Which turns can be gone on from, and how the tree of them is drawn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish import RequestError
from cavendish.front.session.tree import Tree
from cavendish.model.fault import Fault, FaultKind
from tests.front.session.records import answered, asked


@st.composite
def trees(draw):
    """Each turn after one before it, or at the beginning."""
    count = draw(st.integers(0, 12))
    parents = [draw(st.none() | st.integers(1, number - 1)) if number > 1 else None for number in range(1, count + 1)]
    return Tree({n: asked(n, parent) for n, parent in enumerate(parents, 1)}, {}, count)


@given(trees())
def test_each_turn_is_drawn_once_and_after_the_one_that_it_follows(tree):
    drawn = [record.number for _, record in tree.branches()]
    assert sorted(drawn) == list(tree.records)
    for record in tree.records.values():
        assert record.parent is None or drawn.index(record.parent) < drawn.index(record.number)


@given(trees())
def test_a_chain_leads_from_the_beginning_to_its_turn(tree):
    for number in tree.records:
        chain = tree.chain(number)
        assert [None, *(record.number for record in chain)][:-1] == [record.parent for record in chain]
        assert chain[-1].number == number


def test_a_conversation_without_forks_stays_at_one_depth():
    line = Tree({n: asked(n, n - 1 or None) for n in range(1, 2001)}, {}, 2000)
    assert {indent for indent, _ in line.branches()} == {""}
    fork = Tree({**line.records, 2001: asked(2001, 1999)}, {}, 2001)
    assert [indent for indent, record in fork.branches() if record.number >= 2000] == ["  ", "  "]


def test_what_can_be_gone_on_from(tmp_path):
    failed = asked(3, 2).having(reply=Fault(FaultKind.PROHIBITED))
    records = {1: answered(tmp_path, 1), 2: answered(tmp_path, 2, 1), 3: failed, 4: asked(4, 2)}
    tree = Tree(records, {5: "torn"}, 5)
    assert tree.to_follow(None) == 2
    assert (tree.to_follow(1), tree.to_follow(0)) == (1, None)
    for number, why in (
        (3, "ended without a picture"),
        (4, "has no answer yet"),
        (5, "cannot be read"),
        (9, "no turn"),
    ):
        with pytest.raises(RequestError, match=why) as caught:
            tree.to_follow(number)
        assert caught.value.hints == ("turns with a picture: 1, 2",)
    assert Tree({}, {}).to_follow(None) is None
    assert [record.number for record in tree.unfinished] == [4]
