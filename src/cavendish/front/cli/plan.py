"""``cavendish plan``: every route to the pictures priced and timed, and the best split, before anything is spent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options as o
from .voice import Exit

if TYPE_CHECKING:
    from ..order import Order
    from ..planning.choose import Bounds
    from ..planning.places import WideRoutes
    from ..planning.question import Wish
    from ..rehearse.outlook import Outlook
    from ..saved_plan import SavedPlan

UNUSED = Path("cavendish-plan")
"""Stands for a run folder where none was named: nothing is written."""

Models = Annotated[
    str | None,
    typer.Option("-m", "--model", help="Model, by alias or id; further ones with commas may draw in its place."),
]
Via = Annotated[str | None, typer.Option(help="Plan with these endpoints only: google, apiyi; several with commas.")]
Tier = Annotated[str | None, typer.Option(help="Tier of the keys: tier1, or google=tier2,openai=tier1.")]
Rpm = Annotated[str | None, typer.Option(help="Requests a minute that a key may make: 10, or google=10,apiyi=60.")]
Mode = Annotated[str | None, typer.Option(help="Plan with this mode only: standard, batch, per_request, tokens.")]
Deadline = Annotated[
    str | None,
    typer.Option(help="All done within this time, such as 90m or 3h, at the least cost; slow calls counted."),
]
MaxCost = Annotated[str | None, typer.Option(help="For at most so many dollars, as fast as can be.")]
Save = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the chosen plan here, for a run to follow.")]
BatchWithin = Annotated[
    str | None, typer.Option(help="Count on batch jobs to end within this time, such as 6h, instead of a day.")
]


def plan(
    what: Annotated[str, typer.Argument(help="A prompt, or a batch file.")],
    n: o.N = 1,
    prompt: o.Template = None,
    grid: o.Grid = None,
    model: Models = None,
    size: o.Size = None,
    aspect_ratio: o.Ratio = None,
    quality: o.Quality = None,
    image: o.Images = None,
    output: o.Output = None,
    via: Via = None,
    thinking: o.Thinking = None,
    grounding: o.Grounding = None,
    skip_bad: o.SkipBad = False,
    concurrency: o.Concurrency = None,
    rpm: Rpm = None,
    tier: Tier = None,
    mode: Mode = None,
    sheet: o.Sheet = None,
    deadline: Deadline = None,
    max_cost: MaxCost = None,
    batch_within: BatchWithin = None,
    save: Save = None,
    rehearse: o.Rehearse = False,
    as_json: o.Json = False,
) -> int:
    """What the pictures of a prompt or a file cost by every route, when they are done, and the best way to split them.

    Prints the cheapest plan for each time, and the one for --deadline or --max-cost: with neither, the cheapest. What
    is in the folder (-o) already is not counted. Makes no call and needs no key. Exit code 4: there is no such plan.
    """
    from ...plan.options import BATCH_S
    from ..asking import asked, models_named
    from ..orders import order_batch, order_prompts
    from ..planning.choose import Bounds
    from ..planning.places import Said, WideRoutes
    from ..planning.question import Wish
    from ..planning.used import used_today
    from ..recipes import BatchWish, seconds_of
    from ..references import read_references
    from ..rows.options import RowDefaults, RowOptions
    from ..rows.template import parse_grid
    from ..said import money
    from .setting import RunFlags, keep_at, setup_for

    flags = RunFlags(via=via, mode=mode, concurrency=concurrency, sheet=sheet)
    setup = setup_for(flags, size=size, aspect_ratio=aspect_ratio)
    routes = WideRoutes.like(setup.routes(flags.routes(keyless=True)))
    run = flags.run(setup, output or UNUSED, title=what)
    first, *others = models_named(model) or (None,)
    fields: dict[str, Any] = {"n": n, "thinking": thinking, "grounding": o.searches(grounding) or None}
    references = read_references(tuple(image or ()), keep_at(run.folder, dry=True))
    is_file = Path(what).is_file()
    request = asked(routes, "" if is_file else what, {**fields, "quality": quality, "model": first}, references)
    rows = RowOptions(template=prompt, grid=parse_grid(grid or ()), skip_bad=skip_bad)
    if is_file:
        order = order_batch(setup, routes, BatchWish(what, RowDefaults(request), rows), run)
    else:
        order = order_prompts(setup, routes, [request], run)
    now_s = time.time()
    wish = Wish(
        now_s=now_s,
        first=routes.resolve(request.model)[0].card.id,
        others=tuple(others),
        tiers=Said.read(tier),
        rates=Said.read(rpm),
        concurrency=order.policy.concurrency,
        sheet=order.sheet,
        batch_within_s=seconds_of(batch_within) or BATCH_S,
        used_today=used_today(setup.settings, now_s),
    )
    budget = setup.settings.max_cost_nusd.value if max_cost is None else money("max_cost", max_cost.lstrip("$"))
    return _tell(order, routes, wish, Bounds(seconds_of(deadline), budget), _Told(as_json, save, rehearse))


@dataclass(frozen=True, slots=True)
class _Told:
    """Where a plan goes, and whether it is played first."""

    json: bool
    save: Path | None
    rehearse: bool


def _tell(order: Order, routes: WideRoutes, wish: Wish, bounds: Bounds, told: _Told) -> Exit:
    from ..planning import show
    from ..planning.planned import planned, to_saved
    from ..planning.reading import counted
    from ..saved_plan import write_plan
    from . import voice

    made = planned(counted(order), routes, wish, bounds)
    voice.notices((*routes.settings.notices, *routes.notices.values()))
    outlook = _played(order, routes, to_saved(made, wish, order.recipe)) if told.rehearse and made.choice.plan else None
    if told.json:
        voice.data({**show.to_json(made), **({"rehearsal": outlook.to_json()} if outlook else {})})
    else:
        show.tell(made)
        print("\n".join(("", *outlook.lines())) if outlook else "", end="\n" if outlook else "")
    if made.choice.plan is None:
        return Exit.STOPPED
    if told.save is not None:
        write_plan(told.save, to_saved(made, wish, order.recipe))
        voice.say(f"saved: {told.save}")
    return Exit.ALL


def _played(order: Order, routes: WideRoutes, plan: SavedPlan) -> Outlook:
    from ..planned.check import by_plan
    from ..rehearse.rehearse import rehearse

    return rehearse(routes, by_plan(order, plan))
