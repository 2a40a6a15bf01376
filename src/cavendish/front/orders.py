"""Orders: prompts or a batch file, checked against their models, as something that a job can carry out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ..engine.policy import DEFAULT_REFILLS, Policy
from ..errors import BatchInputError, RequestError
from ..govern.fairness import Priority
from ..io.ledger.reader import LedgerReader
from ..model.identity import digest
from ..model.request import ImageRequest, Notice
from ..model.result import Slot
from ..plan.estimate import PriceBook
from ..plan.expand import Wish
from ..plan.sheet import Grid
from . import recipes
from .asking import MODEL
from .build import Setup
from .keeping import SPOOL, intake
from .order import LEDGER, RECIPE, Order
from .planned.check import as_planned
from .planning.places import wide_routes
from .readable import Readable
from .recipes import BatchWish, Recipe, RunWish, hedge_of
from .routes import Routes
from .rows.build import KEY_DIGITS
from .rows.columns import plain_name
from .rows.source import CHECKED_ROWS, RowSource, open_rows
from .sheet.fitting import fitting, must_have_several
from .spending import caps_of

DIGEST_BYTES = 16
DIGEST = "digest"


def order_prompts(setup: Setup, routes: Routes, requests: Sequence[ImageRequest], run: RunWish) -> Order:
    """N pictures of each request. Raises ``RequestError`` for what its model cannot do."""
    readable = Readable(routes, run.folder, draw=not routes.wish.keyless)
    sheeted = fitting(routes, _grid(run))
    fitted = [sheeted(routes.fitted(readable.request(request))) for request in requests]
    if run.sheet is not None:
        must_have_several(fitted)
    capped_by = _capped_by(setup, routes, run)
    for request in fitted:
        must_have_price(routes, request, capped_by)

    def wishes(start: int) -> Iterator[Wish]:
        for row, request in enumerate(fitted[start:], start):
            yield Wish(row, f"{row + 1:0{KEY_DIGITS}d}", request)

    identity = " ".join(digest(request) for request in fitted)
    made = _Made(wishes, f"generate {identity}", sum(request.n for request in fitted))
    order = _order(setup, run, made, recipes.of_prompts(requests, run, routes.wish))
    return order.having(models=_compared(routes, requests))


def order_batch(setup: Setup, routes: Routes, batch: BatchWish, run: RunWish) -> Order:
    """All rows of a batch file. Raises ``BatchInputError`` for a row that its model cannot do.

    A file of at most ``CHECKED_ROWS`` rows is checked as a whole before anything is bought; in a longer one, a bad row
    stops the run when it is reached, with everything before it kept.
    """
    # Nobody sits before a batch: it makes way for those who wait for a picture.
    routes.priority = Priority.BATCH
    capped_by = _capped_by(setup, routes, run)
    parts = intake(run.folder, batch)
    source = open_rows(batch.path, batch.defaults, batch.options, parts)

    readable = Readable(routes, run.folder, draw=not routes.wish.keyless)
    # The check of all rows writes nothing: ten thousand photos take an hour, and the first may be drawn meanwhile.
    unwritten = Readable(routes, run.folder, draw=False)
    sheeted = fitting(routes, _grid(run))

    def wishes(start: int, pictures: Readable = readable) -> Iterator[Wish]:
        for row in source.skip(start) if start else source:
            try:
                request = sheeted(routes.fitted(pictures.request(row.request)))
                must_have_price(routes, request, capped_by)
                yield Wish(row.number, row.key, request, row.columns)
            except RequestError as error:
                problem = _of_row(error, source, row.line)
                if not batch.options.skip_bad:
                    raise problem from error
                source.problems.add(problem)

    routes.note(source.notices)
    rows = source.total()
    if rows <= CHECKED_ROWS:
        total = sum(wish.request.n for wish in wishes(0, unwritten))
    else:
        total = None if source.counts_vary else rows * batch.defaults.request.n
    routes.note([Notice("row_skipped", f"skipped: {problem}") for problem in source.problems.kept])
    made = _Made(wishes, f"batch {recipes.title_of(batch.path)}", total)
    order = _order(setup, run, made, recipes.of_batch(batch, run, routes.wish, source.format))
    return order.having(
        fingerprint=source.fingerprint(),
        spool=parts.spool,
        skipped=lambda: source.problems.count,
        models=_compared_rows(routes, batch.options.grid),
    )


def order_again(setup: Setup, folder: Path, change: Callable[[Recipe], Recipe]) -> tuple[Routes, Order]:
    """The order of a run folder as it was given, with some changes. Raises ``FolderError`` when it holds none."""
    with LedgerReader.open(folder / LEDGER) as reader:
        plain = orjson.loads(reader.get_meta(RECIPE) or b"{}")
    recipe = change(recipes.read(plain, folder))
    routes = setup.routes(recipe.routes) if recipe.plan is None else wide_routes(setup, recipe.routes)
    if recipe.batch is None:
        order = order_prompts(setup, routes, recipe.prompts, recipe.run)
    else:
        order = order_batch(setup, routes, recipes.replayed(recipe.batch, folder / SPOOL), recipe.run)
    # The same run, whatever its input is called by now.
    order = order.having(digest=plain[DIGEST], recipe=plain)
    return routes, order if recipe.plan is None else as_planned(routes, order, recipe.plan)


def model_before(folder: Path) -> str | None:
    """The model of a batch that was begun in a folder and named none, whatever keys there are by now."""
    if not (folder / LEDGER).is_file():
        return None
    with LedgerReader.open(folder / LEDGER) as reader:
        plain = orjson.loads(reader.get_meta(RECIPE) or b"{}")
    return plain["defaults"].get(MODEL) if plain.get("command") == recipes.BATCH else None


def _compared(routes: Routes, requests: Sequence[ImageRequest]) -> tuple[str, ...]:
    """The models, when all are asked the same."""
    bare = [request.having(model="") for request in requests]
    if len(bare) < 2 or any(one != bare[0] for one in bare):
        return ()
    return _names(routes, [request.model for request in requests])


def _compared_rows(routes: Routes, grid: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The models of a grid whose rows come model after model: it varies what was named last the fastest."""
    name, values = list(grid.items())[-1] if grid else ("", ())
    return _names(routes, values) if plain_name(name) == MODEL and len(values) > 1 else ()


def _names(routes: Routes, models: Sequence[str]) -> tuple[str, ...]:
    """What people call the models, each otherwise. Raises ``RequestError`` for two that are one."""
    first = [routes.resolve(model)[0] for model in models]
    names = [resolved.card.name for resolved in first]
    if len(set(names)) < len(names):
        names = [str(resolved.route) for resolved in first]
    if len(set(names)) < len(names):
        raise RequestError(f"{' and '.join(models)} are not {len(models)} models", field=MODEL)
    return tuple(names)


def _grid(run: RunWish) -> Grid | None:
    return None if run.sheet is None else Grid.of(run.sheet)


def _cap(setup: Setup, run: RunWish) -> int | None:
    return setup.settings.max_cost_nusd.value if run.max_cost_nusd is None else run.max_cost_nusd


def _capped_by(setup: Setup, routes: Routes, run: RunWish) -> Callable[[str], str]:
    """From an endpoint to the name of a cap that its calls are under; empty without one."""
    shared = () if routes.simulated else caps_of(setup.settings)
    own = "--max-cost" if _cap(setup, run) is not None else ""
    return lambda endpoint: own or next((cap.setting for cap in shared if cap.holds_for(endpoint)), "")


def must_have_price(routes: Routes, request: ImageRequest, capped_by: Callable[[str], str]) -> None:
    """An unknown price would be taken for none by a cap. Raises ``RequestError``."""
    for resolved in routes.resolve(request.model):
        name = capped_by(resolved.endpoint.name)
        if name and PriceBook.of(resolved).estimate(Slot("", "", 0, 0, request)) is None:
            raise RequestError(
                f"no price is known of {resolved.route}, so {name} cannot be kept",
                field="max_cost",
                hints=(f"leave {name} out, or give the offer its prices in your configuration file",),
            )


def _of_row(error: RequestError, source: RowSource, line: int) -> BatchInputError:
    return BatchInputError(
        f"{source.name}, line {line}: {error.message}",
        path=source.name,
        line=line,
        hints=error.hints or ((f"it can: {', '.join(error.allowed)}",) if error.allowed else ()),
    )


@dataclass(frozen=True, slots=True)
class _Made:
    wishes: Callable[[int], Iterator[Wish]]
    identity: str
    total: int | None


def _order(setup: Setup, run: RunWish, made: _Made, recipe: Mapping[str, Any]) -> Order:
    settings = setup.settings
    refills = {**DEFAULT_REFILLS, **{kind: bound.value for kind, bound in settings.refills.items()}}
    base = Policy()
    whose = hashlib.blake2b(made.identity.encode(), digest_size=DIGEST_BYTES).hexdigest()
    policy = Policy(
        refills=refills,
        concurrency=run.concurrency or settings.concurrency.value or base.concurrency,
        max_wait_s=base.max_wait_s if run.max_wait_s is None else run.max_wait_s,
        hedge=hedge_of(run.hedge),
    )
    return Order(
        folder=run.folder,
        wishes=made.wishes,
        digest=whose,
        total=made.total,
        recipe={**recipe, DIGEST: whose},
        max_cost_nusd=_cap(setup, run),
        policy=policy,
        timeout_s=run.timeout_s,
        title=run.title,
        batch_deadline_s=run.batch_deadline_s,
        batch_only=run.batch_only,
        sheet=_grid(run),
    )
