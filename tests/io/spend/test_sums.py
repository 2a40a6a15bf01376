"""The sums of a ledger: by its own query, attempt by attempt, and as the account of the run kept them: all the same."""

import asyncio
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from cavendish.io.ledger.reader import LedgerReader
from cavendish.io.ledger.sqlite import SqliteLedger
from cavendish.io.spend.calendar import UTC_CALENDAR, Calendar
from cavendish.io.spend.ledger import BookedLedger
from cavendish.io.spend.sums import Key, Sum, groups_of, key_of, sum_of, summed
from cavendish.model.fault import Charged
from cavendish.model.request import ImageRequest
from tests.io.ledger import entries
from tests.io.spend.books import account, book_at

LIST = {"": 70_000_000, "2K": 100_000_000}


def list_price(_endpoint, model, size):
    return LIST.get(size) if model == entries.ROUTE.model else None


def wanted(number, size=None):
    return replace(
        entries.slot(form=f"f{number}", row=number), request=ImageRequest.of(f"a kite {number}", "m", size=size)
    )


async def fill(ledger):
    """Every way in which an attempt can stand."""
    ended = (
        (Charged.YES, 67_000_000, None, True),
        (Charged.YES, 80_000_000, "2K", True),
        (Charged.YES, 160_000_000, "4K", True),
        (Charged.NO, 0, None, False),
        (Charged.YES, 67_000_000, None, False),
        (Charged.UNKNOWN, None, None, False),
        (Charged.YES, None, None, True),
    )
    for number, (charged, cost, size, comes) in enumerate(ended):
        slot = wanted(number, size)
        intent = entries.intent(f"a{number}", slot, intent_at=1_770_000_000.0 + number * 14_400)
        await ledger.intend(intent, slot)
        told = entries.receipt(intent, charged, cost, fault=None if comes else entries.REFUSED)
        await ledger.settle(told, entries.picture(slot) if comes else None)
    # A picture that two calls brought, and a call that has not come back.
    slot = wanted(90)
    both = [entries.intent("b0", slot), entries.intent("b1", slot, number=2, hedge=True)]
    for attempt in both:
        await ledger.intend(attempt, slot)
    for attempt in both:
        await ledger.settle(entries.receipt(attempt), entries.picture(slot))
    open_slot = wanted(91)
    await ledger.intend(entries.intent("c0", open_slot), open_slot)


def attempt_by_attempt(reader, calendar):
    sums, delivered = {}, set()
    for attempt in reader.attempts():
        outcome = reader.standing(attempt.slot_id).outcome
        brought = attempt.settled_at and attempt.fault is None and attempt.slot_id not in delivered
        if brought:
            delivered.add(attempt.slot_id)
        part = sum_of(attempt, outcome if brought else None, list_price)
        key = key_of(attempt, calendar)
        sums[key] = sums.get(key, Sum()).plus(part)
    return sums


def both_ways(path, calendar):
    with LedgerReader.open(path) as reader:
        by_query = summed(groups_of(reader.attempt_groups()), calendar, list_price)
        return by_query, attempt_by_attempt(reader, calendar)


@pytest.mark.parametrize("calendar", [UTC_CALENDAR, Calendar(ZoneInfo("Asia/Kathmandu"))])
async def test_three_ways_to_the_same_sums(tmp_path, calendar):
    path = tmp_path / ".cavendish" / "ledger.sqlite3"
    path.parent.mkdir()
    clock = Clock()
    async with SqliteLedger(path) as ledger, book_at(clock, calendar=calendar) as book:
        one = account(book, clock, list_price=list_price)
        await one.open({}, ())
        await fill(BookedLedger(ledger, one))
        await one.close([attempt for attempt, _ in await ledger.open_attempts()])
        booked = {line.key: line.sum for line in await book.lines()}
    by_query, by_attempt = await asyncio.to_thread(both_ways, path, calendar)
    assert by_query == by_attempt == booked
    total = Sum()
    for part in by_query.values():
        total = total.plus(part)
    assert (total.attempts, total.pictures, total.listed) == (10, 5, 4)
    assert total.unknown_nusd == 3 * entries.PRICE
    assert total.saved_nusd is None
    assert len(by_query) == 2


def test_what_was_saved():
    assert Sum(4, 2, 90, 0, 2, 100).saved_nusd == 10
    assert Sum(4, 2, 110, 0, 2, 100).saved_nusd == -10
    assert Sum(4, 3, 90, 0, 2, 100).saved_nusd is None
    assert Key("2026-11-20", "e", "m", "standard").day == "2026-11-20"


class Clock:
    """A clock that stands still, and lets others run."""

    def now(self):
        return 1_770_000_000.0

    def monotonic(self):
        return 1.0

    async def sleep(self, _seconds):
        await asyncio.sleep(3600)
