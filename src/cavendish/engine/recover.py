"""Recover: what a crash left behind, put in order before anything new leaves.

An attempt on the books without a receipt is one of three: its reply arrived whole and is recorded (adopted: judged and
settled as if it came now), its job has a ticket (asked for again), or its fate is unknown (noted as possibly billed;
its slot is open again, because no hosted API can return a lost answer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..model.attempt import Attempt, AttemptState
from ..model.call import Reply
from ..model.fault import Charged, Fault, FaultKind
from ..model.result import Outcome, Slot
from .budget import Budget
from .flight import DISK_FULL, Flight, Landing, Parts
from .policy import Policy
from .ports import Lane, OutOfSpace
from .queue import Work
from .step import Phase, SlotState
from .twins import Twins

LOST = Fault(FaultKind.CUT, "the process ended before the answer was on the books", Charged.UNKNOWN)


class Unwatched:
    """A progress that shows nothing: adopted pictures are shown once, as kept ones, when their rows are read."""

    def slot_started(self, slot: Slot, attempt: Attempt) -> None:
        """Nothing."""

    def attempt_ended(self, slot: Slot, attempt: Attempt) -> None:
        """Nothing."""

    def slot_ended(self, outcome: Outcome) -> None:
        """Nothing."""

    def slot_kept(self, outcome: Outcome) -> None:
        """Nothing."""

    def slot_left(self, slot: Slot, fault: Fault) -> None:
        """Nothing."""

    def waiting(self, why: str, seconds: float) -> None:
        """Nothing."""


class Recovery:
    """Goes through the open attempts of a ledger, as the host of their landings.

    A slot whose adopted answer was no good is simply open again: whether it is still wanted, the input will tell.
    """

    def __init__(self, parts: Parts, policy: Policy, twins: Twins, lanes_for: Callable[[Slot], Sequence[Lane]]) -> None:
        self._parts = parts
        self._lanes_for = lanes_for
        self._flight = Flight(self, replace(parts, progress=Unwatched()), policy)
        self.twins = twins
        self.budget = Budget(None)
        self.halted = False
        self.stop: Fault | None = None

    async def run(self) -> list[tuple[Work, Attempt]]:
        """Adopt what arrived, note what is unknown; returns the jobs that are still to be asked for."""
        jobs: list[tuple[Work, Attempt]] = []
        try:
            await self._go_through(jobs)
        except OutOfSpace:
            # What was not put in order yet is as it was, for a run that finds room.
            self.stop = DISK_FULL
        return jobs

    async def _go_through(self, jobs: list[tuple[Work, Attempt]]) -> None:
        recorded = await self._parts.blobs.recorded()
        attempts = await self._parts.ledger.open_attempts()
        for attempt, slot in attempts:
            reply = recorded.get(attempt.id)
            if reply is not None:
                await self._adopt(attempt, slot, reply)
            elif attempt.state is AttemptState.WAITING:
                jobs.append((self._work(attempt, slot), attempt))
            else:
                await self._parts.ledger.settle(self._unknown(attempt), None)
        for settled_id in recorded.keys() - {attempt.id for attempt, _ in attempts}:
            # The crash fell between the receipt and the tidying up.
            await self._parts.blobs.forget(settled_id)

    async def _adopt(self, attempt: Attempt, slot: Slot, reply: Reply) -> None:
        work = self._work(attempt, slot)
        await self.twins.enter(slot.id)
        await self._flight.land(work.lane, work, Landing(attempt, reply))
        self.twins.leave(slot.id)

    def _work(self, attempt: Attempt, slot: Slot) -> Work:
        """The slot as if its call were in flight, at the lane that the attempt took when there still is one."""
        lanes = tuple(self._lanes_for(slot))
        number = next((i for i, lane in enumerate(lanes) if lane.route == attempt.route), 0)
        phase = Phase.PENDING if attempt.state is AttemptState.WAITING else Phase.IN_FLIGHT
        return Work(slot, lanes, SlotState(phase, attempt.number, number, len(lanes)))

    def _unknown(self, attempt: Attempt) -> Attempt:
        return replace(
            attempt,
            state=AttemptState.UNKNOWN,
            settled_at=self._parts.clock.now(),
            charged=Charged.UNKNOWN,
            fault=LOST,
        )

    # --- host ---------------------------------------------------------------------------------------------------

    def requeue(self, work: Work, after_s: float) -> None:
        """The slot is open again."""

    def ended(self, work: Work) -> None:
        """The slot has its outcome, on the books."""

    def left_open(self, work: Work, fault: Fault) -> None:  # noqa: ARG002
        """The disk is full, or a lane is shut: only the first concerns the run that begins."""
        if fault.kind is FaultKind.DISK_FULL:
            self.stop = fault

    def money_moved(self) -> None:
        """Nobody waits for money yet."""
