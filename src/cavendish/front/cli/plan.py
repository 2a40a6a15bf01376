"""``cavendish plan``: what a prompt or a batch will cost and when it will be done, before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options as o
from .voice import Exit

UNUSED = Path("cavendish-plan")
"""Stands for a run folder where none was named: nothing is written."""


def plan(
    what: Annotated[str, typer.Argument(help="A prompt, or a batch file.")],
    n: o.N = 1,
    prompt: o.Template = None,
    grid: o.Grid = None,
    model: o.Model = None,
    size: o.Size = None,
    aspect_ratio: o.Ratio = None,
    quality: o.Quality = None,
    image: o.Images = None,
    output: o.Output = None,
    via: o.Via = None,
    thinking: o.Thinking = None,
    grounding: o.Grounding = None,
    skip_bad: o.SkipBad = False,
    concurrency: o.Concurrency = None,
    rpm: o.Rpm = None,
    tier: o.Tier = None,
    mode: o.Mode = None,
    as_json: o.Json = False,
) -> int:
    """What a prompt or a batch will cost and when it will be done, by the arithmetic of the quota. Makes no call.

    What is in the folder (-o) already is not counted.
    """
    from ..asking import asked, each_with, models_named
    from ..forecast import forecast
    from ..orders import order_batch, order_prompts
    from ..recipes import BatchWish
    from ..references import read_references
    from ..rows.options import RowDefaults, RowOptions
    from ..rows.template import parse_grid
    from . import voice
    from .setting import RunFlags, keep_at, setup_for
    from .work import tell_forecast

    flags = RunFlags(via, tier, rpm, mode, concurrency)
    setup = setup_for(flags, size=size, aspect_ratio=aspect_ratio)
    routes = setup.routes(flags.routes(keyless=True))
    run = flags.run(setup, output or UNUSED, title=what)
    fields: dict[str, Any] = {"n": n, "thinking": thinking, "grounding": o.searches(grounding) or None}
    fields["quality"] = quality
    references = read_references(tuple(image or ()), keep_at(run.folder, dry=True))
    models = models_named(model)
    if Path(what).is_file():
        rows = RowOptions(template=prompt, grid=each_with(models, parse_grid(grid or ())), skip_bad=skip_bad)
        defaults = RowDefaults(asked(routes, "", {**fields, "model": next(iter(models), None)}, references))
        order = order_batch(setup, routes, BatchWish(what, defaults, rows), run)
    else:
        requests = [asked(routes, what, {**fields, "model": name}, references) for name in models or (None,)]
        order = order_prompts(setup, routes, requests, run)
    voice.notices((*setup.settings.notices, *routes.notices.values()))
    tell_forecast(forecast(routes, order), as_json=as_json)
    return Exit.ALL
