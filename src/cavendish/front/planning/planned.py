"""Planned: a question answered: the frontier, the plan that was chosen, and that plan as it is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any

from ...errors import RequestError
from ...plan.frontier import Plan, Planner
from ..saved_plan import SavedGroup, SavedOption, SavedPlan, SavedShare
from .choose import Bounds, Choice, bound_nusd, choose
from .places import WideRoutes
from .question import Option, Question, Wish, question
from .reading import Counted


@dataclass(frozen=True, slots=True)
class Planned:
    """What came of planning an input. ``bound_nusd`` is what a run of the chosen plan may spend at most.

    ``untimed`` are plans that cost more than the cheapest and may be faster than all of the frontier: nobody knows.
    """

    counted: Counted
    question: Question
    planner: Planner
    frontier: tuple[Plan, ...]
    choice: Choice
    bounds: Bounds
    bound_nusd: int = 0
    untimed: tuple[Plan, ...] = ()

    def split(self, plan: Plan) -> list[tuple[int, Option, int, int]]:
        """A plan's parts: the kind's number, the option, pictures, and nano-dollars for each."""
        ways = self.planner.ways
        return [
            (ways[number].kind, self.question.options[ways[number].option], count, ways[number].each_nusd)
            for number, count in plan.counts
        ]

    def least_s(self, plan: Plan) -> float:
        """The time that a plan takes if there are no limits but those that are known."""
        return self.planner.end_s(plan.counts, slow=False, supposing=True)


def planned(counted: Counted, routes: WideRoutes, wish: Wish, bounds: Bounds) -> Planned:
    """Price and time every way, and choose."""
    asked = question(counted.groups, routes, wish)
    planner = Planner(asked.counts, asked.ways)
    choice = choose(planner, bounds)
    bound = bound_nusd(planner, choice.plan, bounds) if choice.plan else 0
    frontier = planner.frontier()
    return Planned(counted, asked, planner, frontier, choice, bounds, bound, _untimed(asked, planner, frontier))


def _untimed(asked: Question, planner: Planner, frontier: Sequence[Plan]) -> tuple[Plan, ...]:
    """Everything by one option whose limits are not known: the cheapest of those, and each that may be faster yet."""
    if not any(asked.counts):
        return ()
    fastest_s = min((plan.slow_s for plan in frontier), default=inf)
    every = filter(None, (_all_by(asked, planner, option) for option in asked.options))
    found: list[Plan] = []
    for plan in sorted(every, key=lambda plan: plan.cost_nusd):
        least_s = planner.end_s(plan.counts, slow=False, supposing=True)
        if plan.slow_s == inf and plan not in frontier and least_s < fastest_s:
            found.append(plan)
            fastest_s = least_s
    return tuple(found)


def _all_by(asked: Question, planner: Planner, option: str) -> Plan | None:
    """Every picture by one option; ``None`` when it cannot make them all."""
    ways = {way.kind: number for number, way in enumerate(asked.ways) if way.option == option}
    if len(ways) < len(asked.counts):
        return None
    counts = tuple((number, asked.counts[kind]) for kind, number in sorted(ways.items()))
    cost = sum(count * asked.ways[number].each_nusd for number, count in counts)
    ends_s = (planner.end_s(counts, slow=slow) for slow in (False, True))
    return Plan(counts, cost, cost, *ends_s)


def to_saved(made: Planned, wish: Wish, recipe: Mapping[str, Any]) -> SavedPlan:
    """The chosen plan for a file. Raises ``RequestError`` when none was chosen."""
    plan = made.choice.plan
    if plan is None:
        raise RequestError("there is no plan to save", field="save", hints=(made.choice.why, *made.choice.nearest))
    parts = made.split(plan)
    options = {option.id: option for _, option, _, _ in parts}
    return SavedPlan(
        made=datetime.fromtimestamp(wish.now_s, UTC).isoformat(timespec="seconds"),
        input_digest=made.counted.digest,
        pictures=made.counted.pictures,
        cost_nusd=plan.cost_nusd,
        bound_nusd=made.bound_nusd,
        options=tuple(_saved_option(option, wish) for option in options.values()),
        groups=_saved_groups(made, parts),
        seconds=_known(plan.usual_s),
        slow_seconds=_known(plan.slow_s),
        deadline_s=made.bounds.deadline_s,
        max_cost_nusd=made.bounds.max_cost_nusd,
        recipe=recipe,
    )


def _saved_groups(made: Planned, parts: Sequence[tuple[int, Option, int, int]]) -> tuple[SavedGroup, ...]:
    found: list[SavedGroup] = []
    for kind, group in enumerate(made.question.groups):
        shares = tuple(SavedShare(option.id, count, each) for of, option, count, each in parts if of == kind)
        found.append(SavedGroup(group.kind.key, group.pictures, shares))
    return tuple(found)


def _saved_option(option: Option, wish: Wish) -> SavedOption:
    route, price = option.resolved.route, option.resolved.price
    dated = price.provenance.as_of.isoformat() if price and price.provenance else ""
    rate = wish.rates.of(route.endpoint)
    return SavedOption(
        id=option.id,
        endpoint=route.endpoint,
        model=route.model,
        wire_model=route.wire_model,
        mode=route.mode,
        tier=wish.tiers.of(route.endpoint),
        rpm=None if rate is None else int(rate),
        price_as_of=dated,
        sheet=None if option.sheet is None else str(option.sheet),
    )


def _known(seconds: float) -> float | None:
    return None if seconds == inf else seconds
