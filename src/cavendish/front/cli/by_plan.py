"""By plan: ``--plan`` and ``--deadline`` of ``generate`` and ``batch``: an order, and the plan that carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import RequestError
from ..build import Setup
from ..by_plan import free_routes, order_by, order_within
from ..order import Order
from ..planning.places import WideRoutes
from ..recipes import RunWish, seconds_of
from ..routes import Routes, RouteWish
from ..saved_plan import read_plan
from .voice import Exit
from .work import Manner, work

__all__ = ["Deadline", "free_routes", "within", "work_by"]


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time that was named, and what was said of the keys."""

    words: str
    keys: RouteWish


def work_by(
    setup: Setup,
    plan: Path,
    run: RunWish,
    manner: Manner,
    *,
    said: Mapping[str, Any],
    prompt: str = "",
    file: str = "",
) -> Exit:
    """Carry out a saved plan. ``said`` are flags whose matter the plan has settled: none may be given."""
    given = [name for name, value in said.items() if value]
    if given:
        flag = "-n" if given[0] == "n" else f"--{given[0].replace('_', '-')}"
        raise RequestError(f"the plan says that already: leave {flag} out", field=given[0])
    routes, order = order_by(setup, read_plan(plan), run, prompt=prompt, file=file)
    return work(setup, routes, order, manner)


def within(setup: Setup, routes: Routes, order: Order, deadline: Deadline, manner: Manner) -> Exit:
    """Plan for a deadline, and carry that out. ``routes`` are ``free_routes``."""
    assert isinstance(routes, WideRoutes)
    if order.sheet is not None:
        raise RequestError("--deadline plans without sheets: leave --sheet out", field="sheet")
    seconds = seconds_of(deadline.words) or 0.0
    return work(setup, routes, order_within(routes, order, seconds, deadline.keys), manner)
