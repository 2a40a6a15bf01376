"""Check: whether a saved plan still holds: the same input, the same routes and prices, the keys there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from ...catalog.fit import fit
from ...catalog.resolve import Resolved
from ...errors import ConfigError, FolderError, RequestError
from ...io.ledger.reader import LedgerReader
from ...model.money import dollars
from ...model.result import Slot
from ...plan.estimate import PriceBook
from ...plan.kinds import Group
from ..order import LEDGER, PLANNED_AT, RECIPE, Order
from ..planning.reading import Counted, counted
from ..routes import Routes
from ..saved_plan import SavedGroup, SavedOption, SavedPlan, SavedShare, of_plain
from .deal import HINTS, PLAN
from .ways import routes_of


def as_planned(routes: Routes, order: Order, plan: SavedPlan) -> Order:
    """An order to be carried out by a saved plan. Raises ``RequestError`` or ``ConfigError`` when it does not hold.

    A run that began by this plan goes on with it at the prices of its beginning: its bound holds whatever they are now.
    """
    if order.sheet is not None or any(option.sheet for option in plan.options):
        raise RequestError("runs from a plan draw no sheets", field=PLAN, hints=("leave --sheet out of the plan",))
    before = plan_of(order.folder)
    if before is not None and before != plan:
        raise FolderError(f"{order.folder} was begun by another plan", hints=("give this one a folder of its own",))
    if before is None:
        must_hold(routes, order, plan)
    else:
        must_be_its_input(counted(order), plan)
    return by_plan(order, plan)


def by_plan(order: Order, plan: SavedPlan) -> Order:
    """An order with its plan, whose bound is its cap."""
    recipe = {**order.recipe, PLAN: plan.to_json()}
    return order.having(plan=plan, recipe=recipe, fingerprint="", max_cost_nusd=_lower(order.max_cost_nusd, plan))


def plan_of(folder: Path) -> SavedPlan | None:
    """The plan that a run folder was begun by, if it was."""
    if not (folder / LEDGER).is_file():
        return None
    with LedgerReader.open(folder / LEDGER) as reader:
        if reader.get_meta(PLANNED_AT) is None:
            return None
        plain = orjson.loads(reader.get_meta(RECIPE) or b"{}")
    return of_plain(plain[PLAN]) if PLAN in plain else None


def _lower(cap_nusd: int | None, plan: SavedPlan) -> int:
    return plan.bound_nusd if cap_nusd is None else min(cap_nusd, plan.bound_nusd)


def must_hold(routes: Routes, order: Order, plan: SavedPlan) -> None:
    """Raises ``RequestError`` or ``ConfigError`` when a run from this plan would not be what it says."""
    found = counted(order)
    must_be_its_input(found, plan)
    groups = {group.kind.key: group for group in found.groups}
    for saved in plan.groups:
        for share in saved.shares:
            if share.pictures:
                _must_hold(routes, plan.option(share.option), saved, share, groups)


def must_be_its_input(found: Counted, plan: SavedPlan) -> None:
    """Raises ``RequestError`` when other pictures are asked for than were planned."""
    if found.digest == plan.input_digest:
        return
    planned, wanted = plan.pictures, found.pictures
    many = f": it is for {planned:,}, and {wanted:,} are to be made" if planned != wanted else ""
    raise RequestError(f"the plan is for other pictures than these{many}", field=PLAN, hints=HINTS)


def resolve(routes: Routes, option: SavedOption) -> Resolved:
    """The route of an option as of today. Raises ``RequestError`` when it is another, ``ConfigError`` without a key."""
    narrowed = routes_of(routes, option)
    try:
        resolved = narrowed.resolve(option.model)[0]
    except ConfigError as error:
        raise ConfigError(f"the plan draws at {option.endpoint}: {error.message}", hints=error.hints) from error
    if (resolved.route.wire_model, resolved.route.mode) != (option.wire_model, option.mode):
        message = f"the plan draws with {option.wire_model} at {option.endpoint}, which is now {resolved.route}"
        raise RequestError(message, field=PLAN, hints=HINTS)
    return resolved


def _must_hold(
    routes: Routes, option: SavedOption, saved: SavedGroup, share: SavedShare, groups: Mapping[str, Group]
) -> None:
    resolved = resolve(routes, option)
    request = groups[saved.key].asked_of(option.model)
    today = PriceBook.of(resolved).estimate(Slot("", "", 0, 0, fit(request, resolved).request))
    if today != share.each_nusd:
        now = "of unknown price" if today is None else dollars(today)
        message = f"prices changed: {option.id} was planned at {dollars(share.each_nusd)} a picture, and is now {now}"
        raise RequestError(message, field=PLAN, hints=HINTS)
