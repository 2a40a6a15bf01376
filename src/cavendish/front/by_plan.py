"""By plan: orders that a plan carries out: one from a file, or one that is chosen now for a deadline."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace

from ..errors import RequestError, RunStopped
from ..model.fault import Fault, FaultKind
from . import recipes
from .build import Setup
from .folder.summary import duration, money, plural
from .order import Order
from .orders import order_batch, order_prompts
from .planned.check import as_planned, by_plan, plan_of
from .planned.deal import PLAN
from .planning.choose import Bounds
from .planning.places import Said, WideRoutes, wide_routes
from .planning.planned import planned, to_saved
from .planning.question import Wish
from .planning.reading import counted
from .planning.used import used_today
from .recipes import RunWish
from .routes import SIMULATOR, Routes, RouteWish
from .saved_plan import SavedPlan


def order_by(
    setup: Setup, plan: SavedPlan, run: RunWish, *, prompt: str = "", file: str | os.PathLike[str] = ""
) -> tuple[Routes, Order]:
    """The order that a saved plan is for, of the prompt or the file that is named again.

    Raises ``RequestError`` or ``ConfigError`` when the plan does not hold for it.
    """
    recipe = recipes.read(plan.recipe, run.folder)
    routes = wide_routes(setup, recipe.routes)
    if recipe.batch is not None:
        if not file:
            raise _other("of a batch", "cavendish batch FILE --plan PLAN")
        order = order_batch(setup, routes, replace(recipe.batch, path=file), run)
    else:
        if file or [request.prompt for request in recipe.prompts] != [prompt]:
            raise _other("of another prompt", "say the prompt that was planned")
        order = order_prompts(setup, routes, recipe.prompts, run)
    return routes, as_planned(routes, order, plan)


def _other(what: str, hint: str) -> RequestError:
    return RequestError(f"the plan is {what}", field=PLAN, hints=(hint,))


def free_routes(setup: Setup, wish: RouteWish) -> WideRoutes:
    """All routes that may be planned with. Without any key the simulator is planned with, as it is what draws.

    Tiers and rates are one vendor's: they are the plan's business (``order_within``).
    """
    simulated = not wish.via and setup.routes(wish).simulated
    via = (SIMULATOR,) if simulated else wish.via
    return wide_routes(setup, replace(wish, via=via, tier=None, rpm=None))


def order_within(routes: WideRoutes, order: Order, deadline_s: float, keys: RouteWish) -> Order:
    """The order by the cheapest plan that keeps a deadline and its cap; ``keys`` says their tier and rate.

    A folder that was begun by a plan goes on with that one; where nothing is missing there is nothing to plan. Raises
    ``RunStopped`` when no plan keeps the deadline.
    """
    if (before := plan_of(order.folder)) is not None:
        return as_planned(routes, order, before)
    rpm = None if keys.rpm is None else str(keys.rpm)
    tiers, rates = Said.read(keys.tier), Said.read(rpm)
    now_s = time.time()
    used = used_today(routes.settings, now_s)
    wish = Wish(now_s, tiers=tiers, rates=rates, concurrency=order.policy.concurrency, used_today=used)
    found = counted(order)
    if not found.pictures:
        return order
    made = planned(found, routes, wish, Bounds(deadline_s, order.max_cost_nusd))
    if made.choice.plan is None:
        raise RunStopped(made.choice.why, Fault(FaultKind.BUDGET, made.choice.why), hints=made.choice.nearest)
    return by_plan(order, to_saved(made, wish, order.recipe))


def lines_of(plan: SavedPlan) -> Iterator[str]:
    """A saved plan in words."""
    yield f"plan of {plan.made}: {plural(plan.pictures, 'picture')} to make"
    for option in plan.options:
        shares = [share for group in plan.groups for share in group.shares if share.option == option.id]
        cost = sum(share.pictures * share.each_nusd for share in shares)
        yield f"  {option.id}: {sum(share.pictures for share in shares):,}, cost about {money(cost)}"
    yield f"cost: about {money(plan.cost_nusd)}, at most {money(plan.bound_nusd)}"
    if plan.seconds is not None:
        slow = "" if plan.slow_seconds is None else f", {duration(plan.slow_seconds)} with slow calls"
        yield f"time: about {duration(plan.seconds)}{slow}"
