"""Work: an order carried out at the command line: what it will cost, the question, the run, Ctrl-C, the report."""

from __future__ import annotations

import asyncio
import signal
import sys
import webbrowser
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from types import FrameType
from typing import Any

from ...errors import RequestError
from ...io.ledger.reader import LedgerReader
from ...model.fault import FaultKind
from ...model.money import NUSD_PER_USD
from ...model.result import Picture
from ..advice import advice_on
from ..build import Setup, Workshop
from ..by_plan import lines_of
from ..folder.entries import failure_entry, metadata_entry
from ..folder.summary import Summary, duration, money, plural
from ..forecast import Forecast, forecast, forecast_and_ways
from ..job import Job
from ..order import BATCH, LEDGER, Order
from ..routes import Routes
from . import voice
from .show import Counts, display
from .voice import Exit, say

ASK_ABOVE_NUSD = 5 * NUSD_PER_USD
"""Dearer runs are asked about at a terminal, unless ``--yes`` or ``--max-cost`` was given."""
REFRESH_S = 0.25


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is to be talked about. ``listing`` prints each picture on stdout.

    ``dry_run`` and ``rehearse`` buy nothing: the one reckons, the other plays.
    """

    quiet: bool = False
    json: bool = False
    open: bool = False
    yes: bool = False
    dry_run: bool = False
    listing: bool = False
    rehearse: bool = False


def work(setup: Setup, routes: Routes, order: Order, manner: Manner) -> Exit:
    """Carry an order out, and tell how it went."""
    voice.notices((*setup.settings.notices, *routes.notices.values()))
    if routes.simulated:
        say(_simulated(routes))
    if manner.rehearse or manner.dry_run:
        _tell(routes, order, manner)
        return Exit.ALL
    if not _agreed(routes, order, manner):
        say("nothing was done")
        return Exit.NOTHING
    told = tuple(routes.notices)
    summary = asyncio.run(_run(setup, routes, order, manner))
    voice.notices(notice for text, notice in routes.notices.items() if text not in told)
    _report(summary, order, routes, manner)
    return _exit_of(summary)


def _simulated(routes: Routes) -> str:
    if routes.wish.via:
        return "simulated: no provider is called and nothing is spent"
    return (
        "simulated: there is no key, so no provider is called and nothing is spent "
        "(set GOOGLE_API_KEY for real ones; cavendish doctor tells of all keys)"
    )


# --- before ----------------------------------------------------------------------------------------------------------


def _agreed(routes: Routes, order: Order, manner: Manner) -> bool:
    """Whether to go on. Only asks people, and only about real money."""
    person = sys.stdin.isatty() and sys.stderr.isatty()
    if manner.yes or routes.simulated or not person:
        return True
    if order.plan is not None:
        cost_nusd, lines = order.plan.cost_nusd, lines_of(order.plan)
    elif order.max_cost_nusd is not None or order.total is None:
        return True
    else:
        expected = forecast(routes, order)
        cost_nusd, lines = expected.cost_nusd, _forecast_lines(expected)
    if cost_nusd is not None and cost_nusd <= ASK_ABOVE_NUSD:
        return True
    for line in lines:
        say(line)
    say("go on? [y/N] ")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _tell(routes: Routes, order: Order, manner: Manner) -> None:
    """What a run would come to, on stdout: played, by its plan, or reckoned."""
    if manner.rehearse:
        _rehearse(routes, order, manner)
    elif order.plan is None:
        _tell_forecast(routes, order, as_json=manner.json)
    elif manner.json:
        voice.data(order.plan.to_json())
    else:
        print("\n".join(lines_of(order.plan)))


def _rehearse(routes: Routes, order: Order, manner: Manner) -> None:
    from ..rehearse.rehearse import rehearse

    if order.sheet is not None:
        hints = ("leave --sheet out to have its pictures played one by one, or ask --dry-run",)
        raise RequestError("a rehearsal plays no sheets", field="sheet", hints=hints)
    outlook = rehearse(routes, order)
    if manner.json:
        voice.data(outlook.to_json())
    else:
        print("\n".join(outlook.lines()))


def _tell_forecast(routes: Routes, order: Order, *, as_json: bool) -> None:
    """What it will cost and take, and what other ways there are, on stdout."""
    from ..planning import show

    expected, ways = forecast_and_ways(routes, order)
    if as_json:
        voice.data({**expected.to_json(), "plan": show.to_json(ways)})
        return
    print("\n".join(_forecast_lines(expected)))
    show.tell_ways(ways)


def _forecast_lines(expected: Forecast) -> Iterator[str]:
    kept = f" ({expected.kept:,} more are there already)" if expected.kept else ""
    yield f"{plural(expected.pictures, 'picture')} to make{kept}"
    for share in expected.shares:
        option, limits = share.option, share.option.limits
        cost = "unknown" if share.cost_nusd is None else f"about {money(share.cost_nusd)}"
        online = limits.requests_per_minute and not option.is_batch
        rate = f", {limits.requests_per_minute} requests a minute" if online else ""
        mode = ", by batch" if option.is_batch else f", in sheets of {option.sheet}" if option.sheet else ""
        keys = f", {option.keys} keys" if option.keys > 1 else ""
        yield f"  {option.resolved.route}: {share.pictures:,}{mode}, cost {cost}{rate}{keys}"
    yield f"cost: {'unknown' if expected.cost_nusd is None else f'about {money(expected.cost_nusd)}'}"
    yield f"time: {_when(expected)}"


def _when(expected: Forecast) -> str:
    if expected.least_s == inf:
        return f"never: a limit allows no picture ({expected.bound_by.replace('_', ' ')})"
    if expected.seconds == inf:
        return f"at least {duration(expected.least_s)}: not all limits of the key are known (say --rpm)"
    if expected.bound_by == BATCH:
        return f"within {duration(expected.seconds)}, mostly much sooner"
    bound = f", bound by {expected.bound_by.replace('_', ' ')}" if expected.bound_by else ""
    return f"about {duration(expected.seconds)}{bound}"


# --- the run ---------------------------------------------------------------------------------------------------------


async def _run(setup: Setup, routes: Routes, order: Order, manner: Manner) -> Summary:
    counts = Counts()
    async with Workshop(setup) as workshop:
        job = Job(workshop, routes, order, counts)
        with _interrupts(job), display(counts, order.total, quiet=manner.quiet) as shown:
            running = asyncio.ensure_future(job.run())
            while not (await asyncio.wait({running}, timeout=REFRESH_S))[0]:
                shown.refresh()
        return await running


@contextmanager
def _interrupts(job: Job) -> Generator[None]:
    """Ctrl-C once: finish what is in flight; twice: end at once. A polite kill is like the first."""
    presses = 0

    def pressed() -> None:
        nonlocal presses
        presses += 1
        if presses == 1:
            say("stopping: what is in flight is finished and kept; Ctrl-C again ends at once")
            job.stop()
        else:
            job.abort()

    with _handling(signal.SIGINT, pressed), _handling(signal.SIGTERM, pressed):
        yield


@contextmanager
def _handling(number: signal.Signals, handle: Callable[[], None]) -> Generator[None]:
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(number, handle)
    except NotImplementedError:
        # Windows: its event loops take no signal handlers.
        def wake(_number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(handle)

        before = signal.signal(number, wake)
        try:
            yield
        finally:
            signal.signal(number, before)
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(number)


# --- after -----------------------------------------------------------------------------------------------------------


def _report(summary: Summary, order: Order, routes: Routes, manner: Manner) -> None:
    if manner.json:
        voice.data({**summary.to_json(), **(_outcomes(order.folder, routes) if manner.listing else {})})
    elif manner.listing:
        for path in _paths(order.folder):
            print(path)
    stopped = summary.facts.stopped
    if not manner.quiet:
        say(summary.text(paths=False))
    elif stopped is not None:
        say(f"error: stopped: {stopped.message or stopped.kind.value}")
        if summary.resume:
            say(f"hint: {plural(summary.facts.left, 'picture')} left; {summary.resume}")
    if stopped is not None and (advice := advice_on(stopped)):
        say(f"hint: {advice}")
    sheet = order.folder / "index.html"
    if manner.open and sheet.is_file():
        webbrowser.open(sheet.resolve().as_uri())


def _paths(folder: Path) -> Iterator[Path]:
    with LedgerReader.open(folder / LEDGER) as reader:
        for outcome in reader.outcomes():
            if isinstance(outcome, Picture):
                yield folder / outcome.blob.ref


def _outcomes(folder: Path, routes: Routes) -> dict[str, list[dict[str, Any]]]:
    pictures: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    with LedgerReader.open(folder / LEDGER) as reader:
        for outcome in reader.outcomes():
            if isinstance(outcome, Picture):
                pictures.append(metadata_entry(outcome, simulated=routes.simulated))
            else:
                failed.append(failure_entry(outcome))
    return {"pictures": pictures, "failed_slots": failed}


def _exit_of(summary: Summary) -> Exit:
    stopped = summary.facts.stopped
    if stopped is not None and stopped.kind is FaultKind.CANCELLED:
        return Exit.INTERRUPTED
    if stopped is not None and stopped.kind in voice.STOPPED_BY_QUOTA:
        return Exit.STOPPED
    return exit_of_counts(summary.delivered, summary.failed + summary.facts.left + summary.facts.skipped)


def exit_of_counts(delivered: int, missing: int) -> Exit:
    """All, some or nothing."""
    if not missing:
        return Exit.ALL
    return Exit.SOME if delivered else Exit.NOTHING
