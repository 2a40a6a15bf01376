"""Rehearsal: simulated providers that answer a hundred thousand calls in seconds, for plays of a run before it is made.

What a model answers, and what it bills, is asked of ``SimProvider`` a few times for each kind of request and of mishap,
and those answers are given again from then on: so a rehearsal meets what the simulator can do, and no picture is drawn,
no body written and none read. Nothing here has bytes.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from ..catalog.cards import Limits
from ..catalog.resolve import Catalog, Resolved
from ..engine.ports import Answer, Clock
from ..model.blob import Blob
from ..model.call import Call, Cancel, Done, Fetch, Later, Open, Poll, Reply, Ticket
from ..model.fault import Charged, Fault, FaultKind
from ..model.request import Image, ImageRequest
from ..model.result import Slot
from ..wire.dialect import Dialect
from ..wire.message import WireResponse
from .answers import input_tokens
from .checks import over_quota
from .dice import SeededDice
from .faults import BREAKDOWNS, LINES, REFUSALS, Line, Mishap
from .flavours import FLAVOURS
from .menu import Entry, menu_of
from .profile import Profile, Quirks, load_profile, names
from .provider import QUICK_S, SimProvider, time_to_draw
from .quota import Breach, Load, QuotaPlan, Quotas
from .shelves import MemoryShelf
from .trouble import Trouble
from .world import TRICKLE_S

GOOD_ANSWERS, OTHER_ANSWERS = 24, 4
"""So many answers of a kind are made, and given again and again: their token counts and drafts differ, as in life."""
TOKENS_APART = 16
"""Prompts whose tokens differ by less than this are answered alike: they cost the same to a hundred-thousandth."""
USUAL = "google-tier1"
"""Whose rates of failures and drafts an endpoint has that no profile is about."""
PLAYED_KEY = "rehearsal"
BROKEN = "broken"
"""Where the blobs of what is no picture are said to lie."""

_OF_ONE_PICTURE = frozenset({*REFUSALS, Mishap.SHORT})
_NO_PICTURES = frozenset({Mishap.NOT_AN_IMAGE})
_TORN = frozenset({Line.CUT, Line.RESET, Line.DROPPED})


def profile_of(resolved: Resolved, limits: Limits) -> Profile:
    """How a route behaves: limits, latency and prices by the catalog, failures by the profile of its endpoint."""
    base = load_profile(_nearest(resolved.offer.endpoint))
    quota = QuotaPlan(
        algorithm="sliding_window",
        requests_per_minute=limits.requests_per_minute,
        images_per_minute=limits.images_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        requests_per_day=limits.requests_per_day,
        spend_per_10_minutes_nusd=limits.spend_per_10_minutes_nusd,
        active_tasks=limits.in_flight if base.jobs else None,
        day_zone=resolved.endpoint.day_zone,
    )
    return replace(
        base,
        endpoint=resolved.offer.endpoint,
        mode=resolved.route.mode,
        quota=quota,
        latency={**base.latency, **resolved.offer.latency},
        quirks=_without_bytes(base.quirks),
    )


def _nearest(endpoint: str) -> str:
    known = names()
    wanted = ("demo",) if endpoint == "sim" else (endpoint, f"{endpoint}-tier1")
    return next((name for name in wanted if name in known), USUAL)


def _without_bytes(quirks: Quirks) -> Quirks:
    """A system whose pictures come with the answer: fetching them takes a moment beside drawing them."""
    return replace(quirks, keeps_retired=True, by_address=False, picture_bytes={}, needs_key=False)


@dataclass(slots=True)
class Kind:
    """All requests that are answered alike, and their answers, by mishap and by how many pictures it befell."""

    name: str
    request: ImageRequest
    entry: Entry
    p50_s: float
    p90_s: float
    tokens: int
    answers: dict[tuple[Mishap | None, int], list[Reply]] = field(
        default_factory=dict[tuple[Mishap | None, int], list[Reply]]
    )


def kind_of(request: ImageRequest, tokens: int) -> tuple[object, ...]:
    """What decides how a request fares and what it costs: all but its words, of which only the number counts."""
    return request.size, request.aspect_ratio, request.quality, request.thinking, request.grounding, tokens


class Repertoire:
    """What one endpoint in one mode answers: the same for all plays. ``dialect`` reads what no client expects."""

    def __init__(self, profile: Profile, catalog: Catalog, dialect: Dialect) -> None:
        self.profile = profile
        self._dialect = dialect
        ZoneInfo(profile.quota.day_zone)  # a file, which no play has to wait for any more
        self._plain = replace(profile, quota=QuotaPlan(), jobs=None)
        self._menu = menu_of(self._plain, catalog)
        self._shelf = MemoryShelf()
        self._kinds: dict[tuple[object, ...], Kind] = {}
        self._by_object: dict[int, Kind] = {}

    def kind(self, request: ImageRequest) -> Kind:
        """The kind that a request is of. Raises ``KeyError`` for a model that the endpoint does not have."""
        known = self._by_object.get(id(request))
        if known is not None and known.request is request:
            return known
        tokens = input_tokens(request)
        name = request.model, request.n, kind_of(request, tokens // TOKENS_APART)
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = self._new_kind(repr(name), request, tokens)
            self._by_object[id(request)] = kind
        return kind

    def _new_kind(self, name: str, request: ImageRequest, tokens: int) -> Kind:
        entry = self._menu.find(request.model, 0.0)
        if entry is None:
            raise KeyError(request.model)
        usual, factor = time_to_draw(self.profile, entry, request)
        return Kind(name, request, entry, usual.p50_s * factor, usual.p90_s * factor, tokens)

    def answers(self, kind: Kind, mishap: Mishap | None, hits: int) -> list[Reply]:
        """Answers of a kind, with ``hits`` of its pictures befallen (0: all)."""
        name = mishap, hits
        if name not in kind.answers:
            # A model of their own, so that they are the same whatever was asked for before.
            seed = zlib.crc32(f"{kind.name} {mishap} {hits}".encode())
            sim = SimProvider(self._plain, self._menu, self._shelf, seed=seed, mode="tiny")
            first = self._made(sim, kind, mishap, hits)
            more = GOOD_ANSWERS if isinstance(first, Done) else OTHER_ANSWERS
            kind.answers[name] = [first, *(self._made(sim, kind, mishap, hits) for _ in range(more - 1))]
        return kind.answers[name]

    def _made(self, sim: SimProvider, kind: Kind, mishap: Mishap | None, hits: int) -> Reply:
        words = f"fault={mishap.value if mishap else 'none'},latency=0" + (f",hits={hits}" if hits else "")
        if mishap is Mishap.GIGANTIC:
            words = "fault=none,latency=0"  # it would be drawn, and its size is nobody's trouble here
        call = Open(kind.request)
        reply = sim.handle(call, PLAYED_KEY, 0.0, 0.0, words).reply
        if isinstance(reply, WireResponse):
            reply = self._dialect.read_reply(reply, call)
        self._shelf.drop(self._shelf.made())
        return _bare(reply, broken=mishap in _NO_PICTURES)


class Stage:
    """One endpoint in one mode in one play: its luck, and how much of each key's quota is taken.

    ``name`` is that of no other stage of the play: pictures of two are never the same.
    """

    def __init__(self, repertoire: Repertoire, seed: int, name: str) -> None:
        self.repertoire = repertoire
        self.profile = profile = repertoire.profile
        self.quotas = Quotas(profile.quota)
        # Named by the seed as well: of seeds next to each other the dice are the same ones, thrown one earlier.
        self.dice = SeededDice(seed, f"rehearsal {seed} {profile.endpoint} {profile.mode}")
        self.trouble = Trouble(profile.bursts, SeededDice(seed, f"trouble {seed} {profile.endpoint}"))
        self.poll_s = profile.jobs.poll_s if profile.jobs else 0.0
        self._first = zlib.crc32(name.encode()) << 32
        self._born = 0

    def ticket(self) -> str:
        """A name for a job, of no other."""
        self._born += 1
        return f"rehearsed-{self._born}"

    def reply(self, kind: Kind, mishap: Mishap | None, hits: int) -> Reply:
        """An answer of this kind, its pictures new ones."""
        known = self.repertoire.answers(kind, mishap, hits)
        found = known[self.dice.between(0, len(known) - 1)]
        return self._renewed(found, again=mishap is Mishap.DUPLICATE) if isinstance(found, Done) else found

    def _renewed(self, reply: Done, *, again: bool) -> Done:
        parts = tuple(_with_bytes(part, self._number(again=again)) for part in reply.pictures)
        return replace(reply, parts=parts)

    def _number(self, *, again: bool) -> int:
        self._born += 0 if again else 1
        return self._first + self._born


def _bare(reply: Reply, *, broken: bool) -> Reply:
    """The pictures of an answer and what it used, without words, drafts and signatures: nobody will read them."""
    if not isinstance(reply, Done):
        return reply
    ref = BROKEN if broken else ""
    pictures = tuple(Image(blob=Blob("", 1, "image/png", ref), media_type="image/png") for _ in reply.pictures)
    return replace(reply, parts=pictures, finals=tuple(range(len(pictures))), grounding=None)


def _with_bytes(picture: Image, number: int) -> Image:
    assert picture.blob is not None
    ref = picture.blob.ref or f"rehearsed-{number}"
    return Image(blob=Blob(f"{number:064x}", 1, "image/png", ref), media_type="image/png")


class RehearsalProvider:
    """``engine.ports.Provider`` for one key on a stage. ``timeout_s`` is when the client gives up."""

    def __init__(self, stage: Stage, key: str, clock: Clock, timeout_s: float = 300.0) -> None:
        self._stage = stage
        self._key = key
        self._clock = clock
        self._timeout_s = timeout_s
        self._jobs: dict[str, tuple[float, Reply]] = {}
        self._ends: list[float] = []

    async def call(self, call: Call, attempt_id: str) -> Answer:  # noqa: ARG002 - the port's
        """Make one exchange in virtual time."""
        began = self._clock.monotonic()
        match call:
            case Open(request):
                reply, takes_s = self._opened(request, began)
            case Poll(ticket) | Cancel(ticket):
                reply, takes_s = self._polled(ticket, began), QUICK_S
            case Fetch():
                reply, takes_s = Fault(FaultKind.MALFORMED, "nothing is to be fetched in a rehearsal"), QUICK_S
        await asyncio.sleep(takes_s)
        return Answer(reply, takes_s)

    def _opened(self, request: ImageRequest, now: float) -> tuple[Reply, float]:
        stage, profile = self._stage, self._stage.profile
        kind = stage.repertoire.kind(request)
        mishap = stage.trouble.strikes(now, stage.dice) or stage.dice.pick(profile.faults)
        if mishap is Mishap.REFUSED:
            return Fault(FaultKind.CONNECT, "connection refused", Charged.NO), 0.0
        if full := self._full(kind, request, now, counts=mishap not in BREAKDOWNS or profile.quirks.counts_failures):
            return full, QUICK_S * profile.time_scale
        if mishap in BREAKDOWNS:
            assert mishap is not None
            return stage.reply(kind, mishap, 0), BREAKDOWNS[mishap].latency_s * profile.time_scale
        takes_s = stage.dice.lognormal(kind.p50_s, kind.p90_s)
        reply, takes_s = self._on_line(self._drawn(kind, mishap, request.n), mishap, takes_s)
        return self._taken(reply, takes_s, now) if profile.jobs else (reply, takes_s)

    def _full(self, kind: Kind, request: ImageRequest, now: float, *, counts: bool) -> Fault | None:
        """The quota's no, if it says so; else the call is counted."""
        quota, limits = self._stage.quotas.of(self._key, kind.entry.card.id), self._stage.profile.quota
        load, wall = Load(images=request.n, tokens=kind.tokens), self._clock.now()
        if breaches := quota.breaches(load, now, wall):
            flavour = FLAVOURS[self._stage.profile.family]
            return flavour.worded(over_quota(breaches, load, kind.entry.id, flavour))
        if limits.active_tasks and (busy := self._too_many(limits.active_tasks, now)):
            flavour = FLAVOURS[self._stage.profile.family]
            return flavour.worded(over_quota((busy,), load, kind.entry.id, flavour))
        if counts:
            quota.take(load, now, wall)
        return None

    def _too_many(self, limit: int, now: float) -> Breach | None:
        self._ends = [end for end in self._ends if end > now]
        return Breach("tasks", limit, min(self._ends) - now, len(self._ends)) if len(self._ends) >= limit else None

    def _drawn(self, kind: Kind, mishap: Mishap | None, pictures: int) -> Reply:
        """What the model says: of several pictures each has its own luck."""
        if pictures == 1 or mishap not in {None, *_OF_ONE_PICTURE}:
            return self._stage.reply(kind, mishap, 0)
        rates, dice = self._stage.profile.faults, self._stage.dice
        struck = [own for _ in range(pictures - 1) if (own := dice.pick(rates)) in _OF_ONE_PICTURE]
        struck += [mishap] if mishap else []
        return self._stage.reply(kind, struck[0], len(struck)) if struck else self._stage.reply(kind, None, 0)

    def _on_line(self, reply: Reply, mishap: Mishap | None, takes_s: float) -> tuple[Reply, float]:
        line = LINES.get(mishap, Line.CLEAN) if mishap else Line.CLEAN
        takes_s += TRICKLE_S if line is Line.TRICKLE else 0.0
        if line is Line.HANG or takes_s > self._timeout_s:
            return Fault(FaultKind.TIMEOUT, f"no answer within {self._timeout_s:g} s", Charged.UNKNOWN), self._timeout_s
        if line in _TORN:
            return Fault(FaultKind.CUT, "connection closed before the answer was whole", Charged.UNKNOWN), takes_s
        return reply, takes_s

    def _taken(self, reply: Reply, takes_s: float, now: float) -> tuple[Reply, float]:
        """The call as a job that is kept, and asked for until it ends."""
        if isinstance(reply, Fault) and reply.kind in {FaultKind.TIMEOUT, FaultKind.CUT}:
            return reply, takes_s
        ticket = Ticket(self._stage.ticket())
        self._jobs[ticket.id] = now + takes_s, reply
        self._ends.append(now + takes_s)
        return Later(ticket, self._stage.poll_s), QUICK_S

    def _polled(self, ticket: Ticket, now: float) -> Reply:
        ends_at, reply = self._jobs[ticket.id]
        if now < ends_at:
            return Later(ticket, min(self._stage.poll_s, ends_at - now))
        del self._jobs[ticket.id]
        return reply


class NoBlobs:
    """``engine.ports.Blobs`` of a rehearsal: every picture is whole and has its place, and nothing is kept."""

    async def place(self, blob: Blob, slot: Slot) -> Blob:  # noqa: ARG002 - the port's
        """Where it came, there it is."""
        return blob

    async def keep(self, attempt_id: str, blobs: Sequence[Blob]) -> tuple[Blob, ...]:  # noqa: ARG002 - the port's
        """As they are."""
        return tuple(blobs)

    async def dimensions(self, blob: Blob) -> tuple[int, int] | None:
        """A square for everything that is a picture."""
        return None if blob.ref == BROKEN else (1024, 1024)

    async def recorded(self) -> Mapping[str, Reply]:
        """Nothing was left behind."""
        return {}

    async def forget(self, attempt_id: str) -> None:
        """There is nothing to forget."""

    def free_bytes(self) -> int:
        """As much as anybody wants."""
        return 1 << 60
