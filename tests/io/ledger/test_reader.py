"""LedgerReader: reads what others write, a page at a time, without keeping them from writing."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
import tracemalloc

import pytest

from cavendish.io.ledger import queries
from cavendish.io.ledger.reader import PAGE, LedgerReader
from cavendish.io.ledger.sqlite import SqliteLedger
from cavendish.model.result import Picture
from tests.io.ledger.entries import failure, intent, picture, receipt, slot

MANY = 5_000
BYTES_EACH = 1_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite3"


async def end(ledger, wanted, outcome=None):
    await ledger.intend(intent(wanted.id, wanted), wanted)
    await ledger.settle(receipt(intent(wanted.id, wanted)), outcome or picture(wanted))


def place_of(outcome):
    return outcome.slot.row, outcome.slot.ordinal, outcome.slot.id


# --- many entries -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A ledger of many outcomes, not written in their order; each row has two slots, some are still open."""
    path = tmp_path_factory.mktemp("many") / "ledger.sqlite3"
    said = "x" * BYTES_EACH

    async def write():
        async with SqliteLedger(path) as ledger:
            await asyncio.gather(
                *(
                    end(ledger, one, failure(one) if one.row % 10 == 3 else picture(one, text=said))
                    for one in map(nth, reversed(range(MANY)))
                )
            )
            left = [slot("left", n, row=n * 50) for n in range(3)]
            for one in left:
                await ledger.intend(intent(one.id, one), one)

    asyncio.run(write())
    return path


def nth(number):
    # Forms in no order that agrees with the rows.
    return slot(f"f{number * 7919 % MANY}", number % 2, row=number // 2)


def test_outcomes_come_all_and_in_the_order_of_the_rows(many):
    with LedgerReader.open(many) as reader:
        places = [place_of(outcome) for outcome in reader.outcomes()]
    assert places == sorted(place_of_slot(nth(number)) for number in range(MANY))


def place_of_slot(one):
    return one.row, one.ordinal, one.id


def test_outcomes_are_read_a_page_at_a_time(many):
    asked = []
    with LedgerReader.open(many) as reader:
        reader._db.set_trace_callback(asked.append)
        some = list(itertools.islice(reader.outcomes(), PAGE + 1))
    assert len(some) == PAGE + 1
    assert len([sql for sql in asked if "LIMIT" in sql]) == 2


def test_memory_stays_flat_however_many_there_are(many):
    with LedgerReader.open(many) as reader:
        tracemalloc.start()
        count = sum(1 for _ in reader.outcomes())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == MANY
    assert peak < MANY * BYTES_EACH / 2


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])
async def test_pages_end_where_they_end(path, count):
    async with SqliteLedger(path) as ledger:
        # One row, so that only the ordinals and the ids tell them apart.
        await asyncio.gather(*(ledger.conclude(failure(slot(f"f{n:04}", n // 3))) for n in range(count)))
        found = await asyncio.to_thread(outcomes_of, path)
    assert [one.slot.id for one in found] == [f"f{n:04}.{n // 3}" for n in range(count)]


def outcomes_of(path):
    with LedgerReader.open(path) as reader:
        return list(reader.outcomes())


def test_what_has_no_picture_yet_is_told_up_to_a_row(many):
    with LedgerReader.open(many) as reader:
        unfinished = reader.unfinished_below(60)
    expected = [nth(n) for n in range(MANY) if nth(n).row < 60 and nth(n).row % 10 == 3]
    expected += [slot("left", n, row=n * 50) for n in range(2)]
    assert unfinished == sorted(expected, key=place_of_slot)


@pytest.mark.parametrize(
    "sql",
    [
        queries.SLOT,
        queries.OUTCOMES,
        queries.UNFINISHED,
        queries.ATTEMPTS_OF_SLOT,
        queries.OPEN_ATTEMPTS,
        queries.HASHES,
        queries.HIGHEST_ORDINAL,
    ],
)
def test_no_question_but_the_sums_looks_at_every_entry(many, sql):
    connection = sqlite3.connect(many)
    plan = [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * sql.count("?"))]
    connection.close()
    # The index of live attempts holds nothing else, so going through all of it is what is wanted.
    assert not [step for step in plan if step.startswith("SCAN ") and "one_live_attempt_a_slot" not in step]
    sorted_anew = [step for step in plan if "TEMP B-TREE" in step]
    assert not sorted_anew or sql in {queries.ATTEMPTS_OF_SLOT, queries.OPEN_ATTEMPTS, queries.UNFINISHED}


# --- small questions --------------------------------------------------------------------------------------------------


async def test_the_next_ordinal_is_behind_those_of_the_rows_before(path):
    async with SqliteLedger(path) as ledger:
        for ordinal, row in ((0, 0), (1, 0), (9, 4), (10, 4), (11, 7)):
            await end(ledger, slot("f", ordinal, row=row))
        await end(ledger, slot("other", 30, row=0))
        reader = ledger.reader

        def ordinals():
            return [reader.next_ordinal("f", below) for below in (0, 1, 4, 5, 8)], reader.next_ordinal("none", 9)

        assert await ledger._do(ordinals) == ([0, 2, 2, 11, 12], 0)
        await ledger.new_edition()
        assert await ledger._do(lambda: reader.next_ordinal("f", 8)) == 0


async def test_an_older_edition_is_read_no_more(path):
    old, kept = slot("old"), slot("kept", row=1)
    async with SqliteLedger(path) as ledger:
        await end(ledger, old)
        await end(ledger, kept)
        await ledger.new_edition()
        await ledger.keep(kept)
        found = await asyncio.to_thread(outcomes_of, path)
        assert [one.slot for one in found] == [kept]


# --- while others write -----------------------------------------------------------------------------------------------


async def test_a_reader_sees_what_was_durable_when_it_asked(path):
    async with SqliteLedger(path) as ledger:
        reader = await asyncio.to_thread(LedgerReader.open, path)
        for number in range(5):
            await end(ledger, slot(f"f{number}", row=number))
            assert (await asyncio.to_thread(reader.tally)).delivered == number + 1
        await asyncio.to_thread(reader.close)


async def test_a_half_read_ledger_does_not_stop_the_writer_nor_lose_its_place(path):
    async with SqliteLedger(path) as ledger:
        await asyncio.gather(*(ledger.conclude(failure(slot(f"f{n:04}", row=2 * n))) for n in range(PAGE + 100)))
        reader = await asyncio.to_thread(LedgerReader.open, path)
        outcomes = reader.outcomes()
        begun = await asyncio.to_thread(lambda: list(itertools.islice(outcomes, PAGE)))
        # Behind its place, and before it.
        await ledger.conclude(failure(slot("early", row=1)))
        await ledger.conclude(failure(slot("late", row=2 * PAGE + 1)))
        rest = await asyncio.to_thread(lambda: list(outcomes))
        await asyncio.to_thread(reader.close)
    seen = [one.slot.id for one in (*begun, *rest)]
    assert len(set(seen)) == len(seen) == PAGE + 101
    assert "late.0" in seen
    assert "early.0" not in seen


async def test_readers_and_a_writer_at_once(path):
    """Each reading is of one moment: receipts and outcomes go together, and nothing that was seen goes away."""
    stop = threading.Event()

    def watch():
        seen = 0
        readings = 0
        with LedgerReader.open(path) as reader:
            while not stop.is_set():
                outcomes = list(reader.outcomes())
                for outcome in outcomes[-3:]:
                    (attempt,) = reader.standing(outcome.slot.id).attempts
                    assert attempt == receipt(intent(outcome.slot.id, outcome.slot))
                assert len(outcomes) >= seen
                assert all(isinstance(outcome, Picture) for outcome in outcomes)
                seen, readings = len(outcomes), readings + 1
        return readings

    async with SqliteLedger(path) as ledger:
        watchers = [asyncio.ensure_future(asyncio.to_thread(watch)) for _ in range(2)]
        for start in range(0, 300, 20):
            await asyncio.gather(*(end(ledger, slot(f"f{n}", row=n)) for n in range(start, start + 20)))
        stop.set()
        readings = await asyncio.gather(*watchers)
        assert all(readings)
        found = await asyncio.to_thread(outcomes_of, path)
    assert [one.slot.row for one in found] == list(range(300))


async def test_what_a_killed_writer_left_in_its_log_is_read(path):
    """The log beside the file holds the newest entries: a reader that comes first after a crash reads them in."""
    async with SqliteLedger(path) as ledger:
        await end(ledger, slot())
        copy = path.with_name("copy.sqlite3")

        def as_if_killed():
            for name in ("", "-wal"):
                copy.with_name(copy.name + name).write_bytes(path.with_name(path.name + name).read_bytes())

        await ledger._do(as_if_killed)
    found = await asyncio.to_thread(outcomes_of, copy)
    assert found == [picture(slot())]


async def test_what_is_unfinished_is_found_without_reading_what_is_done(path):
    async with SqliteLedger(path):
        pass
    with sqlite3.connect(path) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {queries.UNFINISHED}", (10,)).fetchall()
    connection.close()
    assert any("USING INDEX unfinished_slots" in step[-1] for step in plan), plan
