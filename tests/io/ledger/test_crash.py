"""kill -9 at random moments: what a process was told is durable is in the ledger, and the file is whole."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time

import pytest

from cavendish.io.ledger.reader import LedgerReader
from cavendish.model.attempt import AttemptState
from tests.io.ledger.child import TALK, WRITERS
from tests.io.ledger.entries import picture, slot
from tests.io.ledger.processes import said, start

KILLS = 12
LONGEST_S = 0.25
ORDER = (AttemptState.INTENT, AttemptState.WAITING, AttemptState.SETTLED)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")


@pytest.mark.timeout(120)
def test_what_is_durable_survives_kill_9(tmp_path):
    seed = int.from_bytes(os.urandom(4))
    sys.stdout.write(f"seed {seed}\n")
    dice = random.Random(seed)
    path = tmp_path / "ledger.sqlite3"
    durable: dict[str, AttemptState] = {}
    for life in range(KILLS):
        # Every third dies while it opens the file: while it makes its tables, or reads an earlier one's log.
        word, delay_s = ("opening", 0.02) if life % 3 == 0 else ("open", LONGEST_S)
        told = _one_life(path, f"life{life}", word, dice.uniform(0, delay_s))
        for what, *rest in told:
            if what in set(ORDER):
                durable[rest[0]] = AttemptState(what)
        _check(path, durable)
    assert len(durable) > KILLS


def _one_life(path, life, word, delay_s):
    """What a process said that was killed so long after it said the word."""
    process = start("scribble", path, life)
    heard = b""
    while f'["{word}"]'.encode() not in heard:
        piece = os.read(process.stdout.fileno(), 65536)
        assert piece, process.stderr.read().decode()
        heard += piece
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    rest, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()
    return said(heard + rest)


def _check(path, durable):
    """All that was said is there, and hardly more: each writer was told of all entries but its last one."""
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    if not durable:
        return
    with LedgerReader.open(path) as reader:
        for attempt_id, state in durable.items():
            standing = reader.standing(f"{attempt_id}.0")
            assert standing is not None, attempt_id
            (attempt,) = standing.attempts
            assert ORDER.index(attempt.state) >= ORDER.index(state), attempt_id
            wanted = picture(slot(attempt_id), text=TALK) if attempt.state is AttemptState.SETTLED else None
            assert standing.outcome == wanted
        assert 0 <= reader.tally().attempts - len(durable) <= WRITERS * KILLS
