"""Way: by which route and with which key a slot's next call leaves, once there is money and a quota for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..model.fault import Fault, FaultKind, Scope
from ..model.result import Route
from .budget import Budget, Verdict
from .policy import Policy
from .pool import Pool, Turn, length_s, sooner
from .ports import Clock, Cost, Grant, Lane, Shut, WaitUntil
from .queue import RouteQueue, Work


@dataclass(frozen=True, slots=True)
class Leave:
    """A call may go: by this lane, with its price set aside. ``detour`` is why not by the first of its routes."""

    lane: Lane
    grant: Grant
    price_nusd: int
    detour: str = ""


class Traffic(Protocol):
    """What the run knows, and is to do, when a way is looked for."""

    @property
    def budget(self) -> Budget:
        """What the run may spend."""
        ...

    @property
    def places_left(self) -> int:
        """How many more calls may be in flight."""
        ...

    def stop(self, fault: Fault) -> None:
        """The run cannot go on."""
        ...

    def set_free(self) -> None:
        """What was set aside was not needed: who is poor may look again."""
        ...


class Ways:
    """Looks for ways. A route is left for the next one when it fails, is closed, or would let the slot wait long."""

    def __init__(self, run: Traffic, clock: Clock, policy: Policy) -> None:
        self._run = run
        self._clock = clock
        self._policy = policy

    async def find(self, queue: RouteQueue, works: list[Work]) -> Leave | WaitUntil | None:
        """Leave for a call for these slots, or the shortest wait. ``None`` when there is no money, or no route is left.

        Who may share the call is added to ``works`` at the last moment.
        """
        queue.poor = False
        wait: WaitUntil | None = None
        why = ""
        for pool in queue.pools:
            if pool.closed is not None:
                why = why or _because(pool.lane.route, pool.closed.message or pool.closed.kind.value)
                continue
            estimate, each = self._prices(pool, works[0])
            if not self._affordable(each, each if wait is not None else estimate, spare=wait is not None):
                if wait is None:
                    queue.poor = True
                    return None
                continue
            answer = await self._ask(queue, pool, works, each)
            if isinstance(answer, Leave):
                return Leave(answer.lane, answer.grant, answer.price_nusd, why)
            if isinstance(answer, WaitUntil):
                wait = sooner(wait, answer, self._clock.monotonic())
                why = why or _because(pool.lane.route, answer.why)
                if self._is_short(answer):
                    break
            elif answer is not None and self._refused(pool, answer.fault):
                return None
        return wait

    async def second(self, pools: Sequence[Pool], lane: Lane, work: Work) -> Leave | None:
        """Leave for a hedge: with another key of the route, by another route, with the same key; in this order."""
        others = [(pool, tuple(other for other in pool.lanes if other is not lane)) for pool in pools]
        for pool, lanes in (*others, *((pool, (lane,)) for pool in pools if lane in pool.lanes)):
            _, each = self._prices(pool, work)
            if pool.closed is None and self._run.budget.ask(each) is Verdict.GO:
                answer = await self._let_go(pool, (work,), each, lanes=lanes)
                if isinstance(answer, Leave):
                    return answer
        return None

    def _is_short(self, wait: WaitUntil) -> bool:
        """Whether it is better to wait than to take another route."""
        return not wait.failing and length_s(wait, self._clock.monotonic()) <= self._policy.failover_s

    async def _ask(
        self, queue: RouteQueue, pool: Pool, works: list[Work], each: int
    ) -> Leave | WaitUntil | Shut | None:
        self._gather(queue, pool, works, each)
        wanted = min(1 + len(queue), max(1, self._run.places_left))
        return await self._let_go(pool, works, each, wanted=wanted)

    async def _let_go(
        self,
        pool: Pool,
        works: Sequence[Work],
        each_nusd: int,
        *,
        wanted: int = 1,
        lanes: tuple[Lane, ...] | None = None,
    ) -> Leave | WaitUntil | Shut | None:
        """Have the price set aside before anything is waited for, since queues ask side by side; then ask the keys."""
        endpoint, budget = pool.lane.route.endpoint, self._run.budget
        cost = _cost(pool.lane, works)
        price = await budget.set_aside(endpoint, budget.within(each_nusd * len(works)), cost.nusd)
        if not isinstance(price, int):
            return price
        answer: tuple[Lane, Grant] | WaitUntil | Shut | None = None
        try:
            turn = Turn(cost, self._clock.monotonic(), wanted, lanes)
            answer = await pool.reserve(turn)
        finally:
            if not isinstance(answer, tuple):
                budget.put_back(price, endpoint)
                self._run.set_free()
        return Leave(*answer, price) if isinstance(answer, tuple) else answer

    def _prices(self, pool: Pool, work: Work) -> tuple[int, int]:
        """What a picture is expected to cost, and what is to be set aside for it."""
        pricing = pool.lane.pricing
        estimate = work.estimate(pool.lane) or 0
        return estimate, self._run.budget.price(str(pool.lane.route), estimate, pricing.bound(work.slot))

    def _affordable(self, each_nusd: int, least_nusd: int, *, spare: bool) -> bool:
        """Whether there is money for a picture by a route. ``spare``: that it stands in for a better one."""
        verdict = self._run.budget.ask(each_nusd, least_nusd)
        if verdict is Verdict.STOP and not spare:
            self._run.stop(self._run.budget.fault)
        return verdict is Verdict.GO

    def _refused(self, pool: Pool, fault: Fault) -> bool:
        """A cap of one endpoint leaves the others; one of all ends the run: then it is true."""
        if fault.kind is FaultKind.BUDGET and fault.scope is not Scope.ENDPOINT:
            self._run.stop(fault)
            return True
        pool.shut_all(fault)
        return False

    def _gather(self, queue: RouteQueue, pool: Pool, works: list[Work], each_nusd: int) -> None:
        """As many slots of one form as a call of this route is best asked for, and the cap has room for."""
        first, several = works[0], pool.lane.several
        most = min(several.bound(first.slot.request), pool.most or several.most)
        left = self._run.budget.left_nusd
        if left is not None and each_nusd:
            most = min(most, max(1, left // each_nusd))
        if most == len(works) == 1:
            return
        queue.put_back(works[1:])
        now = self._clock.monotonic()
        ready = 1 + queue.fellows(first, now)
        best = several.split(ready, first.slot.request, 1 + len(queue))[0]
        works[1:] = queue.take_fellows(first, min(best, most) - 1, now)


def _cost(lane: Lane, works: Sequence[Work]) -> Cost:
    """What a call for these slots takes of a quota."""
    first, count = works[0], len(works)
    return Cost(
        requests=1, images=count, tokens=lane.input_tokens(first.slot), nusd=(first.estimate(lane) or 0) * count
    )


def _because(route: Route, why: str) -> str:
    return f"{route}: {why}"
