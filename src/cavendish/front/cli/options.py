"""Options that several commands have, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

WHAT, WHERE, LIMITS, TALK = "What to draw", "Where to ask", "Limits", "Output"

N = Annotated[
    int, typer.Option("-n", "--count", help="Pictures of each prompt; the words of the prompt do not change it.")
]
Model = Annotated[
    str | None, typer.Option("-m", "--model", help="Model, by alias or id; several with commas: pictures of each.")
]
Size = Annotated[str | None, typer.Option(help="512, 1K, 2K, 4K or WIDTHxHEIGHT, as far as the model can.")]
Ratio = Annotated[str | None, typer.Option("--aspect-ratio", help="Such as 16:9.")]
Quality = Annotated[str | None, typer.Option(help="low, medium, high, ..., for models that know such.")]
OutputFormat = Annotated[str | None, typer.Option(help="png, jpeg or webp, where it can be chosen.")]
Images = Annotated[
    list[str] | None,
    typer.Option(
        "-i",
        "--image",
        metavar="PICTURE",
        help="Reference: path, URL, data URL, or - for stdin; look.png:style gives a role. Repeatable.",
    ),
]
Thinking = Annotated[str | None, typer.Option(help="minimal, medium or high, for models that think.")]
Thoughts = Annotated[bool, typer.Option("--include-thoughts", help="Have thoughts sent along; kept as extras.")]
Modalities = Annotated[str | None, typer.Option(help="IMAGE (the default) or TEXT,IMAGE.")]
Grounding = Annotated[str | None, typer.Option("--search", help="Search first: web, image or both.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the first picture; each further one gets its own.")]
Temperature = Annotated[float | None, typer.Option(help="Sampling temperature.")]
System = Annotated[str | None, typer.Option(help="System instruction.")]

Output = Annotated[Path | None, typer.Option("-o", "--output", help="Run folder. Again with the same: complete it.")]
Via = Annotated[
    str | None, typer.Option(help="Endpoint: google, apiyi, sim; several with commas, the preferred first.")
]
Tier = Annotated[str | None, typer.Option(help="Tier of the key, whose limits are then known: free, tier1, tier2, ...")]
Rpm = Annotated[int | None, typer.Option(help="Requests a minute that the key may make.")]
Mode = Annotated[
    str | None,
    typer.Option(
        help="How the key is billed, where there are several: per_request, tokens; batch is half price, within a day."
    ),
]
Concurrency = Annotated[int | None, typer.Option("-p", "--concurrency", help="Most calls in flight at once.")]
Timeout = Annotated[float | None, typer.Option(help="Seconds for one call; 300 unless the model needs longer.")]
BatchDeadline = Annotated[
    str | None,
    typer.Option(
        help="With --mode batch: how long its jobs may take, such as 6h; then they are cancelled, and the rest goes "
        "online at the full price."
    ),
]
BatchOnly = Annotated[
    bool, typer.Option("--batch-only", help="With --batch-deadline: leave the rest open instead, to be resumed.")
]
Sheet = Annotated[
    str | None,
    typer.Option(
        metavar="ROWSxCOLUMNS",
        help="Draw up to so many pictures of a prompt as one and cut it, such as 4x4: much cheaper, smaller, riskier.",
    ),
]
MaxCost = Annotated[
    str | None,
    typer.Option(help="Dollars this run folder may cost in all; calls in flight may pass it a little."),
]
MaxWait = Annotated[
    float | None, typer.Option(help="Seconds that all may wait for a quota (3600); beyond that, stop to be resumed.")
]
Hedge = Annotated[
    str | None,
    typer.Option(help="A second call for a picture that takes longer than 45s, or p95: than 95 of 100 did. Paid too."),
]
Strict = Annotated[bool, typer.Option("--strict", help="What would be a notice is an error.")]

PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="Do as this plan has it, which cavendish plan --save wrote."),
]
Deadline = Annotated[
    str | None,
    typer.Option(help="Plan for this time, such as 3h, at the least cost, and do so; may go by several routes."),
]
Rehearse = Annotated[
    bool, typer.Option("--rehearse", help="Play it against simulated providers, say how it went, and stop.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would cost and take, and stop.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no summary; only what is wrong.")]
Open = Annotated[bool, typer.Option("--open", help="Open the contact sheet when done.")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask before spending.")]

Template = Annotated[str | None, typer.Option("--prompt", help='Prompt out of columns: "a {animal} in {style}".')]
Grid = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=VALUES", help="COLUMN=VALUE,VALUE: each row with each value. Repeatable; all combinations."
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Run the good rows when some are broken.")]
KeyColumn = Annotated[str | None, typer.Option("--key", help="Column that names the rows; '' numbers them.")]
Encoding = Annotated[str | None, typer.Option(help="Of a file that is not UTF-8.")]
Format = Annotated[
    str | None, typer.Option("--format", help="csv, tsv, jsonl, json, txt or parquet; else by the file's ending.")
]


def words(text: str | None) -> tuple[str, ...]:
    """Words with commas between them."""
    return tuple(word for part in (text or "").split(",") if (word := part.strip()))


def searches(text: str | None) -> tuple[str, ...]:
    """Kinds of search."""
    return ("web", "image") if text is not None and text.strip().lower() == "both" else words(text)


def upper_words(text: str | None) -> tuple[str, ...]:
    """The same in upper case."""
    return tuple(word.upper() for word in words(text))
