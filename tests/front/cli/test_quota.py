"""``cavendish quota``, and that runs of the command line share one."""

import json
import os
import re
import sqlite3
from pathlib import Path

import pytest

KEY = "AIza-a-key-that-must-not-be-seen"


@pytest.fixture
def google(sim, monkeypatch):
    """Google's API at the simulator's address, with a key."""
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", sim.url)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)


def draw(cavendish, folder, *more, n=2):
    ran = cavendish("generate", "a kite", "-n", str(n), "--via", "google", "-o", folder, "--yes", *more)
    assert ran.code == 0, ran.err


def test_nothing_is_known_before_the_first_call(sim, cavendish):
    ran = cavendish("quota")
    assert (ran.code, ran.out) == (0, "")
    assert "nothing is known of any quota" in ran.err
    assert cavendish("quota", "google", "--json").json == []


def test_what_two_runs_used_is_one_sum(google, cavendish):
    draw(cavendish, "one", "--rpm", "30")
    draw(cavendish, "two", "--rpm", "30", n=3)
    (known,) = cavendish("quota", "--json").json
    assert known["last_minute"]["calls"] == known["today"] == 5
    assert known["limits"]["calls"] == 30
    assert (known["under_way"], known["waiting"], known["state"]) == ({}, 0, "open")
    text = cavendish("quota").out
    assert re.search(r"google \S+ +…\w{4} +gemini-\S+ +5 of 30 calls +5 +0 +0 +open", text)
    assert KEY not in text


def test_the_key_is_nowhere_in_what_is_kept(google, cavendish):
    draw(cavendish, "one")
    folder = Path(os.environ["CAVENDISH_STATE"])
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"gemini" in kept
    assert KEY.encode() not in kept


def test_forget_drops_what_was_learned_and_keeps_what_was_counted(google, cavendish):
    draw(cavendish, "one", "--rpm", "30")
    path = Path(os.environ["CAVENDISH_STATE"]) / "quota.sqlite3"
    with sqlite3.connect(path) as database:
        (state,) = database.execute("SELECT state FROM known WHERE model <> ''").fetchone()
        known = json.loads(state)
        known["lessons"] = {"requests": [7, 0.0]}
        database.execute("UPDATE known SET state = ? WHERE model <> ''", (json.dumps(known),))
    database.close()
    assert "told of 7 calls a minute" in cavendish("quota").out
    ran = cavendish("quota", "--forget")
    assert "forgot what was learned of 1 quota" in ran.err
    assert "2 of 30 calls" in ran.out
    assert "told of" not in ran.out
    assert cavendish("quota", "elsewhere", "--forget").out == ""


def test_a_state_that_cannot_be_used_is_told_of_and_stops_nobody(google, cavendish, monkeypatch, tmp_path):
    (tmp_path / "a-file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("CAVENDISH_STATE", str(tmp_path / "a-file"))
    ran = cavendish("generate", "a kite", "-n", "2", "--via", "google", "-o", "one", "--yes")
    assert ran.code == 0
    assert ran.err.count("the quota is not shared with other processes") == 1
    assert cavendish("quota").code == 2
