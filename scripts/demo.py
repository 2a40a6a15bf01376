"""The demo: four pictures of one prompt, then a batch, all by the simulator. `make demo` runs it."""

from __future__ import annotations

import csv
import itertools
import os
import shlex
import shutil
import sys
from pathlib import Path

from cavendish.front.cli import main

ROOT = Path(__file__).resolve().parents[1]
OUT = Path("demo-out")
PARTI = ROOT.parent / "shared" / "data" / "parti-prompts.tsv"
OWN = ROOT / "examples" / "prompts.csv"

ROWS = 32
"""With two pictures each, more than the simulated key may ask for in a minute: the quota is felt once."""

REFUSED = "the face of somebody famous [sim:prohibited]"
"""The word in brackets asks the simulator for this refusal, so that the report has one to tell of."""

PROMPT = "A cyberpunk-style cat with neon background"


def rows(target: Path) -> Path:
    """The batch file: prompts from all over PartiPrompts where that is at hand, else the examples of the project."""
    source, delimiter = (PARTI, "\t") if PARTI.is_file() else (OWN, ",")
    with source.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file, delimiter=delimiter))
    prompt = next(name for name in found[0] if name.lower() == "prompt")
    chosen = [*itertools.islice(found[:: max(1, len(found) // ROWS)], ROWS), {prompt: REFUSED}]
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, found[0].keys(), delimiter="\t", restval="refused", lineterminator="\n")
        writer.writeheader()
        writer.writerows(chosen)
    return target


def run(*arguments: str) -> int:
    """One command, shown as one would type it."""
    print(f"\n$ cavendish {shlex.join(arguments)}", file=sys.stderr, flush=True)
    return main(arguments)


def demo() -> int:
    """Both jobs. Fails when the first delivers less than it should, or the second nothing."""
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        # No key may be spent by a demo.
        del os.environ[name]
    shutil.rmtree(OUT, ignore_errors=True)
    batch = rows(OUT / "prompts.tsv")
    one = run("generate", PROMPT, "-n", "4", "-m", "nano-banana-2", "--size", "2K", "--aspect-ratio", "16:9",
              "--via", "sim", "-o", str(OUT / "cat"))  # fmt: skip
    many = run("batch", str(batch), "-n", "2", "--via", "sim", "-o", str(OUT / "batch"))
    print("\nLook at the contact sheets:", file=sys.stderr)
    for name in ("cat", "batch"):
        print(f"  {(OUT / name / 'index.html').resolve().as_uri()}", file=sys.stderr)
    return one or (many if many not in {0, 3} else 0)


if __name__ == "__main__":
    sys.exit(demo())
