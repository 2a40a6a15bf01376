"""MemoryLedger: the books in memory, with the contract of the real ones, for worlds and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ...engine.ports import Standing, Tally
from ...model.attempt import Attempt, AttemptState
from ...model.fault import Charged
from ...model.result import Failure, Outcome, Picture, Slot
from .entries import IllegalEntry

LIVE = frozenset({AttemptState.INTENT, AttemptState.WAITING})


class MemoryLedger:
    """Implements ``engine.ports.Ledger``. ``on_commit`` is as in ``SqliteLedger``."""

    def __init__(self, on_commit: Callable[[str], None] | None = None) -> None:
        self._on_commit = on_commit or _unwatched
        self._slots: dict[str, Slot] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._attempts: dict[str, Attempt] = {}
        self._of_slot: dict[str, list[str]] = {}
        self._live: dict[tuple[str, bool], str] = {}
        self._of_form: dict[str, list[str]] = {}
        self._files: dict[str, str] = {}
        self._settled_rows = 0
        self._edition = 0
        self._editions: dict[str, int] = {}

    async def intend(self, attempt: Attempt, slot: Slot) -> None:
        """Write an attempt down before its call leaves, and its slot when that is new."""
        await self.intend_all(((attempt, slot),))

    async def intend_all(self, entries: Sequence[tuple[Attempt, Slot]]) -> None:
        """``intend`` for all slots of one call."""
        self._on_commit("before")
        for attempt, slot in entries:
            if _place(attempt) in self._live or attempt.id in self._attempts:
                raise IllegalEntry(f"slot {slot.id} has a live attempt already")
        for attempt, slot in entries:
            self._put(slot)
            self._attempts[attempt.id] = attempt
            self._of_slot.setdefault(slot.id, []).append(attempt.id)
            self._live[_place(attempt)] = attempt.id
        self._on_commit("after")

    async def waiting(self, attempt: Attempt) -> None:
        """A job was accepted: keep its ticket."""
        await self.waiting_all((attempt,))

    async def waiting_all(self, attempts: Sequence[Attempt]) -> None:
        """``waiting`` for all slots of one call."""
        self._on_commit("before")
        for attempt in attempts:
            self._must_live(attempt)
        for attempt in attempts:
            self._move(attempt)
        self._on_commit("after")

    async def settle(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """Write an attempt's receipt, and the slot's outcome when that ended it."""
        await self.settle_all(((attempt, outcome),))

    async def settle_all(self, receipts: Sequence[tuple[Attempt, Outcome | None]]) -> None:
        """``settle`` for all slots of one call."""
        self._on_commit("before")
        for attempt, _ in receipts:
            self._must_live(attempt)
        for attempt, outcome in receipts:
            if outcome is not None:
                self._end(outcome)
            self._move(attempt)
            if attempt.state not in LIVE:
                del self._live[_place(self._attempts[attempt.id])]
        self._on_commit("after")

    async def conclude(self, outcome: Failure) -> None:
        """End a slot without a further attempt."""
        self._on_commit("before")
        self._put(outcome.slot)
        self._end(outcome)
        self._on_commit("after")

    async def keep(self, slot: Slot) -> None:
        """A slot that was begun before is wanted now, at this place."""
        self._on_commit("before")
        if slot.id in self._slots:
            self._slots[slot.id] = slot
            self._editions[slot.id] = self._edition
        self._on_commit("after")

    async def new_edition(self) -> None:
        """The input may have changed: what it holds is met anew, and what it does not is counted no more."""
        self._on_commit("before")
        self._edition += 1
        self._settled_rows = 0
        self._on_commit("after")

    async def standing(self, slot_id: str) -> Standing | None:
        """What is known of a slot, ``None`` when it was never begun."""
        if slot_id not in self._slots:
            return None
        attempts = sorted((self._attempts[i] for i in self._of_slot.get(slot_id, ())), key=lambda a: (a.number, a.id))
        slot = self._slots[slot_id] if self._editions[slot_id] == self._edition else None
        return Standing(slot_id, self._outcomes.get(slot_id), tuple(attempts), slot)

    async def open_attempts(self) -> Sequence[tuple[Attempt, Slot]]:
        """Attempts without a receipt: intents and waiting jobs."""
        found = [self._attempts[attempt_id] for attempt_id in sorted(self._live.values())]
        return [(attempt, self._slots[attempt.slot_id]) for attempt in found]

    async def hashes(self, form: str) -> Iterable[str]:
        """The sha256 of each picture delivered for one request's form."""
        ended = (self._outcomes.get(slot_id) for slot_id in self._of_form.get(form, ()))
        return [outcome.blob.sha256 for outcome in ended if isinstance(outcome, Picture)]

    async def rows_settled(self, rows: int) -> None:
        """All rows below this number have an outcome for each of their slots."""
        self._on_commit("before")
        self._settled_rows = max(self._settled_rows, rows)
        self._on_commit("after")

    async def settled_rows(self) -> int:
        """The number that was last noted by ``rows_settled``."""
        return self._settled_rows

    async def tally(self) -> Tally:
        """Sums over all entries."""
        wanted = [o for slot_id, o in self._outcomes.items() if self._editions.get(slot_id) == self._edition]
        pictures = sum(isinstance(outcome, Picture) for outcome in wanted)
        every = self._attempts.values()
        unknown = [a for a in every if a.charged is Charged.UNKNOWN]
        billed = [a for a in every if a.charged is Charged.YES]
        return Tally(
            delivered=pictures,
            failed=len(wanted) - pictures,
            attempts=len(every),
            billed_attempts=len(billed),
            unbilled_attempts=sum(a.charged is Charged.NO for a in every),
            unknown_attempts=sum(a.state not in LIVE for a in unknown),
            billed_nusd=sum(a.cost_nusd or 0 for a in every),
            unknown_nusd=sum(a.estimate_nusd or 0 for a in (*unknown, *billed) if a.cost_nusd is None),
            in_flight=len(self._live),
            unpriced_attempts=sum(a.cost_nusd is None for a in billed) + sum(a.estimate_nusd is None for a in unknown),
        )

    def _put(self, slot: Slot) -> None:
        if slot.id not in self._slots:
            self._of_form.setdefault(slot.id.rsplit(".", 1)[0], []).append(slot.id)
        self._slots[slot.id] = slot
        self._editions[slot.id] = self._edition

    def _must_live(self, attempt: Attempt) -> None:
        before = self._attempts.get(attempt.id)
        if before is None or before.slot_id != attempt.slot_id or before.state not in LIVE:
            raise IllegalEntry(f"no live attempt {attempt.id}")

    def _move(self, attempt: Attempt) -> None:
        """What was written before the call left is not written anew."""
        self._must_live(attempt)
        before = self._attempts[attempt.id]
        if _written_before(before) == _written_before(attempt):
            self._attempts[attempt.id] = attempt
            return
        self._attempts[attempt.id] = replace(
            attempt,
            number=before.number,
            route=before.route,
            estimate_nusd=before.estimate_nusd,
            intent_at=before.intent_at,
            shared=before.shared,
            place=before.place,
            key=before.key,
            hedge=before.hedge,
        )

    def _end(self, outcome: Outcome) -> None:
        slot_id, before = outcome.slot.id, self._outcomes.get(outcome.slot.id)
        if slot_id not in self._slots:
            raise IllegalEntry(f"no slot {slot_id}")
        if isinstance(outcome, Picture) and self._files.setdefault(outcome.blob.ref, slot_id) != slot_id:
            raise IllegalEntry(f"two slots with the file {outcome.blob.ref}")
        if isinstance(before, Picture) and not (isinstance(outcome, Picture) and outcome.blob.ref == before.blob.ref):
            del self._files[before.blob.ref]
        self._outcomes[slot_id] = outcome


def _written_before(attempt: Attempt) -> tuple[object, ...]:
    """What is known before a call leaves."""
    return (
        attempt.number,
        attempt.route,
        attempt.estimate_nusd,
        attempt.intent_at,
        attempt.shared,
        attempt.place,
        attempt.key,
        attempt.hedge,
    )


def _place(attempt: Attempt) -> tuple[str, bool]:
    """What only one live attempt can have: its slot, once more for a hedge."""
    return attempt.slot_id, attempt.hedge


def _unwatched(_moment: str) -> None:
    """Nobody counts the commits."""
