"""Layout: everything about one world, drawn from one number."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from cavendish.catalog.cards import Latency, Limits, ModelCard, PriceCard, TokenCounts
from cavendish.dialects.gemini import GeminiDialect
from cavendish.engine.policy import Policy
from cavendish.model.money import nusd
from cavendish.model.request import ImageRequest
from cavendish.plan.estimate import PriceBook
from cavendish.plan.expand import Wish
from cavendish.plan.split import ALONE, Several
from cavendish.sim.dice import SeededDice
from cavendish.sim.faults import Mishap
from cavendish.sim.loop import WALL_START
from cavendish.sim.menu import Menu
from cavendish.sim.profile import Bursts, Profile, Quirks
from cavendish.sim.quota import QuotaPlan
from cavendish.wire.dialect import Dialect
from tests.sim.menus import THINKER, TOKENS, offer

T = TypeVar("T")
Ending = Literal["whole", "stop", "abort", "cancel", "crash"]

GOOD_KEY = "good"
MODEL = "thinker"
RETIRED = "thinker-preview"

CARD: ModelCard = replace(THINKER, tokens=TokenCounts(reference=1120, text=630, thoughts={"minimal": 0, "high": 1500}))
"""Its estimate is the most that a call without drafts can cost, so a cap can be held to the last nano-dollar."""
MENU = Menu((CARD,), (offer(CARD),))
PRICES: PriceCard = TOKENS
PRICE_BOOK = PriceBook(CARD, PRICES)


@dataclass(frozen=True)
class Spoken:
    """Who is called: the wire format, what is offered, the model that is asked for, its prices, and how many a call."""

    dialect: Dialect
    menu: Menu
    model: str
    wire_model: str
    prices: PriceBook
    several: Several = ALONE


THINKING = Spoken(GeminiDialect(), MENU, MODEL, MODEL, PRICE_BOOK)

DEARER = frozenset({Mishap.DRAFTS, Mishap.THOUGHTS})
"""Answers that cost more than was expected."""

COMMON = (
    Mishap.TEXT_ONLY,
    Mishap.NO_IMAGE,
    Mishap.IMAGE_SAFETY,
    Mishap.OVERLOADED,
    Mishap.TERSE_429,
    Mishap.CUT,
    Mishap.DROPPED,
    Mishap.DRAFTS,
    Mishap.DUPLICATE,
)
MISHAPS = (*(m for m in Mishap if m not in {Mishap.GIGANTIC, Mishap.BIG_SIGNATURE}), *COMMON, *COMMON)
"""All but those that are only large, which take the time of hundreds of others; the common ones more often."""


@dataclass(frozen=True)
class Life:
    """One process: how it ends, and when: ``at_s`` after its start, or in its ``at_op``-th durable operation."""

    ending: Ending = "whole"
    at_s: float = 0.0
    at_op: int = 0


@dataclass(frozen=True)
class Layout:
    """One world. ``limits`` are those that the client knows, the profile's quota those that hold.

    ``keys`` has one lane each; keys of one of the ``groups`` are those of one route. ``lives`` are played first, each
    with all troubles on; then the world is well again. ``jumps`` are of the client's wall clock. ``keeps_quota``: what
    was learned of the quota outlives a run that ends in order, as in a program that makes several.
    """

    seed: int
    rows: tuple[tuple[str, int, str | None, int | None], ...]
    profile: Profile
    limits: Limits
    policy: Policy
    cap_nusd: int | None
    keys: tuple[str, ...]
    wire_model: str
    timeout_s: float
    bytes_share: float
    wall_start: float
    jumps: tuple[tuple[float, float], ...]
    lives: tuple[Life, ...]
    keeps_quota: bool
    spoken: Spoken = THINKING
    groups: tuple[int, ...] = ()

    def route(self, index: int) -> str:
        """The endpoint of a key's route: its own, unless keys have theirs together."""
        return f"test-{self.groups[index]}" if self.groups else f"test-{self.keys[index]}"

    def wishes(self) -> list[Wish]:
        """The rows of the order."""
        return [
            Wish(row, f"row {row}", ImageRequest.of(prompt, self.spoken.model, n=n, size=size, seed=seed))
            for row, (prompt, n, size, seed) in enumerate(self.rows)
        ]

    @property
    def slots(self) -> int:
        """How many pictures are wanted."""
        return sum(n for _, n, _, _ in self.rows)

    @property
    def is_exact(self) -> bool:
        """Whether no call can cost more than was set aside for it."""
        return self.spoken is THINKING and not DEARER & self.profile.faults.keys()


class Drawing:
    """Draws the parts of a layout. One stream of dice, so the order of the throws is part of the seed's meaning."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.dice = SeededDice(seed, "layout")

    def one(self, choices: Sequence[T]) -> T:
        return choices[self.dice.between(0, len(choices) - 1)]

    def maybe(self, share: float) -> bool:
        return self.dice.uniform() < share

    def rows(self) -> tuple[tuple[str, int, str | None, int | None], ...]:
        """Few prompts over several rows, so that forms repeat; and sometimes one row with many pictures."""
        prompts = [f"kite {i}" for i in range(self.dice.between(1, 5))]
        count = self.one((1, 1, 2, 3, 6, 10))
        most = 12 if count <= 2 else 3
        return tuple(
            (self.one(prompts), self.dice.between(1, most), self.one((None, "1K", "2K")), self.one((None, None, 7)))
            for _ in range(count)
        )

    def quota(self) -> QuotaPlan:
        plan: dict[str, Any] = {"algorithm": self.one(("fixed_window", "sliding_window", "token_bucket"))}
        if self.maybe(0.6):
            plan["requests_per_minute"] = self.one((2, 5, 10, 30))
        if self.maybe(0.2):
            plan["images_per_minute"] = self.one((3, 8, 20))
        if self.maybe(0.1):
            plan["tokens_per_minute"] = self.one((20, 100))
        if self.maybe(0.15):
            plan["requests_per_day"] = self.one((4, 10, 25))
        if self.maybe(0.15):
            plan["spend_per_10_minutes_nusd"] = nusd(self.one(("0.2", "0.5", "2")))
        return QuotaPlan(**plan)

    def faults(self) -> dict[Mishap, float]:
        if self.maybe(0.15):
            return {}
        kinds = {self.one(MISHAPS) for _ in range(self.dice.between(1, 6))}
        total = self.one((0.05, 0.2, 0.5, 0.8))
        return dict.fromkeys(sorted(kinds), total / len(kinds))

    def bursts(self) -> Bursts:
        if self.maybe(0.7):
            return Bursts()
        kinds = self.one(((Mishap.OVERLOADED, Mishap.SERVER_ERROR), (Mishap.TERSE_429,), (Mishap.REFUSED, Mishap.CUT)))
        return Bursts(self.one((10.0, 60.0)), self.one((5.0, 40.0, 200.0)), self.one((0.5, 1.0)), kinds)

    def profile(self) -> Profile:
        p50 = self.one((0.5, 4.0, 12.5))
        quirks = Quirks(
            same_seed_same_picture=self.maybe(0.5),
            counts_failures=self.maybe(0.5),
            network_s=self.one((0.0, 0.1, 0.4)),
        )
        return Profile(
            f"world {self.seed}",
            quota=self.quota(),
            latency={"any": Latency(p50, p50 * self.one((1.0, 1.5, 4.0)))},
            faults=self.faults(),
            bursts=self.bursts(),
            quirks=quirks,
        )

    def limits(self, plan: QuotaPlan) -> Limits:
        """Known, partly known, or not at all; and sometimes a limit of calls in flight that only we hold to."""
        in_flight = self.one((None, None, 1, 3))
        if self.maybe(0.4):
            return Limits(in_flight=in_flight)
        known = Limits(
            requests_per_minute=plan.requests_per_minute,
            images_per_minute=plan.images_per_minute,
            tokens_per_minute=plan.tokens_per_minute,
            requests_per_day=plan.requests_per_day if self.maybe(0.5) else None,
            spend_per_10_minutes_nusd=plan.spend_per_10_minutes_nusd,
            in_flight=in_flight,
        )
        return replace(known, requests_per_minute=None) if self.maybe(0.2) else known

    def policy(self) -> Policy:
        return Policy(
            concurrency=self.one((1, 2, 5, 40, 256)),
            max_wait_s=self.one((30.0, 3600.0, 200_000.0)),
            total_tries=self.one((2, 6, 16)),
        )

    def keys(self) -> tuple[str, ...]:
        first = self.one((GOOD_KEY,) * 12 + ("bad", "noquota", "expired"))
        return (first, "good-2") if self.maybe(0.25) else (first,)

    def jumps(self) -> tuple[tuple[float, float], ...]:
        if self.maybe(0.6):
            return ()
        count = self.dice.between(1, 3)
        return tuple((self.dice.uniform() * 600, self.one((-3600.0, 3600.0, -5.0, 86_400.0))) for _ in range(count))

    def lives(self) -> tuple[Life, ...]:
        return tuple(self.life() for _ in range(self.one((0, 1, 1, 1, 2, 2, 3))))

    def life(self) -> Life:
        ending: Ending = self.one(("whole", "stop", "abort", "cancel", "crash", "crash", "crash", "crash"))
        return Life(
            ending, self.dice.uniform() * self.one((1.0, 15.0, 90.0)), self.dice.between(1, self.one((12, 120)))
        )

    def cap(self, slots: int) -> int | None:
        """A cap from one picture to more than all of them."""
        return None if self.maybe(0.7) else int(self.dice.uniform() * 1.3 * slots * nusd("0.07"))


def draw(seed: int) -> Layout:
    """The world of this seed."""
    by = Drawing(seed)
    rows, profile = by.rows(), by.profile()
    return Layout(
        seed=seed,
        rows=rows,
        profile=profile,
        limits=by.limits(profile.quota),
        policy=by.policy(),
        cap_nusd=by.cap(sum(n for _, n, _, _ in rows)),
        keys=by.keys(),
        wire_model=RETIRED if by.maybe(0.04) else MODEL,
        timeout_s=by.one((10.0, 60.0, 300.0)),
        bytes_share=by.one((0.0, 0.0, 0.0, 0.2)),
        wall_start=WALL_START + by.one((0.0, 48_000.0, 18_000.0)),
        jumps=by.jumps(),
        lives=by.lives(),
        keeps_quota=by.maybe(0.5),
    )
