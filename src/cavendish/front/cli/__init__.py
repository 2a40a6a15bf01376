"""The command line. Each command is a thin layer over what Python programs use: the orders, the job, the catalog.

Data goes to stdout, everything else to stderr. Must not decide anything about pictures, prices or retries.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. ``arguments`` default to those of the process."""
    from .app import run

    return run(arguments)
