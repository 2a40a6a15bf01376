"""A small menu of invented models, so that the simulator's tests stand apart from the catalog's data."""

from datetime import date

from cavendish.catalog.cards import ModelCard, ModelId, Offer, PriceCard, ReferenceLimits, SizeCard
from cavendish.model.money import nusd
from cavendish.sim.draw import Mode
from cavendish.sim.faults import Mishap
from cavendish.sim.menu import Menu
from cavendish.sim.profile import Bursts, Profile, Quirks
from cavendish.sim.provider import SimProvider
from cavendish.sim.quota import QuotaPlan
from cavendish.sim.shelves import MemoryShelf

WALL = 1_795_200_000.0

THINKER = ModelCard(
    id="thinker",
    name="Thinker",
    aliases=(),
    ids=(ModelId("thinker"), ModelId("thinker-preview", retires=date(2026, 6, 25))),
    sizes={
        "1K": SizeCard("1K", {"1:1": (64, 64), "16:9": (96, 54)}, 1120),
        "2K": SizeCard("2K", {"1:1": (128, 128)}, 1680),
    },
    default_size="1K",
    ratios=("1:1", "16:9"),
    default_ratio="1:1",
    references=ReferenceLimits(total=2),
    thinking=("minimal", "high"),
    default_thinking="minimal",
    grounding=("web", "image"),
)
PLAIN = ModelCard(
    id="plain",
    name="Plain",
    aliases=(),
    ids=(ModelId("plain"),),
    sizes={"1K": SizeCard("1K", {"1:1": (64, 64)}, 1290)},
    default_size="1K",
    ratios=("1:1",),
    default_ratio="1:1",
    references=ReferenceLimits(total=3),
    output_types=("image/png",),
    sends_size=False,
)
TOKENS = PriceCard(
    "standard",
    input=nusd("0.50"),
    output_image=nusd("60"),
    output_text=nusd("3"),
    per_search=nusd("0.014"),
)
FLAT = PriceCard("per_request", per_request=nusd("0.055"))


def offer(card: ModelCard) -> Offer:
    return Offer(card.id, "test", card.id, prices={"standard": TOKENS, "per_request": FLAT})


def menu(**options) -> Menu:
    return Menu((THINKER, PLAIN), (offer(THINKER), offer(PLAIN)), **options)


def profile(*, faults=None, quota=None, bursts=None, quirks=None, **fields) -> Profile:
    return Profile(
        "test",
        mode=fields.pop("mode", "standard"),
        faults={Mishap(name): rate for name, rate in (faults or {}).items()},
        quota=QuotaPlan(**(quota or {})),
        bursts=Bursts(**(bursts or {})),
        quirks=Quirks(**(quirks or {})),
        **fields,
    )


def simulator(*, seed=0, mode: Mode = "tiny", shelf=None, **fields) -> tuple[SimProvider, MemoryShelf]:
    shelf = shelf or MemoryShelf()
    return SimProvider(profile(**fields), menu(), shelf, seed=seed, mode=mode), shelf
