"""Keeper: what a running gateway knows of its keys: whose key it is, what it may, how its minute stands."""

from __future__ import annotations

from dataclasses import dataclass

from ....engine.ports import Clock
from ....io.desk.allowance import Denied, Granted, Limit, Meter, Wish, admit
from ....io.desk.books import DeskBooks, JobEntry
from ....io.desk.keys import KeyBooks, KeyEntry, digest_of
from ....io.spend.calendar import Calendar
from ....io.state.port import Link
from ....model.request import ImageRequest
from ...routes import Routes
from ..wants import ANYBODY, Refused
from .purse import Purse
from .refusal import fault_of_denied
from .rules import RoutesVia, Ways, ways_for

KNOWN_FOR_S = 2.0
"""How old what is known of a key may be where nothing is bought. Whatever is bought looks it up in its transaction."""

MOST_KNOWN = 4096
"""Keys remembered; also those that somebody made up, so that asking for them is cheap."""


PASSING = frozenset({Limit.RPM, Limit.IPM, Limit.IN_FLIGHT})
"""Limits that are only of the moment."""


class Admission:
    """Asks a key's limits within the transaction that writes its job down. ``verdict`` is what came of it."""

    def __init__(self, wish: Wish | None, calendar: Calendar, wall_s: float) -> None:
        self._wish = wish
        self._calendar = calendar
        self._wall_s = wall_s
        self.verdict: Granted | Denied | None = None

    def __call__(self, link: Link) -> bool:
        """Whether the job may be written down."""
        if self._wish is None:
            return True
        self.verdict = admit(link, self._wish, self._calendar, self._wall_s)
        return isinstance(self.verdict, Granted)


@dataclass(frozen=True, slots=True)
class _Known:
    entry: KeyEntry | None
    until_s: float


class Keeper:
    """One for each replica; all read the same books."""

    def __init__(self, books: DeskBooks, clock: Clock) -> None:
        self.keys = KeyBooks(books)
        self._books = books
        self._clock = clock
        self._by_digest: dict[str, _Known] = {}
        self._by_id: dict[str, _Known] = {}
        self._meters: dict[str, tuple[Meter, float]] = {}
        self._open_until_s: float | None = None
        self._closed = False

    async def asks_for_keys(self) -> bool:
        """Whether a key was ever made: then nobody comes in without."""
        now_s = self._clock.monotonic()
        if not self._closed and (self._open_until_s is None or now_s > self._open_until_s):
            self._closed = await self.keys.any()
            self._open_until_s = now_s + KNOWN_FOR_S
        return self._closed

    async def whose(self, key: str) -> KeyEntry | None:
        """The key that a secret belongs to, if it may be used now."""
        digest = digest_of(key)
        known = self._fresh(self._by_digest, digest)
        if known is None:
            entry = await self.keys.of_secret(key, self._clock.now())
            known = self._remember(self._by_digest, digest, entry)
            if entry is not None:
                self._remember(self._by_id, entry.id, entry)
        found = known.entry
        return found if found is not None and found.is_live(self._clock.now()) else None

    async def entry(self, caller: str) -> KeyEntry | None:
        """A caller's key; ``None`` where no keys are asked for."""
        if caller == ANYBODY:
            return None
        known = self._fresh(self._by_id, caller)
        return (known or self._remember(self._by_id, caller, await self.keys.named(caller))).entry

    def forget(self) -> None:
        """Keys were changed: look them up anew."""
        self._by_digest.clear()
        self._by_id.clear()
        self._open_until_s = None

    def meter(self, caller: str) -> Meter | None:
        """How a key's requests of the last minute stood when it last asked, brought up to now."""
        known = self._meters.get(caller)
        if known is None:
            return None
        meter, at_s = known
        reset_s = meter.reset_s - (self._clock.monotonic() - at_s)
        return Meter(meter.limit, meter.left, reset_s) if reset_s > 0 else Meter(meter.limit, meter.limit, 0.0)

    # --- jobs ---------------------------------------------------------------------------------------------------------

    async def ways(self, caller: str, routes: Routes, request: ImageRequest, via: RoutesVia) -> Ways | None:
        """How a caller's request may go; ``None`` where nobody is asked for a key. Raises ``Refused``."""
        entry = await self.entry(caller)
        return None if entry is None else ways_for(entry.rules, routes, request, via)

    async def begin(self, entry: JobEntry, ways: Ways | None, *, queued: bool = False, alone: bool = True) -> JobEntry:
        """Write a job down with what it takes of its key's limits; returns it or the one that it repeats.

        Raises ``Refused``. What is queued waits for a limit that is only of the moment; what is not ``alone`` does not
        wait for the budget that others hold: they may be waiting for it.
        """
        while True:
            wish = Wish(entry.caller, entry.id, entry.request.n, *_prices(ways)) if ways else None
            admission = Admission(wish, self._books.calendar, self._clock.now())
            begun = await self._books.begin(entry, admission)
            denied = admission.verdict
            if begun is not None or not isinstance(denied, Denied):
                self._note(entry.caller, denied)
                return begun or entry
            held = denied.limit is Limit.IN_FLIGHT and not alone
            if held or not (queued and denied.limit in PASSING and denied.wait_s is not None):
                raise Refused(fault_of_denied(denied), held=held)
            await self._clock.sleep(denied.wait_s)

    def _note(self, caller: str, verdict: Granted | Denied | None) -> None:
        """Remember how the key stands now, for its client."""
        if isinstance(verdict, Granted) and verdict.meter is not None:
            self._meters[caller] = verdict.meter, self._clock.monotonic()

    async def purse(self, caller: str, job: str) -> Purse | None:
        """What is held for a job; ``None`` when its key has no budget."""
        entry = await self.entry(caller)
        if entry is None or entry.rules.budget_nusd is None:
            return None
        rows = await self._books.read(lambda link: link.run("SELECT nusd FROM key_holds WHERE job = :job", job=job))
        purse = Purse(caller, job, int(rows[0][0]) if rows else 0, books=self._books, clock=self._clock)
        purse.recall(await self._books.attempts(job))
        return purse

    # --- what is known ------------------------------------------------------------------------------------------------

    def _fresh(self, known: dict[str, _Known], name: str) -> _Known | None:
        found = known.get(name)
        return found if found is not None and self._clock.monotonic() < found.until_s else None

    def _remember(self, known: dict[str, _Known], name: str, entry: KeyEntry | None) -> _Known:
        if len(known) >= MOST_KNOWN:
            known.clear()
        known[name] = found = _Known(entry, self._clock.monotonic() + KNOWN_FOR_S)
        return found


def _prices(ways: Ways) -> tuple[int | None, int | None]:
    return ways.price_nusd, ways.least_nusd
