"""One page for each provider, from the catalog: its endpoints, and its models as they are to be had there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cavendish.catalog.cards import EndpointCard, Offer
from cavendish.catalog.resolve import Catalog
from scripts.markdown import code, codes, origin, table, words


class Provider(NamedTuple):
    """What one bill comes from, and the names of its endpoints in the catalog."""

    title: str
    endpoints: tuple[str, ...]


PROVIDERS: Mapping[str, Provider] = {
    "google": Provider("Google", ("google", "google-imagen", "vertex", "vertex-express")),
    "apiyi": Provider("APIYI", ("apiyi", "apiyi-chat", "apiyi-images", "apiyi-ark")),
    "openai": Provider("OpenAI", ("openai",)),
    "seedream": Provider("Seedream at BytePlus and Volcengine", ("byteplus", "volcengine")),
    "bfl": Provider("Black Forest Labs", ("bfl",)),
    "fal": Provider("fal", ("fal", "fal-direct")),
    "openrouter": Provider("OpenRouter", ("openrouter", "openrouter-images")),
    "local": Provider("A server of your own", ("local",)),
}
"""A page of quirks, written by hand, stands in docs/providers under the same name."""

SHAPES = {"words": "in words", "pixels": "in pixels", "word_or_pixels": "a ratio in pixels"}
RULES = {
    "google": "Google's: a failed call is free; an answer counts its tokens",
    "relay_per_request": "by the request; calls that were left are billed",
    "relay_tokens": "by tokens; calls that were left are billed",
    "as_told": "as its answers say",
}


def provider_page(name: str, catalog: Catalog) -> Iterator[str]:
    """The page of a provider."""
    provider = PROVIDERS[name]
    yield from words(f"""
        # {provider.title}

        What the catalog says of it; what is peculiar about it: [by hand](../../providers/{name}.md). What pictures cost
        and what a key may do: [prices and limits](../prices.md); what the models can: [models](../models.md).
    """)
    for endpoint in provider.endpoints:
        yield from _of_endpoint(catalog, catalog.endpoints[endpoint])


def _of_endpoint(catalog: Catalog, card: EndpointCard) -> Iterator[str]:
    yield f"## `--via {card.name}`: {card.title}"
    yield ""
    yield from table(("", ""), _facts(card))
    open_offer = catalog.open_offers.get(card.name)
    if open_offer is not None:
        yield "Any model, under the name that its server gives it."
        yield ""
    offers = catalog.offers_at(card.name)
    if offers:
        head = ("Model", "Id", "Sizes", "Told", "References", "Masks", "A call", "Modes", "Life")
        yield from table(head, (_of_offer(catalog, offer) for offer in offers))


def _facts(card: EndpointCard) -> Iterator[tuple[str, str]]:
    yield "wire format", code(card.dialect)
    yield "address", code(card.base_url)
    yield "key", _key(card)
    yield "variables of the key", codes(card.key_env)
    yield "variables of the address", codes(card.base_url_env)
    yield "options", codes(f"{name} = {_toml(value)}" for name, value in card.options.items())
    yield "usual mode", code(card.default_mode)
    yield "usual tier", code(card.default_tier)
    yield "failed calls", RULES[card.billing]
    yield "a day ends in", card.day_zone
    if card.provenance:
        source, day = origin(card.provenance)
        yield "source", f"{source}, {day}"


def _key(card: EndpointCard) -> str:
    if not card.needs_key:
        return "none needed"
    stamped = f"`{card.auth_header}: {card.auth_prefix}...`"
    return f"{stamped}, or a login of Google's" if card.auth == "google" else stamped


def _toml(value: object) -> str:
    return json.dumps(value).replace("|", "")


def _of_offer(catalog: Catalog, offer: Offer) -> tuple[str, ...]:
    card = catalog.models[offer.model]
    limits = card.references
    return (
        card.name,
        codes((offer.wire_id, *offer.serves)),
        " ".join(card.sizes) if card.sends_size else "its own",
        SHAPES[offer.shape],
        str(limits.total),
        str(limits.masks),
        f"{offer.pictures_per_call}{', one after another' if offer.several == 'serial' else ''}",
        codes(offer.prices),
        _life(offer, catalog),
    )


def _life(offer: Offer, catalog: Catalog) -> str:
    known = next((known for known in catalog.models[offer.model].ids if known.id == offer.wire_id), None)
    if known is None or known.retires is None:
        return ""
    if offer.keeps_retired:
        return "answers after its end elsewhere"
    return f"until {known.retires}{f', then `{known.successor}`' if known.successor else ''}"
