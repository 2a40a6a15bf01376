"""Choose: of all plans the one for the user's deadline and budget, with the reason; and what to say when there is none.

Whoever names a deadline gets the cheapest plan that keeps it, whoever names a budget the fastest within it; whoever
names neither the cheapest of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ...plan.frontier import Plan, Planner
from ..folder.summary import duration, money

ALLOWANCE = 10
"""One part in so many of a plan's cost is left for pictures that have to be drawn again and for drafts that are billed
beside them: more than is usual."""

SPARE_CALLS = 2
"""At least so many calls more: the last one leaves only when a draft beside its picture would fit, too."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the user allows: seconds and nano-dollars, ``None`` where nothing was said."""

    deadline_s: float | None = None
    max_cost_nusd: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The plan and why it was chosen; or none, why there is none, and what would be the nearest to it."""

    plan: Plan | None
    why: str
    nearest: tuple[str, ...] = ()


def choose(planner: Planner, bounds: Bounds) -> Choice:
    """The plan for these bounds."""
    deadline_s, budget = bounds.deadline_s, bounds.max_cost_nusd
    cheapest = planner.cheapest()
    if cheapest is None:
        return Choice(None, "no route can make all of these pictures", ("see which are set apart, and why",))
    if deadline_s is not None:
        return _by(planner, deadline_s, budget)
    if budget is None:
        return Choice(cheapest, "the cheapest, as neither --deadline nor --max-cost was given")
    fastest = planner.within(budget)
    if fastest is None:
        return Choice(None, f"nothing costs {money(budget)} or less", (f"the cheapest plan: {_told(cheapest)}",))
    if fastest.slow_s == inf:
        return Choice(fastest, f"the cheapest within {money(budget)}; no plan within it is sure to end by any time")
    return Choice(fastest, f"the fastest for at most {money(budget)}")


def _by(planner: Planner, deadline_s: float, budget: int | None) -> Choice:
    within = duration(deadline_s)
    plan = planner.by(deadline_s)
    if plan is None:
        fastest = planner.fastest()
        nearest = "no route's limits are known well enough to promise any time: say --rpm ENDPOINT=REQUESTS"
        return Choice(
            None,
            f"nothing is sure to be done within {within}",
            (nearest if fastest is None else f"the fastest plan: {_told(fastest)}",),
        )
    if budget is None or plan.cost_nusd <= budget:
        cap = "" if budget is None else f", and no more than {money(budget)}"
        return Choice(plan, f"the cheapest that is done within {within}{cap}")
    nearest = [f"the cheapest plan in that time: {_told(plan)}"]
    if (fastest := planner.within(budget)) is not None:
        nearest.append(f"the fastest plan for that money: {_told(fastest)}")
    return Choice(None, f"nothing is done within {within} for {money(budget)}", tuple(nearest))


def bound_nusd(planner: Planner, plan: Plan, bounds: Bounds) -> int:
    """What a run made from a plan may spend: its cost, and something for second tries, within the budget."""
    dearest = max((planner.ways[number].call_nusd for number, _ in plan.counts), default=0)
    bound = plan.cost_nusd + max(-(-plan.cost_nusd // ALLOWANCE), SPARE_CALLS * dearest)
    return bound if bounds.max_cost_nusd is None else min(bound, bounds.max_cost_nusd)


def _told(plan: Plan) -> str:
    when = "at a time that is not known" if plan.slow_s == inf else f"within {duration(plan.slow_s)}"
    return f"{money(plan.cost_nusd)}, done {when}"
