"""Show: a plan for people, in the width of their terminal, and for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

from rich.console import Console
from rich.table import Table

from ...catalog.cards import Limits
from ...engine.bulk.ports import AT_ONCE_BY_JOBS
from ...model.money import as_float
from ...plan.frontier import Plan
from ...plan.options import BATCH_S
from ..folder.summary import duration, money, plural
from .places import ended
from .planned import Planned
from .question import Option

PLAIN_WIDTH = 120
"""Columns where there is no terminal to tell."""

KINDS_SHOWN = 12
"""Kinds whose shares are told apart; of more, a saved plan says."""


def to_json(made: Planned) -> dict[str, Any]:
    """For programs: dollars and seconds. ``None`` is what is not known."""
    plan = made.choice.plan
    return {
        "pictures": made.counted.pictures,
        "kept": made.counted.kept,
        "cost": None if plan is None else as_float(plan.cost_nusd),
        "seconds": None if plan is None else _seconds(plan.usual_s),
        "bound_by": "" if plan is None else made.question.held_by(plan.counts),
        "deadline": made.bounds.deadline_s,
        "max_cost": None if made.bounds.max_cost_nusd is None else as_float(made.bounds.max_cost_nusd),
        "chosen": None if plan is None else {**_plan(made, plan), "at_most": as_float(made.bound_nusd)},
        "why": made.choice.why,
        "nearest": list(made.choice.nearest),
        "frontier": [_plan(made, one) for one in made.frontier],
        "untimed": [_plan(made, one) for one in made.untimed],
        "routes": [_option(made, option) for option in made.question.options.values()],
        "apart": [
            {
                "route": one.id,
                "why_not": one.why_not,
                "each": None if one.each_nusd is None else as_float(one.each_nusd),
            }
            for one in made.question.apart.values()
        ],
        "notes": list(made.question.notes),
    }


def _plan(made: Planned, plan: Plan) -> dict[str, Any]:
    kinds = made.question.groups
    return {
        "cost": as_float(plan.cost_nusd),
        "at_least": as_float(plan.at_least_nusd),
        "seconds": _seconds(plan.usual_s),
        "slow_seconds": _seconds(plan.slow_s),
        "least_seconds": _seconds(made.least_s(plan)),
        "split": [
            {"kind": kinds[kind].kind.key, "route": option.id, "pictures": count, "each": as_float(each)}
            for kind, option, count, each in made.split(plan)
        ],
    }


def _option(made: Planned, option: Option) -> dict[str, Any]:
    prices = _prices(made, option)
    known = {name: value for name, value in _limits(option.limits).items() if value is not None}
    return {
        "route": str(option.resolved.route),
        "name": option.id,
        "mode": option.resolved.route.mode,
        "keys": option.keys,
        "each": [as_float(each) for each in prices],
        "limits": known,
        "used_today": option.used_today,
        "risk": risk_of(option),
    }


def _limits(limits: Limits) -> dict[str, float | None]:
    spend = limits.spend_per_10_minutes_nusd
    return {
        "requests_per_minute": limits.requests_per_minute,
        "requests_per_day": limits.requests_per_day,
        "images_per_minute": limits.images_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "spend_per_10_minutes": None if spend is None else as_float(spend),
        "in_flight": limits.in_flight,
    }


def _seconds(seconds: float) -> float | None:
    return None if seconds == inf else round(seconds, 1)


# --- for people -------------------------------------------------------------------------------------------------------


def tell(made: Planned) -> None:
    """The plan on stdout, as wide as the terminal."""
    console = _console()
    kept = f" ({made.counted.kept:,} more are there already)" if made.counted.kept else ""
    console.print(f"{plural(made.counted.pictures, 'picture')} to make{kept}{_of_model(made)}")
    if made.frontier:
        console.print()
        console.print(_frontier_table(made, mark=True))
    for line in _rates_wanted(made):
        console.print(line)
    console.print()
    for line in _chosen(made):
        console.print(line)
    if made.question.options:
        console.print()
        console.print(_option_table(made))
    for line in _beside(made):
        console.print(line)


def tell_ways(made: Planned) -> None:
    """The cheapest plan for each time, beside an order's own."""
    if not made.frontier:
        return
    console = _console()
    console.print()
    console.print("the cheapest way for each time (cavendish plan tells more):")
    console.print(_frontier_table(made))
    for line in _rates_wanted(made):
        console.print(line)


def _console() -> Console:
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def _frontier_table(made: Planned, *, mark: bool = False) -> Table:
    """The cheapest plan for each time, the chosen one marked; then what may be faster, at a time that is not known."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head, right in (("", False), ("done within", True), ("usually", True), ("cost", True), ("split", False)):
        table.add_column(head, justify="right" if right else "left", overflow="fold", no_wrap=head != "split")
    for plan in (*made.frontier, *made.untimed):
        chosen = ">" if mark and plan == made.choice.plan else ""
        table.add_row(chosen, _sure(plan), _usually(made, plan), money(plan.cost_nusd), _split(made, plan))
    return table


def _of_model(made: Planned) -> str:
    models = {option.resolved.route.model for option in made.question.options.values()}
    return f", by {models.pop()}" if len(models) == 1 else ""


def _rates_wanted(made: Planned) -> Iterator[str]:
    """How to have a time where it is not known."""
    plans = [*made.untimed, *(plan for plan in made.frontier if plan.slow_s == inf)]
    places = dict.fromkeys(
        option.resolved.route.endpoint for plan in plans for _, option, _, _ in made.split(plan) if not option.is_batch
    )
    if places:
        yield ""
        yield f"unknown: the limits of your keys for {' and '.join(places)}; for a time say"
        yield f"  --rpm {','.join(f'{place}=REQUESTS_A_MINUTE' for place in places)}"


def _sure(plan: Plan) -> str:
    return duration(plan.slow_s) if plan.slow_s < inf else "unknown"


def _usually(made: Planned, plan: Plan) -> str:
    if plan.slow_s == inf:
        return f"{duration(made.least_s(plan))} or more"
    if any(option.is_batch for _, option, _, _ in made.split(plan)):
        return "much sooner"
    return duration(plan.usual_s)


def _split(made: Planned, plan: Plan) -> str:
    """So many by each option; by kind where there are several."""
    sums: dict[str, int] = {}
    for _, option, count, _ in made.split(plan):
        sums[option.id] = sums.get(option.id, 0) + count
    return ", ".join(f"{count:,} {_short(made, made.question.options[name])}" for name, count in sums.items())


def _chosen(made: Planned) -> Iterator[str]:
    plan = made.choice.plan
    if plan is None:
        yield f"no plan: {made.choice.why}"
        yield from (f"  {line}" for line in made.choice.nearest)
        return
    yield f"chosen: {made.choice.why}"
    yield f"cost: about {money(plan.cost_nusd)}; a run of this plan stops at {money(made.bound_nusd)}, retries included"
    yield f"time: {_time(made, plan)}"
    if plan.at_least_nusd < plan.cost_nusd:
        least = money(plan.at_least_nusd)
        yield f"nothing in that time costs less than {least}; whether anything costs as little was not found out"
    if 1 < len(made.question.groups) <= KINDS_SHOWN:
        for kind, option, count, each in made.split(plan):
            name = made.question.groups[kind].kind.key
            yield f"  {name}: {count:,} {_short(made, option)} at {money(each)}"


def _time(made: Planned, plan: Plan) -> str:
    if plan.slow_s == inf:
        least = duration(made.least_s(plan))
        return f"unknown, at least {least}"
    if any(option.is_batch for _, option, _, _ in made.split(plan)):
        return f"within {duration(plan.slow_s)}, mostly much sooner"
    return f"about {duration(plan.usual_s)}, {duration(plan.slow_s)} when calls are slow"


def _option_table(made: Planned) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("route", "a picture", "limits", "risk"):
        table.add_column(head, overflow="fold", no_wrap=head == "a picture")
    for option in made.question.options.values():
        table.add_row(_short(made, option), _price_words(_prices(made, option)), _limit_words(option), risk_of(option))
    return table


def _beside(made: Planned) -> Iterator[str]:
    if made.question.apart:
        yield ""
        yield "not planned with:"
        for one in made.question.apart.values():
            price = "" if one.each_nusd is None else f" ({money(one.each_nusd)} a picture)"
            yield f"  {one.id}{price}: {one.why_not}"
    for note in made.question.notes:
        yield f"note: {note}"


def risk_of(option: Option) -> str:
    """What may go wrong with an option, in a few words; empty when it is what everybody does."""
    if option.sheet is not None:
        cells = option.sheet.cells
        return f"{cells} pictures drawn as one: smaller, alike; a spoilt cell is bought again singly"
    if option.is_batch:
        return "promised in a day; what it does not make is not billed"
    return ended(option.resolved)


def _limit_words(option: Option) -> str:
    words: list[str] = []
    if option.is_batch:
        return f"{AT_ONCE_BY_JOBS:,} in {duration(BATCH_S)}"
    for name, value in _limits(option.limits).items():
        if value is not None:
            spend = name.startswith("spend")
            words.append(f"${value:g} per 10 minutes" if spend else f"{value:,} {name.replace('_', ' ')}")
    if option.used_today and option.limits.requests_per_day is not None:
        gone = min(option.used_today, option.limits.requests_per_day * option.keys)
        words.append(f"{gone:,} of today's used")
    if option.keys > 1:
        words.append(f"{option.keys} keys")
    return ", ".join(words) or "unknown"


def _prices(made: Planned, option: Option) -> list[int]:
    return sorted({way.each_nusd for way in made.question.ways if way.option == option.id})


def _price_words(prices: Sequence[int]) -> str:
    return money(prices[0]) if len(prices) == 1 else f"{money(prices[0])} to {money(prices[-1])}"


def _short(made: Planned, option: Option) -> str:
    """An option's name without what all have in common."""
    route = option.resolved.route
    models = {other.resolved.route.model for other in made.question.options.values()}
    place = route.endpoint if len(models) == 1 else f"{route.endpoint}/{route.model}"
    mode = "" if route.mode == option.resolved.endpoint.default_mode else f" {route.mode}"
    return place + mode + (f" sheet {option.sheet}" if option.sheet else "")
