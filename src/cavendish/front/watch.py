"""Watch: passes a run's progress on to who wants to see it, and keeps what the folder and the summary need of it."""

from __future__ import annotations

from collections.abc import Callable

from ..engine.ports import Closing, Progress
from ..model.attempt import Attempt
from ..model.fault import Fault
from ..model.result import Outcome, Picture, Slot
from .folder.live import LiveBooks


class Watch:
    """Implements ``engine.ports.Progress``.

    What is shown may be a user's own function. When that raises, it is called no more, ``broke`` is told, and ``error``
    keeps the exception for the end of the run: nothing that was paid for is lost by it.
    """

    def __init__(self, shown: Progress, broke: Callable[[], None]) -> None:
        self._shown = shown
        self._broke = broke
        self.error: Exception | None = None
        self.kept = 0
        self.left = 0
        self.books: LiveBooks | None = None

    def slot_started(self, slot: Slot, attempt: Attempt) -> None:
        """Passed on."""
        self._tell(lambda: self._shown.slot_started(slot, attempt))

    def attempt_ended(self, slot: Slot, attempt: Attempt) -> None:
        """Passed on."""
        self._tell(lambda: self._shown.attempt_ended(slot, attempt))

    def slot_ended(self, outcome: Outcome) -> None:
        """Passed on, and written down."""
        if self.books is not None:
            self.books.add(outcome)
        self._tell(lambda: self._shown.slot_ended(outcome))

    def slot_kept(self, outcome: Outcome) -> None:
        """Passed on, and counted."""
        self.kept += isinstance(outcome, Picture)
        self._tell(lambda: self._shown.slot_kept(outcome))

    def slot_left(self, slot: Slot, fault: Fault) -> None:
        """Passed on, and counted."""
        self.left += 1
        self._tell(lambda: self._shown.slot_left(slot, fault))

    def waiting(self, why: str, seconds: float) -> None:
        """Passed on."""
        self._tell(lambda: self._shown.waiting(why, seconds))

    def key_lost(self, closing: Closing) -> None:
        """Passed on."""
        self._tell(lambda: self._shown.key_lost(closing))

    def _tell(self, tell: Callable[[], None]) -> None:
        if self.error is not None:
            return
        try:
            tell()
        except Exception as error:  # noqa: BLE001 - somebody else's, raised again when the run has ended
            self.error = error
            self._broke()
