"""Settings: all values of one process, each with its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..model.fault import FaultKind
from ..model.request import Notice
from ..secret import Secret
from .fields import FIELDS
from .places import user_state

BUILT_IN = "built in"

T = TypeVar("T", covariant=True)  # noqa: PLC0105 - `T` is what `Setting[T]` reads as


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value and where it came from: ``built in``, a file, ``$VARIABLE`` or ``--flag``."""

    name: str
    value: T
    origin: str = BUILT_IN


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """What the user set for one endpoint. An empty ``keys`` means that there is no key for it."""

    keys: Setting[tuple[Secret, ...]]
    base_url: Setting[str | None]
    tier: Setting[str | None]
    rpm: Setting[int | None]
    project: Setting[str | None] = Setting("project", None)
    location: Setting[str | None] = Setting("location", None)
    max_cost_per_day_nusd: Setting[int | None] = Setting("max_cost_per_day", None)
    max_cost_per_month_nusd: Setting[int | None] = Setting("max_cost_per_month", None)


@dataclass(frozen=True, slots=True)
class CatalogPart:
    """Tables ``models``, ``endpoints`` and ``offers`` laid over the catalog, and the file they stand in."""

    origin: str
    tables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one process. Money in nano-dollars, times in seconds; ``None``: decided where it is used."""

    model: Setting[str | None]
    endpoint: Setting[str | None]
    size: Setting[str | None]
    aspect_ratio: Setting[str | None]
    timeout_s: Setting[float]
    concurrency: Setting[int | None]
    max_cost_nusd: Setting[int | None]
    max_cost_per_day_nusd: Setting[int | None]
    max_cost_per_month_nusd: Setting[int | None]
    state: Setting[Path | Secret]
    output: Setting[Path | None]
    store: Setting[Path | str | None]
    store_access_key: Setting[Secret | None]
    store_secret_key: Setting[Secret | None]
    store_session_token: Setting[Secret | None]
    gateway_secret: Setting[Secret | None]
    ca_bundle: Setting[Path | None]
    no_color: Setting[bool]
    endpoints: Mapping[str, EndpointSettings]
    refills: Mapping[FaultKind, Setting[int]]
    catalog: tuple[CatalogPart, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def state_address(self) -> Path | str:
        """Where quotas, caps and the book of spending are kept: a folder or a server's address, which may hold a
        password.
        """
        return self.state.value.reveal() if isinstance(self.state.value, Secret) else self.state.value

    @property
    def state_folder(self) -> Path:
        """The folder for what is kept as files: that of the state, also where the rest of it is on a server."""
        return user_state() if isinstance(self.state.value, Secret) else self.state.value

    def __iter__(self) -> Iterator[Setting[Any]]:
        """Every setting, for ``cavendish config show``."""
        for known in FIELDS:
            yield getattr(self, known.attribute)
        for name in sorted(self.endpoints):
            own = self.endpoints[name]
            yield from (own.keys, own.base_url, own.tier, own.rpm)
            # Few endpoints have such a place, or a cap of their own.
            few = (own.project, own.location, own.max_cost_per_day_nusd, own.max_cost_per_month_nusd)
            yield from (setting for setting in few if setting.value is not None)
        yield from self.refills.values()
