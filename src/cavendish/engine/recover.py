"""Recover: what a crash left behind, put in order before anything new leaves.

An attempt on the books without a receipt is one of three: its reply arrived whole and is recorded (adopted: judged and
settled as if it came now), its job has a ticket (asked for again), or its fate is unknown (noted as possibly billed;
its slot is open again, because no hosted API can return a lost answer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..model.attempt import Attempt, AttemptState
from ..model.call import Done, Later, Reply
from ..model.fault import Charged, Fault, FaultKind
from ..model.result import Outcome, Slot
from .budget import Budget
from .flight import DISK_FULL, Flight, Landing, Parts
from .policy import Policy
from .ports import Lane, OutOfSpace
from .queue import Work, spent
from .step import Phase, SlotState
from .twins import Twins

LOST = Fault(FaultKind.CUT, "the process ended before the answer was on the books", Charged.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Job:
    """A call of an earlier process that can be gone on with: ``reply`` has its ticket, or tells what to fetch."""

    works: Sequence[Work]
    attempts: tuple[Attempt, ...]
    reply: Reply


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

    async def run(self) -> list[Job]:
        """Adopt what arrived, note what is unknown; returns the calls that are to be gone on with."""
        jobs: list[Job] = []
        try:
            await self._go_through(jobs)
        except OutOfSpace:
            # What was not put in order yet is as it was, for a run that finds room.
            self.stop = DISK_FULL
        return jobs

    async def _go_through(self, jobs: list[Job]) -> None:
        recorded = await self._parts.blobs.recorded()
        calls = _by_call(await self._parts.ledger.open_attempts())
        for call_id, entries in calls.items():
            reply, ticket = recorded.get(call_id), entries[0][0].ticket
            attempts = tuple(attempt for attempt, _ in entries)
            works = [await self._work(attempt, slot) for attempt, slot in entries]
            if reply is not None and _is_whole(reply):
                await self._adopt(works, attempts, reply)
            elif (ticket is not None or reply is not None) and not _knows(works[0].lane, attempts[0]):
                # It was paid for there, and no other endpoint knows of it.
                words = f"a job is at work by {attempts[0].route}, which is not among the routes of this run"
                self.stop = Fault(FaultKind.BAD_KEY, words, Charged.NO)
            elif ticket is not None:
                # The addresses in a reply that is not whole may be dead by now: the job gives new ones.
                jobs.append(Job(works, attempts, Later(ticket, 0.0)))
            elif reply is not None:
                jobs.append(Job(works, attempts, reply))
            else:
                await self._parts.ledger.settle_all([(self._unknown(attempt), None) for attempt in attempts])
        for settled_id in recorded.keys() - calls.keys():
            # The crash fell between the receipt and the tidying up.
            await self._parts.blobs.forget(settled_id)

    async def _adopt(self, works: Sequence[Work], attempts: tuple[Attempt, ...], reply: Reply) -> None:
        for work in works:
            await self.twins.enter(work.slot.id)
        await self._flight.land(works[0].lane, works, Landing(attempts, reply))
        for work in works:
            self.twins.leave(work.slot.id)

    async def _work(self, attempt: Attempt, slot: Slot) -> Work:
        """The slot as if its call were in flight, at the lane that the attempt took when there still is one."""
        lanes = tuple(self._lanes_for(slot))
        places = [i for i, lane in enumerate(lanes) if _knows(lane, attempt)]
        number = next((i for i in places if lanes[i].route == attempt.route), places[0] if places else 0)
        phase = Phase.PENDING if attempt.state is AttemptState.WAITING else Phase.IN_FLIGHT
        state = SlotState(phase, attempt.number, number, len(lanes))
        return Work(slot, lanes, state, *await self._spent_before(attempt))

    async def _spent_before(self, attempt: Attempt) -> tuple[int, bool]:
        """What the slot's attempts before this one cost."""
        # Most slots have none, and there may be thousands that wait.
        standing = await self._parts.ledger.standing(attempt.slot_id) if attempt.number > 1 else None
        return spent([one for one in standing.attempts if one.id != attempt.id] if standing else ())

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

    def narrow(self, lane: Lane, most: int) -> None:
        """What a lane takes is found out anew."""

    def money_moved(self) -> None:
        """Nobody waits for money yet."""


def _knows(lane: Lane, attempt: Attempt) -> bool:
    """Whether the lane leads to where the attempt went. A model's name there may have changed with the catalog."""
    return lane.route.endpoint == attempt.route.endpoint


def _by_call(entries: Sequence[tuple[Attempt, Slot]]) -> dict[str, list[tuple[Attempt, Slot]]]:
    """Open attempts by the call that they share, each call's in their places."""
    calls: dict[str, list[tuple[Attempt, Slot]]] = {}
    for attempt, slot in sorted(entries, key=lambda entry: entry[0].place):
        calls.setdefault(attempt.call_id, []).append((attempt, slot))
    return dict(sorted(calls.items()))


def _is_whole(reply: Reply) -> bool:
    """Whether every picture of it is here, and not only its address."""
    return not isinstance(reply, Done) or all(picture.blob or not picture.uri for picture in reply.pictures)
