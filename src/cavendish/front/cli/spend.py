"""``cavendish spend``: what all runs spent, and what is left of the caps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options as o
from . import voice
from .voice import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...io.spend.book import SpendBook
    from ...io.spend.calendar import Calendar
    from ...io.spend.sums import ListPrice
    from ..build import Setup
    from ..spend import SpendReport

COLUMNS = ("pictures", "billed", "unknown", "saved")


def spend(
    by: Annotated[str, typer.Option("--by", help="day, model, endpoint or run.")] = "day",
    since: Annotated[
        str | None, typer.Option("--since", help="From a day on (2026-11-01), or so far back (7d).")
    ] = None,
    add: Annotated[
        list[Path] | None, typer.Option("--add", help="Take in a run folder, such as one of another machine.")
    ] = None,
    as_json: o.Json = False,
) -> int:
    """What all runs spent: billed, unknown, saved against the list price; and what is left of the caps.

    Makes no call. Runs that a crash ended are settled from the ledgers in their folders. Simulated money never counts.
    """
    import asyncio

    from ...errors import RequestError
    from ..build import Setup
    from ..spend import BY

    if by not in BY:
        raise RequestError(f"--by takes {', '.join(BY)}, not {by}", field="by", allowed=BY)
    found, calendar = asyncio.run(_looked(Setup(), by, since, add or ()))
    if as_json:
        voice.data(found.to_json(calendar))
    else:
        _tell(found, calendar)
    return Exit.ALL


async def _looked(setup: Setup, by: str, since: str | None, add: Sequence[Path]) -> tuple[SpendReport, Calendar]:
    from datetime import UTC, datetime

    from ...errors import ConfigError
    from ...io.clock import SystemClock
    from ...io.state.database import StateError
    from ..spend import report, since_of
    from ..spending import bury, list_prices, open_book

    clock = SystemClock()
    prices = list_prices(setup.catalog, datetime.fromtimestamp(clock.now(), UTC).date())
    try:
        book = await open_book(setup.settings, clock)
        try:
            first = since_of(since, book.calendar, clock.now())
            await bury(book, prices)
            await _add_all(book, add, prices)
            return await report(book, by, first, clock.now()), book.calendar
        finally:
            await book.close()
    except StateError as error:
        raise ConfigError(f"the book of spending cannot be used: {error}") from error


async def _add_all(book: SpendBook, folders: Sequence[Path], prices: ListPrice) -> None:
    from ..spend import add_folder

    for folder in folders:
        run = await add_folder(book, folder, prices)
        voice.say(f"{folder}: {'simulated, so nothing was spent' if run.simulated else 'is in the book'}")


def _tell(found: SpendReport, calendar: Calendar) -> None:
    from ...io.spend.sums import Sum

    def cells(name: str, part: Sum) -> tuple[str, ...]:
        return name, f"{part.pictures:,}", *(_money(n) for n in (part.billed_nusd, part.unknown_nusd, part.saved_nusd))

    rows = [cells(line.name, line.sum) for line in found.lines]
    voice.table((found.by, *COLUMNS), [*rows, cells("total", found.total)])
    for state in found.caps:
        in_flight = f", {_money(state.held_nusd)} set aside" if state.held_nusd else ""
        print(
            f"{state.cap.setting}: {_money(state.spent_nusd)} of {_money(state.cap.nusd)} spent{in_flight}, "
            f"{_money(state.left_nusd)} left until {calendar.told(state.ends_at)}"
        )


def _money(amount_nusd: int | None) -> str:
    from ..folder.summary import money

    if amount_nusd is None:
        return "-"
    return f"-{money(-amount_nusd)}" if amount_nusd < 0 else money(amount_nusd)
