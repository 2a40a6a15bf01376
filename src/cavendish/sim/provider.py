"""The simulated provider: one call in, a plan of its answer out. No IO; time is an argument and chance is seeded.

Order of judgement, as at Google: key, model, request, quota, trouble, and then the model's own fortunes.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..catalog.cards import Latency, PriceCard
from ..model.call import Call, Cancel, Done, Fetch, Later, Open, Poll, Reply, Ticket
from ..model.fault import Fault, FaultKind, Scope
from ..model.money import NUSD_PER_USD, nusd
from ..model.request import Image, ImageRequest
from ..plan.sheet import grid_in
from ..wire.message import Headers, WireResponse
from . import answers, books
from .bodies import BROKEN, OWN_ERRORS, never_fits
from .checks import check_key, check_request, invalid, no_model, over_quota
from .dice import SeededDice
from .draw import Mode, Sketch
from .faults import BREAKDOWNS, LINES, NO_WISH, REFUSALS, Line, Mishap, UnknownWish, Wish, read_wish, wish_in
from .flavours import FLAVOURS
from .jobs import Jobs, StoredJob
from .menu import Entry, Menu
from .profile import Profile
from .quota import Load, QuotaPlan, Quotas
from .trouble import Trouble

K = TypeVar("K")
V = TypeVar("V")

QUICK_S = 0.05
"""How long a front end takes to say no; time-scaled."""
DEFAULT_CUT_BYTES = 700
PROMPTS_REMEMBERED = 10_000
MAX_PREVIEWS = 3
"""The most that OpenAI streams of one picture."""
CREDITS_PER_USD = 100
BATCH_MODE, BATCH_SEED = "batch", 7_919


@dataclass(frozen=True, slots=True)
class Planned:
    """What will become of one call.

    ``reply`` is for the dialect to write, or a wire response as it stands. It leaves after ``latency_s`` seconds over
    a line that does as ``line`` says; a cut falls after ``after_bytes`` bytes of the body. ``billed_nusd`` is owed
    whatever the line does. ``outcome`` is ``ok`` or a word for why no picture will arrive.
    """

    number: int
    reply: Reply | WireResponse
    latency_s: float
    outcome: str = "ok"
    billed_nusd: int = 0
    line: Line = Line.CLEAN
    after_bytes: int = 0


class SimProvider:
    """One provider with its quotas, its books and its moods. Same seed and same calls: same answers.

    ``shelf`` receives the pictures. ``mode`` is how they are drawn. ``ledger`` are books that are kept elsewhere, too.
    ``jobs`` is ``None`` where none are stored.
    """

    def __init__(
        self,
        profile: Profile,
        menu: Menu,
        shelf: answers.Shelf,
        *,
        seed: int = 0,
        mode: Mode = "full",
        ledger: books.Books | None = None,
    ) -> None:
        self.profile = profile
        self.menu = menu
        self.books = ledger or books.Books()
        self.jobs = Jobs(profile.jobs) if profile.jobs else None
        self._flavour = FLAVOURS[profile.family]
        self._addresses: OrderedDict[str, float] = OrderedDict()
        self.quotas = Quotas(profile.quota)
        self._shelf = shelf
        self._seed = seed
        self._mode: Mode = mode
        self._numbers = itertools.count(1)
        self._trouble = Trouble(profile.bursts, SeededDice(seed, "trouble"))
        self._granted: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        self._last: OrderedDict[tuple[str, str], Sketch] = OrderedDict()

    def handle(self, call: Call | Fault, key: str, now: float, wall: float, header: str = "") -> Planned:
        """Judge and answer one call; a fault is a call that the dialect could not read, and is answered with it.

        ``now`` in monotonic, ``wall`` in epoch seconds. ``header`` holds the words of ``X-Cavendish-Sim``, see
        ``faults.Wish``.
        """
        number = next(self._numbers)
        match call:
            case Fault():
                return self._refuse(call, number)
            case Fetch():
                return self._fetch(call, number, now)
            case Poll(ticket) | Cancel(ticket):
                return self._ask(ticket, number, now, cancel=isinstance(call, Cancel))
            case Open():
                planned = self._judge(call, key, now, wall, number, header)
                self._enter(planned, call.request, key, (now, wall))
                return self._taken(planned, call.request, key, now) if self.jobs else planned

    def batched(self) -> SimProvider:
        """The same provider's batch service: no limit of calls, other prices and dice, the same shelf and books."""
        profile = replace(self.profile, mode=BATCH_MODE, quota=QuotaPlan())
        return SimProvider(
            profile, self.menu, self._shelf, seed=self._seed + BATCH_SEED, mode=self._mode, ledger=self.books
        )

    def dice_for(self, number: int) -> SeededDice:
        """The chance of one call."""
        return SeededDice(self._seed, f"call {number}")

    def stats(self, now: float, wall: float) -> dict[str, Any]:
        """The books and the state of all quotas, as JSON."""
        quota = [
            {"key": books.masked(key), "model": model, "measure": measure, "used": used, "limit": limit}
            for key, model, one in self.quotas.known()
            for measure, (used, limit) in one.state(now, wall).items()
        ]
        profile = self.profile.title or self.profile.name
        return {"profile": profile, "seed": self._seed, **self.books.stats(), "quota": quota}

    def reset(self) -> None:
        """New books and empty quotas; the dice go on."""
        self.books.clear()
        self.quotas = Quotas(self.profile.quota)

    def _judge(self, call: Open, key: str, now: float, wall: float, number: int, header: str) -> Planned:
        request, flavour, quirks = call.request, self._flavour, self.profile.quirks
        try:
            wish = self._wish(request.prompt, key, header)
        except UnknownWish as error:
            return self._worded(invalid(str(error)), number)
        entry = self.menu.find(request.model, wall)
        if fault := check_key(key, request.model, flavour, needed=quirks.needs_key):
            return self._worded(fault, number)
        if entry is None:
            return self._worded(no_model(request.model, flavour), number)
        if fault := check_request(request, entry, signatures=quirks.signatures):
            return self._worded(fault, number)
        return self._admit(self._job(call, entry, wish, number), key, now, wall)

    def _admit(self, job: answers.Job, key: str, now: float, wall: float) -> Planned:
        """Let the call in, unless it breaks a limit."""
        quota, limits = self.quotas.of(key, job.entry.card.id), self.profile.quota
        load = Load(images=job.request.n, tokens=answers.input_tokens(job.request))
        mishaps = self._mishaps(job, now)
        mishap = mishaps[0]
        if mishap is Mishap.REFUSED:
            return Planned(job.number, _NOTHING, 0.0, Line.REFUSED.value, line=Line.REFUSED)
        if limits.images_per_minute and self.profile.family == "openai" and load.images > limits.images_per_minute:
            reply = never_fits(job.entry.id, limits.images_per_minute, load.images)
            return Planned(job.number, reply, self._quick_s, FaultKind.INVALID_REQUEST.value)
        tasks = self.jobs.full(key, limits.active_tasks, now) if self.jobs and limits.active_tasks else None
        if breaches := (tasks,) if tasks else quota.breaches(load, now, wall):
            return self._worded(over_quota(breaches, load, job.entry.id, self._flavour), job.number)
        if self.profile.quirks.counts_failures or mishap not in BREAKDOWNS:
            quota.take(load, now, wall)
        self.books.start(books.masked(key), now)
        planned = self._answer(job, mishaps)
        quota.spend(planned.billed_nusd, now)
        self._note_addresses(planned.reply, now + planned.latency_s)
        return planned

    def _answer(self, job: answers.Job, mishaps: tuple[Mishap | None, ...]) -> Planned:
        mishap = mishaps[0]
        if mishap and mishap in BREAKDOWNS:
            return self._break_down(job, mishap)
        reply: Reply | WireResponse
        latency_s = self._latency(job)
        if mishap and mishap in BROKEN:
            reply, billed = BROKEN[mishap], 0
        else:
            reply = answers.answer(self._twin(job, mishap), mishaps, self._shelf)
            billed = self._bill(job, reply)
            reply = self._told(reply, billed)
        line = LINES.get(mishap, Line.CLEAN) if mishap else Line.CLEAN
        return Planned(
            number=job.number,
            reply=reply,
            latency_s=latency_s,
            outcome=_outcome(reply, line, mishap),
            billed_nusd=billed,
            line=line,
            after_bytes=job.wish.after_bytes or DEFAULT_CUT_BYTES,
        )

    def _told(self, reply: Done | Fault, billed_nusd: int) -> Done | Fault:
        """The reply with as much of its usage and its reasons as this system tells."""
        usage = answers.told_usage(reply.usage, self.profile.quirks.counts, billed_nusd)
        if isinstance(reply, Fault):
            return self._flavour.worded(replace(reply, usage=usage))
        return replace(reply, usage=usage, shortfall=tuple(map(self._flavour.worded, reply.shortfall)))

    def _bill(self, job: answers.Job, reply: Done | Fault) -> int:
        card = job.price
        if isinstance(reply, Fault) and not self._bills(card, reply):
            return 0
        if card is None:
            return reply.usage.images * nusd(self.profile.quirks.picture_usd)
        piece = books.listed_price(card, job.entry.size_word(job.request), job.request.quality)
        return books.price(card, reply.usage, job.request.grounding, piece=piece)

    def _bills(self, card: PriceCard | None, fault: Fault) -> bool:
        """Whether an answer without a picture is billed: by the catalog where it says so, else by the profile.

        Where tokens are billed, an answer that nothing was written for costs nothing.
        """
        written = fault.usage.output_text_tokens or fault.usage.thought_tokens
        if card is None or (card.per_request is None and not written):
            return False
        if card.bills_refusals is not None and (card.bills_refusals or fault.kind in _REFUSED_PICTURES):
            return card.bills_refusals
        return fault.kind in self.profile.quirks.bills

    # --- chance ------------------------------------------------------------------------------------------------------

    def _mishaps(self, job: answers.Job, now: float) -> tuple[Mishap | None, ...]:
        """One for each picture. What befalls a call befalls all its pictures; a refusal only one."""
        others = job.request.n - 1
        if job.wish.mishap or job.wish.faultless:
            hit = job.wish.mishap if job.wish.hits == 0 else None
            rest = max(0, job.wish.hits - 1)
            return (job.wish.mishap, *(job.wish.mishap if i < rest else hit for i in range(others)))
        first = self._trouble.strikes(now, job.dice) or job.dice.pick(self.profile.faults)
        own = (job.dice.pick(self.profile.faults) for _ in range(others))
        return (first, *(mishap if mishap in _OF_ONE_PICTURE else None for mishap in own))

    def _latency(self, job: answers.Job) -> float:
        if job.wish.latency_s is not None:
            return job.wish.latency_s
        usual, factor = time_to_draw(self.profile, job.entry, job.request)
        return job.dice.lognormal(usual.p50_s, usual.p90_s) * factor

    def _wish(self, prompt: str, key: str, header: str) -> Wish:
        """The header's words, else those in the prompt; none when they have been granted as often as they said."""
        words = header or wish_in(prompt)
        if not words:
            return NO_WISH
        wish = read_wish(words)
        if not wish.times:
            return wish
        granted = self._granted.get(name := (key, words, prompt), 0)
        _remember(self._granted, name, granted + 1)
        return wish if granted < wish.times else Wish(faultless=True, latency_s=wish.latency_s)

    # --- pictures ----------------------------------------------------------------------------------------------------

    def _job(self, call: Open, entry: Entry, wish: Wish, number: int) -> answers.Job:
        request, quirks = call.request, self.profile.quirks
        dice = self.dice_for(number)
        seed = wish.seed if wish.seed is not None else request.seed
        repeats = seed is not None and self.profile.quirks.same_seed_same_picture
        word = entry.size_word(request)
        grid = grid_in(request.prompt)
        width, height = entry.pixels(request)
        sketch = Sketch(
            width=width,
            height=height,
            media_type=_media_type(request, entry),
            prompt=request.prompt,
            label=f"{word} {entry.id}",
            seed=seed if seed is not None else dice.between(0, 999_999),
            number=0 if repeats else number,
            least_bytes=wish.least_bytes or self.profile.quirks.picture_bytes.get(word, 0),
            mode=self._mode,
            grid=(grid.rows, grid.columns) if grid else None,
        )
        return answers.Job(
            number,
            request,
            entry,
            wish,
            dice,
            sketch,
            quirks,
            entry.price(self.profile.mode),
            by_address=_by_address(request, usual=quirks.by_address),
            previews=_previews(call),
        )

    def _twin(self, job: answers.Job, mishap: Mishap | None) -> answers.Job:
        """The job with the sketch that this prompt got before, when the mishap is to draw it again."""
        name = (job.entry.id, job.request.prompt)
        before = self._last.get(name) if mishap is Mishap.DUPLICATE else None
        if before:
            return replace(job, sketch=before)
        _remember(self._last, name, job.sketch)
        return job

    def _fetch(self, call: Fetch, number: int, now: float) -> Planned:
        sketch = self._shelf.at(call.url)
        if sketch is None:
            return Planned(number, _GONE, QUICK_S, "no_such_picture")
        if now >= self._addresses.get(call.url, now + 1):
            return Planned(number, _EXPIRED, QUICK_S, "expired_address")
        blob = self._shelf.picture(sketch)
        done = Done(parts=(Image(blob=blob, media_type=blob.media_type),), finals=(0,))
        return Planned(number, done, self._quick_s)

    def _note_addresses(self, reply: Reply | WireResponse, made_at: float) -> None:
        """Remember until when the addresses in an answer are good."""
        live_s = self.profile.quirks.addresses_live_s
        for image in reply.pictures if isinstance(reply, Done) and live_s else ():
            if image.uri:
                _remember(self._addresses, image.uri, made_at + live_s)

    # --- stored jobs -------------------------------------------------------------------------------------------------

    def _taken(self, planned: Planned, request: ImageRequest, key: str, now: float) -> Planned:
        """The call as a job that is kept: all that went well so far is told when it is asked for."""
        end = planned.reply
        assert self.jobs is not None
        if planned.line is Line.REFUSED or isinstance(end, WireResponse) or _is_refused_at_once(planned):
            return planned
        assert not isinstance(end, Later)
        told = "cost" in self.profile.quirks.counts
        cost = planned.billed_nusd * CREDITS_PER_USD / NUSD_PER_USD if told else None
        job = StoredJob(Ticket(""), key, now + planned.latency_s, end, self._shelf.made())
        later = self.jobs.take(planned.number, request.model, job, now, cost=cost)
        self._shelf.drop(self.jobs.forgotten())
        return replace(planned, reply=later, latency_s=self._quick_s)

    def _ask(self, ticket: Ticket, number: int, now: float, *, cancel: bool) -> Planned:
        if self.jobs is None:
            return self._worded(invalid("Simulated: this provider has no stored jobs."), number)
        reply = self.jobs.give_up(ticket, now) if cancel else self.jobs.ask(ticket, now)
        return Planned(number, reply, self._quick_s, reply.kind.value if isinstance(reply, Fault) else "ok")

    # --- refusals and books ------------------------------------------------------------------------------------------

    def _break_down(self, job: answers.Job, mishap: Mishap) -> Planned:
        breakdown = BREAKDOWNS[mishap]
        kind = breakdown.kind
        if self.profile.jobs and mishap is Mishap.SERVER_ERROR:
            kind = self.profile.jobs.fails_as
        fault = Fault(kind, breakdown.message, scope=Scope.CALL, reason=breakdown.reason, status=breakdown.status)
        planned = self._worded(fault, job.number)
        latency = job.wish.latency_s
        return replace(planned, latency_s=breakdown.latency_s * self.profile.time_scale if latency is None else latency)

    def _worded(self, fault: Fault, number: int) -> Planned:
        """A refusal that was made here, in this system's words."""
        return self._refuse(self._flavour.worded(fault), number)

    def _refuse(self, fault: Fault, number: int) -> Planned:
        own = OWN_ERRORS.get(self.profile.family)
        return Planned(number, own(fault, number) if own else fault, self._quick_s, fault.kind.value)

    @property
    def _quick_s(self) -> float:
        return QUICK_S * self.profile.time_scale

    def _enter(self, planned: Planned, request: ImageRequest, key: str, moment: tuple[float, float]) -> None:
        now, wall = moment
        self.books.enter(
            books.Entry(
                number=planned.number,
                at=now,
                key=books.masked(key),
                model=request.model,
                size=request.size or "",
                prompt=request.prompt[:120],
                outcome=planned.outcome,
                pictures=_delivered(planned.reply),
                billed_nusd=planned.billed_nusd,
                endpoint=self.profile.endpoint,
                id="" if self.profile.mode == BATCH_MODE else call_name(self.profile.endpoint, planned.number),
                wall=wall,
            )
        )


def call_name(endpoint: str, number: int) -> str:
    """What a call is named in the header of its answer, and on the bill."""
    return f"{endpoint}-{number}"


def time_to_draw(profile: Profile, entry: Entry, request: ImageRequest) -> tuple[Latency, float]:
    """How long a call usually takes, and how many times that for what it asks more."""
    usual = profile.latency_of(entry.size_word(request), entry.offer.latency)
    thinks_more = request.thinking not in {None, "minimal", entry.card.default_thinking}
    factor = profile.quirks.thinking_factor if thinks_more else 1.0
    return usual, factor * (request.n if entry.offer.several == "serial" else 1)


_REFUSED_PICTURES = frozenset({FaultKind.IMAGE_SAFETY, FaultKind.PROHIBITED})
_NOTHING = WireResponse(0)
"""In place of the answer that a refused connection never gives."""


_PLAIN = Headers((("Content-Type", "text/plain"),))
_GONE = WireResponse(404, _PLAIN, raw=b"no such picture")
_EXPIRED = WireResponse(403, _PLAIN, raw=b"the address has expired")

_OF_ONE_PICTURE = frozenset({*REFUSALS, Mishap.SHORT})
_AT_THE_END = frozenset({FaultKind.JOB_FAILED, FaultKind.SERVER_ERROR})


def _is_refused_at_once(planned: Planned) -> bool:
    """Whether a job is not taken at all. What a model refuses, or what breaks while it works, is told at the end."""
    fault = planned.reply
    return isinstance(fault, Fault) and fault.status >= 400 and fault.kind not in _AT_THE_END


def _by_address(request: ImageRequest, *, usual: bool) -> bool:
    """Whether pictures go out as addresses, which some wires let the caller choose."""
    if request.extra.get("sync_mode"):
        return False
    wanted = request.extra.get("response_format")
    return usual if wanted is None or not isinstance(wanted, str) else wanted == "url"


def _previews(call: Open) -> int:
    """How many drafts of each picture are to be streamed before it."""
    wanted = call.request.extra.get("partial_images")
    return min(MAX_PREVIEWS, max(0, wanted)) if call.stream and isinstance(wanted, int) else 0


def _media_type(request: ImageRequest, entry: Entry) -> str:
    wanted = f"image/{request.output_format}".replace("image/jpg", "image/jpeg")
    types = entry.card.output_types or ("image/png",)
    return wanted if wanted in types else types[0]


def _outcome(reply: Reply | WireResponse, line: Line, mishap: Mishap | None) -> str:
    if line is not Line.CLEAN:
        return line.value
    if isinstance(reply, Fault):
        return reply.kind.value
    if isinstance(reply, Done) and reply.shortfall and not reply.pictures:
        return reply.shortfall[0].kind.value
    return mishap.value if mishap and isinstance(reply, WireResponse) else "ok"


def _delivered(reply: Reply | WireResponse) -> int:
    """How many pictures an answer gives; an address among its words is one."""
    if not isinstance(reply, Done):
        return 0
    return len(reply.pictures) or int(not reply.shortfall)


def _remember(memory: OrderedDict[K, V], name: K, value: V) -> None:
    """Keep a value, and forget the oldest beyond what is remembered."""
    memory[name] = value
    memory.move_to_end(name)
    if len(memory) > PROMPTS_REMEMBERED:
        memory.popitem(last=False)
