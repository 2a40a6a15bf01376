"""World: the real engine, governor and books against a simulated provider, on a virtual clock, from one seed.

A world plays the lives of its layout, each a process that ends in its own way with all troubles on; then the troubles
end, and the order is resumed until it is done. ``laws`` says what must hold after each life.
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

from cavendish.engine.flight import Parts
from cavendish.engine.ports import Lane
from cavendish.engine.run import Engine, RunEnd
from cavendish.govern.governors import Place
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.ledger.memory import MemoryLedger
from cavendish.io.quota.local import LocalQuotas
from cavendish.model.call import Open
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.result import Route
from cavendish.plan.expand import Ordinals, for_slot, slots
from cavendish.sim.dice import SeededDice
from cavendish.sim.loop import VirtualClock, run_virtual
from cavendish.sim.profile import Bursts
from cavendish.sim.provider import SimProvider
from cavendish.sim.shelves import MemoryShelf
from cavendish.sim.trouble import Trouble
from cavendish.sim.world import Bill, WorldOptions, WorldProvider
from tests.engine.doubles import Watcher
from tests.worlds import laws
from tests.worlds.layout import GOOD_KEY, Layout, Life, draw
from tests.worlds.mortal import Fate, Killed, MortalBlobs
from tests.worlds.tollgate import Broken, Tollgate, Traffic, promise

AGAIN_S = 400.0
"""How long whoever resumes a stopped run waits when nobody said: a little longer than a shut key stays shut."""

DAY_S = 86_400.0
PAUSED = frozenset({FaultKind.DAY_QUOTA, FaultKind.RATE_LIMITED, FaultKind.SPEND_LIMIT})
SHUT = frozenset(
    {FaultKind.BAD_KEY, FaultKind.NO_QUOTA, FaultKind.NO_CREDIT, FaultKind.FORBIDDEN, FaultKind.MODEL_NOT_FOUND}
)


@dataclass(frozen=True)
class History:
    """What happened, to be compared with another play of the same seed. Times are virtual."""

    attempts: tuple[object, ...]
    outcomes: tuple[object, ...]
    lives: int
    ended_at_s: float
    billed_nusd: int


class World:
    """One world at play."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.profile = layout.profile
        self.keys, self.wire_model = layout.keys, layout.wire_model
        self.cap_nusd, self.policy, self.timeout_s = layout.cap_nusd, layout.policy, layout.timeout_s
        self.shelf = MemoryShelf()
        self.sim = SimProvider(layout.profile, layout.spoken.menu, self.shelf, seed=layout.seed, mode="tiny")
        self.provider_clock = VirtualClock(layout.wall_start)
        self.clock = VirtualClock(layout.wall_start, layout.jumps)
        self.dice = SeededDice(layout.seed, "client")
        self.fate = Fate()
        self.ledger = MemoryLedger(self._tick)
        self.store = MemoryBlobs()
        self.bills = defaultdict[str, list[Bill]](list)
        self.arrived: set[str] = set()
        self.waits: dict[str, tuple[float, float]] = {}
        self.quotas: LocalQuotas | None = None
        self.watcher = Watcher()
        self.reported: dict[str, object] = {}
        self.lives = 0
        self.well = False

    def _tick(self, moment: str) -> None:
        """The ledger outlives the processes, so it asks who lives now."""
        self.fate.tick(moment)

    # --- the play ---------------------------------------------------------------------------------------------------

    async def play(self) -> History:
        """All lives, then the recovery of the world, then its end."""
        for life in self.layout.lives:
            await self.live(life)
            await laws.after_a_life(self)
        self.heal()
        await self.finish()
        laws.at_the_end(self)
        return self.history()

    async def finish(self) -> None:
        """Resume until all is done, waiting as long as was asked."""
        began = self.clock.monotonic()
        within_s = patience_s(self.layout)
        while (end := await self.live(Life())) is not None and end.stop is not None:
            await laws.after_a_life(self)
            stop = end.stop
            promise(stop.kind in PAUSED | SHUT, f"a world that is well stopped the run: {stop}")
            await self.clock.sleep(AGAIN_S if stop.retry_after_s is None else stop.retry_after_s)
            promise(self.clock.monotonic() - began < within_s, f"not done within {within_s:g} s: {stop}")
        await laws.after_a_life(self)
        took_s = self.clock.monotonic() - began
        promise(took_s < within_s, f"took {took_s:g} s, not {within_s:g} s")

    def heal(self) -> None:
        """Faults end; quotas stay. The key is good, the model is a living one, and nobody minds the cost."""
        self.well = True
        self.sim.profile = replace(self.profile, faults={}, bursts=Bursts())
        self.sim._trouble = Trouble(Bursts(), SeededDice(0))
        self.keys = tuple("good-1" if key != GOOD_KEY and index == 0 else key for index, key in enumerate(self.keys))
        self.wire_model, self.cap_nusd, self.timeout_s = self.layout.spoken.wire_model, None, 300.0

    async def live(self, life: Life) -> RunEnd | None:
        """One process, from its start to its end; ``None`` when it did not end by itself."""
        self.lives += 1
        self.fate = Fate(life.at_op if life.ending == "crash" else 0)
        self.traffic = Traffic(self.fate, self.policy.concurrency, self.ledger)
        self.quotas = self.quotas or LocalQuotas(self.clock, self.dice)
        self.watcher = Watcher()
        self.blobs = MortalBlobs(self.store, self.fate, self.arrived)
        lanes = tuple(self.lane(key, self.layout.route(index)) for index, key in enumerate(self.keys))
        parts = Parts(self.ledger, self.blobs, self.clock, self.dice, self.watcher)
        self.engine = Engine(parts, lambda _slot: lanes, self.policy, self.cap_nusd)
        task = asyncio.ensure_future(self.engine.run(slots(self.layout.wishes(), Ordinals())))
        timer = self._timer(life, task)
        try:
            return await task
        except Killed:
            promise(not self.fate.alive, "killed without a reason")
        except asyncio.CancelledError:
            promise(life.ending == "cancel", "cancelled without a reason")
        finally:
            timer()
            self._buried()
        return None

    def _timer(self, life: Life, task: asyncio.Task[RunEnd]) -> Callable[[], None]:
        if life.ending not in {"stop", "abort", "cancel"}:
            return lambda: None

        def strike() -> None:
            self.traffic.stopped = True
            if life.ending == "stop":
                self.engine.stop(Fault(FaultKind.CANCELLED, "interrupted"))
            elif life.ending == "abort":
                self.engine.abort()
            else:
                task.cancel()

        return asyncio.get_running_loop().call_later(life.at_s, strike).cancel

    def _buried(self) -> None:
        """What a process takes with it when it ends."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        promise(not others, f"tasks outlive their run: {others}")
        if not self.fate.alive:
            for attempt_id in list(self.store._loose):
                self.store.discard(attempt_id)
        if not self.fate.alive or not self.layout.keeps_quota:
            self.quotas = None
            self.waits = {}

    def lane(self, key: str, endpoint: str) -> Lane:
        """A lane with this key."""
        assert self.quotas is not None
        spoken = self.layout.spoken
        options = WorldOptions(key, self.timeout_s, self.layout.bytes_share)
        provider = WorldProvider(self.sim, self.shelf, spoken.dialect, self.provider_clock, self.blobs, options)
        provider.bills = self.bills
        return Lane(
            route=Route(endpoint, spoken.model, self.wire_model),
            provider=Tollgate(provider, self.traffic, self.clock, self.waits),
            quota=self.quotas.quota(Place("test", key, spoken.model), self.layout.limits),
            pricing=spoken.prices,
            make_call=lambda slot, attempt, model=self.wire_model: Open(for_slot(slot, model, attempt)),
            notices=lambda _slot: (),
            input_tokens=lambda slot: 1 + len(slot.request.prompt) // 4,
            several=spoken.several,
            key=key if self.layout.groups else "",
        )

    def history(self) -> History:
        """All that can be seen of it afterwards."""
        return History(
            attempts=tuple(
                (a.id, a.slot_id, a.number, a.intent_at, a.settled_at, a.state, a.fault and a.fault.kind, a.cost_nusd)
                for a in self.ledger._attempts.values()
            ),
            outcomes=tuple(self.ledger._outcomes.items()),
            lives=self.lives,
            ended_at_s=self.clock.monotonic(),
            billed_nusd=self.sim.books.billed_nusd,
        )


def patience_s(layout: Layout) -> float:
    """How long a world that is well may take: several times what its slowest limit needs."""
    plan, wanted = layout.profile.quota, layout.slots
    latency = layout.profile.latency["any"]
    longest_s = (min(300.0, latency.p90_s**2 / latency.p50_s) + 1.0) * layout.spoken.several.most
    seconds = wanted * longest_s / min(layout.policy.concurrency, layout.limits.in_flight or math.inf)
    for limit in (plan.requests_per_minute, plan.images_per_minute, plan.tokens_per_minute and 3):
        seconds += 60.0 * wanted / limit if limit else 0.0
    if plan.spend_per_10_minutes_nusd:
        seconds += 600.0 * wanted
    if plan.requests_per_day:
        seconds += DAY_S * (2 + wanted / plan.requests_per_day)
    return 4.0 * seconds + 4 * 3600.0 + 2 * DAY_S * len(layout.jumps)


def play(seed: int, drawn: Callable[[int], Layout] = draw) -> History:
    """Play the world of this seed. Raises ``Broken`` with the seed in its message."""
    world = World(drawn(seed))
    try:
        return run_virtual(world.play())
    except Exception as error:
        message = f"world {seed}, life {world.lives}: {error}\nagain: pytest tests/worlds --world-seed={seed}"
        raise Broken(message) from error
