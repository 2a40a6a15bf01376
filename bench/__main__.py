"""The command: ``python -m bench [NAME ...] [--quick] [--record]``."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from . import report
from .gateway.peers import GATEWAYS
from .gateway.rounds import SIZES

NAMES = (
    "reply",
    "flood",
    "throughput",
    "gateway",
    "quota",
    "hundred",
    "shared",
    "retry",
    "million",
    "startup",
    "parts",
)


def words() -> list[str]:
    """What ``--only`` takes: gateways and sizes."""
    return [*(gateway.key for gateway in GATEWAYS), *SIZES]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures Cavendish beside others.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="tiny counts, once: to see that it runs")
    parser.add_argument("--record", action="store_true", help="write the tables into bench/RESULTS.md")
    parser.add_argument(
        "--only", metavar="WORDS", help=f"of gateway: some of {', '.join(words())}, with commas between"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    only = [word for word in (arguments.only or "").split(",") if word]
    if only and (arguments.names != ["gateway"] or set(only) - set(words())):
        parser.error(f"--only is for gateway alone, and takes some of {', '.join(words())}")
    for name in arguments.names or NAMES:
        began = time.monotonic()
        print(f"{name} ...", file=sys.stderr)
        more = {"only": only} if only else {}
        tables = importlib.import_module(f"bench.{name}").bench(quick=arguments.quick, **more)
        for table in tables:
            print(table.to_markdown())
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        if arguments.record:
            report.record(name, tables, f"python -m bench {name}{' --quick' * arguments.quick}")


if __name__ == "__main__":
    main()
