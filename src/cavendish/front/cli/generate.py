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
    max_cost: o.MaxCost = None,
    max_wait: o.MaxWait = None,
    dry_run: o.DryRun = False,
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
    from .setting import RunFlags, keep_at, setup_for
    from .work import Manner, work

    words = read_prompt(prompt, image or [])
    flags = RunFlags(via, tier, rpm, mode, concurrency, max_cost, timeout, max_wait, strict)
    setup = setup_for(flags, size=size, aspect_ratio=aspect_ratio)
    fields: dict[str, Any] = {"n": n, "seed": seed, "temperature": temperature, "system": system}
    fields |= {"thinking": thinking, "include_thoughts": include_thoughts}
    fields |= {"quality": quality, "output_format": output_format}
    fields |= {"modalities": o.upper_words(modalities) or None, "grounding": o.searches(grounding) or None}
    run = flags.run(setup, output or _new_folder(setup, words), title=words)
    routes = setup.routes(flags.routes(keyless=dry_run))
    references = read_references(tuple(image or ()), keep_at(run.folder, dry=dry_run))
    requests = [asked(routes, words, {**fields, "model": name}, references) for name in models_named(model) or (None,)]
    order = order_prompts(setup, routes, requests, run)
    return work(setup, routes, order, Manner(quiet, as_json, open_sheet, yes, dry_run, listing=True))


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
