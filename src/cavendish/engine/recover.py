"""Recover: what a crash left behind, put in order before anything new leaves.

An attempt on the books without a receipt is one of three: its reply arrived whole and is recorded (adopted: judged and
settled as if it came now), its job has a ticket (asked for again), or its fate is unknown (noted as possibly billed;
its slot is open again, because no hosted API can return a lost answer).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..model.attempt import Attempt, AttemptState
from ..model.call import Done, Later, Reply
from ..model.fault import Charged, Fault, FaultKind
from ..model.result import Outcome, Picture, Slot
from .budget import Budget
from .flight import DISK_FULL, Flight, Landing, Parts
from .heir import heir, pricer, unreachable
from .policy import Policy
from .ports import Closing, Lane, OutOfSpace
from .queue import Work, spent
from .step import Phase, Refused, SlotState, step
from .twins import Twins

LOST = Fault(FaultKind.CUT, "the process ended before the answer was on the books", Charged.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Job:
    """A call of an earlier process that can be gone on with: ``reply`` has its ticket, or tells what to fetch."""

    lane: Lane
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

    def key_lost(self, closing: Closing) -> None:
        """Nothing."""


class Recovery:
    """Goes through the open attempts of a ledger, as the host of their landings.

    A slot whose adopted answer was no good is simply open again: whether it is still wanted, the input will tell.
    """

    def __init__(self, parts: Parts, policy: Policy, twins: Twins, lanes_for: Callable[[Slot], Sequence[Lane]]) -> None:
        self._parts = parts
        self._policy = policy
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
        works_of = await self._works(calls)
        for call_id, entries in calls.items():
            reply, ticket = recorded.get(call_id), entries[0][0].ticket
            attempts = tuple(attempt for attempt, _ in entries)
            works = [works_of[slot.id] for _, slot in entries]
            # The addresses in a reply that is not whole may be dead by now: the job, if there is one, gives new ones.
            rest = reply if ticket is None else Later(ticket, 0.0)
            if reply is not None and _is_whole(reply):
                await self._adopt(works, attempts, reply)
            elif rest is not None and (lane := heir(works[0].lanes, attempts)) is not None:
                jobs.append(Job(lane, works, attempts, rest))
            elif rest is not None:
                self.stop = unreachable(works[0].lanes, attempts[0])
            else:
                await self._parts.ledger.settle_all([(self._unknown(attempt), None) for attempt in attempts])
                for work in works:
                    work.state, _ = step(work.state, Refused(LOST), self._policy)
        for settled_id in recorded.keys() - calls.keys():
            # The crash fell between the receipt and the tidying up.
            await self._parts.blobs.forget(settled_id)

    async def _adopt(self, works: Sequence[Work], attempts: tuple[Attempt, ...], reply: Reply) -> None:
        for work in works:
            await self.twins.enter(work.slot.id)
        await self._flight.land(pricer(works[0].lanes, attempts), works, Landing(attempts, reply))
        for work in works:
            self.twins.leave(work.slot.id)

    async def _work(self, attempt: Attempt, slot: Slot) -> Work:
        """The slot as if its call were in flight, or ended by another."""
        lanes = tuple(self._lanes_for(slot))
        routes = list(dict.fromkeys(lane.route for lane in lanes))
        number = routes.index(attempt.route) if attempt.route in routes else 0
        # Of a job of many there may be thousands, most of them the first for their slots, and none is a hedge.
        looks = attempt.number > 1 or not (attempt.ticket and attempt.state is AttemptState.WAITING)
        standing = await self._parts.ledger.standing(attempt.slot_id) if looks else None
        phase = Phase.PENDING if attempt.state is AttemptState.WAITING else Phase.IN_FLIGHT
        ended = standing.outcome if standing else None
        picture = replace(ended, slot=slot) if isinstance(ended, Picture) else None
        state = SlotState(Phase.DELIVERED if picture else phase, attempt.number, number, len(routes), live=1)
        before = [one for one in standing.attempts if one.state not in _OPEN] if standing else []
        return Work(slot, lanes, state, *spent(before), picture=picture)

    async def _works(self, calls: Mapping[str, Sequence[tuple[Attempt, Slot]]]) -> dict[str, Work]:
        """Each slot once, though two calls for it may be open."""
        works: dict[str, Work] = {}
        for attempt, slot in (entry for entries in calls.values() for entry in entries):
            work = works.get(slot.id)
            if work is None:
                works[slot.id] = await self._work(attempt, slot)
            else:
                most = max(work.state.attempts, attempt.number)
                work.state = replace(work.state, attempts=most, live=work.state.live + 1)
                work.gate = asyncio.Lock()
        return works

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

    def ended(self, work: Work, outcome: Outcome) -> None:
        """The slot has its outcome, on the books."""

    def left_open(self, work: Work, fault: Fault) -> None:  # noqa: ARG002
        """The disk is full, or it was given up: only the first concerns the run that begins."""
        if fault.kind is FaultKind.DISK_FULL:
            self.stop = fault

    def close_lane(self, lane: Lane, work: Work, fault: Fault) -> None:
        """Whether a lane is of use is found out anew."""

    def narrow(self, lane: Lane, most: int) -> None:
        """What a lane takes is found out anew."""

    def money_moved(self) -> None:
        """Nobody waits for money yet."""


_OPEN = frozenset({AttemptState.INTENT, AttemptState.WAITING})


def _by_call(entries: Sequence[tuple[Attempt, Slot]]) -> dict[str, list[tuple[Attempt, Slot]]]:
    """Open attempts by the call that they share, each call's in their places."""
    calls: dict[str, list[tuple[Attempt, Slot]]] = {}
    for attempt, slot in sorted(entries, key=lambda entry: entry[0].place):
        calls.setdefault(attempt.call_id, []).append((attempt, slot))
    return dict(sorted(calls.items()))


def _is_whole(reply: Reply) -> bool:
    """Whether every picture of it is here, and not only its address."""
    return not isinstance(reply, Done) or all(picture.blob or not picture.uri for picture in reply.pictures)
