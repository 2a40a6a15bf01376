"""Show: a run as it happens, on stderr: a live bar on a terminal, now and then a line elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

from ...engine.ports import Closing
from ...model.attempt import Attempt
from ...model.fault import Fault
from ...model.money import dollars
from ...model.result import Outcome, Picture, Slot
from ..advice import lost
from .voice import say

LINE_EVERY_S = 5.0
"""How often a log that is no terminal gets a line."""

SHORT_WAIT_S = 1.0
"""Waits below this are not worth a word."""


class Counts:
    """What a run did so far. Implements ``engine.ports.Progress``; others look at its numbers."""

    def __init__(self) -> None:
        self.delivered = self.failed = self.kept = self.left = self.flying = 0
        self.spent_nusd = 0
        self.wait = ""
        self.wait_until = 0.0

    def slot_started(self, slot: Slot, attempt: Attempt) -> None:
        """One more in flight."""
        self.flying += 1
        self.wait = ""

    def attempt_ended(self, slot: Slot, attempt: Attempt) -> None:
        """One fewer in flight."""
        self.flying -= 1
        self.spent_nusd += attempt.cost_nusd or 0

    def slot_ended(self, outcome: Outcome) -> None:
        """Delivered or failed."""
        if isinstance(outcome, Picture):
            self.delivered += 1
        else:
            self.failed += 1

    def slot_kept(self, outcome: Outcome) -> None:
        """It was there before."""
        self.kept += 1

    def slot_left(self, slot: Slot, fault: Fault) -> None:
        """It stays open."""
        self.left += 1

    def waiting(self, why: str, seconds: float) -> None:
        """Nothing can start for a while."""
        if seconds >= SHORT_WAIT_S:
            self.wait, self.wait_until = why, time.monotonic() + seconds

    def key_lost(self, closing: Closing) -> None:
        """A line of its own: nobody should have to look for it."""
        say(f"warning: {lost(closing)}")

    @property
    def done(self) -> int:
        """Slots that need no more work."""
        return self.delivered + self.failed + self.kept

    def line(self, total: int | None) -> str:
        """All of it in one line."""
        of = f"/{total:,}" if total is not None else ""
        parts = [f"{self.delivered + self.kept:,}{of} delivered", f"{self.flying} in flight"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        parts.append(dollars(self.spent_nusd, 2))
        left_s = self.wait_until - time.monotonic()
        if self.wait and left_s > 0:
            parts.append(f"waiting {left_s:.0f} s for {self.wait}")
        return ", ".join(parts)


class Display(Protocol):
    """Shows counts while a run goes on."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def refresh(self) -> None:
        """Called a few times a second."""
        ...


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def refresh(self) -> None:
        """Nothing to show."""


class Lines(Silent):
    """A line every few seconds, for logs."""

    def __init__(self, counts: Counts, total: int | None) -> None:
        self._counts = counts
        self._total = total
        self._last = time.monotonic()

    def refresh(self) -> None:
        """A line, when the last one is old enough."""
        now = time.monotonic()
        if now - self._last >= LINE_EVERY_S:
            self._last = now
            say(self._counts.line(self._total))


class Bar:
    """A live bar on a terminal."""

    def __init__(self, counts: Counts, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._counts = counts
        self._total = total
        columns = (
            BarColumn(bar_width=28),
            TextColumn("{task.description}"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def refresh(self) -> None:
        """Redraw."""
        self._bar.update(self._task, completed=self._counts.done, description=self._counts.line(self._total))


def display(counts: Counts, total: int | None, *, quiet: bool) -> Display:
    """The display that fits where stderr goes."""
    if quiet:
        return Silent()
    return Bar(counts, total) if sys.stderr.isatty() else Lines(counts, total)
