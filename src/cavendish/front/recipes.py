"""Recipes: what a run was asked for, as plain JSON in its ledger: ``cavendish resume`` needs nothing but the folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..config import MAX_CONCURRENCY, MAX_TIMEOUT_S
from ..engine.policy import Hedge
from ..errors import FolderError, RequestError
from ..model.plain import from_plain, to_plain
from ..model.request import ImageRequest
from ..plan.sheet import Grid
from . import said
from . import saved_plan as saved
from .routes import RouteWish
from .rows.intake import STDIN, STDIN_NAME
from .rows.options import RowDefaults, RowOptions
from .saved_plan import SavedPlan

PROMPTS, BATCH = "generate", "batch"
PLAN = "plan"
"""Where a recipe has the plan that the run is made from."""
MAX_WAIT_S = 31 * 86_400.0
"""A month: whoever waits longer for a quota does not run a job."""


@dataclass(frozen=True, slots=True)
class RunWish:
    """What the user said about the run itself. Amounts in nano-dollars, times in seconds.

    Raises ``RequestError`` for what no run can be told.
    """

    folder: Path
    concurrency: int | None = None
    max_cost_nusd: int | None = None
    timeout_s: float | None = None
    max_wait_s: float | None = None
    title: str = ""
    batch_deadline_s: float | None = None
    batch_only: bool = False
    sheet: str | None = None
    hedge: str | None = None

    def __post_init__(self) -> None:
        if self.concurrency is not None:
            said.whole("concurrency", self.concurrency, 1, MAX_CONCURRENCY)
        if self.timeout_s is not None:
            said.seconds("timeout", self.timeout_s, MAX_TIMEOUT_S)
        if self.max_wait_s is not None:
            said.seconds("max_wait", self.max_wait_s, MAX_WAIT_S, zero=True)
        if self.batch_deadline_s is not None:
            said.seconds("batch_deadline", self.batch_deadline_s, MAX_WAIT_S, zero=True)
        if self.sheet is not None:
            Grid.of(said.text("sheet", self.sheet))
        hedge_of(self.hedge)


@dataclass(frozen=True, slots=True)
class BatchWish:
    """A batch file and how to read it. ``path`` may be ``-``, standard input, or ``given`` in its place."""

    path: str | os.PathLike[str]
    defaults: RowDefaults
    options: RowOptions
    given: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What was asked for: prompts or a batch, one of the two; ``plan`` is the one that the run is made from."""

    run: RunWish
    routes: RouteWish
    prompts: tuple[ImageRequest, ...] = ()
    batch: BatchWish | None = None
    plan: SavedPlan | None = None


def of_prompts(requests: Sequence[ImageRequest], run: RunWish, routes: RouteWish) -> dict[str, Any]:
    """The recipe of N pictures of each prompt."""
    return {"command": PROMPTS, "requests": [to_plain(request) for request in requests], **_options(run, routes)}


def of_batch(batch: BatchWish, run: RunWish, routes: RouteWish, format_word: str) -> dict[str, Any]:
    """The recipe of a batch. ``format_word`` is what the file was found to be."""
    name = os.fspath(batch.path)
    options = batch.options
    return {
        "command": BATCH,
        "path": name if name == STDIN else str(Path(name).absolute()),
        "defaults": to_plain(batch.defaults.request),
        "rows": {
            "format": format_word,
            "template": options.template,
            "grid": {column: list(values) for column, values in options.grid.items()},
            "skip_bad": options.skip_bad,
            "key_column": options.key_column,
            "encoding": options.encoding,
        },
        **_options(run, routes),
    }


def _options(run: RunWish, routes: RouteWish) -> dict[str, Any]:
    return {
        "run": {
            "concurrency": run.concurrency,
            "max_cost_nusd": run.max_cost_nusd,
            "timeout_s": run.timeout_s,
            "max_wait_s": run.max_wait_s,
            "title": run.title,
            "batch_deadline_s": run.batch_deadline_s,
            "batch_only": run.batch_only,
            "sheet": run.sheet,
            "hedge": run.hedge,
        },
        "routes": {
            "via": list(routes.via),
            "tier": routes.tier,
            "rpm": routes.rpm,
            "mode": routes.mode,
            "strict": routes.strict,
        },
    }


def read(plain: Mapping[str, Any], folder: Path) -> Recipe:
    """A recipe, for its folder wherever that lies now. Raises ``FolderError`` when it is none of ours."""
    try:
        run = RunWish(folder, **plain["run"])
        via = tuple(plain["routes"]["via"])
        routes = replace(RouteWish(**plain["routes"]), via=via)
        plan = saved.of_plain(plain[PLAN]) if PLAN in plain else None
        if plain["command"] == PROMPTS:
            prompts = tuple(from_plain(one, ImageRequest) for one in plain["requests"])
            return Recipe(run, routes, prompts, plan=plan)
        defaults = RowDefaults(from_plain(plain["defaults"], ImageRequest))
        rows: dict[str, Any] = dict(plain["rows"])
        rows["grid"] = {column: tuple(values) for column, values in rows["grid"].items()}
        return Recipe(run, routes, batch=BatchWish(plain["path"], defaults, RowOptions(**rows)), plan=plan)
    except (KeyError, TypeError, ValueError) as error:
        raise FolderError(
            f"{folder} does not say how it was made ({type(error).__name__})",
            hints=("give the command that began it again, with the same -o",),
        ) from error


def replayed(batch: BatchWish, spool: Path) -> BatchWish:
    """The batch with what was read from standard input taken from where it was kept."""
    return replace(batch, path=spool) if os.fspath(batch.path) == STDIN else batch


def title_of(path: str | os.PathLike[str]) -> str:
    """What a batch is called."""
    return STDIN_NAME if os.fspath(path) == STDIN else Path(path).name


_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_UNITS_S = (86_400, 3600, 60, 1)


def seconds_of(words: str | float | None, field: str = "batch_deadline") -> float | None:
    """A duration: a number of seconds, or words such as ``90m``, ``6h`` and ``1d12h``. Raises ``RequestError``."""
    if words is None or not isinstance(words, str):
        return words
    match = _DURATION.fullmatch(words.strip().lower())
    if not match or not any(match.groups()):
        message = f"{field} must be a duration, such as 90m or 6h, not {words!r}"
        raise RequestError(message, field=field)
    return float(sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS_S, strict=True)))


_QUANTILE = re.compile(r"p(\d\d(?:\.\d)?)")


def hedge_of(words: str | None) -> Hedge | None:
    """When a second call leaves beside a slow one: after ``45s``, or ``p95``, when it takes longer than 95 of 100 did.

    Raises ``RequestError``.
    """
    if words is None:
        return None
    if match := _QUANTILE.fullmatch(said.text("hedge", words).strip().lower()):
        return Hedge(quantile=float(match[1]) / 100)
    after_s = seconds_of(words, "hedge")
    if not after_s:
        raise RequestError(f"hedge must be a duration or a share such as p95, not {words!r}", field="hedge")
    return Hedge(after_s=said.seconds("hedge", after_s, MAX_TIMEOUT_S))
