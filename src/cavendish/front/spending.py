"""Spending: the book of all runs and its caps, as a process and each of its runs has them."""

from __future__ import annotations

import asyncio
import hashlib
import platform
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import orjson

from ..catalog.resolve import Catalog
from ..config import Settings
from ..engine.ports import Caps, Clock, Ledger
from ..errors import ConfigError, FolderError, RequestError
from ..io.blobs.claim import INNER, card_of, held
from ..io.ledger.reader import LedgerReader
from ..io.spend.account import Account
from ..io.spend.book import RunEntry, SpendBook
from ..io.spend.calendar import UTC_CALENDAR, Calendar, Period
from ..io.spend.caps import Cap
from ..io.spend.ledger import BookedLedger
from ..io.spend.schema import MIGRATIONS
from ..io.spend.sums import Key, ListPrice, Sum, groups_of, summed
from ..io.state.database import StateError, is_server, open_database
from ..model.request import Notice
from ..plan.estimate import PriceBook
from .order import LEDGER, RECIPE, SIMULATED

if TYPE_CHECKING:
    from datetime import date

NAME = "spend"

Note: TypeAlias = Callable[[Iterable[Notice]], None]


def caps_of(settings: Settings) -> tuple[Cap, ...]:
    """The caps that are set, those of all endpoints first."""
    return tuple(_caps_of(settings))


def _caps_of(settings: Settings) -> Iterator[Cap]:
    for endpoint, own in (("", settings), *sorted(settings.endpoints.items())):
        for period, setting in (
            (Period.DAY, own.max_cost_per_day_nusd),
            (Period.MONTH, own.max_cost_per_month_nusd),
        ):
            if setting.value is not None:
                yield Cap(period, setting.value, endpoint)


def calendar_of(settings: Settings) -> Calendar:
    """Days of this machine's zone; of UTC where machines that may stand anywhere share the book."""
    return UTC_CALENDAR if is_server(settings.state_address) else Calendar()


async def open_book(settings: Settings, clock: Clock) -> SpendBook:
    """The book at the place that the settings name. Raises ``StateError``."""
    database = await open_database(settings.state_address, NAME, MIGRATIONS, clock, durable=True)
    return SpendBook(database, calendar_of(settings), caps_of(settings))


def list_prices(catalog: Catalog, today: date) -> ListPrice:
    """The standard price of a picture, by endpoint, model and size."""

    @cache
    def price(endpoint: str, model: str, size: str) -> int | None:
        try:
            resolved = catalog.resolve(model, endpoint, today)
        except RequestError:
            return None
        return PriceBook.of(resolved).list_price(size or resolved.card.default_size)

    return price


# --- a run at work ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Booked:
    """A run's books while it is at work: the ledger that tells the book of all runs, and the caps."""

    ledger: Ledger
    caps: Caps | None = None
    account: Account | None = None


class Spending:
    """The book of a process: opened at the first run that needs it, shared by all."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._opening = asyncio.Lock()
        self._book: SpendBook | None = None

    async def close(self) -> None:
        """Let go of the book."""
        if self._book is not None:
            book, self._book = self._book, None
            await book.close()

    @property
    def book(self) -> SpendBook | None:
        """The book, once a run has opened it."""
        return self._book

    @property
    def has_caps(self) -> bool:
        """Whether a cap is set that runs share."""
        return bool(caps_of(self._settings))

    @asynccontextmanager
    async def booked(self, run: RunEntry, ledger: Ledger, prices: ListPrice, note: Note) -> AsyncGenerator[Booked]:
        """The books of a run whose folder is claimed. What is in flight at the end is counted as unknown.

        Raises ``ConfigError`` when there are caps and no book to hold them by: nothing was spent then.
        """
        account = await self._begun(run, ledger, prices, note)
        if account is None:
            yield Booked(ledger)
            return
        try:
            yield Booked(BookedLedger(ledger, account), account if self.has_caps else None, account)
        finally:
            # The book is made right by the next run, or by whoever looks at it, when this fails.
            with suppress(StateError):
                await account.close([attempt for attempt, _ in await ledger.open_attempts()])

    async def _begun(self, run: RunEntry, ledger: Ledger, prices: ListPrice, note: Note) -> Account | None:
        try:
            book = await self._opened(prices)
            if run.simulated:
                await book.add(replace(run, owner=""), {})
                return None
            run = await _distinct(book, run)
            account = Account(book, run, self._clock, prices)
            await account.open(
                await _sums_now(book, run, ledger, prices), [attempt for attempt, _ in await ledger.open_attempts()]
            )
        except StateError as error:
            if self.has_caps and not run.simulated:
                raise cannot_hold(error) from error
            note([unbooked(error)])
            return None
        return account

    async def _opened(self, prices: ListPrice) -> SpendBook:
        async with self._opening:
            if self._book is None:
                self._book = await open_book(self._settings, self._clock)
                if self.has_caps:
                    # What a process that died had set aside is no cap's any more, once its ledger is read.
                    await bury(self._book, prices)
            return self._book


async def _sums_now(book: SpendBook, run: RunEntry, ledger: Ledger, prices: ListPrice) -> dict[Key, Sum]:
    """What the ledger of a run comes to. When the book has the very same, a large ledger need not be gone through."""
    tally, known = await ledger.tally(), await book.sums(run.id)
    total = Sum()
    for part in known.values():
        total = total.plus(part)
    if (total.attempts, total.billed_nusd, total.unknown_nusd) == (
        tally.attempts,
        tally.billed_nusd,
        tally.unknown_nusd,
    ):
        return known
    return await asyncio.to_thread(sums_of, Path(run.folder), book.calendar, prices)


async def _distinct(book: SpendBook, run: RunEntry) -> RunEntry:
    """The run under an id of its own. A folder that was copied is two runs, each with the past that they share."""
    others = [other for other in await book.runs() if other.id == run.id and other.machine == run.machine]
    for other in others:
        if other.folder != run.folder and await asyncio.to_thread(_is_of, Path(other.folder), run.id):
            return replace(run, id=f"{run.id}@{hashlib.sha256(run.folder.encode()).hexdigest()[:8]}")
    return run


def _is_of(root: Path, run_id: str) -> bool:
    try:
        card = card_of(root)
    except FolderError:
        return False
    return card is not None and card.run_id == run_id


async def bury(book: SpendBook, prices: ListPrice) -> None:
    """Put in order what processes that ended without a word left in the book. Raises ``StateError``."""
    for run in await book.dead():
        here = run.machine == machine()
        found = await asyncio.to_thread(_exhumed, Path(run.folder), book.calendar, prices) if here else None
        if found is None:
            await book.write_off(run)
        else:
            await book.add(replace(run, owner=""), found)


def _exhumed(root: Path, calendar: Calendar, prices: ListPrice) -> dict[Key, Sum] | None:
    """The sums of a run whose process is gone; ``None`` without its ledger, or while somebody is at it."""
    try:
        with held(root / INNER, "lock"):
            return sums_of(root, calendar, prices)
    except FolderError:
        return None


def cannot_hold(error: StateError) -> ConfigError:
    """A cap that cannot be held is an error."""
    return ConfigError(
        f"no cap can be held, since the book of spending cannot be used: {error}",
        hints=("make its place writable, name another with CAVENDISH_STATE, or set no max_cost_per_day and _month",),
    )


def unbooked(error: StateError) -> Notice:
    """Without caps a run goes on without the book."""
    return Notice("no_book", f"this run is not in the book of spending: {error}", "state")


# --- folders ----------------------------------------------------------------------------------------------------------


def sums_of(root: Path, calendar: Calendar, list_price: ListPrice) -> dict[Key, Sum]:
    """What the ledger of a run folder comes to. Blocks. Raises ``FolderError``."""
    with LedgerReader.open(root / LEDGER) as reader:
        return summed(groups_of(reader.attempt_groups()), calendar, list_price)


def entry_of(root: Path) -> RunEntry:
    """The run of a folder, as its own papers tell. Blocks. Raises ``FolderError`` when it is no run folder."""
    card = card_of(root)
    if card is None:
        raise FolderError(f"{root} is no run folder")
    with LedgerReader.open(root / LEDGER) as reader:
        recipe = orjson.loads(reader.get_meta(RECIPE) or b"{}")
        simulated = reader.get_meta(SIMULATED) == "yes"
    title = str(recipe.get("run", {}).get("title") or "")
    return RunEntry(card.run_id, str(root.absolute()), machine(), title, card.created, simulated)


def machine() -> str:
    """This machine's name: a folder of another cannot be looked at here."""
    return platform.node()
