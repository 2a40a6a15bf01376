"""Several keys and routes on the command line: what is told of a key that is lost, and of pictures that went round."""

import sqlite3

import pytest

LOST = "key 2 of 3 is out of this run: API key not valid"


@pytest.fixture
def google(sim, monkeypatch):
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", sim.url)
    monkeypatch.setenv("GEMINI_API_KEY", "good-1,bad,good-2")


def attempts_in(folder, what):
    with sqlite3.connect(folder / ".cavendish" / "ledger.sqlite3") as db:
        found = [value for (value,) in db.execute(f"SELECT {what} FROM attempts")]
    db.close()
    return found


def test_a_dead_key_is_told_once_and_the_others_do_its_work(google, cavendish, tmp_path):
    ran = cavendish("generate", "a kite", "-n", "6", "--via", "google", "-o", "run", "--yes")
    assert ran.code == 0, ran.err
    assert ran.err.count(LOST) == 1
    assert "make a new key" in ran.err
    assert "out of use: google, key 2 of 3 (bad_key)" in ran.err
    keys = attempts_in(tmp_path / "run", "key")
    assert len(set(keys)) == 3
    assert all(len(key) == 16 for key in keys)


def test_programs_are_told_too(google, cavendish):
    ran = cavendish("generate", "a kite", "-n", "6", "--via", "google", "-o", "run", "--yes", "--json")
    assert ran.json["lost"] == [{"route": "google/gemini-nano-banana-2.1", "key": "key 2 of 3", "why": "bad_key"}]
    assert ran.json["detours"] == []


def test_when_no_key_is_left_the_run_stops_with_the_reason(google, cavendish, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "bad,bad-2")
    ran = cavendish("generate", "a kite", "-n", "2", "--via", "google", "-o", "run", "--yes")
    assert ran.code != 0
    assert "API key not valid" in ran.err


def test_a_route_without_a_good_key_hands_over_to_the_next_and_that_is_told(google, cavendish, sim, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "bad")
    monkeypatch.setenv("APIYI_BASE_URL", sim.url + "/apiyi")
    monkeypatch.setenv("APIYI_API_KEY", "good")
    ran = cavendish(
        "generate", "a kite", "-n", "3", "-m", "nano-banana-2", "--via", "google,apiyi", "-o", "run", "--yes"
    )
    assert ran.code == 0, ran.err
    assert "3 pictures by apiyi/" in ran.err
    assert "since google/gemini-3.1-flash-image: API key not valid" in ran.err


def test_a_hedge_is_a_second_attempt_of_its_slot(sim, cavendish, tmp_path):
    ran = cavendish("generate", "a kite [sim:latency=3,times=1]", "-n", "1", "--hedge", "1s", "-o", "run", "--yes")
    assert ran.code == 0, ran.err
    assert "1 delivered" in ran.err
    assert sorted(attempts_in(tmp_path / "run", "hedge")) == [0, 1]


def test_a_hedge_that_cannot_be_is_told(sim, cavendish):
    ran = cavendish("generate", "a kite", "--hedge", "soon", "-o", "run", "--yes")
    assert ran.code == 2
    assert "hedge must be a duration" in ran.err
