"""Build: the composition root. The only place that picks the real parts and fits them together."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .. import config
from ..catalog.cards import EndpointCard
from ..catalog.load import load as load_catalog
from ..catalog.resolve import Catalog, Resolved
from ..engine.ports import Clock, Dice, Lane
from ..errors import ConfigError
from ..govern.governors import Place
from ..io.blobs.memory import MemoryBlobs
from ..io.clock import SystemClock
from ..io.dice import SystemDice
from ..io.http.exchange import Timeouts
from ..io.http.provider import HttpProvider
from ..io.http.session import Session
from ..io.quota.local import LocalQuotas, fingerprint
from ..model.call import Call, Open
from ..model.request import Notice
from ..model.result import Slot
from ..plan.estimate import PriceBook, input_tokens
from ..plan.expand import for_slot
from ..secret import Secret
from ..wire.dialect import Dialect
from .routes import SIMULATOR, Routes, RouteWish, dialect_of, speaks

if TYPE_CHECKING:
    from ..io.blobs.inbox import Inbox
    from ..sim.server import SimServer

SIMULATED_KEY = Secret("simulated-key")
SIMULATOR_PROFILE = "demo"


class Setup:
    """Settings and catalog: what every command needs, without any connection."""

    def __init__(self, flags: Mapping[str, Any] | None = None) -> None:
        sources = config.read_sources()
        self.catalog: Catalog = load_catalog(sources.catalog)
        self.settings = config.load(sources, self.catalog.endpoints, flags)

    def routes(self, wish: RouteWish, today: date | None = None) -> Routes:
        """What a run may use, as of today."""
        return Routes(self.catalog, self.settings, wish, today or datetime.now(UTC).date())


class Workshop:
    """What all runs of a process share: the HTTP session and the quotas of its keys. Open it before use."""

    def __init__(self, setup: Setup, *, clock: Clock | None = None, dice: Dice | None = None) -> None:
        self.setup = setup
        self.clock = clock or SystemClock()
        self.dice = dice or SystemDice()
        self._quotas = LocalQuotas(self.clock, self.dice)
        self._stack = AsyncExitStack()
        self._session: Session | None = None
        self._simulator: SimServer | None = None
        self._starting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        bundle = self.setup.settings.ca_bundle
        tls = await asyncio.to_thread(_trust, bundle.value, bundle.origin) if bundle.value else None
        self._session = await self._stack.enter_async_context(Session(tls))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def ready(self, routes: Routes) -> None:
        """Start what the routes need: the simulator, when it is to answer and runs nowhere else."""
        own = self.setup.settings.endpoints[SIMULATOR].base_url.value
        if not routes.simulated or own:
            return
        async with self._starting:
            if self._simulator is None:
                from ..sim.server import start_server

                self._simulator = await start_server(SIMULATOR_PROFILE)
                self._stack.push_async_callback(self._simulator.close)

    def provider(
        self,
        card: EndpointCard,
        key: Secret | None,
        timeouts: Timeouts,
        *,
        dialect: Dialect | None = None,
        inbox: Inbox | None = None,
    ) -> HttpProvider:
        """An endpoint that can be called. Without an inbox, what arrives is kept in memory: for a look."""
        assert self._session is not None, "the workshop is not open"
        spoken = dialect or speaks(card)
        return HttpProvider(spoken, card, key, self._session, inbox or MemoryBlobs(), self.clock, timeouts)

    def lanes(self, routes: Routes, name: str, inbox: Inbox, timeout_s: float | None) -> tuple[Lane, ...]:
        """The lanes to a model: one for each of its routes and keys, in the order of preference."""
        return tuple(
            self._lane(routes, resolved, key, inbox, timeout_s)
            for resolved in routes.resolve(name)
            for key in self._keys(resolved)
        )

    def _base_url(self, resolved: Resolved) -> str:
        own = self.setup.settings.endpoints[resolved.endpoint.name].base_url.value
        if own or resolved.endpoint.name != SIMULATOR or self._simulator is None:
            return own or resolved.endpoint.base_url
        return self._simulator.url

    def _keys(self, resolved: Resolved) -> Sequence[Secret | None]:
        keys = self.setup.settings.endpoints[resolved.endpoint.name].keys.value
        return keys or (SIMULATED_KEY if resolved.endpoint.name == SIMULATOR else None,)

    def _lane(
        self, routes: Routes, resolved: Resolved, key: Secret | None, inbox: Inbox, timeout_s: float | None
    ) -> Lane:
        dialect = dialect_of(resolved)
        pricing = PriceBook.of(resolved)
        endpoint = resolved.endpoint
        place = Place(endpoint.name, fingerprint(key.reveal() if key else ""), resolved.card.id)
        whole_s = timeout_s or max(self.setup.settings.timeout_s.value, resolved.offer.timeout_s)
        there = replace(endpoint, base_url=self._base_url(resolved))
        provider = self.provider(there, key, Timeouts(whole_s=whole_s), dialect=dialect, inbox=inbox)
        return Lane(
            route=resolved.route,
            provider=provider,
            quota=self._quotas.quota(place, routes.limits(resolved), endpoint.day_zone),
            pricing=pricing,
            make_call=lambda slot, attempt: _call(slot, attempt, resolved),
            notices=lambda slot: _unsaid(dialect, slot, resolved),
            input_tokens=lambda slot: input_tokens(slot.request, resolved.card),
        )


def _trust(bundle: Path, origin: str) -> ssl.SSLContext:
    """Trust in those that a file of certificates, or a folder of them, vouches for."""
    try:
        if bundle.is_dir():
            return ssl.create_default_context(capath=str(bundle))
        return ssl.create_default_context(cafile=str(bundle))
    except OSError as error:
        # An SSLError is one too, and says little of its own.
        why = error.strerror if not isinstance(error, ssl.SSLError) else "no certificate in it that can be read"
        raise ConfigError(f"{origin}: {bundle}: {why}", hints=("it should be a file of certificates, PEM",)) from error


def _call(slot: Slot, attempt: int, resolved: Resolved) -> Call:
    return Open(for_slot(slot, resolved.route.wire_model, attempt))


def _unsaid(dialect: Dialect, slot: Slot, resolved: Resolved) -> tuple[Notice, ...]:
    return dialect.unsupported(_call(slot, 1, resolved))
