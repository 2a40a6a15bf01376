"""Million: start and resume of a job of a million rows, at the command line: time to the first call, memory."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .child import Meter, peak_mb
from .measure import ROOT, Figures, Peer, medians, run_peer, scratch
from .ours import ENDPOINT, OURS, set_up
from .report import Budget, Table
from .upstream import MODEL, Running, upstream

if TYPE_CHECKING:
    from cavendish.model.result import Slot

ROWS = 1_000_000
IN_FLIGHT = 64
CALLS = 2_000
"""So many calls a run is let make before it is killed: enough for its memory to have grown to what it keeps."""

POLL_S = 0.05
PATIENCE_S = 1_800.0

LAST_TEN = "all but the last 10 rows"
CASES = {
    LAST_TEN: lambda rows: list(range(rows - 10, rows)),
    "all but 10 rows, the first of them half-way": lambda rows: [rows // 2 + n * rows // 20 for n in range(10)],
}
"""Which rows are open. The ledger tells to begin at the first of them."""


def bench(*, quick: bool) -> list[Table]:
    rows = 200 if quick else ROWS
    with scratch() as folder:
        source = folder / "rows.csv"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(_lines(rows))
        starts = [_start(source, folder / f"out{n}", min(CALLS, rows // 2)) for n in range(1 if quick else 3)]
        out = folder / "out0"
        run_peer("million", Peer("settle", "settle", {"out": str(out)}), folder)
        found = {"start": medians(starts)}
        cases = {LAST_TEN: CASES[LAST_TEN]} if quick else CASES
        found |= {f"resume, {name}": _resume(out, rows, choose(rows)) for name, choose in cases.items()}
    table = [(name, f"{f['first_s']:.1f}", f"{f['last_s']:.1f}", f"{f['peak_mb']:.0f}") for name, f in found.items()]
    columns = ("", "first call after s", "last call after s", "peak MB")
    return [Table(f"{rows:,} rows of CSV, tiny pictures", columns, table, found, _budgets(found))]


def _lines(rows: int) -> Iterator[str]:
    yield "prompt,colour\n"
    for row in range(rows):
        yield f"picture number {row} of a red kite above a valley,{row % 7}\n"


def _budgets(found: dict[str, Figures]) -> tuple[Budget, ...]:
    start, resume = found["start"]["first_s"], found[f"resume, {LAST_TEN}"]["first_s"]
    peak = max(figures["peak_mb"] for figures in found.values())
    return (
        Budget("starts in 5 s", f"{start:.1f} s", start <= 5),
        Budget("resumes in 5 s", f"{resume:.1f} s to the first call", resume <= 5),
        Budget("under 300 MB", f"{peak:.0f} MB", peak < 300),
    )


# --- a command, timed from outside ------------------------------------------------------------------------------------


def _start(source: Path, out: Path, calls: int) -> Figures:
    flags = ["-m", MODEL, "--via", ENDPOINT, "--concurrency", str(IN_FLIGHT), "--yes", "--quiet"]
    with upstream(size="tiny") as up:
        set_up(up.url, str(source.parent), IN_FLIGHT)
        return _timed(["batch", str(source), "-o", str(out), *flags], source.parent, up, calls)


def _resume(out: Path, rows: int, open_rows: list[int]) -> Figures:
    with upstream(size="tiny") as up:
        set_up(up.url, str(out.parent), IN_FLIGHT)
        settled = min(open_rows)
        run_peer("million", Peer("reopen", "reopen", {"out": str(out)}), out.parent, rows=open_rows, settled=settled)
        # Killed after its last call: to draw the sheets of a million pictures anew takes minutes more.
        figures = _timed(["resume", str(out), "--yes", "--quiet"], out.parent, up, len(open_rows))
        if up.log().calls != len(open_rows):
            raise AssertionError(f"{up.log().calls} calls for {len(open_rows)} open rows")
        return figures


def _timed(arguments: list[str], folder: Path, up: Running, calls: int) -> Figures:
    """Run the command, and kill it after so many calls."""
    environment = {**os.environ, "CAVENDISH_CONFIG": str(folder / "config.toml"), "HOME": str(folder)}
    began = time.monotonic()
    with (folder / "said.txt").open("wb") as said:
        child = subprocess.Popen([*OURS, *arguments], stdout=said, stderr=said, cwd=ROOT, env=environment)
        pid, peak = 0, nan
        while not pid and up.log().calls < calls and time.monotonic() - began < PATIENCE_S:
            time.sleep(POLL_S)
            pid, _ = os.waitpid(child.pid, os.WNOHANG)
        if not pid:
            peak = peak_mb(child.pid)
            child.kill()
            os.waitpid(child.pid, 0)
        child.returncode = -signal.SIGKILL
    seen = up.log()
    if seen.calls < calls:
        raise AssertionError((folder / "said.txt").read_text(encoding="utf-8")[-2000:])
    return {"peak_mb": peak, "first_s": seen.first - began, "last_s": seen.last - began}


# --- the folder of a run that is nearly done --------------------------------------------------------------------------


def settle(meter: Meter, out: str, folder: str) -> None:
    """Give a run that was just begun the ledger that it would have with all its rows delivered."""
    del meter, folder
    from cavendish.front.build import Setup
    from cavendish.front.order import LEDGER
    from cavendish.front.orders import order_again
    from cavendish.io.ledger.sqlite import SETTLED_ROWS
    from cavendish.plan.expand import Ordinals, slots

    _, order = order_again(Setup(), Path(out), lambda recipe: recipe)
    rows = 0
    with closing(sqlite3.connect(Path(out) / LEDGER)) as ledger, ledger:
        ledger.execute("PRAGMA journal_mode = OFF")
        ledger.execute("PRAGMA synchronous = OFF")
        for table in ("events", "attempts", "slots", "requests"):
            ledger.execute(f"DELETE FROM {table}")
        for slot in slots(order.wishes(0), Ordinals()):
            rows += 1
            for sql, values in _delivered(slot):
                ledger.execute(sql, values)
        ledger.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (SETTLED_ROWS, str(rows)))


def _delivered(slot: Slot) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from cavendish.io.ledger.entries import of_attempt, of_event, of_intent, of_outcome
    from cavendish.model.attempt import Attempt, AttemptState
    from cavendish.model.blob import Blob
    from cavendish.model.fault import Charged
    from cavendish.model.result import Picture, Route
    from cavendish.model.usage import Usage

    route = Route(ENDPOINT, slot.request.model, MODEL)
    usage = Usage(input_tokens=9, output_image_tokens=1290)
    intent = Attempt(f"a{slot.row:09}", slot.id, 1, route, AttemptState.INTENT, 67_000_000, 1.0)
    yield from of_intent(intent, slot)
    receipt = replace(
        intent, state=AttemptState.SETTLED, settled_at=2.0, charged=Charged.YES, cost_nusd=67_000_000, usage=usage
    )
    yield of_attempt(receipt)
    yield of_event("settled", 2.0, receipt)
    blob = Blob(hashlib.sha256(slot.id.encode()).hexdigest(), 100, "image/png", f"{slot.key}-red-kite.png")
    yield of_outcome(Picture(slot, blob, 8, 8, route, 1, 67_000_000, usage=usage, latency_s=1.0, finish="STOP"))


def reopen(meter: Meter, out: str, folder: str, rows: list[int], settled: int) -> None:
    """Open these rows again, and let the ledger say that the rows from ``settled`` on have to be looked at."""
    del meter, folder
    from cavendish.front.order import LEDGER
    from cavendish.io.ledger.sqlite import SETTLED_ROWS

    with closing(sqlite3.connect(Path(out) / LEDGER)) as ledger, ledger:
        for row in rows:
            ledger.execute("DELETE FROM attempts WHERE slot_id IN (SELECT id FROM slots WHERE row = ?)", (row,))
            empty = "UPDATE slots SET state = 'open', outcome = NULL, sha256 = NULL, file = NULL WHERE row = ?"
            ledger.execute(empty, (row,))
        ledger.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (SETTLED_ROWS, str(settled)))
