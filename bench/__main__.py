"""The command: ``python -m bench [NAME ...] [--quick] [--record]``."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from . import report

NAMES = ("reply", "flood", "throughput", "quota", "hundred", "shared", "retry", "million", "startup", "parts")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures Cavendish beside others.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="tiny counts, once: to see that it runs")
    parser.add_argument("--record", action="store_true", help="write the tables into bench/RESULTS.md")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in arguments.names or NAMES:
        began = time.monotonic()
        print(f"{name} ...", file=sys.stderr)
        tables = importlib.import_module(f"bench.{name}").bench(quick=arguments.quick)
        for table in tables:
            print(table.to_markdown())
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        if arguments.record:
            report.record(name, tables, f"python -m bench {name}{' --quick' * arguments.quick}")


if __name__ == "__main__":
    main()
