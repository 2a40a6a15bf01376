"""Desk: makes a job of each request and has the engine buy its pictures; a repeat of a request joins its job."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

from ...engine.flight import Parts
from ...engine.policy import Policy
from ...engine.ports import Clock, Lane
from ...engine.run import Engine
from ...errors import InputError
from ...io.blobs.folder import FolderBlobs
from ...io.desk.books import CANCELLED, DONE, OPEN, DeskBooks, JobEntry, TakenOver
from ...io.desk.job_lists import JobLists
from ...io.desk.ledger import JobLedger
from ...io.desk.secrets import shared_secret
from ...io.http.public import FetchRules, PublicPictures
from ...io.spend.ledger import BookedLedger
from ...io.state.port import StateError
from ...model.call import Reply
from ...model.fault import Fault, FaultKind
from ...model.plain import to_plain
from ...model.request import ImageRequest, Notice
from ...model.result import Failure, Outcome, Slot
from ..build import Workshop
from ..routes import Routes, RouteWish
from .fetching import References
from .keys.keeper import Keeper
from .keys.purse import under_both
from .links import Links
from .replica import Peers
from .shelf import JobBlobs
from .till import Till
from .waiting import begun_within, turn_of, turned_away
from .wants import Answer, Asked
from .watching import Watching

REPEATS_WITHIN_S = 600.0
"""How long after it was asked an answer that was lost is still replayed: clients that try again do so within this."""

REFUSALS_WITHIN_S = 30.0
"""A request that came to nothing is answered the same for this long: some clients ask again at once, and would buy the
same refusals."""

BEAT_EVERY_S = 2.0
"""How often a replica shows that it lives, and looks whether others do."""

PATIENT_S = 7 * 86_400.0
"""How long a job may wait for its quota when nobody waits for it."""

LOOK_EVERY_S = 0.5
"""How often a job that another replica works at is looked at."""

INTERRUPTED = Fault(
    FaultKind.OVERLOADED,
    "the gateway was stopped before this picture was made; ask again, and the work goes on",
    retry_after_s=5.0,
)
CANCELLED_BY_CLIENT = Fault(FaultKind.CANCELLED, "cancelled by the client")


@dataclass(frozen=True, slots=True)
class DeskRules:
    """The bounds of one desk.

    ``references`` bounds the pictures that are fetched from addresses in requests.
    ``max_wait_s`` is how long a request may wait for its quota to let it begin, ``public_url`` the address under which
    clients reach the gateway, where that is not the one they name themselves.
    """

    max_n: int = 100
    references: FetchRules = field(default_factory=FetchRules)
    max_wait_s: float = 60.0
    concurrency: int = 256
    timeout_s: float | None = None
    public_url: str = ""


@dataclass(slots=True)
class Job:
    """A job at work.

    ``answer`` is done when every slot has its outcome; ``watching`` has each as it comes, and ``notices`` are known
    from the beginning.
    """

    id: str
    request: ImageRequest
    watching: Watching
    answer: asyncio.Task[Answer]
    engine: Engine | None = None
    cancelled: bool = False
    caller: str = ""
    notices: tuple[Notice, ...] = ()


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
        self.keeper = Keeper(books, workshop.clock)
        self._known: dict[tuple[bool, tuple[str, ...]], Routes] = {}
        self._lanes: dict[tuple[str, tuple[str, ...], str], tuple[Lane, ...]] = {}
        self._live: dict[str, Job] = {}
        self._claimed: set[str] = set()
        self._recorded: dict[str, Reply] = {}
        self._peers = peers
        self._till = Till(workshop, blobs.root, books.owner)
        self._keeper: asyncio.Task[None] | None = None
        self.closing = False
        self.links = Links(b"")
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

    async def take(self, asked: Asked) -> Job:
        """The job of a request: a new one, or the one of which it is a repeat.

        Raises ``InputError`` for what no model can do, before anything is on the books. What is on the books is worked
        at, even when the caller goes away meanwhile.
        """
        taking = asyncio.ensure_future(self._taken(asked))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._taken_for_nobody)
            raise

    def _taken_for_nobody(self, taking: asyncio.Task[Job]) -> None:
        if not taking.cancelled() and taking.exception() is None:
            self.lost(taking.result())

    async def _taken(self, asked: Asked) -> Job:
        earlier = await self._repeated(asked)
        if earlier is not None:
            return self._rejoined(earlier)
        routes = self.routes(strict=asked.strict)
        routes.note(asked.notices)
        request = await self._fitted(routes, asked)
        ways = await self.keeper.ways(
            asked.caller, routes, request, lambda via: self.routes(strict=asked.strict, via=via)
        )
        entry = JobEntry(
            id=self.fresh_id(),
            owner=self.books.owner,
            caller=asked.caller,
            door=asked.door,
            form=asked.form,
            request=request,
            begun_at=self.clock.now(),
            token=asked.token,
            stream=asked.stream,
            told={
                **asked.told,
                "notices": [to_plain(notice) for notice in routes.notices.values()],
                **({"patient": True} if asked.patient else {}),
                **({} if asked.max_wait_s is None else {"max_wait_s": asked.max_wait_s}),
                **({"via": list(ways.via)} if ways and ways.via else {}),
            },
        )
        begun = await self.keeper.begin(entry, ways, queued=asked.queued)
        return self._rejoined(begun) if begun.id != entry.id else self._begin(entry, self._routes_of(entry, routes))

    def lost(self, job: Job) -> None:
        """The client went away before it had its answer: its next request of this form joins the job."""
        if job.id not in self._claimed:
            task = asyncio.ensure_future(self.books.lose(job.id, lost=True))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

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
        """How many jobs for the same model have their turn before this one, among those at work here; 0: it is next."""
        job = self._live.get(job_id)
        if job is None or job.watching.attempts:
            return 0
        waiting = (other for other in self._live.values() if not other.watching.attempts)
        return turn_of(
            job_id, ((other.caller, other.id) for other in waiting if other.request.model == job.request.model)
        )

    def cancel(self, job: Job) -> None:
        """No further calls for this job; those in flight are finished and kept."""
        job.cancelled = True
        if job.engine is not None:
            job.engine.stop(CANCELLED_BY_CLIENT)

    # --- repeats ------------------------------------------------------------------------------------------------------

    async def _repeated(self, asked: Asked) -> JobEntry | None:
        """The job that a request repeats; see docs/decisions/0014-repeats.md for how the two are told apart."""
        if asked.token is not None:
            return None  # the books find it
        now = self.clock.now()
        for entry in await self.books.lately(asked.caller, asked.form, now - REPEATS_WITHIN_S):
            if entry.id in self._claimed:
                continue
            if entry.lost or asked.repeat or (not asked.patient and await self._came_to_nothing(entry, now)):
                if entry.state != DONE or entry.lost or asked.repeat:
                    self._claimed.add(entry.id)
                return entry
        return None

    async def _came_to_nothing(self, entry: JobEntry, now: float) -> bool:
        if entry.state != DONE or entry.ended_at is None or now - entry.ended_at > REFUSALS_WITHIN_S:
            return False
        outcomes = await self.books.outcomes(entry.id)
        return bool(outcomes) and all(isinstance(outcome, Failure) for outcome in outcomes)

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

    def _begin(self, entry: JobEntry, routes: Routes, ledger: JobLedger | None = None) -> Job:
        watching = Watching()
        answer = asyncio.ensure_future(self._work(entry, routes, watching, ledger or JobLedger(self.books, entry.id)))
        job = Job(entry.id, entry.request, watching, answer, caller=entry.caller, notices=entry.notices)
        self._live[entry.id] = job
        job.answer.add_done_callback(lambda done: self._ended(entry.id, done))
        return job

    def _ended(self, job_id: str, task: asyncio.Task[Answer]) -> None:
        live = self._live.get(job_id)
        if live is not None and live.answer is task:
            del self._live[job_id]
        if not task.cancelled():
            task.exception()

    async def _work(self, entry: JobEntry, routes: Routes, watching: Watching, ledger: JobLedger) -> Answer:
        slots = _slots(entry)
        try:
            await self._workshop.ready(routes)
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

    async def _run(self, entry: JobEntry, routes: Routes, watching: Watching, ledger: JobLedger) -> Fault | None:
        """Have the engine buy the pictures. Returns why it stopped early."""
        blobs = JobBlobs(self.blobs, await self._left_of(entry))
        purse = await self.keeper.purse(entry.caller, entry.id)
        max_wait_s = PATIENT_S if entry.told.get("patient") else entry.told.get("max_wait_s", self.rules.max_wait_s)
        booked = self._till.of(ledger)
        parts = Parts(
            BookedLedger(booked, purse) if purse else booked,
            blobs,
            self.clock,
            self._workshop.dice,
            watching,
            under_both(purse, self._till.caps(max_wait_s)),
        )
        policy = Policy(max_wait_s=max_wait_s, concurrency=self.rules.concurrency)
        job = self._live[entry.id]
        engine = job.engine = Engine(parts, lambda slot: self._lanes_for(routes, slot, entry.caller), policy)
        if self.closing or job.cancelled:
            engine.stop(CANCELLED_BY_CLIENT if job.cancelled else INTERRUPTED)
        with begun_within(max_wait_s, engine, watching):
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
        for outcome in outcomes:
            if isinstance(outcome, Failure) and outcome.slot.id not in watching.ended:
                await ledger.conclude(outcome)
        if turned_away(outcomes):
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
            self._lanes[place] = self._workshop.lanes(routes, name, self.blobs, self.rules.timeout_s)
        return self._lanes[place]

    async def _fitted(self, routes: Routes, asked: Asked) -> ImageRequest:
        """The request as its model can do it. Raises ``InputError``."""
        return routes.fitted(await self.brought(asked.request))

    async def brought(self, request: ImageRequest) -> ImageRequest:
        """The request with the pictures that it names by address. Raises ``InputError`` for one that cannot be had."""
        if self._references is None:
            return request
        return await self._references.brought(request, self.fresh_id(), self.clock.now())

    def routes(self, *, strict: bool = False, via: tuple[str, ...] = ()) -> Routes:
        """Routes that know what was resolved before, with notices of their own."""
        known = self._known.get((strict, via))
        if known is None:
            known = self._known[strict, via] = self._workshop.setup.routes(RouteWish(strict=strict, via=via))
        return known.anew()

    def _routes_of(self, entry: JobEntry, usual: Routes) -> Routes:
        """The routes that a job may go by."""
        via = tuple(entry.told.get("via", ()))
        return self.routes(via=via) if via else usual

    # --- earlier lives ------------------------------------------------------------------------------------------------

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(BEAT_EVERY_S)
            # A database that is away for a while comes back: whoever has stopped to beat is taken for dead then.
            with contextlib.suppress(StateError):
                await self._beat()

    async def _beat(self) -> None:
        await self.books.beat()
        if not self.closing:
            if self._peers is not None:
                await self._peers.bury()
            await self._inherit()
        await self._heed_cancels()

    async def _heed_cancels(self) -> None:
        """Jobs that clients cancelled at another replica, or in an earlier life of this one."""
        for job_id in await JobLists(self.books).cancels():
            if job := self._live.get(job_id):
                self.cancel(job)

    async def _inherit(self) -> None:
        for entry in await self.books.inherit():
            if entry.id in self._live:
                continue
            ledger = JobLedger(self.books, entry.id)
            await ledger.load(_slots(entry))
            await self._adopt(ledger)
            try:
                routes = self.routes()
                routes.resolve(entry.request.model)
            except InputError:
                await self.books.end(entry.id, CANCELLED, self.clock.now(), entry.told)
                continue
            self._begin(entry, self._routes_of(entry, routes), ledger)

    async def _adopt(self, ledger: JobLedger) -> None:
        """Answers that arrived at the replica that had the job, when its folder can be reached from here."""
        open_ids = {attempt.call_id for attempt, _ in await ledger.open_attempts()}
        missing = open_ids - self._recorded.keys()
        if missing:
            self._recorded.update(await self.blobs.adopt(missing))


def _slots(entry: JobEntry) -> list[Slot]:
    """The slots of a job: named after it, so that the same wish asked twice is two."""
    return [Slot(f"{entry.id}.{ordinal}", entry.id, 0, ordinal, entry.request) for ordinal in range(entry.request.n)]
