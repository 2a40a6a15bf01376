"""Settle: write into the books of run folders what calls of unknown fate were found to cost."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from ...errors import FolderError
from ...io.clock import SystemClock
from ...io.ledger.sqlite import SqliteLedger
from ...io.state.database import StateError
from ..build import Setup
from ..order import LEDGER
from ..spend import add_folder
from ..spending import list_prices, open_book
from .difference import Account, Verdict


def verdicts_of(accounts: Iterable[Account]) -> tuple[Verdict, ...]:
    """What all bills together say of calls of unknown fate. Of two that say something, the first counts."""
    seen: set[tuple[Path, str]] = set()
    found: list[Verdict] = []
    for verdict in (v for account in accounts for part in account.differences for v in part.verdicts):
        new = {name: cost for name, cost in verdict.costs_nusd.items() if (verdict.folder, name) not in seen}
        seen |= {(verdict.folder, name) for name in new}
        found += [Verdict(verdict.folder, new)] if new else []
    return tuple(found)


async def settle(setup: Setup, verdicts: Iterable[Verdict]) -> tuple[int, tuple[str, ...]]:
    """Write verdicts down, in the folders and in the book of all runs. Doing it again changes nothing.

    Gives how many attempts they are about, and what could not be brought up to date. Raises ``FolderError``.
    """
    by_folder: dict[Path, dict[str, int]] = defaultdict(dict)
    for verdict in verdicts:
        by_folder[verdict.folder] |= verdict.costs_nusd
    for folder, costs in by_folder.items():
        async with SqliteLedger(folder / LEDGER) as ledger:
            await ledger.settle_fates(costs, time.time())
    return sum(map(len, by_folder.values())), await _book_anew(setup, tuple(by_folder))


async def _book_anew(setup: Setup, folders: Iterable[Path]) -> tuple[str, ...]:
    """Have the book of spending sum up these folders once more, as far as they are in it."""
    notes: list[str] = []
    try:
        book = await open_book(setup.settings, SystemClock())
    except StateError as error:
        return (f"the book of spending was not brought up to date: {error}",)
    try:
        booked = {Path(run.folder) for run in await book.runs()}
        prices = list_prices(setup.catalog, datetime.now(UTC).date())
        for folder in folders:
            if folder in booked:
                try:
                    await add_folder(book, folder, prices)
                except FolderError as error:
                    notes.append(f"the book of spending has {folder.name} as it was: {error}")
    except StateError as error:
        notes.append(f"the book of spending was not brought up to date: {error}")
    finally:
        await book.close()
    return tuple(notes)
