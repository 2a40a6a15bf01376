"""Programs: the command line in processes of its own, a simulator over loopback, and what they leave in a folder."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cavendish.io.blobs.claim import INNER, REPLIES, TMP
from cavendish.io.ledger.reader import LedgerReader
from cavendish.model.result import Picture
from cavendish.sim.profile import Profile
from cavendish.sim.server import start_server
from tests.worlds.tollgate import promise

MAIN = "import sys; from cavendish.front.cli import main; sys.exit(main(sys.argv[1:]))"
LONGEST_S = 60.0


class Simulator:
    """A simulator on a port, in a thread of its own. ``books`` are the simulator's."""

    def __init__(self, profile: Profile | str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._do(start_server(profile))
        self.url = self._server.url

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LONGEST_S)

    @property
    def stats(self) -> dict[str, Any]:
        async def look():
            return self._server.stats()

        return self._do(look())

    def wait_for(self, requests: int, program: subprocess.Popen) -> None:
        """Return when so many calls came in, or the program ended."""
        give_up_at = time.monotonic() + LONGEST_S
        while self.stats["requests"] < requests and program.poll() is None:
            promise(time.monotonic() < give_up_at, f"no {requests} calls within {LONGEST_S:g} s")
            time.sleep(0.005)

    def close(self) -> None:
        self._do(self._server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def begin(simulator: Simulator, *arguments: object, prefix: Sequence[str] = ()) -> subprocess.Popen:
    """Start the command line with the simulator as its only provider."""
    environment = {**os.environ, "CAVENDISH_SIM_BASE_URL": simulator.url, "PYTHONWARNINGS": "error"}
    command = [*prefix, sys.executable, "-c", MAIN, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@dataclass(frozen=True)
class Left:
    """What a run left: counts from its ledger."""

    delivered: int
    unknown: int
    billed_nusd: int


def look(root: Path, wanted: int) -> Left:
    """Every slot has its picture, in a file of its own with the bytes of the books, and nothing is left over."""
    with LedgerReader.open(root / INNER / "ledger.sqlite3") as books:
        outcomes, tally, still_open = list(books.outcomes()), books.tally(), books.open_attempts()
    promise(len(outcomes) == wanted, f"{len(outcomes)} ends, {wanted} slots")
    pictures = [outcome for outcome in outcomes if isinstance(outcome, Picture)]
    promise(len(pictures) == wanted, f"failures: {[o for o in outcomes if not isinstance(o, Picture)][:3]}")
    promise(not still_open, f"open attempts: {still_open}")
    for picture in pictures:
        data = (root / picture.blob.ref).read_bytes()
        promise(hashlib.sha256(data).hexdigest() == picture.blob.sha256, f"{picture.blob.ref} has other bytes")
    refs = {picture.blob.ref for picture in pictures}
    promise(len(refs) == wanted, "slots that share a file")
    files = {path.name for path in root.iterdir() if path.suffix in {".jpg", ".png"}}
    promise(files == refs, f"pictures of nobody: {files - refs}")
    lines = [json.loads(line) for line in (root / "metadata.jsonl").read_text("utf-8").splitlines()]
    promise([line["file_name"] for line in lines] == [p.blob.ref for p in pictures], "metadata.jsonl is not the books")
    for folder in (TMP, REPLIES):
        left = [path.name for path in (root / folder).iterdir()]
        promise(not left, f"left over in {folder}: {left}")
    return Left(len(pictures), tally.unknown_attempts, tally.billed_nusd)
