"""Layers: files, variables and flags laid over each other, checked, and made into settings."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from ..catalog.cards import EndpointCard
from ..catalog.schema import PLACES
from ..errors import ConfigError
from ..model.fault import FaultKind
from ..model.request import Notice
from . import values as read
from .fields import BY_NAME, ENDPOINT_FIELDS, FIELDS, KINDS, OF_ENDPOINT, SWITCHES, Field
from .files import Sources, known
from .places import user_state
from .settings import EndpointSettings, Setting, Settings
from .values import Raw

PREFIX = "CAVENDISH_"


def load(sources: Sources, endpoints: Mapping[str, EndpointCard], flags: Mapping[str, Any] | None = None) -> Settings:
    """All settings. ``endpoints`` are the catalog's, by name; ``flags`` those that were given, by their dotted names.

    A flag that is ``None`` was not given. Raises ``ConfigError`` naming the source and the key.
    """
    layers = {name: raw for layer in sources.files for name, raw in layer.items()}
    layers |= _from_environment(sources, endpoints)
    layers |= _from_flags(sources, flags or {})
    _check_names(layers, endpoints)
    found: dict[str, Any] = {item.attribute: _resolve(item, item.name, layers) for item in FIELDS}
    if found["state"].value is None:
        found["state"] = Setting("state", user_state())
    return Settings(
        **found,
        endpoints={name: _endpoint_settings(name, layers) for name in endpoints},
        refills=_refills(layers),
        catalog=sources.catalog,
        notices=(*sources.notices, *_strange_variables(sources, endpoints)),
    )


def _resolve(known: Field, name: str, layers: Mapping[str, Raw]) -> Setting[Any]:
    raw = layers.get(name)
    if raw is None:
        return Setting(name, known.default)
    try:
        return Setting(name, known.read(raw), raw.origin)
    except ValueError as error:
        # What should have been an address may hold a key as well.
        hidden = {read.keys, read.secret, read.address, read.store, read.pictures}
        got = "" if known.read in hidden else f", got {raw.value!r}"
        raise ConfigError(f"{raw.where}: expected {error}{got}") from None


def _endpoint_settings(name: str, layers: Mapping[str, Raw]) -> EndpointSettings:
    found = {item.attribute: _resolve(item, f"endpoints.{name}.{item.name}", layers) for item in ENDPOINT_FIELDS}
    return EndpointSettings(**cast("Any", found))


def _refills(layers: Mapping[str, Raw]) -> dict[FaultKind, Setting[int]]:
    bounds: dict[FaultKind, Setting[int]] = {}
    for kind in FaultKind:
        name = f"refills.{kind.value}"
        if name in layers:
            bounds[kind] = _resolve(Field(name, name, read.refill), name, layers)
    return bounds


def variables_of(name: str, card: EndpointCard) -> dict[str, tuple[str, ...]]:
    """The environment variables of an endpoint by setting, the winner first."""
    stem = PREFIX + re.sub(r"\W", "_", name).upper()
    own: dict[str, tuple[str, ...]] = {item.name: (f"{stem}_{item.name.upper()}",) for item in ENDPOINT_FIELDS}
    own["api_key"] += card.key_env
    own["base_url"] += card.base_url_env
    for place in PLACES:
        own[place] = (*own[place], *card.place_env[place]) if place in card.place_env else ()
    return {name: variables for name, variables in own.items() if variables}


def _from_environment(sources: Sources, endpoints: Mapping[str, EndpointCard]) -> dict[str, Raw]:
    wanted: dict[str, tuple[str, ...]] = {item.name: item.env for item in FIELDS}
    for name, card in endpoints.items():
        wanted |= {f"endpoints.{name}.{key}": names for key, names in variables_of(name, card).items()}
    found: dict[str, Raw] = {}
    for setting, names in wanted.items():
        # An empty variable counts as none: that is how one is switched off for a single command.
        variable = next((name for name in names if sources.environ.get(name)), None)
        if variable:
            found[setting] = Raw(sources.environ[variable], f"${variable}", f"${variable}", sources.cwd)
    return found


def _from_flags(sources: Sources, flags: Mapping[str, Any]) -> dict[str, Raw]:
    given = {name: str(value) if isinstance(value, Path) else value for name, value in flags.items()}
    spelled = {name: "--" + name.rpartition(".")[2].replace("_", "-") for name in given}
    return {
        name: Raw(value, spelled[name], spelled[name], sources.cwd)
        for name, value in given.items()
        if value is not None
    }


def _check_names(layers: Mapping[str, Raw], endpoints: Collection[str]) -> None:
    for name, raw in layers.items():
        table, _, rest = name.partition(".")
        endpoint, _, key = rest.rpartition(".")
        if table == "endpoints":
            known(raw.where, endpoint, endpoints)
            known(raw.where, key, OF_ENDPOINT)
        elif table == "refills":
            known(raw.where, rest, KINDS)
        else:
            known(raw.where, name, BY_NAME)


def _strange_variables(sources: Sources, endpoints: Mapping[str, EndpointCard]) -> Iterable[Notice]:
    known = {*SWITCHES, *(name for item in FIELDS for name in item.env)}
    for name, card in endpoints.items():
        known.update(*variables_of(name, card).values())
    for variable in sorted(sources.environ):
        if variable.startswith(PREFIX) and variable not in known:
            close = difflib.get_close_matches(variable, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            yield Notice("unknown_variable", f"${variable} is no setting, so it changes nothing{hint}", variable)
