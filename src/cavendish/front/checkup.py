"""Checkup: what is configured and what each key can reach, as findings."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from yarl import URL

from ..catalog.cards import EndpointCard, Offer
from ..catalog.resolve import Life
from ..catalog.tables import model_rows
from ..config import PROJECT_FILE, read_sources, user_file, variables_of
from ..dialects.gemini import read_models
from ..errors import ConfigError
from ..io.http.exchange import Timeouts
from ..io.http.provider import Tokens
from ..model.fault import Fault
from ..secret import Secret
from ..wire.reading import items, text
from .advice import ADVICE
from .build import Setup, Workshop
from .routes import SIMULATOR

LOOK_TIMEOUT_S = 20.0
PAGE_SIZE = 1000
GOOGLE_FORMATS = frozenset({"gemini", "imagen"})
OPENAI_FORMATS = frozenset({"openai_images", "openai_chat"})
LOW_DISK_BYTES = 1024**3
"""About fifty 4K pictures: little enough to say so."""
CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``ok`` is ``None`` for what is neither right nor wrong."""

    what: str
    ok: bool | None
    text: str
    hints: tuple[str, ...] = ()


class Named(NamedTuple):
    """A model of a list that says no more than its id."""

    id: str


async def examine(setup: Setup, *, offline: bool = False) -> list[Finding]:
    """Look at everything. Unless ``offline``, each key asks its endpoint for the list of models: that is free."""
    found = await asyncio.to_thread(lambda: [*_this_program(), *_files(setup), *_network(setup)])
    async with Workshop(setup) as workshop:
        for name, card in setup.catalog.endpoints.items():
            if name == SIMULATOR:
                continue
            keys = setup.settings.endpoints[name].keys
            if card.auth == "google" and not keys.value:
                found.append(await _login(workshop, card, offline=offline))
            elif not keys.value:
                found.append(Finding(name, None, _keyless(card)))
            elif _is_past(setup, name):
                found.append(Finding(name, None, "all its models are retired: not asked"))
                continue
            for number, key in enumerate(keys.value, 1):
                label = name if len(keys.value) == 1 else f"{name}, key {number}"
                found.append(
                    Finding(label, None, f"there is a key from {keys.origin}")
                    if offline
                    else await _ask(workshop, card, key, label, keys.origin)
                )
    if not any(own.keys.value for own in setup.settings.endpoints.values()):
        found.append(Finding("simulator", True, "answers, because there is no key"))
    return found


# --- this machine ----------------------------------------------------------------------------------------------------


def _this_program() -> Iterator[Finding]:
    yield Finding("cavendish", None, f"{version('cavendish')}, Python {platform.python_version()}, {sys.platform}")
    free = shutil.disk_usage(Path.cwd()).free
    hints = () if free > LOW_DISK_BYTES else ("make room, or name a folder elsewhere with -o",)
    yield Finding("disk", free > LOW_DISK_BYTES, f"{free / 1024**3:.1f} GiB free here", hints)


def _files(setup: Setup) -> Iterator[Finding]:
    for path in (user_file(read_sources().environ), Path.cwd() / PROJECT_FILE):
        yield Finding("settings", True if path.is_file() else None, f"{path}{'' if path.is_file() else ' (none)'}")
    for notice in setup.settings.notices:
        yield Finding("settings", False, notice.text)


def _network(setup: Setup) -> Iterator[Finding]:
    for name in PROXIES:
        if value := os.environ.get(name) or os.environ.get(name.lower()):
            # A proxy's address may hold a password.
            address = URL(value)
            shown = value if name == "NO_PROXY" else f"{address.host}:{address.port}"
            yield Finding("proxy", None, f"{name} is {shown}")
    bundle = setup.settings.ca_bundle
    if bundle.value:
        yield Finding("certificates", None, f"{bundle.value} (from {bundle.origin})")


# --- endpoints -------------------------------------------------------------------------------------------------------


def _is_past(setup: Setup, name: str) -> bool:
    lives = [row.life for row in model_rows(setup.catalog, datetime.now(UTC).date(), name)]
    return bool(lives) and all(life is Life.RETIRED for life in lives)


def _keyless(card: EndpointCard) -> str:
    if not card.needs_key:
        return f"needs no key; asked only by --via {card.name}"
    return f"no key ({' or '.join(card.key_env)})"


async def _ask(workshop: Workshop, card: EndpointCard, key: Secret, label: str, origin: str) -> Finding:
    try:
        there = workshop.there(card)
    except ConfigError as error:
        return Finding(label, False, f"key from {origin}: {error}", tuple(error.hints))
    return await _look(workshop, there, key, label, f"key from {origin}")


async def _login(workshop: Workshop, card: EndpointCard, *, offline: bool) -> Finding:
    """Whether this machine has a login for an endpoint that takes no key, and what it can reach.

    It is looked for only where something speaks of it: off Google's own machines the search ends in a long wait.
    """
    own = workshop.setup.settings.endpoints[card.name]
    sources = await asyncio.to_thread(read_sources)
    if not (own.project.value or sources.environ.get(CREDENTIALS)):
        names = " or ".join(variables_of(card.name, card).get("project", ()))
        return Finding(card.name, None, f"no project ({names}), so no login is looked for")
    if offline:
        return Finding(card.name, None, f"the project is {own.project.value or 'that of the login'}")
    try:
        login = await workshop.login.find()
        there = workshop.there(card)
    except ConfigError as error:
        return Finding(card.name, False, str(error), tuple(error.hints))
    payer = f", quota of {login.quota_project}" if login.quota_project else ""
    place = str(there.options.get("place", "")).removesuffix("/publishers/google")
    return await _look(workshop, there, login, card.name, f"login of {login.kind}{payer}, {place}")


async def _look(workshop: Workshop, there: EndpointCard, key: Secret | Tokens, label: str, whose: str) -> Finding:
    own = workshop.setup.settings.endpoints[there.name].base_url
    at = f"{there.base_url} (from {own.origin})" if own.value else there.base_url
    provider = workshop.provider(there, key, Timeouts(connect_s=LOOK_TIMEOUT_S, whole_s=LOOK_TIMEOUT_S))
    path = _listing(there)
    if path is None:
        return Finding(label, None, f"{whose}, {at}: lists no models, so the key is tried by the first picture")
    answer = await provider.look(path)
    if isinstance(answer, Fault):
        hint = ADVICE.get(answer.kind, "")
        text = f"{whose}, {at}: {answer.kind.value}: {answer.message or answer.reason}"
        return Finding(label, False, text, (hint,) if hint else ())
    listed = read_names(answer.body) if there.dialect in OPENAI_FORMATS else read_models(answer.body)[0]
    return Finding(label, bool(listed), f"{whose}, {at}: {_reach(workshop.setup, there, listed)}")


def _listing(there: EndpointCard) -> str | None:
    """Where an endpoint lists its models, which costs nothing; ``None`` where none is known to."""
    if there.dialect in OPENAI_FORMATS:
        return "/models"
    if there.dialect not in GOOGLE_FORMATS:
        return None
    publisher = "publishers/google/" if there.options.get("place") else ""
    return f"/{there.options.get('version', 'v1beta')}/{publisher}models?pageSize={PAGE_SIZE}"


def read_names(body: object) -> tuple[Named, ...]:
    """The models of a list in OpenAI's form; none for anything else."""
    return tuple(Named(name) for entry in items(body, "data") if (name := text(entry, "id")))


def _reach(setup: Setup, card: EndpointCard, listed: tuple[object, ...]) -> str:
    """What of the catalog the key can reach."""
    ids = {getattr(entry, "id", "") for entry in listed}
    if not ids:
        return "answers, but lists no models"
    offers: tuple[Offer, ...] = setup.catalog.offers_at(card.name)
    there = [offer.model for offer in offers if ids & {offer.wire_id, *offer.serves}]
    lives = {row.model: row.life for row in model_rows(setup.catalog, datetime.now(UTC).date(), card.name)}
    missing = [o.model for o in offers if o.model not in there and lives.get(o.model) is Life.CURRENT]
    text = f"lists {len(ids)} models, {len(there)} of the catalog's: {', '.join(there) or 'none'}"
    return f"{text}; not listed: {', '.join(missing)}" if missing else text
