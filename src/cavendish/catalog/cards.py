"""The catalog's values: models, endpoints, offers, prices and limits, as the TOML files state them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from ..model.request import JsonValue

Several = Literal["parallel", "serial"]
"""How a call that was asked for several pictures draws them."""

Shape = Literal["words", "pixels", "word_or_pixels"]
"""How a size and a ratio are told."""

ANY_MODEL = "*"
"""Stands for the model in an endpoint's offer of whatever it is asked for."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a fact is from, when it was read, and whether it was seen at the source itself."""

    source: str
    as_of: date
    verified: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelId:
    """One id under which a model goes or went. ``retires`` is the earliest day it may stop to answer."""

    id: str
    released: date | None = None
    retires: date | None = None
    successor: str = ""


@dataclass(frozen=True, slots=True)
class SizeCard:
    """One size word: the pixels by aspect ratio, and the tokens that a picture of it counts."""

    word: str
    pixels: Mapping[str, tuple[int, int]]
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class PixelRule:
    """Which widths and heights a model takes, where it takes any: 0 means no such bound.

    Both sides are a ``multiple`` of so many pixels, from ``shortest`` to ``longest``; the two multiplied are from
    ``least`` to ``most``; the longer is at most ``widest`` times the shorter.
    """

    multiple: int = 1
    shortest: int = 0
    longest: int = 0
    least: int = 0
    most: int = 0
    widest: int = 0


@dataclass(frozen=True, slots=True)
class ReferenceLimits:
    """How many reference pictures a request may hold, in all and by use (``None``: no limit of its own).

    Masks are not counted in ``total``, and most models know none. Above ``recommended`` the model takes them, but
    follows them less well. ``required``: without one it draws nothing.
    """

    total: int = 0
    required: bool = False
    objects: int | None = None
    persons: int | None = None
    styles: int | None = None
    masks: int = 0
    max_bytes: int = 0
    media_types: tuple[str, ...] = ()
    recommended: int | None = None


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """What a call counts beside its picture, for estimates: the bill goes by what the provider reports.

    ``reference`` is the input of one reference picture, ``text`` the output that is neither picture nor thought,
    ``thoughts`` the thinking by level; a model that always thinks has its figure under ``always``.
    """

    reference: int = 0
    text: int = 0
    thoughts: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model can do, wherever it is served.

    ``id`` is the canonical name in Cavendish. ``aliases`` are names that people use. ``ids`` are the provider's own,
    newest first. ``per_call`` is how many pictures one call can be asked for. ``sends_size`` is false for a model that
    must not be told a size. ``ignores`` names request fields that the model refuses or ignores. ``qualities`` is empty
    for a model that knows no such thing. ``max_input_tokens`` 0 means unknown. ``any_pixels`` is the rule of a model
    that draws any width and height. ``provenance`` goes by the names of these fields.
    """

    id: str
    name: str
    aliases: tuple[str, ...]
    ids: tuple[ModelId, ...]
    sizes: Mapping[str, SizeCard]
    default_size: str
    ratios: tuple[str, ...]
    default_ratio: str
    references: ReferenceLimits
    thinking: tuple[str, ...] = ()
    default_thinking: str = ""
    always_thinks: bool = False
    grounding: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ("TEXT", "IMAGE")
    default_modalities: tuple[str, ...] = ("TEXT", "IMAGE")
    output_types: tuple[str, ...] = ("image/jpeg",)
    per_call: int = 1
    sends_size: bool = True
    ignores: tuple[str, ...] = ()
    provenance: Mapping[str, Provenance] = field(default_factory=dict[str, Provenance])
    qualities: tuple[str, ...] = ()
    max_input_tokens: int = 0
    tokens: TokenCounts = field(default_factory=TokenCounts)
    any_pixels: PixelRule | None = None


@dataclass(frozen=True, slots=True)
class PriceCard:
    """What an offer costs in one mode. All amounts in nano-dollars; ``None`` means unknown, never free.

    Token prices are per million. ``per_picture`` is the list price of the picture's tokens by size word, for tables and
    estimates, or by ``quality/size`` where quality has a price; ``per_request`` is a flat price that replaces all else.
    ``billing`` is this mode's own rule where it is not the endpoint's. ``bills_refusals`` says whether an answer
    without a picture is billed, ``None`` when that goes by the tokens it reports. ``free_searches`` are kinds of
    grounding that cost nothing.
    """

    mode: str
    input: int | None = None
    input_image: int | None = None
    output_image: int | None = None
    output_text: int | None = None
    per_picture: Mapping[str, int] = field(default_factory=dict[str, int])
    per_request: int | None = None
    per_search: int | None = None
    provenance: Provenance | None = None
    billing: str = ""
    bills_refusals: bool | None = None
    free_searches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one key at one tier; ``None`` means unknown. Spend in nano-dollars per rolling ten minutes."""

    requests_per_minute: int | None = None
    requests_per_day: int | None = None
    images_per_minute: int | None = None
    tokens_per_minute: int | None = None
    spend_per_10_minutes_nusd: int | None = None
    in_flight: int | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from the request to the whole reply: half and nine tenths of the calls are faster."""

    p50_s: float
    p90_s: float


@dataclass(frozen=True, slots=True)
class Offer:
    """A model at an endpoint. ``wire_id`` is what is sent; ``serves`` further ids that this endpoint takes.

    ``keeps_retired``: ids past their date still answer here. ``timeout_by_size`` has the sizes that need longer than
    ``timeout_s``. ``provenance`` goes by the names of these fields; prices and tiers hold their own.

    ``pictures_per_call`` is how many pictures one call may be asked for here; where a file says nothing it is the
    model's ``per_call``. ``several`` says what asking for several in one call is like: ``parallel``, as fast as one and
    no dearer, so worth it; ``serial``, drawn one after another, so single calls side by side are faster.
    ``pictures_and_references`` bounds the two together in one call (0: no such bound). A call must not be asked for
    more than the key's ``images_per_minute`` either: where pictures are counted, such a call can never be let in.

    ``shape`` is how size and ratio are told here: as ``words``, one beside the other; both as ``pixels``, WIDTHxHEIGHT;
    or ``word_or_pixels``, a size alone as its word and any ratio as pixels.

    The offer ``"ENDPOINT/*"`` is of any model at all, under the name that the user gives it.
    """

    model: str
    endpoint: str
    wire_id: str
    serves: tuple[str, ...] = ()
    prices: Mapping[str, PriceCard] = field(default_factory=dict[str, PriceCard])
    tiers: Mapping[str, Limits] = field(default_factory=dict[str, Limits])
    latency: Mapping[str, Latency] = field(default_factory=dict[str, Latency])
    timeout_s: float = 300.0
    keeps_retired: bool = False
    timeout_by_size: Mapping[str, float] = field(default_factory=dict[str, float])
    provenance: Mapping[str, Provenance] = field(default_factory=dict[str, Provenance])
    pictures_per_call: int = 1
    several: Several = "parallel"
    pictures_and_references: int = 0
    shape: Shape = "words"


@dataclass(frozen=True, slots=True)
class EndpointCard:
    """Who speaks a wire format: the address, how the key is stamped on, and whose URLs are trusted.

    ``auth_header`` and ``auth_prefix`` say how (``Authorization`` and ``Bearer ``). ``key_env`` are the environment
    variables that may hold the key, the winner first. In a trusted host ``*`` stands for one label
    (``api.*.example``). ``options`` are the dialect's, but for four: ``files_api = true`` has large references
    uploaded once and referred to from then on, ``timeout_header`` names the header that tells the host our time-out
    in seconds, ``cost_header`` the one in which a relay states what an answer cost, in dollars, and ``usage`` says
    how its bill can be read: tables of a ``reader``, a ``path`` and, on another host, a ``base_url``. ``billing``
    names the rule by which faults are charged (``google``, ``relay_per_request``, ``relay_tokens``, or ``as_told``: as
    the wire format's own answers say). ``day_zone`` is the zone whose midnight renews a daily quota. ``needs_key`` is
    false for an endpoint that asks for none.

    ``auth`` is ``key``, or ``google``: access tokens by Application Default Credentials, where there is no key. An
    address or an option may hold ``{project}`` and ``{location}``: the user's, from the variables in ``place_env``,
    else what ``place_default`` says. ``base_url_at`` has the addresses of locations that do not follow the rule.
    """

    name: str
    title: str
    dialect: str
    base_url: str
    auth_header: str
    auth_prefix: str = ""
    key_env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    options: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    default_mode: str = "standard"
    default_tier: str = ""
    billing: str = "google"
    day_zone: str = "America/Los_Angeles"
    provenance: Provenance | None = None
    needs_key: bool = True
    auth: str = "key"
    place_env: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    place_default: Mapping[str, str] = field(default_factory=dict[str, str])
    base_url_at: Mapping[str, str] = field(default_factory=dict[str, str])
