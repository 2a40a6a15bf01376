"""Cards from merged tables: what a single value cannot tell is checked here, above all that names lead somewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

from ..errors import ConfigError
from .cards import (
    ANY_MODEL,
    EndpointCard,
    Latency,
    Limits,
    ModelCard,
    ModelId,
    Offer,
    PixelRule,
    PriceCard,
    ReferenceLimits,
    SizeCard,
    TokenCounts,
)
from .schema import Place

Tables = Mapping[str, Any]

USUAL_RANK = 100
"""Of an endpoint that states none: after all that do."""

_OF_LAYERS = ("offers_of", "rank")
"""What an endpoint's table says about the catalog, not about the endpoint."""


@dataclass(slots=True)
class Layers:
    """Tables of several files laid over one another, and which file spoke last of each entry, the latest last."""

    models: dict[str, Tables] = field(default_factory=dict[str, Tables])
    endpoints: dict[str, Tables] = field(default_factory=dict[str, Tables])
    offers: dict[str, Tables] = field(default_factory=dict[str, Tables])
    origins: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def lay(self, tables: Mapping[str, Mapping[str, Tables]], origin: str) -> None:
        """Lay a file's tables over the others."""
        for kind, entries in tables.items():
            mine: dict[str, Tables] = getattr(self, kind)
            for name, entry in entries.items():
                mine[name] = merged(mine.get(name, {}), entry)
                self.origins.pop((kind, name), None)
                self.origins[kind, name] = origin

    def rank(self, endpoint: str) -> tuple[int, str]:
        """By which endpoints are sorted: the first that offers a model is asked when the user names none."""
        return self.endpoints.get(endpoint, {}).get("rank", USUAL_RANK), endpoint

    def copy_offers(self) -> None:
        """Give each endpoint with ``offers_of`` the offers of the endpoint that it names; its own lie over them."""
        for name, entry in self.endpoints.items():
            source = entry.get("offers_of")
            if source is None:
                continue
            if source not in self.endpoints:
                raise self.error("endpoints", name, "offers_of", f"no endpoint is named {source!r}")
            for key in [key for key in self.offers if key.startswith(f"{source}/")]:
                mine = name + key.removeprefix(source)
                self.offers[mine] = merged(self.offers[key], self.offers.get(mine, {}))
                self.origins.setdefault(("offers", mine), self.origins["endpoints", name])

    def error(self, kind: str, name: str, key: str, wrong: str) -> ConfigError:
        """What is wrong with an entry, with the file that spoke last of it."""
        return Place(self.origins.get((kind, name), ""), kind, name).inside(key).error(wrong)


def merged(below: Tables, above: Tables) -> dict[str, Any]:
    """Two tables as one, the second winning. A fact that is replaced loses the source of the one it replaces."""
    result = dict(below)
    if not above:
        return result
    for key, value in above.items():
        old: Any = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merged(cast("Tables", old), cast("Tables", value)) if both else value
    if "provenance" in below:
        result["provenance"] = _sources(below["provenance"], above)
    return result


def _sources(below: Any, above: Tables) -> Any:
    new: Any = above.get("provenance")
    if not isinstance(below, Mapping):
        return new
    kept = {fact: source for fact, source in cast("Tables", below).items() if fact not in above}
    return {**kept, **cast("Tables", new or {})}


# --- models -----------------------------------------------------------------------------------------------------------


def model_card(name: str, entry: Tables, layers: Layers) -> ModelCard:
    """A model's card. Raises ``ConfigError`` when its parts do not fit together."""
    facts = dict(entry)
    sizes = _sizes(name, facts.pop("sizes", {}), layers)
    ratios = facts.pop("ratios", None) or tuple(dict.fromkeys(r for size in sizes.values() for r in size.pixels))
    first = next(iter(sizes), "")
    card = ModelCard(
        id=name,
        name=facts.pop("name", name),
        aliases=facts.pop("aliases", ()),
        ids=_ids(facts.pop("ids", {name: {}})),
        sizes=sizes,
        default_size=facts.pop("default_size", first),
        ratios=ratios,
        default_ratio=facts.pop("default_ratio", ratios[0] if ratios else ""),
        references=ReferenceLimits(**facts.pop("references", {})),
        tokens=TokenCounts(**facts.pop("tokens", {})),
        any_pixels=PixelRule(**rule) if (rule := facts.pop("any_pixels", None)) else None,
        **facts,
    )
    for key, chosen, known in (
        ("default_size", card.default_size, card.sizes),
        ("default_ratio", card.default_ratio, card.ratios),
        ("default_thinking", card.default_thinking, card.thinking),
    ):
        if chosen and chosen not in known:
            raise layers.error("models", name, key, f"{chosen!r} is none of {', '.join(known) or 'none'}")
    return card


def _ids(entries: Mapping[str, Tables]) -> tuple[ModelId, ...]:
    ids = [ModelId(name, **entry) for name, entry in entries.items()]
    return tuple(sorted(ids, key=lambda known: known.released or date.max, reverse=True))


def _sizes(name: str, entries: Mapping[str, Tables], layers: Layers) -> dict[str, SizeCard]:
    sizes: dict[str, SizeCard] = {}
    for word, entry in entries.items():
        pixels: Mapping[str, tuple[int, int]] = entry.get("pixels", {})
        base = entry.get("scale_of")
        if base is not None and base not in entries:
            raise layers.error("models", name, f"sizes.{word}.scale_of", f"no size is named {base!r}")
        if base is not None:
            scale: float = entry.get("scale", 1.0)
            pixels = {r: _scaled(size, scale) for r, size in entries[base].get("pixels", {}).items()} | dict(pixels)
        sizes[word] = SizeCard(word, pixels, entry.get("output_tokens", 0))
    return sizes


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return round(size[0] * scale), round(size[1] * scale)


# --- endpoints and offers ---------------------------------------------------------------------------------------------


def endpoint_card(name: str, entry: Tables, layers: Layers) -> EndpointCard:
    """An endpoint's card. Raises ``ConfigError`` when it lacks its dialect or address."""
    facts = {key: value for key, value in entry.items() if key not in _OF_LAYERS}
    for key in ("dialect", "base_url"):
        if key not in facts:
            raise layers.error("endpoints", name, key, "is missing")
    usual: dict[str, Any] = {"title": name}
    if "auth_header" not in facts:
        usual |= {"auth_header": "Authorization", "auth_prefix": "Bearer "}
    return EndpointCard(name=name, **{**usual, **facts})


def offer_of(name: str, entry: Tables, layers: Layers) -> Offer:
    """An offer. Raises ``ConfigError`` when there is no such model or endpoint."""
    endpoint, _, model = name.partition("/")
    for kind, wanted in (("endpoints", endpoint), ("models", model)):
        if wanted not in getattr(layers, kind) and (kind, wanted) != ("models", ANY_MODEL):
            raise layers.error("offers", name, "", f"no {kind.removesuffix('s')} is named {wanted!r}")
    facts = dict(entry)
    return Offer(
        model=model,
        endpoint=endpoint,
        wire_id=facts.pop("wire_id", model),
        pictures_per_call=facts.pop("pictures_per_call", layers.models.get(model, {}).get("per_call", 1)),
        prices={mode: PriceCard(mode, **price) for mode, price in facts.pop("prices", {}).items()},
        tiers={tier: _limits(limits) for tier, limits in facts.pop("tiers", {}).items()},
        latency={size: _latency(name, size, known, layers) for size, known in facts.pop("latency", {}).items()},
        **facts,
    )


def _limits(entry: Tables) -> Limits:
    facts = dict(entry)
    return Limits(spend_per_10_minutes_nusd=facts.pop("spend_usd_per_10_minutes", None), **facts)


def _latency(offer: str, size: str, entry: Tables, layers: Layers) -> Latency:
    p50_s, p90_s = entry.get("p50_s"), entry.get("p90_s")
    if p50_s is None or p90_s is None or p90_s < p50_s:
        raise layers.error("offers", offer, f"latency.{size}", "expected p50_s and a p90_s that is no less")
    return Latency(p50_s, p90_s)
