"""SpendBook: the book of all runs, one short transaction at a time.

A run at work keeps to one rule: what the book has of it, its sums and its holds together, is never less than what it
has spent and has in flight. So whatever moment it dies at, the caps of the others hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..state.port import Database, Link
from . import schema
from .calendar import Calendar
from .caps import Cap, CapState, Refused
from .sums import Key, Sum, Sums

LOCK = "spend"

DEAD_S = 180.0
"""Whoever has not been heard of for so long is gone: nothing of what it holds will come back by itself."""

LEFT_TO_OTHERS = 8
"""Of the room under a cap, more than a call needs is set aside up to one part in so many."""

OLD_S = 86_400.0
"""What a run that is gone still holds after so long is counted as spent, its fate unknown."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run as the book knows it. ``begun`` and ``beat_s`` in seconds: of the epoch, and of the store's clock."""

    id: str
    folder: str
    machine: str
    title: str = ""
    begun: float = 0.0
    simulated: bool = False
    owner: str = ""
    beat_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish to set aside ``price_nusd`` at an endpoint on a day, beside ``used_nusd`` that are in use already.

    ``ahead_nusd`` more is taken along where there is plenty, so that not every call needs a transaction. ``least_nusd``
    is what has to do where there is no room for the price and no other call of the run is in flight, ``alone``.
    """

    endpoint: str
    day: str
    used_nusd: int
    price_nusd: int
    ahead_nusd: int
    wall_s: float
    least_nusd: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What one transaction of a run writes: sums as they are now, and what it holds by endpoint and day."""

    run: str
    sums: Sums = field(default_factory=dict[Key, Sum])
    holds: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])


@dataclass(frozen=True, slots=True)
class BookedSum:
    """A line of the book."""

    run: str
    key: Key
    sum: Sum


class SpendBook:
    """The book, and the caps that this process keeps."""

    def __init__(self, database: Database, calendar: Calendar, caps: Sequence[Cap] = ()) -> None:
        self._database = database
        self.calendar = calendar
        self.caps = tuple(caps)

    @property
    def address(self) -> str:
        """Where the book is, for people."""
        return self._database.address

    async def close(self) -> None:
        """Let go of the database."""
        await self._database.close()

    # --- of one run ---------------------------------------------------------------------------------------------------

    async def begin(self, run: RunEntry, sums: Sums) -> None:
        """A process takes a run up: its sums are those of its ledger now, and it holds nothing yet."""

        def work(link: Link) -> None:
            _put_run(link, run)
            _replace(link, run.id, sums)

        await self._database.transact(work, lock=LOCK)

    async def end(self, run: str, sums: Sums) -> None:
        """The process is done: nothing is in flight, and its sums hold what is open as unknown."""

        def work(link: Link) -> None:
            _replace(link, run, sums)
            link.run(schema.DISOWN, run=run)

        await self._database.transact(work, lock=LOCK)

    async def write(self, entry: Entry, ask: Ask | None = None) -> int | Refused:
        """Write a run's entry down and set aside what it asks for; returns what it then holds there.

        Writing the same twice changes nothing.
        """

        def work(link: Link) -> int | Refused:
            link.run(schema.BEAT, run=entry.run, beat_s=link.now_s())
            _put_sums(link, entry.run, entry.sums)
            _put_holds(link, entry)
            return 0 if ask is None else self._set_aside(link, entry.run, ask)

        return await self._database.transact(work, lock=LOCK)

    def _set_aside(self, link: Link, run: str, ask: Ask) -> int | Refused:
        price, ahead = ask.price_nusd, ask.ahead_nusd
        for cap in self.caps:
            if not cap.holds_for(ask.endpoint):
                continue
            state, gone_nusd = self._state(link, cap, ask.wall_s, but_of=(run, ask.endpoint, ask.day))
            room = cap.nusd - state.spent_nusd - state.held_nusd - ask.used_nusd
            if room < (ask.least_nusd if ask.alone else ask.price_nusd):
                return Refused(state, waits=state.spent_nusd + gone_nusd + ask.least_nusd <= cap.nusd)
            price = min(price, room)
            ahead = max(0, min(ahead, (room - price) // LEFT_TO_OTHERS))
        hold = ask.used_nusd + price + ahead
        link.run(schema.PUT_HOLD, run=run, endpoint=ask.endpoint, day=ask.day, nusd=hold)
        return hold

    def _state(
        self, link: Link, cap: Cap, wall_s: float, *, but_of: tuple[str, str, str] | None = None
    ) -> tuple[CapState, int]:
        """How a cap stands, one hold left out; and how much of what is held will not come back."""
        first = self.calendar.first(cap.period, wall_s)
        spent = int(link.run(schema.SPENT, first=first, endpoint=cap.endpoint)[0][0])
        now_s, held, gone = link.now_s(), 0, 0
        for run, endpoint, day, nusd, beat_s in link.run(schema.HELD, first=first):
            if cap.holds_for(endpoint) and (run, endpoint, day) != but_of:
                held += nusd
                gone += nusd if now_s - beat_s > DEAD_S else 0
        return CapState(cap, spent, held, self.calendar.ends(cap.period, wall_s)), gone

    # --- over all runs ------------------------------------------------------------------------------------------------

    async def states(self, wall_s: float) -> list[CapState]:
        """How each cap of this process stands."""
        return await self._database.transact(
            lambda link: [self._state(link, cap, wall_s)[0] for cap in self.caps], lock=LOCK
        )

    async def runs(self) -> list[RunEntry]:
        """All runs, the oldest first."""
        rows = await self._database.transact(lambda link: link.run(schema.RUNS), lock=LOCK)
        return [_run(row) for row in rows]

    async def lines(self, first: str = "") -> list[BookedSum]:
        """What was spent from a day on, line by line."""
        rows = await self._database.transact(lambda link: link.run(schema.ALL_SUMS, first=first), lock=LOCK)
        return [BookedSum(row[0], Key(*row[1:5]), Sum(*row[5:11])) for row in rows]

    async def sums(self, run: str) -> dict[Key, Sum]:
        """What the book has of a run."""
        rows = await self._database.transact(lambda link: link.run(schema.SUMS_OF_RUN, run=run), lock=LOCK)
        return {Key(*row[:4]): Sum(*row[4:]) for row in rows}

    async def dead(self, but: Collection[str] = ()) -> list[RunEntry]:
        """Runs whose process ended without a word."""

        def work(link: Link) -> list[RunEntry]:
            now_s = link.now_s()
            found = (_run(row) for row in link.run(schema.RUNS))
            return [run for run in found if run.owner and run.id not in but and now_s - run.beat_s > DEAD_S]

        return await self._database.transact(work, lock=LOCK)

    async def add(self, run: RunEntry, sums: Sums) -> None:
        """Take a run in as its ledger has it. Nobody may be at work on it; adding it again changes nothing."""

        def work(link: Link) -> None:
            _put_run(link, run)
            _replace(link, run.id, sums)

        await self._database.transact(work, lock=LOCK)

    async def silent_s(self, run_id: str) -> float | None:
        """For how long nothing was heard of a run at work; ``None`` when nobody is at work on it."""

        def work(link: Link) -> float | None:
            now_s = link.now_s()
            found = (_run(row) for row in link.run(schema.RUNS))
            return next((now_s - run.beat_s for run in found if run.id == run_id and run.owner), None)

        return await self._database.transact(work, lock=LOCK)

    async def bury(self, run_id: str, late: Sums) -> None:
        """A run is gone and others go on with what it had in flight: it holds nothing any more.

        ``late`` is what it spent and did not tell. A run that nobody is at work on stays as it is.
        """

        def work(link: Link) -> None:
            if not any(run.id == run_id and run.owner for run in map(_run, link.run(schema.RUNS))):
                return
            known = {Key(*row[:4]): Sum(*row[4:]) for row in link.run(schema.SUMS_OF_RUN, run=run_id)}
            _put_sums(link, run_id, {key: known.get(key, Sum()).plus(part) for key, part in late.items()})
            link.run(schema.CLEAR_HOLDS, run=run_id)
            link.run(schema.DISOWN, run=run_id)

        await self._database.transact(work, lock=LOCK)

    async def relieve(self, run_id: str, left: Sums) -> None:
        """Others go on with what a run left in flight when it ended in good order: it is not among its sums any more.

        A run that somebody is at work on stays as it is.
        """

        def work(link: Link) -> None:
            if any(run.id == run_id and run.owner for run in map(_run, link.run(schema.RUNS))):
                return
            known = {Key(*row[:4]): Sum(*row[4:]) for row in link.run(schema.SUMS_OF_RUN, run=run_id)}
            fits = {
                key: known[key].less_unknown(part.attempts, part.unknown_nusd)
                for key, part in left.items()
                if key in known and known[key].unknown_nusd >= part.unknown_nusd
            }
            _put_sums(link, run_id, fits)

        await self._database.transact(work, lock=LOCK)

    async def write_off(self, run: RunEntry) -> bool:
        """Count as spent what a run that is long gone, ledger and all, still holds. False while it is too young."""

        def work(link: Link) -> bool:
            if link.now_s() - run.beat_s < OLD_S:
                return False
            for holder, endpoint, day, nusd, _ in link.run(schema.HELD, first=""):
                if holder == run.id:
                    link.run(schema.ADD_UNKNOWN, run=run.id, endpoint=endpoint, day=day, nusd=nusd)
            link.run(schema.CLEAR_HOLDS, run=run.id)
            link.run(schema.DISOWN, run=run.id)
            return True

        return await self._database.transact(work, lock=LOCK)


def _run(row: Sequence[object]) -> RunEntry:
    identity, folder, machine, title, begun, simulated, owner, beat_s = row
    return RunEntry(
        str(identity),
        str(folder),
        str(machine),
        str(title),
        float(str(begun)),
        bool(simulated),
        str(owner),
        float(str(beat_s)),
    )


def _put_run(link: Link, run: RunEntry) -> None:
    link.run(
        schema.PUT_RUN,
        id=run.id,
        folder=run.folder,
        machine=run.machine,
        title=run.title,
        begun=run.begun,
        simulated=int(run.simulated),
        owner=run.owner,
        beat_s=link.now_s(),
    )


def _replace(link: Link, run: str, sums: Sums) -> None:
    """What the book knew of a run gives way to what its ledger says."""
    link.run(schema.CLEAR_HOLDS, run=run)
    link.run(schema.CLEAR_SUMS, run=run)
    _put_sums(link, run, sums)


def _put_sums(link: Link, run: str, sums: Sums) -> None:
    for key, part in sums.items():
        link.run(
            schema.PUT_SUM,
            run=run,
            **key._asdict(),
            attempts=part.attempts,
            pictures=part.pictures,
            billed_nusd=part.billed_nusd,
            unknown_nusd=part.unknown_nusd,
            listed=part.listed,
            listed_nusd=part.listed_nusd,
        )


def _put_holds(link: Link, entry: Entry) -> None:
    for (endpoint, day), nusd in entry.holds.items():
        statement = schema.PUT_HOLD if nusd else schema.CLEAR_HOLD
        amount = {"nusd": nusd} if nusd else {}
        link.run(statement, run=entry.run, endpoint=endpoint, day=day, **amount)
