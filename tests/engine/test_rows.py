"""The mark below which every row is settled."""

from hypothesis import given
from hypothesis import strategies as st

from cavendish.engine.rows import Rows


def test_the_newest_row_counts_only_when_all_was_read():
    rows = Rows()
    rows.enter(0)
    rows.leave(0)
    assert rows.settled(all_read=False) == 0
    assert rows.settled(all_read=True) == 1


def test_an_old_row_that_is_open_holds_the_mark():
    rows = Rows()
    for row in (0, 1, 2, 3):
        rows.enter(row)
    rows.leave(0)
    rows.leave(2)
    assert rows.settled(all_read=False) == 1
    rows.leave(1)
    assert rows.settled(all_read=False) == 3


@given(st.lists(st.integers(1, 3), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_mark_is_exact_and_never_moves_back(slots_by_row, random):
    rows = Rows()
    pending = [row for row, count in enumerate(slots_by_row) for _ in range(count)]
    for row in pending:
        rows.enter(row)
    random.shuffle(pending)
    last = 0
    while pending:
        rows.leave(pending.pop())
        mark = rows.settled(all_read=True)
        assert mark == min(pending, default=len(slots_by_row))
        assert mark >= last
        last = mark


def test_rows_that_need_no_work_move_the_mark_as_well():
    rows = Rows()
    rows.enter(0)
    rows.leave(0)
    rows.skip(1)
    rows.skip(2)
    assert rows.settled(all_read=False) == 2
    assert rows.settled(all_read=True) == 3


def test_nothing_read_settles_nothing():
    assert Rows().settled(all_read=True) == 0


def test_a_row_that_a_job_is_at_says_nothing_of_rows_that_were_not_read():
    rows = Rows()
    rows.hold(5)
    assert rows.settled(all_read=False) == 0
    rows.skip(0)
    rows.skip(1)
    assert rows.settled(all_read=False) == 1
    rows.leave(5)
    assert rows.settled(all_read=True) == 2
