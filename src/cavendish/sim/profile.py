"""Profiles: how a simulated provider behaves, as data.

A profile is a TOML file. Those that come with Cavendish lie in ``profiles/``; any other is named by its path.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast, get_args

from ..catalog.cards import Latency
from ..errors import ConfigError
from ..model.fault import FaultKind
from ..model.money import nusd
from .faults import Mishap
from .flavours import FAMILIES, Family
from .quota import QuotaPlan

Counted = Literal["tokens", "images", "cost"]
T = TypeVar("T")

FALLBACK_LATENCY = Latency(12.5, 18.0)
ANY_SIZE = "any"
"""In ``[latency]``: for sizes that have no line of their own."""


BY_TOKENS = frozenset(
    {
        FaultKind.PROMPT_BLOCKED,
        FaultKind.IMAGE_SAFETY,
        FaultKind.PROHIBITED,
        FaultKind.NO_IMAGE,
        FaultKind.TEXT_ONLY,
        FaultKind.MAX_TOKENS,
    }
)
"""Where tokens are billed, whatever reports some costs some; Google's words for IMAGE_OTHER are that it does not."""


@dataclass(frozen=True, slots=True)
class Bursts:
    """Times of trouble: calm and burst follow each other, each exponentially long around its mean.

    In a burst, ``share`` of the calls fail with one of ``kinds``, whatever the other rates are.
    """

    mean_calm_s: float = 0.0
    mean_burst_s: float = 0.0
    share: float = 1.0
    kinds: tuple[Mishap, ...] = (Mishap.OVERLOADED, Mishap.SERVER_ERROR)


@dataclass(frozen=True, slots=True)
class Quirks:
    """What one provider does unlike the others.

    ``same_seed_same_picture``: two calls with the same prompt and seed give the same bytes. ``picture_bytes``: the
    least file size by size word. ``thinking_factor``: how many times longer a call takes with more than the least
    thinking. ``counts_failures``: whether a call that ends in an error status has still used up its place in the
    quota. ``keeps_retired``: retired ids still answer. ``bills``: the answers without a picture that are billed all
    the same. ``network_s``: the most that a call may be under way before the provider counts it; evenly spread from
    0.

    ``needs_key``: whether a call without a key is refused. ``signatures``: whether the wire carries thought
    signatures. ``speaks``: whether words may come with a picture. ``by_address``: pictures come as addresses, which
    die after ``addresses_live_s`` seconds (0: never). ``counts``: what an answer says was used.

    Of several pictures in one call: ``whole_or_none``: all fail where one does; ``says_why``: those that are missing
    are accounted for. ``refuses_as``: the kinds of refusals that the system knows, all others are said as the first
    (empty: it knows all). ``black_pictures``: a refused picture comes as a black one. ``picture_usd`` is what a picture
    costs where the catalog has no price.
    """

    same_seed_same_picture: bool = True
    picture_bytes: Mapping[str, int] = field(default_factory=dict[str, int])
    thinking_factor: float = 1.6
    counts_failures: bool = True
    keeps_retired: bool = False
    bills: frozenset[FaultKind] = BY_TOKENS
    network_s: float = 0.0
    needs_key: bool = True
    signatures: bool = True
    speaks: bool = True
    by_address: bool = False
    addresses_live_s: float = 0.0
    counts: tuple[Counted, ...] = ("tokens",)
    whole_or_none: bool = False
    says_why: bool = True
    refuses_as: tuple[FaultKind, ...] = ()
    black_pictures: bool = False
    picture_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Stored:
    """How a system keeps jobs that are asked for until they end.

    ``address``: where, below the system's address, with ``{id}`` and ``{model}`` in it. ``poll_s``: how long it tells
    its callers to wait. ``fails_as``: as what a job ends that came to nothing.
    """

    address: str
    poll_s: float = 1.0
    fails_as: FaultKind = FaultKind.JOB_FAILED


@dataclass(frozen=True, slots=True)
class Profile:
    """One simulated provider.

    ``endpoint`` and ``mode`` say whose models and prices of the catalog it has. ``latency`` goes by size word, in
    seconds, and is multiplied by ``time_scale``. ``faults`` are probabilities per call. ``jobs`` is ``None`` for a
    system that answers at once.
    """

    name: str
    title: str = ""
    endpoint: str = "google"
    mode: str = "standard"
    family: Family = "google"
    quota: QuotaPlan = field(default_factory=QuotaPlan)
    latency: Mapping[str, Latency] = field(default_factory=dict[str, Latency])
    time_scale: float = 1.0
    faults: Mapping[Mishap, float] = field(default_factory=dict[Mishap, float])
    bursts: Bursts = field(default_factory=Bursts)
    quirks: Quirks = field(default_factory=Quirks)
    jobs: Stored | None = None

    def in_the_manner_of(self, other: Profile) -> Profile:
        """This system, as fast, as full and as troubled as another; what its own wire has to it stays."""
        quota = replace(other.quota, active_tasks=self.quota.active_tasks)
        return replace(
            self,
            quota=quota,
            latency=other.latency,
            time_scale=other.time_scale,
            faults=other.faults,
            bursts=other.bursts,
        )

    def latency_of(self, size: str, usual: Mapping[str, Latency] = MappingProxyType({})) -> Latency:
        """Seconds for a picture of this size, time scale included; ``usual`` is the catalog's for the model."""
        latency = self.latency.get(size) or self.latency.get(ANY_SIZE) or usual.get(size) or FALLBACK_LATENCY
        return Latency(latency.p50_s * self.time_scale, latency.p90_s * self.time_scale)


def names() -> tuple[str, ...]:
    """The profiles that come with Cavendish."""
    folder = resources.files(__package__ or "") / "profiles"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_profile(name_or_path: str) -> Profile:
    """A profile by its name, or by the path of a TOML file. Raises ``ConfigError``."""
    if name_or_path in names():
        text = (resources.files(__package__ or "") / "profiles" / f"{name_or_path}.toml").read_text(encoding="utf-8")
    elif (path := Path(name_or_path)).suffix == ".toml" and path.is_file():
        text = path.read_text(encoding="utf-8")
    else:
        raise ConfigError(
            f"no such profile: {name_or_path}", hints=(f"profiles: {', '.join(names())}", "or the path of a .toml file")
        )
    try:
        return read_profile(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"profile {name_or_path}: {error}") from error


def read_profile(data: Mapping[str, Any]) -> Profile:
    """A profile from its parsed TOML. Raises ``ValueError`` for a member or a value that does not belong."""
    known = {name: value for name, value in data.items() if not isinstance(value, dict)}
    tables: dict[str, dict[str, Any]] = {name: value for name, value in data.items() if isinstance(value, dict)}
    parts: dict[str, Any] = {}
    for name, table in tables.items():
        if name not in _TABLES:
            raise ValueError(f"unknown table [{name}]; the tables are {', '.join(_TABLES)}")
        parts[name] = _TABLES[name](table)
    profile = _build(Profile, {**known, **parts})
    if profile.family not in FAMILIES or profile.time_scale < 0:
        raise ValueError(f"family is one of {', '.join(FAMILIES)}, and time_scale is not negative")
    return profile


def _build(kind: type[T], members: Mapping[str, Any]) -> T:
    known = {f.name for f in fields(cast("Any", kind))}
    if unknown := sorted(set(members) - known):
        raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return kind(**members)


def _read_quota(table: dict[str, Any]) -> QuotaPlan:
    members = dict(table)
    if "spend_usd_per_10_minutes" in members:
        members["spend_per_10_minutes_nusd"] = nusd(members.pop("spend_usd_per_10_minutes"))
    plan = _build(QuotaPlan, members)
    if plan.algorithm not in {"fixed_window", "sliding_window", "token_bucket"}:
        raise ValueError(f"unknown quota algorithm: {plan.algorithm}")
    if any(isinstance(limit, int) and limit < 1 for limit in members.values()):
        raise ValueError("a limit is at least 1; leave it out for none")
    return plan


def _read_latency(table: dict[str, Any]) -> Mapping[str, Latency]:
    latency = {size: Latency(float(p50), float(p90)) for size, (p50, p90) in table.items()}
    if any(not 0 < entry.p50_s <= entry.p90_s for entry in latency.values()):
        raise ValueError("a latency is [p50, p90] in seconds, with 0 < p50 <= p90")
    return latency


def _read_faults(table: dict[str, Any]) -> Mapping[Mishap, float]:
    rates = {Mishap(name): float(rate) for name, rate in table.items()}
    if any(rate < 0 for rate in rates.values()) or sum(rates.values()) > 1 + 1e-9:
        raise ValueError("fault rates are not negative and add up to 1 at most")
    return rates


def _read_bursts(table: dict[str, Any]) -> Bursts:
    members = dict(table)
    if "kinds" in members:
        members["kinds"] = tuple(Mishap(kind) for kind in members["kinds"])
    return _build(Bursts, members)


def _read_quirks(table: dict[str, Any]) -> Quirks:
    members = dict(table)
    if "bills" in members:
        members["bills"] = frozenset(FaultKind(kind) for kind in members["bills"])
    if "refuses_as" in members:
        members["refuses_as"] = tuple(FaultKind(kind) for kind in members["refuses_as"])
    if unknown := set(members.get("counts", ())) - set(get_args(Counted)):
        raise ValueError(f"nothing that is counted: {', '.join(unknown)}")
    return _build(Quirks, {**members, **({"counts": tuple(members["counts"])} if "counts" in members else {})})


def _read_jobs(table: dict[str, Any]) -> Stored:
    members = dict(table)
    if "fails_as" in members:
        members["fails_as"] = FaultKind(members["fails_as"])
    stored = _build(Stored, members)
    if "{id}" not in stored.address or not stored.address.startswith("/"):
        raise ValueError("the address of a job begins with a slash and has {id} in it")
    return stored


_TABLES = {
    "quota": _read_quota,
    "latency": _read_latency,
    "faults": _read_faults,
    "bursts": _read_bursts,
    "quirks": _read_quirks,
    "jobs": _read_jobs,
}
