"""Setting: the flags that decide where, how fast and for how much, as settings and as what a run wishes."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..recipes import RunWish, seconds_of
from ..routes import RouteWish
from .options import words

if TYPE_CHECKING:
    from ..build import Setup


@dataclass(frozen=True, slots=True)
class RunFlags:
    """Flags of a run as they were typed; ``None`` was not given."""

    via: str | None = None
    tier: str | None = None
    rpm: int | None = None
    mode: str | None = None
    concurrency: int | None = None
    max_cost: str | None = None
    timeout: float | None = None
    max_wait: float | None = None
    strict: bool = False
    batch_deadline: str | None = None
    batch_only: bool = False
    sheet: str | None = None
    hedge: str | None = None

    @property
    def by_route(self) -> dict[str, Any]:
        """What was said about routes, by the names of the flags."""
        return {"via": self.via, "tier": self.tier, "rpm": self.rpm, "mode": self.mode, "sheet": self.sheet}

    def routes(self, *, keyless: bool = False) -> RouteWish:
        """What was said about routes. ``keyless``: nothing will be called."""
        return RouteWish(words(self.via), self.tier, self.rpm, self.mode, self.strict, keyless)

    def run(self, setup: Setup, folder: Path, title: str) -> RunWish:
        """What was said about the run: checked as settings are, so read from there."""
        settings = setup.settings
        return RunWish(
            folder,
            settings.concurrency.value,
            settings.max_cost_nusd.value,
            None if self.timeout is None else settings.timeout_s.value,
            self.max_wait,
            title,
            seconds_of(self.batch_deadline),
            self.batch_only,
            self.sheet,
            self.hedge,
        )


def keep_at(folder: Path, *, dry: bool) -> Path:
    """Where pictures that are no files are kept: in the run folder, or for a moment when nothing is to be written."""
    if not dry:
        return folder
    scratch = Path(tempfile.mkdtemp(prefix="cavendish-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return scratch


def setup_for(flags: RunFlags, **settings: Any) -> Setup:
    """Settings with the flags laid over them. Raises ``ConfigError`` naming the flag that cannot be."""
    from ..build import Setup

    return Setup(
        {
            "concurrency": flags.concurrency,
            "max_cost": flags.max_cost,
            "timeout": flags.timeout,
            **settings,
        }
    )
