"""The catalog from the files that come with Cavendish, with the user's tables laid over them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Protocol

from .build import Layers, endpoint_card, model_card, offer_of
from .cards import ANY_MODEL, ModelCard
from .resolve import Catalog
from .schema import read_tables

DATA = "data"


class Part(Protocol):
    """Tables ``models``, ``endpoints`` and ``offers`` as TOML gives them, and the name of the file they stand in."""

    @property
    def origin(self) -> str:
        """The file's name, for errors."""
        ...

    @property
    def tables(self) -> Mapping[str, Any]:
        """What the file says."""
        ...


def load(overrides: Sequence[Part] = ()) -> Catalog:
    """The whole catalog; later parts win, table by table and key by key.

    Raises ``ConfigError`` naming file, table and key for what is unknown, of the wrong type or leads nowhere.
    """
    if not overrides:
        return _built_in()
    layers = Layers()
    for origin, tables in _packaged():
        layers.lay(tables, origin)
    for part in overrides:
        layers.lay(read_tables(part.tables, part.origin), part.origin)
    return _catalog(layers)


@cache
def _built_in() -> Catalog:
    layers = Layers()
    for origin, tables in _packaged():
        layers.lay(tables, origin)
    return _catalog(layers)


@cache
def _packaged() -> tuple[tuple[str, dict[str, dict[str, Any]]], ...]:
    """The packaged files, read once in a process: nothing changes them, and parsing TOML takes milliseconds."""
    folder = resources.files(__package__ or "") / DATA
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple((file.name, read_tables(tomllib.loads(file.read_text(encoding="utf-8")), file.name)) for file in files)


def _catalog(layers: Layers) -> Catalog:
    layers.copy_offers()
    models = {name: model_card(name, entry, layers) for name, entry in layers.models.items()}
    names = _names(models, layers)
    _check_successors(models, names, layers)
    ranked = sorted(layers.endpoints, key=layers.rank)
    ranked_offers = sorted(layers.offers, key=lambda name: layers.rank(name.partition("/")[0]))
    offers = {name: offer_of(name, layers.offers[name], layers) for name in ranked_offers}
    return Catalog(
        models=models,
        endpoints={name: endpoint_card(name, layers.endpoints[name], layers) for name in ranked},
        offers={name: offer for name, offer in offers.items() if offer.model != ANY_MODEL},
        open_offers={offer.endpoint: offer for offer in offers.values() if offer.model == ANY_MODEL},
        names=names,
    )


def _names(models: Mapping[str, ModelCard], layers: Layers) -> dict[str, str]:
    """Each alias, canonical name and provider's id, in lower case, with the model it means."""
    names: dict[str, str] = {}
    # In the order of the files, so that of two that claim a name the later is told.
    for model in (name for kind, name in layers.origins if kind == "models"):
        card = models[model]
        for name in dict.fromkeys((model, *(known.id for known in card.ids), *card.aliases)):
            other = names.setdefault(name.lower(), model)
            if other != model:
                raise layers.error("models", model, "aliases", f"{name!r} means {other!r} already")
    return names


def _check_successors(models: Mapping[str, ModelCard], names: Mapping[str, str], layers: Layers) -> None:
    for model, card in models.items():
        for known in card.ids:
            if known.successor and known.successor.lower() not in names:
                wrong = f"no model has the id {known.successor!r}"
                raise layers.error("models", model, f"ids.{known.id}.successor", wrong)
