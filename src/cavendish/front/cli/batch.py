"""``cavendish batch`` and ``cavendish resume``: a file of rows, completed as often as it takes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import FolderError, RequestError
from . import options as o
from .generate import RUNS

if TYPE_CHECKING:
    from ..recipes import Recipe
    from .setting import RunFlags

STDIN = "-"


def batch(
    file: Annotated[str, typer.Argument(help="CSV, TSV, JSONL, JSON, text or Parquet; - reads stdin.")],
    n: o.N = 1,
    prompt: o.Template = None,
    grid: o.Grid = None,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", help="Model of rows that name none; several with commas: each row with each."),
    ] = None,
    size: o.Size = None,
    aspect_ratio: o.Ratio = None,
    image: o.Images = None,
    output: o.Output = None,
    via: o.Via = None,
    thinking: o.Thinking = None,
    include_thoughts: o.Thoughts = False,
    modalities: o.Modalities = None,
    grounding: o.Grounding = None,
    seed: o.Seed = None,
    temperature: o.Temperature = None,
    system: o.System = None,
    skip_bad: o.SkipBad = False,
    key: o.KeyColumn = None,
    encoding: o.Encoding = None,
    format_word: o.Format = None,
    timeout: o.Timeout = None,
    concurrency: o.Concurrency = None,
    rpm: o.Rpm = None,
    tier: o.Tier = None,
    mode: o.Mode = None,
    batch_deadline: o.BatchDeadline = None,
    batch_only: o.BatchOnly = False,
    sheet: o.Sheet = None,
    max_cost: o.MaxCost = None,
    max_wait: o.MaxWait = None,
    hedge: o.Hedge = None,
    deadline: o.Deadline = None,
    plan: o.PlanFile = None,
    dry_run: o.DryRun = False,
    rehearse: o.Rehearse = False,
    strict: o.Strict = False,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
    open_sheet: o.Open = False,
    yes: o.Yes = False,
) -> int:
    """Pictures of every row of a file.

    Columns are fields of the request (prompt, n, model, size, aspect_ratio, image, seed, ...), all others go into the
    metadata. The same command again completes what is missing and buys nothing twice.
    """
    from ..asking import asked, each_with, models_named
    from ..orders import model_before, order_batch
    from ..recipes import BatchWish
    from ..references import read_references
    from ..rows.options import RowDefaults, RowOptions
    from ..rows.template import parse_grid
    from .by_plan import Deadline, free_routes, within, work_by
    from .setting import RunFlags, keep_at, setup_for
    from .work import Manner, work

    jobs = batch_deadline, batch_only
    flags = RunFlags(via, tier, rpm, mode, concurrency, max_cost, timeout, max_wait, strict, *jobs, sheet, hedge)
    setup = setup_for(flags, size=size, aspect_ratio=aspect_ratio)
    models = models_named(model)
    first = next(iter(models), None)
    fields: dict[str, Any] = {
        "n": n,
        "thinking": thinking,
        "include_thoughts": include_thoughts,
        "modalities": o.upper_words(modalities) or None,
        "grounding": o.searches(grounding) or None,
        "seed": seed,
        "temperature": temperature,
        "system": system,
    }
    rows = RowOptions(format_word, prompt, each_with(models, parse_grid(grid or ())), skip_bad, key, encoding)
    run = flags.run(setup, output or (setup.settings.output.value or RUNS) / _name_of(file), title=file)
    _must_have_jobs(flags, run.folder)
    manner = Manner(quiet, as_json, open_sheet, yes, dry_run, rehearse=rehearse)
    if plan is not None:
        said = {**fields, "n": n if n > 1 else None, "size": size, "aspect_ratio": aspect_ratio, "image": image}
        read = {"model": model, "prompt": prompt, "grid": grid, "skip_bad": skip_bad, "key": key, "encoding": encoding}
        return work_by(setup, plan, run, manner, said={**said, **read, **flags.by_route}, file=file)
    wish = flags.routes(keyless=dry_run or rehearse)
    routes = setup.routes(wish) if deadline is None else free_routes(setup, wish)
    references = read_references(tuple(image or ()), keep_at(run.folder, dry=dry_run or rehearse))
    defaults = RowDefaults(asked(routes, "", {**fields, "model": first or model_before(run.folder)}, references))
    order = order_batch(setup, routes, BatchWish(file, defaults, rows), run)
    if deadline is not None:
        return within(setup, routes, order, Deadline(deadline, wish), manner)
    return work(setup, routes, order, manner)


def _must_have_jobs(flags: RunFlags, folder: Path) -> None:
    """Bounds of jobs are for a run that makes some, or made some before. Raises ``RequestError``."""
    from ..order import BATCH

    if (flags.batch_deadline or flags.batch_only) and flags.mode != BATCH and not folder.exists():
        name = "--batch-deadline" if flags.batch_deadline else "--batch-only"
        raise RequestError(f"{name} is for jobs, and none are made here", field="mode", hints=("add --mode batch",))


def _name_of(file: str) -> str:
    """The folder of a batch that names none: the same for the same file, so that it can be completed."""
    if file == STDIN:
        return "stdin"
    path = Path(file).absolute()
    # Files of one name in several folders are several runs.
    return f"{path.stem}-{hashlib.sha256(str(path).encode(errors='surrogatepass')).hexdigest()[:6]}"


def resume(
    folder: Annotated[Path, typer.Argument(help="Run folder.")],
    via: o.Via = None,
    timeout: o.Timeout = None,
    concurrency: o.Concurrency = None,
    rpm: o.Rpm = None,
    tier: o.Tier = None,
    batch_deadline: o.BatchDeadline = None,
    batch_only: o.BatchOnly = False,
    max_cost: o.MaxCost = None,
    max_wait: o.MaxWait = None,
    hedge: o.Hedge = None,
    dry_run: o.DryRun = False,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
    open_sheet: o.Open = False,
    yes: o.Yes = False,
) -> int:
    """Complete a run folder: what is missing is made, nothing is bought twice.

    It goes on as it was begun; a flag changes that for this time.
    """
    from ..orders import order_again
    from .setting import RunFlags, setup_for
    from .work import Manner, work

    if not folder.is_dir():
        raise FolderError(f"there is no folder {folder}")
    jobs = batch_deadline, batch_only
    flags = RunFlags(via, tier, rpm, None, concurrency, max_cost, timeout, max_wait, False, *jobs, hedge=hedge)
    setup = setup_for(flags)
    routes, order = order_again(setup, folder, lambda recipe: _changed(recipe, flags, setup))
    return work(setup, routes, order, Manner(quiet, as_json, open_sheet, yes, dry_run))


def _changed(recipe: Recipe, flags: RunFlags, setup: Any) -> Recipe:
    # What a file or a variable says was said when the run began, too; only flags change a run.
    said = flags.run(setup, recipe.run.folder, recipe.run.title)
    wish = flags.routes()
    run = replace(
        recipe.run,
        concurrency=recipe.run.concurrency if flags.concurrency is None else said.concurrency,
        max_cost_nusd=recipe.run.max_cost_nusd if flags.max_cost is None else said.max_cost_nusd,
        timeout_s=said.timeout_s or recipe.run.timeout_s,
        max_wait_s=recipe.run.max_wait_s if said.max_wait_s is None else said.max_wait_s,
        hedge=said.hedge or recipe.run.hedge,
        batch_deadline_s=recipe.run.batch_deadline_s if said.batch_deadline_s is None else said.batch_deadline_s,
        batch_only=recipe.run.batch_only or said.batch_only,
    )
    routes = replace(
        recipe.routes,
        via=wish.via or recipe.routes.via,
        tier=wish.tier or recipe.routes.tier,
        rpm=wish.rpm or recipe.routes.rpm,
    )
    return replace(recipe, run=run, routes=routes)
