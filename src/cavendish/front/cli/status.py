"""``cavendish status``: how a run folder stands, without any call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...errors import FolderError
from . import options as o
from . import voice
from .voice import Exit

ALL_ROWS = 2**62


def status(folder: Annotated[Path, typer.Argument(help="Run folder.")], as_json: o.Json = False) -> int:
    """How a run folder stands: delivered, failed and why, left, cost. Makes no call and writes nothing."""
    from ...io.ledger.reader import LedgerReader
    from ..folder.summary import RunFacts, summarise
    from ..order import LEDGER, SIMULATED, SKIPPED, TOTAL

    if not folder.is_dir():
        raise FolderError(f"there is no folder {folder}")
    with LedgerReader.open(folder / LEDGER) as reader:
        tally = reader.tally()
        total = int(reader.get_meta(TOTAL) or 0) or len(reader.unfinished_below(ALL_ROWS)) + tally.delivered
        left = max(0, total - tally.delivered - tally.failed)
        facts = RunFacts(
            folder,
            left=left,
            skipped=int(reader.get_meta(SKIPPED) or 0),
            simulated=reader.get_meta(SIMULATED) == "yes",
        )
        summary = summarise(reader.outcomes(), tally, facts)
    if as_json:
        voice.data(summary.to_json())
    else:
        print(summary.text(paths=False))
    return Exit.ALL
