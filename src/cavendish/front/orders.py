"""Orders: a prompt or a batch file, checked against its models, as something that a job can carry out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..engine.policy import DEFAULT_REFILLS, Policy
from ..errors import BatchInputError, RequestError
from ..model.identity import digest
from ..model.request import ImageRequest
from ..plan.expand import Wish
from .build import Setup
from .order import Order
from .routes import Routes
from .rows.source import CHECKED_ROWS, RowSource

ONE_KEY = "0001"
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class RunWish:
    """What the user said about the run itself. Amounts in nano-dollars, times in seconds."""

    folder: Path
    concurrency: int | None = None
    max_cost_nusd: int | None = None
    timeout_s: float | None = None
    max_wait_s: float | None = None
    recipe: dict[str, Any] = field(default_factory=dict[str, Any])
    title: str = ""


def order_one(setup: Setup, routes: Routes, request: ImageRequest, run: RunWish) -> Order:
    """N pictures of one prompt. Raises ``RequestError`` for what its model cannot do."""
    fitted = routes.fitted(request)

    def wishes(start: int) -> Iterator[Wish]:
        if start == 0:
            yield Wish(0, ONE_KEY, fitted)

    return _order(setup, run, wishes, f"generate {digest(fitted)}", fitted.n)


def order_batch(setup: Setup, routes: Routes, source: RowSource, run: RunWish, *, skip_bad: bool = False) -> Order:
    """All rows of a batch file. Raises ``BatchInputError`` for a row that its model cannot do.

    A file of at most ``CHECKED_ROWS`` rows is checked as a whole before anything is bought; in a longer one, a bad row
    stops the run when it is reached, with everything before it kept.
    """

    def wishes(start: int) -> Iterator[Wish]:
        for row in source.skip(start) if start else source:
            try:
                yield Wish(row.number, row.key, routes.fitted(row.request), row.columns)
            except RequestError as error:
                problem = BatchInputError(
                    f"{source.name}, line {row.line}: {error.message}",
                    path=source.name,
                    line=row.line,
                    hints=error.hints or _allowed(error),
                )
                if not skip_bad:
                    raise problem from error
                source.problems.add(problem)

    rows = source.total()
    checked = rows <= CHECKED_ROWS
    total = sum(wish.request.n for wish in wishes(0)) if checked else None
    order = _order(setup, run, wishes, f"batch {Path(source.name).name}", total)
    return order.having(fingerprint=source.fingerprint(), skipped=lambda: source.problems.count)


def _order(setup: Setup, run: RunWish, wishes: Any, identity: str, total: int | None) -> Order:
    settings = setup.settings
    refills = {**DEFAULT_REFILLS, **{kind: bound.value for kind, bound in settings.refills.items()}}
    base = Policy()
    policy = Policy(
        refills=refills,
        concurrency=run.concurrency or settings.concurrency.value or base.concurrency,
        max_wait_s=base.max_wait_s if run.max_wait_s is None else run.max_wait_s,
    )
    return Order(
        folder=run.folder,
        wishes=wishes,
        digest=hashlib.blake2b(identity.encode(), digest_size=DIGEST_BYTES).hexdigest(),
        total=total,
        recipe=run.recipe,
        max_cost_nusd=run.max_cost_nusd if run.max_cost_nusd is not None else settings.max_cost_nusd.value,
        policy=policy,
        timeout_s=run.timeout_s,
        title=run.title,
    )


def _allowed(error: RequestError) -> tuple[str, ...]:
    return (f"it can: {', '.join(error.allowed)}",) if error.allowed else ()
