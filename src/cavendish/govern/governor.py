"""Governor: whether a call may leave now, by every limit of one model with one key at one endpoint."""

from __future__ import annotations

import math
from collections import Counter

from ..catalog.cards import Limits
from ..model.fault import Charged, Fault, FaultKind, Scope
from ..model.money import dollars
from ..model.request import JsonValue
from .adaptive import Adaptive
from .brake import FAILING, HINTED, PACED, SILENT, Brake, asked_wait_s, is_closing, news_for, reach
from .concurrency import InFlight
from .day import DayCount, DayEnds
from .dimension import Dimension, dimension_of
from .lease import IsGone, Lease, grant_name, holder_of
from .lessons import Lessons
from .pacing import DEFAULT_PACING, Pacing
from .purse import Purse
from .sight import Sight
from .verdict import Closed, Cost, Ending, Granted, Load, Terms, Verdict, Wait, latest
from .window import SlidingWindow

MINUTE_S = 60.0

KEEP = 0.95
"""Of the calls per minute after a 429 without a hint. Within a known limit somebody else uses the key too: leave a
little room, which a minute or two brings back. Without one, what passed in the last minute is a good measure of it."""

AT_ONCE = Terms()

LATE_S = 0.01
"""Less than this is no delay."""

SPEND_WAIT_S = 30.0
SPEND_WAIT_CAP_S = 600.0
"""A spend limit without a hint: until our oldest spend is ten minutes old, within these bounds."""


class Governor:
    """Answers ``reserve`` at once, never sleeps, and learns from ``settle``.

    ``limits`` are those of one model; ``purse`` and ``endpoint`` are shared with its siblings. Moments are monotonic
    seconds (``now_s``), so jumps of the wall clock (``wall_s``, seconds since the epoch) touch the daily quota alone.
    What is not limited is counted all the same: a 429 may name a limit later. ``name`` tells its grants from those of
    its siblings.
    """

    def __init__(
        self,
        limits: Limits,
        ends: DayEnds,
        pacing: Pacing = DEFAULT_PACING,
        *,
        name: str = "",
        purse: Purse | None = None,
        endpoint: Brake | None = None,
    ) -> None:
        self._name = name
        self._pacing = pacing
        self._purse = purse or Purse.empty(pacing)
        self._purse.spend.restrict(limits.spend_per_10_minutes_nusd)
        self._brakes = {
            Scope.MODEL: Brake(pacing),
            Scope.KEY: self._purse.brake,
            Scope.ENDPOINT: endpoint or Brake(pacing),
        }
        self._scopes = tuple(self._brakes.values())
        self._lessons = Lessons(limits, pacing.lesson_s)
        self._requests, self._images, self._tokens = (
            SlidingWindow(math.inf, MINUTE_S, pacing.guard_s) for _ in range(3)
        )
        self._pace = Adaptive(math.inf, math.inf)
        self._day = DayCount(limits.requests_per_day, ends)
        self._day_refused_at_s = -math.inf
        self._in_flight = InFlight(limits.in_flight, pacing, paced=self._is_paced)
        self._leases: dict[str, Lease] = {}
        self._born = 0
        self._now_s = -math.inf
        self._apply_limits()

    # --- leave ---

    def reserve(self, now_s: float, wall_s: float, cost: Cost, terms: Terms = AT_ONCE) -> Verdict:
        """Ask for leave to make a call now, or within the time of ``terms``."""
        now = self._now_s = max(now_s, self._now_s)
        self._tidy(now)
        waits: list[Wait] = []
        for brake in self._scopes:
            obstacle = brake.obstacle(now)
            if isinstance(obstacle, Closed):
                return obstacle
            if obstacle is not None:
                waits.append(obstacle)
        # Who comes first with the last of a day's quota has it: nobody waits until tomorrow for another's sake.
        if (left_s := self._day.left_s(wall_s, cost.requests)) is not None:
            waits.append(Wait(now + left_s, "the day's quota is used up"))
        self._add_waits(waits, now, terms.aside.plus(cost), terms.aside)
        return latest(waits) if waits else self._grant(now, wall_s, cost, terms)

    def _add_waits(self, waits: list[Wait], now: float, load: Load, others: Load) -> None:
        """One wait for each limit that has no room for this load now, of which ``others`` is not the asker's."""
        if others.requests and self._is_too_much(load):
            waits.append(Wait(now, "others go first", needs_settle=True))
        if self._in_flight.is_full(others.requests):
            waits.append(Wait(now, f"{self._in_flight.limit:.0f} calls in flight", needs_settle=True))
        if (at := self._requests.earliest(now, load.requests)) > now:
            waits.append(Wait(at, f"{self._requests.limit:.0f} requests per minute"))
        if (at := self._images.earliest(now, load.images)) > now:
            waits.append(Wait(at, f"{self._images.limit:.0f} images per minute"))
        if (at := self._tokens.earliest(now, load.tokens)) > now:
            waits.append(Wait(at, f"{self._tokens.limit:.0f} tokens per minute"))
        spend = self._purse.spend
        free_at = spend.earliest(now, load.nusd)
        if free_at is None or free_at > now:
            why = f"{dollars(int(spend.limit_nusd), 2)} per ten minutes"
            waits.append(Wait(now if free_at is None else free_at, why, needs_settle=free_at is None))

    def _is_too_much(self, load: Load) -> bool:
        """Whether even a quota at rest has no room for so much at once."""
        return (
            load.requests > self._requests.limit
            or load.images > self._images.limit
            or load.tokens > self._tokens.limit
            or load.nusd > self._purse.spend.limit_nusd
        )

    def _grant(self, now: float, wall_s: float, cost: Cost, terms: Terms) -> Granted:
        self._born += 1
        grant_id = grant_name(terms.holder, self._name, self._born)
        self._leases[grant_id] = self._counted(now + terms.hold_s, cost, self._day.day(wall_s))
        self._day.take(cost.requests)
        self._in_flight.enter(now)
        for brake in self._scopes:
            brake.breaker.granted(grant_id)
        return Granted(grant_id)

    def _counted(self, at_s: float, cost: Cost, day: float) -> Lease:
        """Count a call that leaves at this moment."""
        self._requests.take(at_s, cost.requests)
        self._images.take(at_s, cost.images)
        self._tokens.take(at_s, cost.tokens)
        self._purse.spend.hold(cost.nusd)
        return Lease(at_s, cost.requests, cost.images, cost.tokens, cost.nusd, day)

    def _uncount(self, lease: Lease) -> None:
        self._requests.give_back(lease.left_at_s, lease.requests)
        self._images.give_back(lease.left_at_s, lease.images)
        self._tokens.give_back(lease.left_at_s, lease.tokens)

    def left(self, grant_id: str, at_s: float, cost: Cost) -> None:
        """A call that had leave for some time to come left at this moment, and takes so much. Unknown is no error."""
        lease = self._leases.get(grant_id)
        if lease is None:
            return
        self._uncount(lease)
        self._purse.spend.release(lease.nusd)
        self._leases[grant_id] = self._counted(at_s, cost, lease.day)

    def late(self, grant_id: str, at_s: float) -> None:
        """A call left at this moment, and not when it might: a busy machine is slow to send what it may."""
        lease = self._leases.get(grant_id)
        if lease is not None and at_s > lease.left_at_s + LATE_S:
            self.left(grant_id, at_s, lease)

    def cancel(self, grant_id: str) -> None:
        """The call never left: as if it had not been granted. An unknown grant is no error."""
        lease = self._leases.get(grant_id)
        if lease is None:
            return
        self._free(grant_id, lease)
        self._uncount(lease)
        self._day.give_back(lease.day, lease.requests)

    def abandon(self, is_gone: IsGone, now_s: float) -> None:
        """Take back what processes hold that are gone: their calls count, and what they may have cost is spent."""
        for grant_id, lease in tuple(self._leases.items()):
            if is_gone(holder_of(grant_id)):
                self._free(grant_id, lease)
                self._purse.spend.spent(now_s, lease.nusd)
        for brake in self._scopes:
            brake.breaker.abandon(lambda probe: is_gone(holder_of(probe)))

    def reconsider(self, now_s: float) -> None:
        """Somebody asks for the first time: what is closed may be tried with one call before its time."""
        for brake in self._scopes:
            brake.breaker.reconsider(now_s)

    @property
    def holders(self) -> dict[str, int]:
        """Who has calls under way, and how many."""
        return Counter(map(holder_of, self._leases))

    @property
    def held_until_s(self) -> float:
        """Until when the last of the calls may leave that have leave for some time to come; the past when none may."""
        return max((lease.left_at_s for lease in self._leases.values()), default=-math.inf)

    def _end(self, grant_id: str, lease: Lease) -> None:
        del self._leases[grant_id]
        self._in_flight.leave()
        self._purse.spend.release(lease.nusd)

    def _free(self, grant_id: str, lease: Lease) -> None:
        """It ended without an answer: if it was a probe, another may be sent."""
        self._end(grant_id, lease)
        for brake in self._scopes:
            brake.breaker.released(grant_id)

    def _tidy(self, now: float) -> None:
        """Give up on leases that nobody gave back, and on lessons that are out of date."""
        while self._leases:
            grant_id, lease = next(iter(self._leases.items()))
            if lease.left_at_s + self._pacing.lease_s > now:
                break
            self._free(grant_id, lease)
            self._purse.spend.spent(now, lease.nusd)
        if now >= self._lessons.ends_at_s:
            self._lessons.forget(now)
            self._apply_limits()

    # --- what the end of a call teaches ---

    def settle(self, grant_id: str, now_s: float, wall_s: float, ending: Ending) -> None:
        """The call ended: free its place, book its money, learn from how it went.

        An unknown grant teaches nothing, but money that was spent counts whoever had leave to spend it.
        """
        now = self._now_s = max(now_s, self._now_s)
        lease = self._leases.get(grant_id)
        if lease is None:
            self._purse.spend.spent(now, ending.spent_nusd or 0)
            return
        self._hear(grant_id, lease, now, ending)
        if ending.fault is None:
            self._went_well(lease, now, ending.latency_s)
        else:
            self._learn(lease, now, wall_s, ending.fault, ending.roll)
        self._end(grant_id, lease)
        self._purse.spend.spent(now, _billed_nusd(lease, ending))

    def _hear(self, grant_id: str, lease: Lease, now: float, ending: Ending) -> None:
        fault = ending.fault
        if fault is None:
            for brake in self._scopes:
                brake.went_well(grant_id, lease.left_at_s)
            return
        calming = fault.kind not in PACED | FAILING | SILENT
        for scope, brake in self._brakes.items():
            brake.hear(news_for(scope, fault), grant_id, lease.left_at_s, now, ending.roll)
            if calming:
                brake.calm(lease.left_at_s)

    def _went_well(self, lease: Lease, now: float, latency_s: float) -> None:
        self._in_flight.went_well(lease.left_at_s, now, latency_s)
        if lease.left_at_s > self._day_refused_at_s:
            self._day_refused_at_s = -math.inf
        if self._pace.value < self._pace.ceiling:
            # A found limit grows only when it is used; a known one is simply approached again.
            known = self._pace.ceiling < math.inf
            if known or self._requests.taken(now) * 2 >= self._pace.value:
                self._pace.grow()
                self._requests.limit = self._pace.limit

    def _learn(self, lease: Lease, now: float, wall_s: float, fault: Fault, roll: float) -> None:
        brake = self._brakes[reach(fault)]
        if is_closing(fault):
            brake.breaker.condemn(fault, now)
            return
        wait = asked_wait_s(fault)
        if fault.kind in HINTED and wait is not None:
            brake.cool(now + wait, "the provider asked to wait")
        if fault.limit_value is not None and fault.kind in PACED and self._lessons.learn(fault, now):
            self._apply_limits()
        match fault.kind:
            case FaultKind.DAY_QUOTA:
                # It used up nothing, least of all of the day that our clock may be ahead in.
                self._day.give_back(lease.day, lease.requests)
                self._day_refused(lease, now, wall_s, fault)
            case FaultKind.SPEND_LIMIT if wait is None:
                brake.cool(self._spend_frees_at(now), "the spend limit was reached")
            case FaultKind.RATE_LIMITED:
                self._slow_down(lease, now, fault)
                if wait is None:
                    brake.back_off(lease.left_at_s, now, roll)
            case FaultKind.OVERLOADED:
                self._in_flight.complained(lease.left_at_s, now)
            case _:
                pass

    def _slow_down(self, lease: Lease, now: float, fault: Fault) -> None:
        """A known limit with a hint needs no more than the hint; anything else makes us go slower."""
        paced = self._is_paced
        if dimension_of(fault) is Dimension.IN_FLIGHT or not paced:
            self._in_flight.complained(lease.left_at_s, now)
        if paced and asked_wait_s(fault) is not None:
            return
        # A complaint in a quiet minute says little about the limit.
        seen = max(self._requests.taken(now), self._pacing.first_in_flight)
        if self._pace.ceiling < math.inf:
            seen = self._pace.value
        if self._pace.shrink(lease.left_at_s, now, KEEP, seen):
            self._requests.limit = self._pace.limit

    def _day_refused(self, lease: Lease, now: float, wall_s: float, fault: Fault) -> None:
        """Nothing left today, they say.

        The provider's own wait is believed once: it knows its calendar. When it refuses again right after that wait, or
        names none, the day's end is the only sure moment. Just after midnight it may still speak of yesterday; then we
        ask again shortly. Calls that left before the last refusal, or yesterday, tell nothing new.
        """
        if lease.day != self._day.day(wall_s) or lease.left_at_s <= self._day_refused_at_s:
            return
        again = self._day_refused_at_s > -math.inf
        self._day_refused_at_s = now
        if asked_wait_s(fault) is not None and not again:
            return
        brake = self._brakes[reach(fault)]
        if self._day.is_young(wall_s):
            brake.cool(now + self._pacing.backoff_cap_s, "the day's quota is not renewed yet")
        elif reach(fault) is Scope.MODEL:
            self._day.exhaust()
        else:
            brake.cool(now + lease.day - wall_s, "the day's quota is used up")

    def _spend_frees_at(self, now: float) -> float:
        free_at = self._purse.spend.frees_at(now) or now
        return min(max(free_at, now + SPEND_WAIT_S), now + SPEND_WAIT_CAP_S)

    # --- limits ---

    @property
    def _is_paced(self) -> bool:
        """Whether a limit of calls per minute is known."""
        limit = self._lessons.limit
        return limit(Dimension.REQUESTS) is not None or limit(Dimension.IMAGES) is not None

    def _apply_limits(self) -> None:
        limit = self._lessons.limit
        ceiling = _or_infinite(limit(Dimension.REQUESTS))
        # What was found out below an older ceiling was about that ceiling.
        if ceiling != self._pace.ceiling:
            self._pace.ceiling = self._pace.value = ceiling
        self._requests.limit = self._pace.limit
        self._images.limit = _or_infinite(limit(Dimension.IMAGES))
        self._tokens.limit = _or_infinite(limit(Dimension.TOKENS))
        self._day.limit = limit(Dimension.DAY)
        self._in_flight.restrict(limit(Dimension.IN_FLIGHT))

    def limit(self, dimension: Dimension) -> float:
        """What is held to at this moment; infinite where nothing is known. Spend in nano-dollars."""
        match dimension:
            case Dimension.REQUESTS:
                return self._requests.limit
            case Dimension.SPEND:
                return self._purse.spend.limit_nusd
            case Dimension.IN_FLIGHT:
                return self._in_flight.limit
            case _:
                return _or_infinite(self._lessons.limit(dimension))

    def sight(self, now_s: float, wall_s: float) -> Sight:
        """What is known at this moment, for people."""
        obstacles = [brake.obstacle(now_s) for brake in self._scopes]
        left_s = self._day.left_s(wall_s, 1)
        return Sight(
            requests=self._requests.taken(now_s),
            images=self._images.taken(now_s),
            tokens=self._tokens.taken(now_s),
            today=self._day.used,
            day_ends_in_s=self._day.day(wall_s) - wall_s,
            day_is_over=left_s is not None,
            learned=self._lessons.taught,
            pace=self._pace.limit,
            holders=self.holders,
            obstacles=tuple(obstacle for obstacle in obstacles if obstacle is not None),
        )

    def forget(self) -> None:
        """Drop what replies taught; what was counted stays."""
        for brake in self._scopes:
            brake.forget()
        self._lessons.forget(math.inf)
        self._pace = Adaptive(math.inf, math.inf)
        self._in_flight.forget(paced=self._is_paced)
        self._day.forget()
        self._day_refused_at_s = -math.inf
        self._apply_limits()

    # --- state ---

    def to_state(self, now_s: float) -> JsonValue:
        """All that was counted and learned about this model, as JSON values; moments as seconds from ``now_s``.

        What its calls hold of the purse is in the purse's state.
        """
        return {
            "requests": self._requests.to_state(now_s),
            "images": self._images.to_state(now_s),
            "tokens": self._tokens.to_state(now_s),
            "day": self._day.to_state(),
            "day_refused": _finite(self._day_refused_at_s - now_s),
            "pace": self._pace.to_state(now_s),
            "in_flight": self._in_flight.to_state(now_s),
            "lessons": self._lessons.to_state(now_s),
            "brake": self._brakes[Scope.MODEL].to_state(now_s),
            "born": self._born,
            "leases": {grant_id: lease.to_state(now_s) for grant_id, lease in self._leases.items()},
        }

    def restore(self, state: JsonValue, then_s: float) -> None:
        """Take over what ``to_state`` gave at ``then_s``."""
        self._requests.restore(state["requests"], then_s)
        self._images.restore(state["images"], then_s)
        self._tokens.restore(state["tokens"], then_s)
        self._day.restore(state["day"])
        refused = state["day_refused"]
        self._day_refused_at_s = -math.inf if refused is None else then_s + refused
        self._lessons.restore(state["lessons"], then_s)
        self._apply_limits()
        self._pace.restore(state["pace"], then_s)
        self._requests.limit = self._pace.limit
        self._in_flight.restore(state["in_flight"], then_s)
        self._brakes[Scope.MODEL].restore(state["brake"], then_s)
        self._born = state["born"]
        self._leases = {grant_id: Lease.of_state(lease, then_s) for grant_id, lease in state["leases"].items()}
        self._in_flight.resume(len(self._leases))


def _billed_nusd(lease: Lease, ending: Ending) -> int:
    if ending.spent_nusd is not None:
        return ending.spent_nusd
    unbilled = ending.fault is not None and ending.fault.charged is Charged.NO
    return 0 if unbilled else lease.nusd


def _or_infinite(limit: int | None) -> float:
    return math.inf if limit is None else limit


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
