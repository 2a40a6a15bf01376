"""Tollgate: the only way to the simulated provider. What must hold at the moment a call leaves is checked here."""

from dataclasses import dataclass, field

from cavendish.engine.ports import Answer, Clock
from cavendish.govern.brake import HINTED
from cavendish.io.ledger.memory import MemoryLedger
from cavendish.model.attempt import AttemptState
from cavendish.model.call import Call, Open
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.result import Picture
from cavendish.sim.world import WorldProvider
from tests.worlds.mortal import Fate

EPSILON_S = 1e-6


class Broken(AssertionError):
    """A promise was broken."""


def promise(held: object, message: str) -> None:
    """Raise when it was not held."""
    if not held:
        raise Broken(message)


@dataclass
class Traffic:
    """What all gates of one process share."""

    fate: Fate
    most_in_flight: int
    ledger: MemoryLedger
    stopped: bool = False
    in_flight: set[str] = field(default_factory=set)
    refused_on_time: int = 0


class Tollgate:
    """``engine.ports.Provider`` for one key."""

    def __init__(self, provider: WorldProvider, traffic: Traffic, clock: Clock, waits: dict[str, tuple[float, float]]):
        self._provider = provider
        self._traffic = traffic
        self._clock = clock
        self._waits = waits
        self._key = provider._options.key

    async def call(self, call: Call, attempt_id: str) -> Answer:
        self._traffic.fate.check()
        if isinstance(call, Open):
            self._may_leave(attempt_id, call.request.n)
        self._traffic.in_flight.add(attempt_id)
        promise(
            len(self._traffic.in_flight) <= self._traffic.most_in_flight,
            f"{len(self._traffic.in_flight)} calls in flight, {self._traffic.most_in_flight} allowed",
        )
        try:
            answer = await self._provider.call(call, attempt_id)
        finally:
            self._traffic.in_flight.discard(attempt_id)
        self._traffic.fate.check()
        if isinstance(answer.reply, Fault):
            self._refused(answer.reply)
        return answer

    def _may_leave(self, attempt_id: str, pictures: int) -> None:
        ledger, traffic = self._traffic.ledger, self._traffic
        promise(not traffic.stopped, f"{attempt_id} left after the stop")
        live = [ledger._attempts[i] for i in ledger._live.values()]
        attempts = [attempt for attempt in live if attempt.call_id == attempt_id]
        promise(len(attempts) == pictures, f"{attempt_id} asks for {pictures}, {len(attempts)} are on the books")
        promise(attempt_id not in self._provider.bills, f"{attempt_id} left twice")
        for attempt in attempts:
            promise(attempt.state is AttemptState.INTENT, f"{attempt_id} left while {attempt.state}")
            outcome = ledger._outcomes.get(attempt.slot_id)
            promise(not isinstance(outcome, Picture), f"{attempt.slot_id} was bought although it is delivered")
        now = self._clock.monotonic()
        told_at, until = self._waits.get(self._key, (0.0, 0.0))
        promise(not told_at < now < until - EPSILON_S, f"{attempt_id} left at {now}, told to wait until {until}")

    def _refused(self, fault: Fault) -> None:
        if fault.kind in HINTED and fault.retry_after_s is not None:
            now = self._clock.monotonic()
            until = now + fault.retry_after_s
            if until > self._waits.get(self._key, (0.0, 0.0))[1]:
                self._waits[self._key] = (now, until)
        if fault.kind is FaultKind.RATE_LIMITED and fault.limit_value is not None:
            self._traffic.refused_on_time += 1
