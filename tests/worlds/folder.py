"""Folder: the same engine over a real folder and a real ledger file, in real time, with a simulator that hardly waits.

For what a virtual world cannot show: crashes between two calls of the operating system, and disks that are full.
"""

import errno
import hashlib
from dataclasses import replace
from pathlib import Path

from cavendish.catalog.cards import Latency
from cavendish.dialects.gemini import GeminiDialect
from cavendish.engine.flight import Parts
from cavendish.engine.policy import Policy
from cavendish.engine.ports import Answer, Lane
from cavendish.engine.run import Engine, RunEnd
from cavendish.io.blobs.claim import EXTRAS, INNER, REPLIES, TMP
from cavendish.io.blobs.disk import Disk
from cavendish.io.blobs.folder import FolderBlobs
from cavendish.io.clock import SystemClock
from cavendish.io.ledger.reader import LedgerReader
from cavendish.io.ledger.sqlite import SqliteLedger
from cavendish.model.attempt import Attempt
from cavendish.model.call import Call, Open
from cavendish.model.request import Image, ImageRequest
from cavendish.model.result import Outcome, Picture, Route, Slot
from cavendish.plan.expand import Ordinals, Wish, for_slot, slots
from cavendish.sim.dice import SeededDice
from cavendish.sim.profile import Profile
from cavendish.sim.provider import SimProvider
from cavendish.sim.shelves import MemoryShelf
from cavendish.sim.world import Bill, WorldProvider
from tests.engine.doubles import OpenQuota, Watcher
from tests.worlds.layout import MENU, MODEL, PRICE_BOOK
from tests.worlds.mortal import Fate, Killed
from tests.worlds.tollgate import promise

LEDGER = f"{INNER}/ledger.sqlite3"
QUICK = Profile("quick", latency={"any": Latency(0.001, 0.002)})
PROMPTS = ("plain", "plain", "drafts [sim:drafts,pictures=2]", "empty [sim:no_image,times=1]", "far [sim:url]")


class DiskDied(OSError):
    """The process ended within a call of the operating system.

    An ``OSError``, so that threads which wait for the disk hand it on; what follows is as dead as after ``Killed``.
    """

    def __init__(self) -> None:
        super().__init__(errno.EIO, "the process has ended")


class MortalDisk(Disk):
    """A disk in whose every operation, before and after, a process can die. A dead one changes nothing."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate

    def _tick(self) -> None:
        try:
            self._fate.tick()
        except Killed as death:
            raise DiskDied from death

    def open_new(self, path: Path) -> int:
        self._tick()
        return super().open_new(path)

    def open_more(self, path: Path) -> int:
        self._tick()
        return super().open_more(path)

    def write(self, fd: int, data: memoryview) -> int:
        self._tick()
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._tick()
        self._tick()

    def sync_folder(self, path: Path) -> None:
        self._tick()
        self._tick()

    def link(self, source: Path, target: Path) -> None:
        self._tick()
        super().link(source, target)
        self._tick()


class Wire:
    """``engine.ports.Provider`` that a dead process cannot use; ``bills`` outlive it."""

    def __init__(self, provider: WorldProvider, fate: Fate) -> None:
        self._provider = provider
        self._fate = fate

    async def call(self, call: Call, attempt_id: str) -> Answer:
        self._fate.check()
        return await self._provider.call(call, attempt_id)


class FolderWorld:
    """One order and one simulator; every ``live`` is a process."""

    def __init__(self, root: Path, prompts: tuple[str, ...] = PROMPTS, concurrency: int = 2) -> None:
        self.root = root
        self.prompts = prompts
        self.policy = replace(Policy(concurrency=concurrency), backoff_s=0.001)
        self.shelf = MemoryShelf()
        self.sim = SimProvider(QUICK, MENU, self.shelf, mode="tiny")
        self.dice = SeededDice(1)
        self.bills: dict[str, list[Bill]] = {}
        self.watcher = Watcher()
        (root / INNER).mkdir(parents=True)

    def slots(self) -> list[Slot]:
        wishes = [Wish(i, f"row {i}", ImageRequest.of(prompt, MODEL)) for i, prompt in enumerate(self.prompts)]
        return list(slots(wishes, Ordinals()))

    async def live(self, fate: Fate | None = None, disk: Disk | None = None) -> RunEnd | None:
        """One process until its end; ``None`` when it died."""
        fate = fate or Fate()
        try:
            async with (
                FolderBlobs(self.root, disk=disk or MortalDisk(fate), ballast_bytes=0) as blobs,
                SqliteLedger(self.root / LEDGER, on_commit=fate.tick) as ledger,
            ):
                return await self._engine(blobs, ledger, fate).run(self.slots())
        except (Killed, DiskDied):
            promise(not fate.alive, "died without a reason")
            return None

    def _engine(self, blobs: FolderBlobs, ledger: SqliteLedger, fate: Fate) -> Engine:
        provider = WorldProvider(self.sim, self.shelf, GeminiDialect(), SystemClock(), blobs)
        provider.bills.update(self.bills)
        self.bills = provider.bills
        lane = Lane(
            route=Route("test", MODEL, MODEL),
            provider=Wire(provider, fate),
            quota=OpenQuota(),
            pricing=PRICE_BOOK,
            make_call=lambda slot, attempt: Open(for_slot(slot, MODEL, attempt)),
            notices=lambda _slot: (),
            input_tokens=lambda _slot: 1,
        )
        self.watcher = Watcher()
        return Engine(Parts(ledger, blobs, SystemClock(), self.dice, self.watcher), lambda _slot: (lane,), self.policy)

    # --- what must hold -----------------------------------------------------------------------------------------------

    def check(self, *, lost_at_most: int) -> None:
        """Every slot has its picture, once; the books agree with the simulator; nothing is left over."""
        with LedgerReader.open(self.root / LEDGER) as books:
            outcomes = list(books.outcomes())
            standings = [books.standing(slot.id) for slot in self.slots()]
            tally = books.tally()
            promise(not books.open_attempts(), "open attempts")
        self._pictures(outcomes)
        attempts = [attempt for standing in standings if standing for attempt in standing.attempts]
        self._bought(attempts, lost_at_most)
        billed = self.sim.books.billed_nusd
        promise(tally.billed_nusd <= billed <= tally.billed_nusd + 2 * tally.unknown_nusd, f"{tally}, {billed} billed")
        for folder in (TMP, REPLIES):
            left = sorted(path.name for path in (self.root / folder).iterdir())
            promise(not left, f"left over in {folder}: {left}")

    def _pictures(self, outcomes: list[Outcome]) -> None:
        promise([o.slot.id for o in outcomes] == [slot.id for slot in self.slots()], "not every slot has an end")
        pictures = [outcome for outcome in outcomes if isinstance(outcome, Picture)]
        promise(len(pictures) == len(outcomes), f"failures: {outcomes}")
        files = sorted(path.name for path in self.root.iterdir() if path.name != INNER)
        promise(files == sorted(p.blob.ref for p in pictures), f"in the folder: {files}")
        parts = [part for picture in pictures for part in picture.extras]
        extras = {part.blob.ref for part in parts if isinstance(part, Image) and part.blob}
        kept = {f"{EXTRAS}/{path.name}" for path in (self.root / EXTRAS).iterdir()}
        promise(extras <= kept, f"extras that are gone: {extras - kept}")
        for blob in (picture.blob for picture in pictures):
            data = (self.root / blob.ref).read_bytes()
            promise(hashlib.sha256(data).hexdigest() == blob.sha256, f"{blob.ref} has other bytes")

    def _bought(self, attempts: list[Attempt], lost_at_most: int) -> None:
        known = {attempt.id: attempt for attempt in attempts}
        promise(self.bills.keys() <= known.keys(), "calls that are not on the books")
        for attempt in attempts:
            billed = sum(bill.billed_nusd for bill in self.bills.get(attempt.id, ()))
            promise(attempt.cost_nusd in {None, billed}, f"{attempt} was billed {billed}")
        lost = [attempt.id for attempt in attempts if attempt.cost_nusd is None]
        promise(len(lost) <= lost_at_most, f"{len(lost)} calls of unknown fate, {lost_at_most} were in flight")
