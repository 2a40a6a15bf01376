"""Ledgers of older versions: they are read as they are, and become ledgers of today when a run goes on with them."""

import sqlite3
from dataclasses import replace

import pytest

from cavendish.io.ledger.reader import LedgerReader
from cavendish.io.ledger.schema import MIGRATIONS, VERSION
from cavendish.io.ledger.sqlite import SqliteLedger
from cavendish.model.attempt import Attempt
from cavendish.model.plain import to_json, to_plain, write_json
from tests.io.ledger.entries import PRICE, ROUTE, TICKET, intent, picture, receipt, slot, waiting

KITE, MOON = slot(), slot(form="f1", row=1)


@pytest.fixture
def of_version_1(tmp_path):
    """A run of the first version: one picture delivered, one job at work."""
    path = tmp_path / "ledger.sqlite3"
    with sqlite3.connect(path) as db:
        db.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
        for wanted in (KITE, MOON):
            request = to_json(wanted.request).decode()
            db.execute("INSERT INTO requests VALUES (?, ?)", (wanted.id.split(".")[0], request))
            place = (wanted.id, wanted.id.split(".")[0], wanted.key, wanted.row, wanted.ordinal)
            db.execute("INSERT INTO slots (id, form, key, row, ordinal, edition) VALUES (?, ?, ?, ?, ?, 0)", place)
        row(db, receipt(intent("a1", KITE)), None)
        row(db, waiting(intent("a2", MOON)), write_json({"ticket": to_plain(TICKET)}).decode())
        ended = ("delivered", to_json(picture(KITE)).decode(), "sha-f0.0", "f0.0.png", KITE.id)
        db.execute("UPDATE slots SET state = ?, outcome = ?, sha256 = ?, file = ? WHERE id = ?", ended)
    db.close()
    return path


def row(db, attempt: Attempt, details):
    values = (attempt.id, attempt.slot_id, attempt.number, ROUTE.endpoint, ROUTE.model, ROUTE.wire_model, ROUTE.mode)
    values += (attempt.state, PRICE, attempt.cost_nusd, attempt.charged, attempt.intent_at, attempt.settled_at, details)
    db.execute(f"INSERT INTO attempts VALUES ({', '.join('?' * 14)})", values)


def version_of(path):
    with sqlite3.connect(path) as db:
        ((version,),) = db.execute("PRAGMA user_version")
    db.close()
    return version


def test_a_look_changes_nothing(of_version_1):
    with LedgerReader.open(of_version_1) as reader:
        assert reader.standing(KITE.id).attempts == (receipt(intent("a1", KITE)),)
        ((attempt, wanted),) = reader.open_attempts()
        assert (attempt.id, attempt.ticket, attempt.key, attempt.hedge) == ("a2", TICKET, "", False)
        assert wanted == MOON
        assert [outcome.slot.id for outcome in reader.outcomes()] == [KITE.id]
        assert reader.tally().delivered == 1
    assert version_of(of_version_1) == 1


async def test_a_run_goes_on_with_it(of_version_1):
    async with SqliteLedger(of_version_1) as ledger:
        ((job, _),) = await ledger.open_attempts()
        hedge = intent("a3", MOON, number=2, key="c0ffee", hedge=True)
        await ledger.intend(hedge, MOON)
        await ledger.settle(receipt(replace(job, request_id="req-1")), picture(MOON))
        await ledger.settle(receipt(hedge), None)
        settled, second = (await ledger.standing(MOON.id)).attempts
        assert (settled.request_id, second) == ("req-1", receipt(hedge))
        assert (await ledger.tally()).delivered == 2
    assert version_of(of_version_1) == VERSION
