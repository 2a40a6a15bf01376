"""Attempts of unknown fate are settled once, at what their provider says; no other attempt is touched."""

import asyncio
import sqlite3

import pytest

from cavendish.io.ledger.reader import LedgerReader
from cavendish.io.ledger.sqlite import SqliteLedger
from cavendish.model.attempt import Attempt, AttemptState
from cavendish.model.fault import Charged
from cavendish.model.request import ImageRequest
from cavendish.model.result import Route, Slot

ROUTE = Route("google", "m", "m", "standard")
EACH = 67_000_000


def an_attempt(number, state, charged, cost=None):
    ended = state not in {AttemptState.INTENT, AttemptState.WAITING}
    slot = Slot(f"form.{number}", "k", number, 0, ImageRequest.of("a fox", "m"))
    return Attempt(
        f"a{number}", slot.id, 1, ROUTE, state, EACH, 1.0, 2.0 if ended else None, charged=charged, cost_nusd=cost
    ), slot


STANDING = (
    (AttemptState.UNKNOWN, Charged.UNKNOWN, None),
    (AttemptState.SETTLED, Charged.UNKNOWN, None),
    (AttemptState.SETTLED, Charged.YES, EACH),
    (AttemptState.SETTLED, Charged.NO, 0),
    (AttemptState.INTENT, Charged.UNKNOWN, None),
)


@pytest.fixture
async def path(tmp_path):
    file = tmp_path / "ledger.sqlite3"
    async with SqliteLedger(file) as ledger:
        for number, (state, charged, cost) in enumerate(STANDING):
            attempt, slot = an_attempt(number, AttemptState.INTENT, Charged.UNKNOWN)
            await ledger.intend(attempt, slot)
            if state is not AttemptState.INTENT:
                await ledger.settle(an_attempt(number, state, charged, cost)[0], None)
    return file


def standing(path):
    with LedgerReader.open(path) as reader:
        return {attempt.id: (attempt.charged, attempt.cost_nusd) for attempt in reader.attempts()}


def reconciled(path):
    db = sqlite3.connect(path)
    found = db.execute("SELECT attempt_id, at FROM events WHERE what = 'reconciled' ORDER BY id").fetchall()
    db.close()
    return found


async def test_only_attempts_of_unknown_fate_that_ended_are_settled_and_only_once(path):
    everything = {f"a{number}": EACH for number in range(len(STANDING))} | {"a1": 0, "nobody": 5}
    for at in (7.0, 8.0):
        async with SqliteLedger(path) as ledger:
            await ledger.settle_fates(everything, at)
    assert await asyncio.to_thread(standing, path) == {
        "a0": (Charged.YES, EACH),
        "a1": (Charged.NO, 0),
        "a2": (Charged.YES, EACH),
        "a3": (Charged.NO, 0),
        "a4": (Charged.UNKNOWN, None),
    }
    assert await asyncio.to_thread(reconciled, path) == [("a0", 7.0), ("a1", 7.0)]


async def test_what_was_settled_is_on_the_sums(path):
    async with SqliteLedger(path) as ledger:
        before = await ledger.tally()
        await ledger.settle_fates({"a0": EACH}, 7.0)
        after = await ledger.tally()
    assert (before.unknown_attempts, after.unknown_attempts) == (2, 1)
    assert after.billed_nusd - before.billed_nusd == EACH
