"""Checkup: what is configured and what each key can reach, as findings."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from yarl import URL

from ..catalog.cards import EndpointCard, Offer
from ..catalog.resolve import Life
from ..catalog.tables import model_rows
from ..config import PROJECT_FILE, read_sources, user_file
from ..dialects.gemini import read_models
from ..io.http.exchange import Timeouts
from ..model.fault import Fault
from ..secret import Secret
from .advice import ADVICE
from .build import Setup, Workshop
from .routes import SIMULATOR

LOOK_TIMEOUT_S = 20.0
PAGE_SIZE = 1000
LOW_DISK_BYTES = 1024**3
"""About fifty 4K pictures: little enough to say so."""
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``ok`` is ``None`` for what is neither right nor wrong."""

    what: str
    ok: bool | None
    text: str
    hints: tuple[str, ...] = ()


async def examine(setup: Setup, *, offline: bool = False) -> list[Finding]:
    """Look at everything. Unless ``offline``, each key asks its endpoint for the list of models: that is free."""
    found = await asyncio.to_thread(lambda: [*_this_program(), *_files(setup), *_network(setup)])
    async with Workshop(setup) as workshop:
        for name, card in setup.catalog.endpoints.items():
            if name == SIMULATOR:
                continue
            keys = setup.settings.endpoints[name].keys
            if not keys.value:
                found.append(Finding(name, None, f"no key ({' or '.join(card.key_env)})"))
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


async def _ask(workshop: Workshop, card: EndpointCard, key: Secret, label: str, origin: str) -> Finding:
    own = workshop.setup.settings.endpoints[card.name].base_url
    there = replace(card, base_url=own.value or card.base_url)
    at = f"{there.base_url} (from {own.origin})" if own.value else there.base_url
    provider = workshop.provider(there, key, Timeouts(connect_s=LOOK_TIMEOUT_S, whole_s=LOOK_TIMEOUT_S))
    answer = await provider.look(f"/{card.options.get('version', 'v1beta')}/models?pageSize={PAGE_SIZE}")
    if isinstance(answer, Fault):
        hint = ADVICE.get(answer.kind, "")
        text = f"key from {origin}, {at}: {answer.kind.value}: {answer.message or answer.reason}"
        return Finding(label, False, text, (hint,) if hint else ())
    listed, _ = read_models(answer.body)
    return Finding(label, bool(listed), f"key from {origin}, {at}: {_reach(workshop.setup, card, listed)}")


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
