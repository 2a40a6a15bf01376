"""World: the engine, and simple clients, against the simulated provider on a virtual clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime

from cavendish.catalog.cards import Latency, Limits
from cavendish.catalog.load import load
from cavendish.dialects.gemini import GeminiDialect
from cavendish.engine.flight import Parts
from cavendish.engine.policy import Policy
from cavendish.engine.ports import Clock, Lane, Provider
from cavendish.engine.run import Engine
from cavendish.govern.governors import Place
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.ledger.memory import MemoryLedger
from cavendish.io.quota.local import LocalQuotas
from cavendish.model.call import Done, Open
from cavendish.model.fault import Fault
from cavendish.model.request import ImageRequest
from cavendish.model.result import Outcome, Picture, Slot
from cavendish.plan.estimate import PriceBook
from cavendish.plan.expand import Ordinals, Wish, for_slot, slots
from cavendish.sim.dice import SeededDice
from cavendish.sim.loop import VirtualClock
from cavendish.sim.profile import Profile, Quirks
from cavendish.sim.quota import Algorithm, QuotaPlan
from cavendish.sim.world import WorldOptions, WorldProvider, open_world

from .quota import IN_FLIGHT
from .upstream import MODEL

LATENCY = Latency(12.5, 18.0)
NETWORK_S = 0.3

Wait = Callable[[Fault, int], float]
"""How long a client waits after a refusal, by the refusal and how many there were in a row."""

Pace = Callable[[], Awaitable[None]]
"""Waits until the next call may leave."""


def provider_of(algorithm: Algorithm, rpm: int, blobs: MemoryBlobs, *, straight: bool = True) -> WorldProvider:
    """A provider that does nothing wrong, with a quota."""
    profile = Profile(
        "bench",
        quota=QuotaPlan(algorithm=algorithm, requests_per_minute=rpm),
        latency={"any": LATENCY},
        quirks=Quirks(network_s=NETWORK_S, keeps_retired=True),
    )
    options = WorldOptions(straight=straight)
    return open_world(profile, GeminiDialect(), VirtualClock(), blobs, seed=1, options=options)


def wishes(count: int) -> Iterator[Slot]:
    """So many different requests."""
    return slots((Wish(n, f"{n}", ImageRequest.of(f"picture {n}", MODEL)) for n in range(count)), Ordinals())


class Counting:
    """Implements ``engine.ports.Progress``: counts, and keeps nothing."""

    def __init__(self) -> None:
        self.delivered = self.failed = 0

    def slot_ended(self, outcome: Outcome) -> None:
        self.delivered += isinstance(outcome, Picture)
        self.failed += not isinstance(outcome, Picture)

    def _unseen(self, *_: object) -> None:
        """Not of interest here."""

    slot_started = attempt_ended = slot_kept = slot_left = waiting = key_lost = _unseen


def engine_on(
    provider: Provider, blobs: MemoryBlobs, clock: Clock, limits: Limits, concurrency: int = 256
) -> tuple[Engine, Counting]:
    """The real engine and governor, with books in memory."""
    dice, seen = SeededDice(1), Counting()
    resolved = load().resolve(MODEL, "google", datetime.fromtimestamp(clock.now(), UTC).date())
    lane = Lane(
        route=resolved.route,
        provider=provider,
        quota=LocalQuotas(clock, dice).quota(Place("google", "key", MODEL), limits),
        pricing=PriceBook.of(resolved),
        make_call=lambda slot, attempt: Open(for_slot(slot, MODEL, attempt)),
        notices=lambda _slot: (),
        input_tokens=lambda _slot: 10,
    )
    parts = Parts(MemoryLedger(), blobs, clock, dice, seen)
    return Engine(parts, lambda _slot: (lane,), Policy(concurrency=concurrency)), seen


async def simple_client(
    provider: WorldProvider, jobs: Iterable[Slot], wait: Wait, pace: Pace, workers: int = IN_FLIGHT
) -> None:
    """What people write: so many workers, each of which tries its picture until it has it."""
    jobs = iter(jobs)

    async def worker() -> None:
        for slot in jobs:
            refusals = 0
            while True:
                await pace()
                reply = (await provider.call(Open(slot.request), slot.id)).reply
                if isinstance(reply, Done):
                    break
                assert isinstance(reply, Fault)
                refusals += 1
                await asyncio.sleep(wait(reply, refusals))

    await asyncio.gather(*(worker() for _ in range(workers)))


def backoff() -> Wait:
    """Exponential with jitter up to a minute: what retry libraries do, whatever the provider asked for."""
    dice = random.Random(1)
    return lambda _fault, tries: dice.uniform(0.0, min(60.0, 2.0**tries))


async def at_once() -> None:
    """No pacing."""


def after_each(rpm: int) -> Pace:
    """A pause of 60 / rpm seconds between two calls of a loop."""
    is_first = True

    async def pace() -> None:
        nonlocal is_first
        if not is_first:
            await asyncio.sleep(60.0 / rpm)
        is_first = False

    return pace


def evenly(rpm: int) -> Pace:
    """A metronome: one call each 60 / rpm seconds."""
    next_at = 0.0

    async def pace() -> None:
        nonlocal next_at
        now = asyncio.get_running_loop().time()
        next_at = max(next_at, now) + 60.0 / rpm
        await asyncio.sleep(next_at - 60.0 / rpm - now)

    return pace


def leaky_bucket(rpm: int) -> Pace:
    """What rate-limiting libraries do: a minute's worth at once, then one each 60 / rpm seconds."""
    level, at = 0.0, 0.0

    async def pace() -> None:
        nonlocal level, at
        loop = asyncio.get_running_loop()
        while True:
            level, at = max(0.0, level - (loop.time() - at) * rpm / 60.0), loop.time()
            if level + 1.0 <= rpm + 1e-6:
                level += 1.0
                return
            await asyncio.sleep((level + 1.0 - rpm) * 60.0 / rpm)

    return pace
