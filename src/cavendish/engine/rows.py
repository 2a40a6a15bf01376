"""Rows: up to which row of the input everything is settled, so that a resumed run need not look at each."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Rows:
    """Rows arrive in order and are settled in any order; ``mark`` counts the leading rows that are all settled."""

    mark: int = 0
    _open: dict[int, int] = field(default_factory=dict[int, int])
    _newest: int = -1

    def enter(self, row: int) -> None:
        """A slot of this row is at work."""
        self.hold(row)
        self.skip(row)

    def hold(self, row: int) -> None:
        """A slot of this row is at work, although the input was not read as far as that."""
        self._open[row] = self._open.get(row, 0) + 1

    def skip(self, row: int) -> None:
        """A slot of this row needs no work."""
        self._newest = max(self._newest, row)

    def leave(self, row: int) -> None:
        """That slot has its outcome."""
        left = self._open[row] - 1
        if left:
            self._open[row] = left
        else:
            del self._open[row]

    def settled(self, *, all_read: bool) -> int:
        """The mark as it stands now.

        The newest row may have slots that were not read yet, so it counts only once the input was read to its end.
        """
        bound = self._newest + 1 if all_read else max(0, self._newest)
        self.mark = max(self.mark, min([bound, *self._open]))
        return self.mark
