"""Desk: makes a job of each request and has the engine buy its pictures; a repeat of a request joins its job."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

from ....engine.flight import Parts
from ....engine.ports import Clock, Lane
from ....engine.run import Engine
from ....errors import CavendishError, InputError
from ....io.blobs.folder import FolderBlobs
from ....io.desk.books import CANCELLED, DONE, OPEN, DeskBooks, JobEntry, TakenOver
from ....io.desk.job_lists import JobLists
from ....io.desk.ledger import JobLedger
from ....io.desk.secrets import shared_secret
from ....io.http.public import FetchRules, PublicPictures
from ....io.spend.ledger import BookedLedger
from ....io.state.port import StateError
from ....model.call import Reply
from ....model.fault import Fault, FaultKind
from ....model.plain import to_plain
from ....model.request import ImageRequest
from ....model.result import Failure, Outcome, Slot
from ...build import Workshop
from ...order import BATCH
from ...routes import Routes, RouteWish
from ..keys.keeper import Keeper
from ..keys.purse import under_both
from ..wants import CANCELLED_BY_CLIENT, INTERRUPTED, Answer, Asked, fault_of
from .bounded import Bounded
from .claims import Claims
from .drafting import Drafting
from .elsewhere import Elsewhere
from .fetching import References
from .job import Job
from .legacy import Legacy
from .links import Links
from .live import LiveDrafts
from .patience import ended_within, policy_of
from .repeated import insist_on_the_same
from .replica import Peers
from .sealing import Seal
from .shelf import JobBlobs
from .till import Till
from .waiting import begun_within, line_for, place_free, turned_away
from .watching import Watching
from .wholesale import BY_JOBS_ALONE, Means, Member, Portion, Wholesale

BEAT_EVERY_S = 2.0
"""How often a replica shows that it lives, and looks whether others do."""

PATIENT_S = 7 * 86_400.0
"""How long a job may wait for its quota when nobody waits for it."""

ASKER = "gateway:"
"""What a caller is called to a shared quota begins so: one name in all replicas."""

MOST_LANES = 4096
"""Ways of callers to models that are remembered."""

LOOK_EVERY_S = 0.5
"""How often a job that another replica works at is looked at."""


@dataclass(frozen=True, slots=True)
class DeskRules:
    """The bounds of one desk.

    ``references`` bounds the pictures that are fetched from addresses in requests.
    ``max_wait_s`` is how long a request may wait for its quota to let it begin, ``public_url`` the address under which
    clients reach the gateway, where that is not the one they name themselves.
    """

    max_n: int = 100
    references: FetchRules = field(default_factory=FetchRules)
    max_wait_s: float = 90.0
    concurrency: int = 256
    timeout_s: float | None = None
    public_url: str = ""


class Desk:
    """Takes requests, whoever brings them. Open for as long as ``blobs`` and ``books`` are."""

    def __init__(
        self,
        workshop: Workshop,
        books: DeskBooks,
        blobs: FolderBlobs,
        rules: DeskRules | None = None,
        peers: Peers | None = None,
    ) -> None:
        self.blobs = blobs
        self.books = books
        self.rules = rules or DeskRules()
        self._workshop = workshop
        self.drafts = workshop.onlooker = LiveDrafts(blobs)
        self.keeper = Keeper(books, workshop.clock)
        self._known: dict[tuple[bool, tuple[str, ...], str | None], Routes] = {}
        self._lanes: Bounded[tuple[str, tuple[str, ...], str], tuple[Lane, ...]] = Bounded(MOST_LANES)
        self._live: dict[str, Job] = {}
        self._dropped: dict[str, JobEntry] = {}
        self._claims = Claims(books, workshop.clock)
        self._recorded: dict[str, Reply] = {}
        self._peers = peers
        self._till = Till(workshop, blobs.root, books.owner)
        self._legacy = Legacy(books, workshop.spending, workshop.clock)
        self.wholesale = Wholesale(Means(workshop, books, blobs, self._till, self.rules.timeout_s))
        self._keeper: asyncio.Task[None] | None = None
        self.closing = self.leaving = False
        self._elsewhere = Elsewhere(books)
        self.links = Links(b"")
        self.seal = Seal(None)
        self._references: References | None = None
        self._sending: Counter[str] = Counter()

    @property
    def clock(self) -> Clock:
        """The time, for the books."""
        return self._workshop.clock

    def fresh_id(self) -> str:
        """A name that nothing else has."""
        return self._workshop.dice.fresh_id()

    def roll(self) -> float:
        """A number in [0, 1), to spread what would come at once."""
        return self._workshop.dice.uniform()

    @property
    def live(self) -> int:
        """How many jobs are at work."""
        return len(self._live)

    @property
    def waiting(self) -> int:
        """How many of them wait for their first call."""
        return sum(not job.watching.attempts for job in self._live.values())

    async def open(self) -> None:
        """Begin: take up what an earlier life left unfinished."""
        self._recorded = dict(await self.blobs.recorded())
        self.links = Links(await shared_secret(self.books, "links"), self.rules.public_url)
        self._references = References(self.blobs, self.books, self.links, PublicPictures(self.rules.references))
        if not self.routes().simulated:
            await self._till.open()
        await self._beat()
        self._keeper = asyncio.ensure_future(self._keep_alive())

    async def close(self, grace_s: float) -> None:
        """No new jobs. What is in flight is finished, for so long; the rest is left to the next life."""
        await self.drain(grace_s)
        left = [job.answer for job in self._live.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._till.close()
        if self._references is not None:
            await self._references.close()
        await self.books.depart()

    async def drain(self, grace_s: float) -> None:
        """No further calls leave; those in flight are finished and kept, for so long."""
        self.closing = True
        jobs = list(self._live.values())
        for job in jobs:
            if job.engine is not None:
                job.engine.stop(INTERRUPTED)
        if jobs:
            await asyncio.wait([job.answer for job in jobs], timeout=grace_s)

    # --- requests -----------------------------------------------------------------------------------------------------

    async def take(self, asked: Asked, portion: Portion | None = None) -> Job:
        """The job of a request: a new one, or the one of which it is a repeat.

        ``portion`` are the lines of a batch that it is bought together with, at the price of a provider's batch API.

        Raises ``InputError`` for what no model can do, before anything is on the books. What is on the books is worked
        at, even when the caller goes away meanwhile.
        """
        taking = asyncio.ensure_future(self._taken(asked, portion))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._taken_for_nobody)
            raise

    def _taken_for_nobody(self, taking: asyncio.Task[Job]) -> None:
        if not taking.cancelled() and taking.exception() is None:
            self.lost(taking.result())

    async def _taken(self, asked: Asked, portion: Portion | None) -> Job:
        # A line of a batch bears a name, and may hold what no digest can be made of: it is looked at first.
        form = "" if asked.token else asked.form
        earlier = await self._claims.repeated(asked, form)
        if earlier is not None:
            return replace(self._rejoined(earlier), turn=self._claims.turn(earlier.id))
        try:
            return await self._new(asked, form, portion)
        except CavendishError:
            self._claims.refused(asked.caller, form)
            raise

    async def _new(self, asked: Asked, form: str, portion: Portion | None) -> Job:
        mode = BATCH if portion else None
        routes = self.routes(strict=asked.strict, mode=mode)
        routes.note(asked.notices)
        request = await self._fitted(routes, asked)
        ways = await self.keeper.ways(
            asked.caller, routes, request, lambda via: self.routes(strict=asked.strict, via=via, mode=mode)
        )
        entry = JobEntry(
            id=self.fresh_id(),
            owner=self.books.owner,
            caller=asked.caller,
            door=asked.door,
            form=form or asked.form,
            request=request,
            begun_at=self.clock.now(),
            token=asked.token,
            stream=asked.stream,
            told={
                **asked.told,
                "notices": [to_plain(notice) for notice in routes.notices.values()],
                **({"patient": True} if asked.patient else {}),
                **({} if asked.max_wait_s is None else {"max_wait_s": asked.max_wait_s}),
                **({} if asked.within_s is None else {"within_s": asked.within_s}),
                **({"via": list(ways.via)} if ways and ways.via else {}),
            },
        )
        begun = await self.keeper.begin(entry, ways, queued=asked.queued, alone=portion is None)
        if begun.id != entry.id:
            insist_on_the_same(begun, request)
            return self._rejoined(begun)
        return self._begin(entry, self._routes_of(entry, routes), portion=portion)

    async def resume(self, entry: JobEntry, portion: Portion) -> Job:
        """The job of a line, with its portion: an earlier life has begun it, or it is at work."""
        if entry.state != OPEN or entry.id in self._live:
            return self._rejoined(entry)
        return self._begin(entry, self._routes_of(entry, self.routes()), await self._loaded(entry), portion)

    async def heir(self, owner: str, batch_id: str) -> None:
        """A batch of this owner, who is gone, was taken over."""
        # Rather is what the dead held counted for longer than that the batch is not gone on with.
        with contextlib.suppress(StateError):
            await self._legacy.of_batch(owner, batch_id)

    def lost(self, job: Job) -> None:
        """The client went away before it had its answer: its next request of this form joins the job."""
        self._claims.lost(job.id, job.turn)

    def job(self, job_id: str) -> Job | None:
        """A job that is at work here."""
        return self._live.get(job_id)

    async def answer_of(self, job_id: str) -> Answer | None:
        """What has come of a job so far; ``None`` when there is no such job."""
        entry = await self.books.job(job_id)
        return await self._answer(entry) if entry else None

    @contextlib.contextmanager
    def sending(self, job_id: str) -> Generator[None]:
        """While a job's pictures are being sent: they are not removed meanwhile."""
        self._sending[job_id] += 1
        try:
            yield
        finally:
            self._sending[job_id] -= 1
            if not self._sending[job_id]:
                del self._sending[job_id]

    def is_sending(self, job_id: str) -> bool:
        """Whether somebody is being sent a picture of this job."""
        return job_id in self._sending

    def again(self, entry: JobEntry) -> Job:
        """A job of the books: as it is at work, or its answer once more."""
        return self._rejoined(entry)

    def position(self, job_id: str) -> int:
        """How many jobs for the same model have their turn before this one, at all replicas; 0: it is next."""
        job = self._live.get(job_id)
        if job is None or job.watching.attempts:
            return 0
        model = job.request.model
        return line_for(model, self._live.values(), self._elsewhere.waiting_for(model)).index(job_id)

    def cancel(self, job: Job) -> None:
        """No further calls for this job; those in flight are finished and kept."""
        job.cancelled = True
        if job.engine is not None:
            job.engine.stop(CANCELLED_BY_CLIENT)

    # --- repeats ------------------------------------------------------------------------------------------------------

    def _rejoined(self, entry: JobEntry) -> Job:
        live = self._live.get(entry.id)
        if live is not None:
            return live
        watching = Watching()
        answer = asyncio.ensure_future(self._replayed(entry, watching))
        return Job(entry.id, entry.request, watching, answer, notices=entry.notices)

    async def _replayed(self, entry: JobEntry, watching: Watching) -> Answer:
        """The answer of a job that has ended, or that another replica is at."""
        found: JobEntry | None = entry
        while found is not None and found.state == OPEN:
            await asyncio.sleep(LOOK_EVERY_S)
            found = await self.books.job(entry.id)
        answer = replace(await self._answer(found or entry), replayed=True)
        for outcome in answer.outcomes:
            watching.slot_ended(outcome)
        watching.end()
        return answer

    async def _answer(self, entry: JobEntry) -> Answer:
        ended = {outcome.slot.ordinal: outcome for outcome in await self.books.outcomes(entry.id)}
        slots = _slots(entry)
        outcomes = tuple(ended.get(slot.ordinal) or Failure(slot, INTERRUPTED, 0) for slot in slots)
        return Answer(entry.id, entry.request, outcomes, entry.notices)

    # --- work ---------------------------------------------------------------------------------------------------------

    def _begin(
        self, entry: JobEntry, routes: Routes, ledger: JobLedger | None = None, portion: Portion | None = None
    ) -> Job:
        watching = Watching(lambda: place_free(entry.request.model, self._live))
        ledger = ledger or JobLedger(self.books, entry.id)
        if entry.stream and entry.request.extra.get("partial_images"):
            watching.drafting = Drafting(self.drafts, watching.drew)
        if portion is not None:
            portion.add(entry.id, self._member(entry, ledger, watching))
        answer = asyncio.ensure_future(self._work(entry, routes, watching, ledger, portion))
        job = Job(entry.id, entry.request, watching, answer, caller=entry.caller, notices=entry.notices)
        self._live[entry.id] = job
        job.answer.add_done_callback(lambda done: self._ended(entry, done))
        return job

    def _ended(self, entry: JobEntry, task: asyncio.Task[Answer]) -> None:
        live = self._live.get(entry.id)
        if live is not None and live.answer is task:
            del self._live[entry.id]
        together = live is not None and isinstance(live.engine, Portion)  # its batch goes on with it
        if not task.cancelled() and isinstance(task.exception(), StateError) and not together:
            self._dropped[entry.id] = entry

    def _member(self, entry: JobEntry, ledger: JobLedger, watching: Watching) -> Member:
        """A job as its portion has it."""
        via = tuple(entry.told.get("via", ()))
        calls = self.routes(via=via)
        return Member(
            slots=_slots(entry),
            ledger=ledger,
            watching=watching,
            routes=self.routes(via=via, mode=BATCH),
            calls=lambda slot: self._lanes_for(calls, slot, entry.caller),
            recorded=lambda: self._left_of(entry),
        )

    async def _work(
        self, entry: JobEntry, routes: Routes, watching: Watching, ledger: JobLedger, portion: Portion | None
    ) -> Answer:
        slots = _slots(entry)
        try:
            await self._workshop.ready(routes)
            stop: Fault | None = None
            if portion is not None:
                routes, stop = await self._by_jobs(entry, watching, portion)
            if stop is None and len(watching.ended) < len(slots):
                stop = await self._run(entry, routes, watching, ledger)
            outcomes = tuple(watching.outcome(slot, stop) for slot in slots)
            if stop is INTERRUPTED and len(watching.ended) < len(slots):
                # Whoever asks again, in whatever way, is to find the work that the next life goes on with.
                await self.books.lose(entry.id, lost=True)
            else:
                await self._concluded(entry, ledger, outcomes, watching, stop)
            return Answer(entry.id, entry.request, outcomes, entry.notices)
        except TakenOver:
            self._live.pop(entry.id, None)
            return await self._replayed(entry, watching)
        finally:
            watching.end()
            if watching.drafting is not None:
                await watching.drafting.close()

    async def _by_jobs(self, entry: JobEntry, watching: Watching, portion: Portion) -> tuple[Routes, Fault | None]:
        """Have a provider's jobs make what they can; how the rest may go, or why it is not to be bought."""
        job = self._live[entry.id]
        job.engine = portion
        if self.closing:
            portion.stop(INTERRUPTED)
        await portion.worked(entry.id)
        job.engine = None
        routes = self.routes(via=tuple(entry.told.get("via", ())))
        if len(watching.ended) == entry.request.n:
            return routes, None
        if self.closing or job.cancelled or portion.only:
            stop = CANCELLED_BY_CLIENT if job.cancelled else BY_JOBS_ALONE
            return routes, INTERRUPTED if self.closing else stop
        try:
            # At the price of single calls the key may have fewer ways.
            ways = await self.keeper.ways(entry.caller, routes, entry.request, lambda via: self.routes(via=via))
        except InputError as error:
            return routes, fault_of(error)
        return self.routes(via=ways.via) if ways and ways.via else routes, None

    async def _run(self, entry: JobEntry, routes: Routes, watching: Watching, ledger: JobLedger) -> Fault | None:
        """Have the engine buy the pictures. Returns why it stopped early."""
        blobs = JobBlobs(self.blobs, await self._left_of(entry))
        purse = await self.keeper.purse(entry.caller, entry.id)
        patient = bool(entry.told.get("patient"))
        # Of who asks for a job or a batch it is the time for being told that it was taken.
        within_s = None if patient else entry.told.get("within_s")
        max_wait_s = PATIENT_S if patient else entry.told.get("max_wait_s", self.rules.max_wait_s)
        booked = self._till.of(ledger)
        parts = Parts(
            BookedLedger(booked, purse) if purse else booked,
            blobs,
            self.clock,
            self._workshop.dice,
            watching,
            under_both(purse, self._till.caps(max_wait_s)),
        )
        policy = policy_of(max_wait_s, self.rules.concurrency, patient=patient)
        job = self._live[entry.id]
        ledger.ends_with(entry.request.n, lambda: self.books.ending(entry.id, DONE, self.clock.now(), entry.told))
        engine = job.engine = Engine(parts, lambda slot: self._lanes_for(routes, slot, entry.caller), policy)
        if self.closing or job.cancelled:
            engine.stop(CANCELLED_BY_CLIENT if job.cancelled else INTERRUPTED)
        begins_s = min(max_wait_s, within_s or max_wait_s)
        with begun_within(begins_s, engine, watching), ended_within(within_s, engine, watching):
            stop = (await engine.run(_slots(entry))).stop
        self._till.settled(ledger)
        return stop

    async def _concluded(
        self,
        entry: JobEntry,
        ledger: JobLedger,
        outcomes: Sequence[Outcome],
        watching: Watching,
        stop: Fault | None,
    ) -> None:
        """Write the end down. Slots that the engine left open end with the job: nobody comes back to resume it."""
        if ledger.ended:
            return
        for outcome in outcomes:
            if isinstance(outcome, Failure) and outcome.slot.id not in watching.ended:
                await ledger.conclude(outcome)
        if turned_away(outcomes):
            self._claims.refused(entry.caller, entry.form)
            await self.books.release(entry.id)
        short = any(isinstance(outcome, Failure) for outcome in outcomes)
        state = CANCELLED if short and stop and stop.kind is FaultKind.CANCELLED else DONE
        await self.books.end(entry.id, state, self.clock.now(), entry.told)

    async def _left_of(self, entry: JobEntry) -> dict[str, Reply]:
        if not self._recorded:
            return {}
        ids = {attempt.call_id for attempt in await self.books.attempts(entry.id)}
        return {attempt_id: self._recorded.pop(attempt_id) for attempt_id in ids & self._recorded.keys()}

    def _lanes_for(self, routes: Routes, slot: Slot, caller: str) -> Sequence[Lane]:
        """Lanes of this caller: to a shared quota each caller is a run of its own, which gets its fair share."""
        name = slot.request.model
        place = caller, routes.wish.via, name
        if place not in self._lanes:
            self._lanes[place] = self._workshop.lanes(
                routes, name, self.blobs, self.rules.timeout_s, asker=f"{ASKER}{caller}"
            )
        return self._lanes[place]

    async def _fitted(self, routes: Routes, asked: Asked) -> ImageRequest:
        """The request as its model can do it. Raises ``InputError``."""
        return routes.fitted(await self.brought(asked.request))

    async def brought(self, request: ImageRequest) -> ImageRequest:
        """The request with the pictures that it names by address. Raises ``InputError`` for one that cannot be had."""
        if self._references is None:
            return request
        return await self._references.brought(request, self.fresh_id(), self.clock.now())

    def routes(self, *, strict: bool = False, via: tuple[str, ...] = (), mode: str | None = None) -> Routes:
        """Routes that know what was resolved before, with notices of their own."""
        known = self._known.get((strict, via, mode))
        if known is None:
            wish = RouteWish(strict=strict, via=via, mode=mode)
            known = self._known[strict, via, mode] = self._workshop.setup.routes(wish)
        return known.anew()

    def _routes_of(self, entry: JobEntry, usual: Routes) -> Routes:
        """The routes that a job may go by."""
        via = tuple(entry.told.get("via", ()))
        return self.routes(via=via) if via else usual

    # --- earlier lives ------------------------------------------------------------------------------------------------

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(BEAT_EVERY_S)
            # A database or a disk that fails for a while comes back; but who beats no more is taken for dead.
            with contextlib.suppress(CavendishError, OSError):
                await self._beat()

    async def _beat(self) -> None:
        await self.books.beat()
        if not self.closing:
            if self._peers is not None:
                await self._peers.bury()
            await self._inherit()
            await self._legacy.settle()
            await self._elsewhere.look()
        await self._heed_cancels()

    async def _heed_cancels(self) -> None:
        """Jobs that clients cancelled at another replica, or in an earlier life of this one."""
        for job_id in await JobLists(self.books).cancels():
            if job := self._live.get(job_id):
                self.cancel(job)

    async def _inherit(self) -> None:
        for entry in await self.books.inherit():
            self._dropped[entry.id] = entry
        for entry in tuple(self._dropped.values()):
            if entry.id not in self._live:
                await self._take_up(entry)
            del self._dropped[entry.id]

    async def _take_up(self, entry: JobEntry) -> None:
        """Go on with a job that nobody is at."""
        ledger = await self._loaded(entry)
        if entry.owner != self.books.owner:
            self._legacy.of(entry.owner, await self.books.attempts(entry.id))
        elif await ledger.open_attempts():
            # It ended here for want of books, with calls in flight: the next life reads what arrived of them.
            return
        try:
            routes = self.routes()
            routes.resolve(entry.request.model)
        except InputError:
            await self.books.end(entry.id, CANCELLED, self.clock.now(), entry.told)
            return
        self._begin(entry, self._routes_of(entry, routes), ledger)

    async def _loaded(self, entry: JobEntry) -> JobLedger:
        """What an earlier life wrote of a job."""
        ledger = JobLedger(self.books, entry.id)
        await ledger.load(_slots(entry))
        await self._adopt(ledger)
        return ledger

    async def _adopt(self, ledger: JobLedger) -> None:
        """Answers that arrived at the replica that had the job, when its folder can be reached from here."""
        open_ids = {attempt.call_id for attempt, _ in await ledger.open_attempts()}
        missing = open_ids - self._recorded.keys()
        if missing:
            self._recorded.update(await self.blobs.adopt(missing))


def _slots(entry: JobEntry) -> list[Slot]:
    """The slots of a job: named after it, so that the same wish asked twice is two."""
    return [Slot(f"{entry.id}.{ordinal}", entry.id, 0, ordinal, entry.request) for ordinal in range(entry.request.n)]
