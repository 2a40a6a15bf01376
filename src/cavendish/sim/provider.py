"""The simulated provider: one call in, a plan of its answer out. No IO; time is an argument and chance is seeded.

Order of judgement, as at Google: key, model, request, quota, trouble, and then the model's own fortunes.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..catalog.cards import PriceCard
from ..model.call import Call, Done, Fetch, Open, Reply
from ..model.fault import Fault, FaultKind, Scope
from ..model.request import Image, ImageRequest
from ..wire.message import Headers, WireResponse
from . import answers, books
from .bodies import BROKEN, relay_error
from .checks import check_key, check_request, invalid, no_model, over_quota
from .dice import SeededDice
from .draw import Mode, Sketch
from .faults import BREAKDOWNS, LINES, NO_WISH, Line, Mishap, UnknownWish, Wish, read_wish, wish_in
from .menu import Entry, Menu
from .profile import Profile
from .quota import Load, Quotas
from .trouble import Trouble

K = TypeVar("K")
V = TypeVar("V")

QUICK_S = 0.05
"""How long a front end takes to say no; time-scaled."""
DEFAULT_CUT_BYTES = 700
PROMPTS_REMEMBERED = 10_000


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

    ``shelf`` receives the pictures. ``mode`` is how they are drawn.
    """

    def __init__(
        self, profile: Profile, menu: Menu, shelf: answers.Shelf, *, seed: int = 0, mode: Mode = "full"
    ) -> None:
        self.profile = profile
        self.menu = menu
        self.books = books.Books()
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
        if isinstance(call, Fault):
            return self._refuse(call, number)
        if isinstance(call, Fetch):
            return self._fetch(call, number)
        if not isinstance(call, Open):
            return self._refuse(invalid("Simulated: this provider has no stored jobs."), number)
        request = call.request
        planned = self._judge(request, key, now, wall, number, header)
        self._enter(planned, request, key, now)
        return planned

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
        self.books = books.Books()
        self.quotas = Quotas(self.profile.quota)

    def _judge(self, request: ImageRequest, key: str, now: float, wall: float, number: int, header: str) -> Planned:
        try:
            wish = self._wish(request.prompt, key, header)
        except UnknownWish as error:
            return self._refuse(invalid(str(error)), number)
        entry = self.menu.find(request.model, wall)
        fault = check_key(key, request.model)
        fault = fault or (check_request(request, entry) if entry else no_model(request.model))
        if fault or not entry:
            return self._refuse(fault or no_model(request.model), number)
        return self._admit(self._job(request, entry, wish, number), key, now, wall)

    def _admit(self, job: answers.Job, key: str, now: float, wall: float) -> Planned:
        """Let the call in, unless it breaks a limit."""
        quota = self.quotas.of(key, job.entry.card.id)
        load = Load(tokens=answers.input_tokens(job.request))
        mishap = self._mishap(job, now)
        if mishap is Mishap.REFUSED:
            return Planned(job.number, _NOTHING, 0.0, Line.REFUSED.value, line=Line.REFUSED)
        if breaches := quota.breaches(load, now, wall):
            return self._refuse(over_quota(breaches, job.entry.id), job.number)
        if self.profile.quirks.counts_failures or mishap not in BREAKDOWNS:
            quota.take(load, now, wall)
        self.books.start(books.masked(key), now)
        planned = self._answer(job, mishap)
        quota.spend(planned.billed_nusd, now)
        return planned

    def _answer(self, job: answers.Job, mishap: Mishap | None) -> Planned:
        if mishap and mishap in BREAKDOWNS:
            return self._break_down(job, mishap)
        reply: Reply | WireResponse
        latency_s = self._latency(job)
        if mishap and mishap in BROKEN:
            reply, billed = BROKEN[mishap], 0
        else:
            reply = answers.answer(self._twin(job, mishap), mishap, self._shelf)
            billed = self._bill(job, reply)
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

    def _bill(self, job: answers.Job, reply: Done | Fault) -> int:
        card = job.entry.price(self.profile.mode)
        if isinstance(reply, Fault) and not self._bills(card, reply):
            return 0
        return books.price(card, reply.usage, job.request.grounding)

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

    def _mishap(self, job: answers.Job, now: float) -> Mishap | None:
        if job.wish.mishap or job.wish.faultless:
            return job.wish.mishap
        return self._trouble.strikes(now, job.dice) or job.dice.pick(self.profile.faults)

    def _latency(self, job: answers.Job) -> float:
        if job.wish.latency_s is not None:
            return job.wish.latency_s
        usual = self.profile.latency_of(job.entry.size_word(job.request), job.entry.offer.latency)
        card = job.entry.card
        thinks_more = job.request.thinking not in {None, "minimal", card.default_thinking}
        factor = self.profile.quirks.thinking_factor if thinks_more else 1.0
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

    def _job(self, request: ImageRequest, entry: Entry, wish: Wish, number: int) -> answers.Job:
        dice = self.dice_for(number)
        seed = wish.seed if wish.seed is not None else request.seed
        repeats = seed is not None and self.profile.quirks.same_seed_same_picture
        word = entry.size_word(request)
        width, height = entry.pixels(request)
        sketch = Sketch(
            width=width,
            height=height,
            media_type=entry.card.output_types[0] if entry.card.output_types else "image/png",
            prompt=request.prompt,
            label=f"{word} {entry.id}",
            seed=seed if seed is not None else dice.between(0, 999_999),
            number=0 if repeats else number,
            least_bytes=wish.least_bytes or self.profile.quirks.picture_bytes.get(word, 0),
            mode=self._mode,
        )
        return answers.Job(number, request, entry, wish, dice, sketch)

    def _twin(self, job: answers.Job, mishap: Mishap | None) -> answers.Job:
        """The job with the sketch that this prompt got before, when the mishap is to draw it again."""
        name = (job.entry.id, job.request.prompt)
        before = self._last.get(name) if mishap is Mishap.DUPLICATE else None
        if before:
            return replace(job, sketch=before)
        _remember(self._last, name, job.sketch)
        return job

    def _fetch(self, call: Fetch, number: int) -> Planned:
        sketch = self._shelf.at(call.url)
        if sketch is None:
            return Planned(number, _GONE, QUICK_S, "no_such_picture")
        blob = self._shelf.picture(sketch)
        done = Done(parts=(Image(blob=blob, media_type=blob.media_type),), finals=(0,))
        return Planned(number, done, QUICK_S * self.profile.time_scale)

    # --- refusals and books ------------------------------------------------------------------------------------------

    def _break_down(self, job: answers.Job, mishap: Mishap) -> Planned:
        breakdown = BREAKDOWNS[mishap]
        fault = Fault(
            breakdown.kind, breakdown.message, scope=Scope.CALL, reason=breakdown.reason, status=breakdown.status
        )
        planned = self._refuse(fault, job.number)
        latency = job.wish.latency_s
        return replace(planned, latency_s=breakdown.latency_s * self.profile.time_scale if latency is None else latency)

    def _refuse(self, fault: Fault, number: int) -> Planned:
        reply = relay_error(fault, number) if self.profile.family == "relay" else fault
        return Planned(number, reply, QUICK_S * self.profile.time_scale, fault.kind.value)

    def _enter(self, planned: Planned, request: ImageRequest, key: str, now: float) -> None:
        self.books.enter(
            books.Entry(
                number=planned.number,
                at=now,
                key=books.masked(key),
                model=request.model,
                size=request.size or "",
                prompt=request.prompt[:120],
                outcome=planned.outcome,
                pictures=int(isinstance(planned.reply, Done)),
                billed_nusd=planned.billed_nusd,
            )
        )


_REFUSED_PICTURES = frozenset({FaultKind.IMAGE_SAFETY, FaultKind.PROHIBITED})
_NOTHING = WireResponse(0)
"""In place of the answer that a refused connection never gives."""


_GONE = WireResponse(404, Headers((("Content-Type", "text/plain"),)), raw=b"no such picture")


def _outcome(reply: Reply | WireResponse, line: Line, mishap: Mishap | None) -> str:
    if line is not Line.CLEAN:
        return line.value
    if isinstance(reply, Fault):
        return reply.kind.value
    return mishap.value if mishap and isinstance(reply, WireResponse) else "ok"


def _remember(memory: OrderedDict[K, V], name: K, value: V) -> None:
    """Keep a value, and forget the oldest beyond what is remembered."""
    memory[name] = value
    memory.move_to_end(name)
    if len(memory) > PROMPTS_REMEMBERED:
        memory.popitem(last=False)
