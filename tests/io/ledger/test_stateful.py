"""The same operations on SQLite and on memory: whatever is done, in whatever order, both know the same."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cavendish.io.ledger.entries import IllegalEntry
from cavendish.io.ledger.memory import MemoryLedger
from cavendish.io.ledger.reader import LedgerReader
from cavendish.io.ledger.sqlite import SqliteLedger
from cavendish.model.attempt import AttemptState
from cavendish.model.fault import Charged
from cavendish.model.plain import to_plain
from cavendish.model.request import ImageRequest
from tests.io.ledger.entries import failure, intent, picture, receipt, slot, waiting

FORMS = ("f0", "f1")
PLACES = [(form, ordinal) for form in FORMS for ordinal in range(2)]
SLOT_IDS = [slot(*place).id for place in PLACES]


def placed(place, row, key, prompt, columns):
    return replace(slot(*place, row=row, key=key, columns=columns), request=ImageRequest.of(prompt, "m"))


slots = st.builds(
    placed,
    st.sampled_from(PLACES),
    st.integers(0, 3),
    st.sampled_from(["", "kite"]),
    st.sampled_from(["a kite", "a kite, moved"]),
    st.sampled_from([{}, {"a": [1, None]}]),
)
attempt_ids = st.sampled_from([f"a{n}" for n in range(5)])
prices = st.none() | st.integers(0, 3)
hashes = st.sampled_from(["aa", "bb"])
files = st.sampled_from(["one.png", "two.png"])


class TwoLedgers(RuleBasedStateMachine):
    """What is done to both, and what both then say."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.Runner()
        self.path = self.folder / "ledger.sqlite3"
        self.memory = MemoryLedger()
        self.sqlite = SqliteLedger(self.path)
        self.loop.run(self.sqlite.open())

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.run(self.sqlite.close())
            self.loop.close()
            shutil.rmtree(self.folder)

    def both(self, name, *values):
        """What one method says on each, or that it refuses; the same on both."""
        return self.loop.run(self._both(name, *values))

    async def _both(self, name, *values):
        in_memory, on_disk = await _said(self.memory, name, values), await _said(self.sqlite, name, values)
        assert _plain(on_disk) == _plain(in_memory), name
        return in_memory

    # --- what is done ---

    @rule(wanted=slots, attempt_id=attempt_ids, number=st.integers(1, 3), estimate=prices, hedge=st.booleans())
    def intend(self, wanted, attempt_id, number, estimate, hedge):
        self.both("intend", intent(attempt_id, wanted, number, estimate, hedge=hedge), wanted)

    @rule(wanted=slots, attempt_id=attempt_ids)
    def wait_for_a_stranger(self, wanted, attempt_id):
        self.both("waiting", waiting(intent(attempt_id, wanted)))

    @rule(data=st.data())
    def wait_for_an_open_one(self, data):
        found = self.both("open_attempts")
        if found:
            attempt, _ = data.draw(st.sampled_from(list(found)))
            self.both("waiting", waiting(attempt))

    @rule(
        data=st.data(),
        state=st.sampled_from([AttemptState.SETTLED, AttemptState.UNKNOWN]),
        charged=st.sampled_from(Charged),
        cost=prices,
        ended=st.sampled_from(["open", "picture", "failure"]),
    )
    def settle(self, data, state, charged, cost, ended):
        found = self.both("open_attempts")
        if found:
            attempt, wanted = data.draw(st.sampled_from(list(found)))
            outcome = {"open": None, "failure": failure(wanted)}.get(ended)
            if ended == "picture":
                outcome = picture(wanted, data.draw(hashes), data.draw(files))
            self.both("settle", receipt(attempt, charged, cost, state=state), outcome)

    @rule(wanted=slots, attempt_id=attempt_ids)
    def settle_any(self, wanted, attempt_id):
        self.both("settle", receipt(intent(attempt_id, wanted)), None)

    @rule(wanted=slots)
    def conclude(self, wanted):
        self.both("conclude", failure(wanted))

    @rule(wanted=slots)
    def keep(self, wanted):
        self.both("keep", wanted)

    @rule(rows=st.integers(0, 5))
    def mark(self, rows):
        self.both("rows_settled", rows)

    @rule()
    def begin_an_edition(self):
        self.both("new_edition")

    @rule()
    def reopen(self):
        self.loop.run(self.sqlite.close())
        self.sqlite = SqliteLedger(self.path)
        self.loop.run(self.sqlite.open())

    # --- what both say ---

    @invariant()
    def both_say_the_same(self):
        self.loop.run(self._compare())

    async def _compare(self):
        for name in ("open_attempts", "tally", "settled_rows"):
            await self._both(name)
        for slot_id in (*SLOT_IDS, "f9.0"):
            await self._both("standing", slot_id)
        for form in FORMS:
            assert sorted(await self.memory.hashes(form)) == sorted(await self.sqlite.hashes(form))

    @invariant()
    def a_reader_of_its_own_says_it_too(self):
        with LedgerReader.open(self.path) as reader:
            outcomes, tally = list(reader.outcomes()), reader.tally()
        assert tally == self.both("tally")
        standings = [self.memory_standing(slot_id) for slot_id in SLOT_IDS]
        ended = [replace(s.outcome, slot=s.slot) for s in standings if s and s.slot and s.outcome]
        assert outcomes == sorted(ended, key=lambda outcome: (outcome.slot.row, outcome.slot.ordinal, outcome.slot.id))

    def memory_standing(self, slot_id):
        return self.loop.run(self.memory.standing(slot_id))


async def _said(ledger, name, values):
    try:
        return await getattr(ledger, name)(*values)
    except IllegalEntry:
        return IllegalEntry


def _plain(said):
    """What was said, with the members that do not count when two are compared."""
    if isinstance(said, list):
        return [(to_plain(attempt), _of_form(wanted)) for attempt, wanted in said]
    if hasattr(said, "slot_id"):
        outcome = said.outcome and to_plain(replace(said.outcome, slot=slot()))
        return said.slot_id, outcome, said.attempts, said.slot and _of_form(said.slot)
    return said


def _of_form(wanted):
    """Without the request: the file keeps one for each form, as its slots are told apart by their ordinals alone."""
    return to_plain(replace(wanted, request=slot().request))


TestTwoLedgers = TwoLedgers.TestCase
TestTwoLedgers.settings = settings(max_examples=25, stateful_step_count=20)
TestTwoLedgers.pytestmark = pytest.mark.timeout(600)  # which only finding the smallest example can take
