"""``cavendish generate``: N pictures of one prompt."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import RequestError
from . import options as o

if TYPE_CHECKING:
    from ..build import Setup

STDIN = "-"
RUNS = Path("cavendish-out")
SLUG_CHARS = 40


def generate(
    prompt: Annotated[str, typer.Argument(help="What to draw; - reads it from stdin.")],
    n: o.N = 1,
    model: o.Model = None,
    size: o.Size = None,
    aspect_ratio: o.Ratio = None,
    quality: o.Quality = None,
    output_format: o.OutputFormat = None,
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
    timeout: o.Timeout = None,
    concurrency: o.Concurrency = None,
    rpm: o.Rpm = None,
    tier: o.Tier = None,
    mode: o.Mode = None,
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
    """N pictures of one prompt.

    Prints the path of each picture. Without any key the simulator answers, and says so.
    """
    from ..asking import asked, models_named
    from ..orders import order_prompts
    from ..references import read_references
    from .by_plan import Deadline, free_routes, within, work_by
    from .setting import RunFlags, keep_at, setup_for
    from .work import Manner, work

    words = read_prompt(prompt, image or [])
    flags = RunFlags(via, tier, rpm, mode, concurrency, max_cost, timeout, max_wait, strict, sheet=sheet, hedge=hedge)
    setup = setup_for(flags, size=size, aspect_ratio=aspect_ratio)
    fields: dict[str, Any] = {"n": n, "seed": seed, "temperature": temperature, "system": system}
    fields |= {"thinking": thinking, "include_thoughts": include_thoughts}
    fields |= {"quality": quality, "output_format": output_format}
    fields |= {"modalities": o.upper_words(modalities) or None, "grounding": o.searches(grounding) or None}
    run = flags.run(setup, output or _new_folder(setup, words), title=words)
    manner = Manner(quiet, as_json, open_sheet, yes, dry_run, listing=True, rehearse=rehearse)
    if plan is not None:
        said = {**fields, "n": n if n > 1 else None, "model": model, "size": size, "aspect_ratio": aspect_ratio}
        return work_by(setup, plan, run, manner, said={**said, "image": image, **flags.by_route}, prompt=words)
    wish = flags.routes(keyless=dry_run or rehearse)
    routes = setup.routes(wish) if deadline is None else free_routes(setup, wish)
    references = read_references(tuple(image or ()), keep_at(run.folder, dry=dry_run or rehearse))
    requests = [asked(routes, words, {**fields, "model": name}, references) for name in models_named(model) or (None,)]
    order = order_prompts(setup, routes, requests, run)
    if deadline is not None:
        return within(setup, routes, order, Deadline(deadline, wish), manner)
    return work(setup, routes, order, manner)


def read_prompt(prompt: str, images: list[str]) -> str:
    """The words themselves, wherever they are. Raises ``RequestError`` when stdin was to be a picture as well."""
    if prompt != STDIN:
        return prompt
    if any(name == STDIN or name.startswith(f"{STDIN}:") for name in images):
        raise RequestError("stdin cannot be both the prompt and a picture", field="prompt")
    return sys.stdin.read().strip()


def _new_folder(setup: Setup, prompt: str) -> Path:
    """A folder of its own for each run that names none."""
    from ...io.blobs.names import slug

    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = "-".join(filter(None, (stamp, slug(prompt, SLUG_CHARS).lower())))
    return (setup.settings.output.value or RUNS) / name
