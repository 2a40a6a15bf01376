"""Order: what one run is asked for, complete enough to be written down and taken up again on another day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..engine.policy import Policy
from ..io.blobs.claim import INNER
from ..plan.expand import Wish
from ..plan.sheet import Grid
from .saved_plan import SavedPlan

BATCH = "batch"
"""The mode of routes whose calls are bought as jobs."""

LEDGER = f"{INNER}/ledger.sqlite3"
RECIPE, TOTAL, SIMULATED, SKIPPED = "recipe", "total", "simulated", "skipped"
"""Notes in the ledger: what was asked for; how many slots that is (empty: not counted); ``yes`` or ``no``; how many
rows were broken and passed over."""

PLANNED_AT = "planned_at"
"""A note in the ledger of a run from a plan: when it began (epoch seconds), and what the folder had cost before."""


@dataclass(frozen=True, slots=True)
class Order:
    """One run.

    ``wishes`` gives the rows from a row number on, each checked against its model. ``total`` is the number of slots
    when it is known beforehand. ``digest`` says which run a folder belongs to, ``fingerprint`` whether the input is the
    very same as before, byte for byte: then rows that were settled need not be looked at again. ``recipe`` is the
    command as plain JSON, from which ``cavendish resume`` makes this order anew. ``spool`` is where an input that is no
    file was put meanwhile: the folder keeps it. ``models`` are those that are compared: row after row asks the same
    of each in turn. ``batch_deadline_s`` and ``batch_only`` are for runs in the mode ``batch``, see ``BulkPolicy``.
    ``sheet`` is the grid of sheets that pictures are cut from, where a run is to have such.
    ``plan`` says who draws what, in a run from a saved plan.
    """

    folder: Path
    wishes: Callable[[int], Iterator[Wish]]
    digest: str
    total: int | None = None
    fingerprint: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict[str, Any])
    max_cost_nusd: int | None = None
    policy: Policy = field(default_factory=Policy)
    timeout_s: float | None = None
    title: str = ""
    spool: Path | None = None
    skipped: Callable[[], int] = lambda: 0
    models: tuple[str, ...] = ()
    batch_deadline_s: float | None = None
    batch_only: bool = False
    sheet: Grid | None = None
    plan: SavedPlan | None = None

    def having(self, **changes: Any) -> Order:
        """A copy with some fields changed."""
        return replace(self, **changes)
