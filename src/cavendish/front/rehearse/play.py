"""Play: one run from its first call to its last on the virtual clock, by the real engine; and what it met."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from ...engine.bulk.ports import BulkLane, BulkPolicy
from ...engine.bulk.run import BulkEngine, Places
from ...engine.flight import Parts
from ...engine.policy import Policy
from ...engine.ports import Clock, Closing, Lane, Pricing
from ...engine.run import Engine, RunEnd
from ...engine.together import Pair, shared
from ...io.ledger.memory import MemoryLedger
from ...model.attempt import Attempt
from ...model.fault import Fault, FaultKind
from ...model.result import Outcome, Picture, Slot
from ...sim.dice import SeededDice
from ...sim.loop import VirtualClock, run_virtual
from ...sim.rehearsal import NoBlobs
from ..order import BATCH
from .stage import Backstage, Library, Way

LIMITS_MET = frozenset({FaultKind.RATE_LIMITED, FaultKind.DAY_QUOTA, FaultKind.SPEND_LIMIT})
"""What a 429 says."""


@dataclass(frozen=True, slots=True)
class Script:
    """What is played: these slots, each by the first of its ways that is open; keys take turns.

    ``jobs_for`` gives the ways by which a slot goes as part of a job first, none for most. ``deadline_s`` is when jobs
    are given up, and their slots go by ``ways_for``; ``misses_online`` is as in ``BulkPolicy``.
    ``set_aside`` has the prices by which money is set aside for jobs.
    ``wall_start`` is when the run would begin, in epoch seconds: daily quotas end at a midnight.
    """

    library: Library
    slots: Sequence[Slot]
    ways_for: Callable[[Slot], Sequence[Way]]
    policy: Policy
    wall_start: float
    max_cost_nusd: int | None = None
    jobs_for: Callable[[Slot], Sequence[Way]] = lambda _slot: ()
    deadline_s: float | None = None
    misses_online: bool = False
    set_aside: Callable[[Pricing], Pricing] = lambda pricing: pricing


@dataclass(slots=True)
class Traffic:
    """What one route did in a play: when its calls left, and what they came to. Seconds from the start."""

    starts: list[float] = field(default_factory=list[float])
    slots: int = 0
    delivered: int = 0
    billed_nusd: int = 0
    busy_s: float = 0.0
    ended_s: float = 0.0

    @property
    def calls(self) -> int:
        """How many left."""
        return len(self.starts)

    @property
    def mean_s(self) -> float:
        """How long one took."""
        return self.busy_s / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class Played:
    """How one play went. Amounts in nano-dollars; ``unknown_nusd`` is what calls of unknown fate may have cost.

    ``faults`` counts calls by why they gave no picture, ``waits`` the seconds that work stood still, by what for.
    ``longest_wait_s`` is the longest of these. ``again`` counts calls for pictures that had one before. ``stop`` says
    why the run ended early, if it did.
    """

    seed: int
    seconds: float
    billed_nusd: int
    unknown_nusd: int
    delivered: int
    failed: int
    left: int
    faults: Counter[str]
    waits: Counter[str]
    longest_wait_s: float
    most_in_flight: int
    again: int
    traffic: dict[str, Traffic]
    stop: Fault | None = None

    @property
    def calls(self) -> int:
        """All calls that left."""
        return sum(traffic.calls for traffic in self.traffic.values())

    @property
    def cost_nusd(self) -> int:
        """What it cost, as a cap counts: what may have been billed was."""
        return self.billed_nusd + self.unknown_nusd


class Witness:
    """Implements ``engine.ports.Progress``: writes down what a play met."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began: dict[str, float] = {}
        self._calls_out = 0
        self._waits_until: dict[str, float] = {}
        self.traffic: dict[str, Traffic] = {}
        self.faults: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.longest_wait_s = 0.0
        self.delivered = self.failed = self.most_in_flight = self.again = 0
        self.last_s = 0.0

    def slot_started(self, slot: Slot, attempt: Attempt) -> None:  # noqa: ARG002 - the port's
        """A call leaves; of several slots in one call the first counts."""
        now = self._clock.monotonic()
        self._began[attempt.id] = now
        self._calls_out += attempt.route.mode != BATCH
        self.most_in_flight = max(self.most_in_flight, self._calls_out)
        self.again += attempt.number > 1
        traffic = self._of(attempt)
        traffic.slots += 1
        if not attempt.place:
            traffic.starts.append(now)

    def attempt_ended(self, slot: Slot, attempt: Attempt) -> None:  # noqa: ARG002 - the port's
        """It came back."""
        now, traffic = self._clock.monotonic(), self._of(attempt)
        traffic.billed_nusd += attempt.cost_nusd or 0
        began = self._began.pop(attempt.id, now)
        self._calls_out -= attempt.route.mode != BATCH
        if not attempt.place:
            traffic.busy_s += now - began
        traffic.ended_s = self.last_s = now
        if attempt.fault is None:
            traffic.delivered += 1
        else:
            self.faults[attempt.fault.kind.value] += 1

    def slot_ended(self, outcome: Outcome) -> None:
        """A picture, or none for good."""
        self.delivered += isinstance(outcome, Picture)
        self.failed += not isinstance(outcome, Picture)

    def slot_kept(self, outcome: Outcome) -> None:
        """A play begins with nothing."""

    def slot_left(self, slot: Slot, fault: Fault) -> None:
        """The run stopped before it: it is what is missing in the sums."""

    def key_lost(self, closing: Closing) -> None:
        """What a simulated key does, a real one need not."""

    def waiting(self, why: str, seconds: float) -> None:
        """Told again whenever somebody looks: time is counted once for each reason."""
        if seconds == inf:
            return
        now = self._clock.monotonic()
        until, since = now + seconds, max(now, self._waits_until.get(why, 0.0))
        if until > since:
            self.waits[why] += until - since  # type: ignore[assignment]
            self._waits_until[why] = until
        self.longest_wait_s = max(self.longest_wait_s, seconds)

    def _of(self, attempt: Attempt) -> Traffic:
        name = f"{attempt.route} ({attempt.route.mode})"
        traffic = self.traffic.get(name)
        if traffic is None:
            traffic = self.traffic[name] = Traffic()
        return traffic


def play(script: Script, seed: int) -> Played:
    """Play a script once. The same seed gives the same play. Blocks, and must not be called in an event loop."""
    # Profiles are files: they are read before the loop begins.
    ways = {id(way): way for slot in script.slots for way in (*script.ways_for(slot), *script.jobs_for(slot))}
    for way in ways.values():
        script.library.repertoire(way)
    return run_virtual(_played(script, seed))


def play_all(script: Script, seeds: Sequence[int], processes: int = 1) -> list[Played]:
    """A play for each seed. Processes share nothing, so the plays are the same however many there are.

    More than one only where a process can be forked as it stands: a script is full of functions.
    """
    may_fork = sys.platform == "linux" and threading.active_count() == 1
    if processes < 2 or not may_fork:
        return [play(script, seed) for seed in seeds]
    context = multiprocessing.get_context("fork")
    with context.Pool(processes, _remember, (script,)) as pool:
        return pool.map(_play_remembered, seeds, chunksize=1)


_script: list[Script] = []


def _remember(script: Script) -> None:
    _script[:] = [script]


def _play_remembered(seed: int) -> Played:
    return play(_script[0], seed)


async def _played(script: Script, seed: int) -> Played:
    clock, dice = VirtualClock(script.wall_start), SeededDice(seed, f"engine {seed}")
    witness, ledger = Witness(clock), MemoryLedger()
    lanes = _Lanes(script, Backstage(script.library, clock, dice, seed))
    # A day's end is waited for, however long it takes: whether the run would do so is told beside it.
    policy = replace(script.policy, max_wait_s=inf)
    parts = Parts(ledger, NoBlobs(), clock, dice, witness)
    ended = await _run(script, parts, lanes, policy)
    tally = await ledger.tally()
    return Played(
        seed=seed,
        seconds=witness.last_s,
        billed_nusd=tally.billed_nusd,
        unknown_nusd=tally.unknown_nusd,
        delivered=witness.delivered,
        failed=witness.failed,
        left=len(script.slots) - witness.delivered - witness.failed,
        faults=witness.faults,
        waits=witness.waits,
        longest_wait_s=witness.longest_wait_s,
        most_in_flight=witness.most_in_flight,
        again=witness.again,
        traffic=witness.traffic,
        stop=ended.stop,
    )


async def _run(script: Script, parts: Parts, lanes: _Lanes, policy: Policy) -> RunEnd:
    cap = script.max_cost_nusd
    as_jobs = [slot for slot in script.slots if script.jobs_for(slot)]
    if not as_jobs:
        return await Engine(parts, lanes.calls, policy, cap).run(script.slots)
    for_jobs, for_calls = await shared(parts, cap)
    assert for_jobs.common is not None
    bounds = BulkPolicy(deadline_s=script.deadline_s, misses_online=script.misses_online)
    jobs = BulkEngine(for_jobs, Places(lanes.jobs, lanes.calls), "rehearsal", policy, bounds, cap)
    pair = Pair(jobs, Engine(for_calls, lanes.calls, policy, cap), for_jobs.common)
    return await pair.run(as_jobs, [slot for slot in script.slots if not script.jobs_for(slot)])


class _Lanes:
    """The lanes of each slot's ways: those of a route are the same for all."""

    def __init__(self, script: Script, backstage: Backstage) -> None:
        self._script = script
        self._backstage = backstage
        self._calls: dict[str, tuple[Lane, ...]] = {}
        self._jobs: dict[str, tuple[BulkLane, ...]] = {}

    def calls(self, slot: Slot) -> Sequence[Lane]:
        """Of single calls."""
        return [lane for way in self._script.ways_for(slot) for lane in self._calls_of(way)]

    def jobs(self, slot: Slot) -> Sequence[BulkLane]:
        """Of jobs."""
        return [place for way in self._script.jobs_for(slot) for place in self._jobs_of(way)]

    def _calls_of(self, way: Way) -> tuple[Lane, ...]:
        if way.name not in self._calls:
            self._calls[way.name] = self._backstage.lanes(way)
        return self._calls[way.name]

    def _jobs_of(self, way: Way) -> tuple[BulkLane, ...]:
        if way.name not in self._jobs:
            places, priced = self._backstage.places(way), self._script.set_aside
            self._jobs[way.name] = tuple(
                replace(place, lane=replace(place.lane, pricing=priced(place.lane.pricing))) for place in places
            )
        return self._jobs[way.name]
