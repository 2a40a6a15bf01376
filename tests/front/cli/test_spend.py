"""``cavendish spend``: what runs spent, and the caps of the day and the month that end one with exit code 4."""

import contextlib
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from cavendish.catalog.load import load
from cavendish.config import variables_of

MODEL = ("-m", "nano-banana-2", "--via", "google")
PRICE = 0.067
"""Of a picture at 1K, without its words."""


@pytest.fixture
def google(sim, monkeypatch):
    """The simulator in the place of Google, so that what it bills is no play money to the book."""
    names = variables_of("google", load().endpoints["google"])
    monkeypatch.setenv(names["base_url"][0], sim.url)
    monkeypatch.setenv(names["api_key"][0], "a-key-of-nobody")
    return sim


def cap(text, monkeypatch):
    Path("caps.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("CAVENDISH_CONFIG", "caps.toml")


def billed(sim):
    return sim.stats["billed_usd"]


def test_what_runs_spent_is_in_the_book(google, cavendish):
    assert cavendish("generate", "a kite", "-n", 2, "-o", "one", *MODEL).code == 0
    assert cavendish("generate", "a fox", "-o", "two", *MODEL).code == 0
    found = cavendish("spend", "--by", "run", "--json").json
    assert [(Path(line["name"]).name, line["pictures"]) for line in found["lines"]] == [("one", 2), ("two", 1)]
    assert [line["title"] for line in found["lines"]] == ["a kite", "a fox"]
    assert found["total"]["billed"] == pytest.approx(billed(google), abs=1e-9)
    assert found["total"]["saved"] == pytest.approx(3 * PRICE - billed(google), abs=1e-9)
    for by, name in (("model", "gemini-3.1-flash-image"), ("endpoint", "google")):
        (line,) = cavendish("spend", "--by", by, "--json").json["lines"]
        assert (line["name"], line["pictures"], line["billed"]) == (name, 3, found["total"]["billed"])


def test_it_is_told_to_people(google, cavendish):
    cavendish("generate", "a kite", "-o", "one", *MODEL)
    said = cavendish("spend").out.splitlines()
    assert said[0].split() == ["day", "pictures", "billed", "unknown", "saved"]
    assert said[-1].split()[:3] == ["total", "1", f"${billed(google):.4f}"]


def test_simulated_money_never_counts(sim, cavendish):
    cavendish("generate", "a kite", "-n", 3, "-o", "one")
    found = cavendish("spend", "--json").json
    assert (found["lines"], found["simulated_runs"]) == ([], 1)


@pytest.mark.parametrize("where", ["", "[endpoints.google]\n"])
@pytest.mark.parametrize("period", ["day", "month"])
def test_a_run_that_would_pass_a_cap_ends_with_4_and_says_how_to_go_on(google, cavendish, monkeypatch, where, period):
    cap(f"{where}max_cost_per_{period} = 0.25", monkeypatch)
    ran = cavendish("generate", "a kite", "-n", 5, "-o", "one", *MODEL)
    assert ran.code == 4
    assert 0.13 < billed(google) <= 0.25
    name = "endpoints.google." if where else ""
    assert f"the cap of $0.25 a {period}" in ran.err
    assert "are spent of it; it is renewed at 2" in ran.err
    assert "left; cavendish resume one\n" in ran.err
    assert f"{name}max_cost_per_{period} in the configuration" in ran.err
    delivered = len(list(Path("one").glob("*.*g")))
    found = cavendish("spend", "--json").json
    assert found["total"]["pictures"] == delivered == round(billed(google) / PRICE)
    (state,) = found["caps"]
    assert state["spent"] == pytest.approx(billed(google))
    assert state["left"] == pytest.approx(0.25 - billed(google))
    assert state["set_aside"] == 0
    # Another run is under the same cap, and this one again when it is higher.
    assert cavendish("generate", "a fox", "-n", 5, "-o", "two", *MODEL).code == 4
    assert billed(google) <= 0.25
    cap(f"{where}max_cost_per_{period} = 2", monkeypatch)
    assert cavendish("resume", "one").code == 0


def test_the_cap_of_a_run_names_the_line_that_completes_it(google, cavendish):
    ran = cavendish("generate", "a kite", "-n", 5, "-o", "one", "--max-cost", "0.25", *MODEL)
    assert ran.code == 4
    assert billed(google) <= 0.25
    (line,) = [line for line in ran.err.splitlines() if "cavendish resume one" in line]
    words = line.partition("; cavendish ")[2].split()
    assert cavendish(*words).code == 0
    assert billed(google) <= float(words[-1])


def test_a_run_of_another_machine_can_be_added(google, cavendish, monkeypatch, tmp_path):
    cavendish("generate", "a kite", "-n", 2, "-o", "one", *MODEL)
    monkeypatch.setenv("CAVENDISH_STATE", str(tmp_path / "here"))
    assert cavendish("spend", "--json").json["lines"] == []
    for _ in range(2):
        found = cavendish("spend", "--add", "one", "--json").json
        assert found["total"]["pictures"] == 2
        assert found["total"]["billed"] == pytest.approx(billed(google))


def test_a_folder_that_was_copied_is_another_run(google, cavendish):
    cavendish("generate", "a kite", "-n", 2, "-o", "one", *MODEL)
    shutil.copytree("one", "two")
    cavendish("generate", "a kite", "-n", 3, "-o", "two", *MODEL)
    cavendish("generate", "a kite", "-n", 4, "-o", "one", *MODEL)
    found = cavendish("spend", "--by", "run", "--json").json
    assert sorted(line["pictures"] for line in found["lines"]) == [3, 4]


def test_without_a_book_a_run_goes_on_unless_a_cap_is_set(google, cavendish, monkeypatch):
    Path("state").write_text("a file", encoding="utf-8")
    monkeypatch.setenv("CAVENDISH_STATE", "state")
    ran = cavendish("generate", "a kite", "-o", "one", *MODEL)
    assert ran.code == 0
    assert "this run is not in the book of spending" in ran.err
    before = billed(google)
    monkeypatch.setenv("CAVENDISH_MAX_COST_PER_DAY", "5")
    ran = cavendish("generate", "a kite", "-o", "two", *MODEL)
    assert ran.code == 2
    assert "no cap can be held" in ran.err
    assert billed(google) == before
    assert cavendish("spend").code == 2


def test_only_from_a_day_on(google, cavendish):
    cavendish("generate", "a kite", "-o", "one", *MODEL)
    assert cavendish("spend", "--since", "1d", "--json").json["total"]["pictures"] == 1
    assert cavendish("spend", "--since", "2999-01-01", "--json").json["total"]["pictures"] == 0
    assert cavendish("spend", "--since", "soon").code == 2
    assert cavendish("spend", "--by", "colour").code == 2


def died(run_id_of, held=0.1):
    """As after a kill in the middle: the book holds money for a process that nobody hears of any more."""
    (path,) = Path(os.environ["CAVENDISH_STATE"]).glob("spend.sqlite3")
    with contextlib.closing(sqlite3.connect(path)) as book, book:
        ((run,),) = book.execute("SELECT id FROM runs WHERE folder LIKE ?", (f"%{run_id_of}",)).fetchall()
        book.execute("UPDATE runs SET owner = 'gone', beat_s = beat_s - 1e6 WHERE id = ?", (run,))
        book.execute("INSERT INTO holds SELECT id, 'google', '2999-01-01', ? FROM runs WHERE id = ?", (held * 1e9, run))
        book.execute("DELETE FROM sums WHERE run = ?", (run,))


@pytest.fixture
def state(monkeypatch, tmp_path):
    monkeypatch.setenv("CAVENDISH_STATE", str(tmp_path / "state"))


def test_a_run_that_a_crash_ended_is_settled_from_its_folder(google, cavendish, state):
    cavendish("generate", "a kite", "-n", 2, "-o", "one", *MODEL)
    died("one")
    found = cavendish("spend", "--json").json
    assert found["total"]["billed"] == pytest.approx(billed(google))
    assert found["total"]["unknown"] == 0


def test_by_the_next_run_under_a_cap_too(google, cavendish, state, monkeypatch):
    cavendish("generate", "a kite", "-n", 2, "-o", "one", *MODEL)
    cap("max_cost_per_day = 0.5", monkeypatch)
    died("one", held=0.4)
    assert cavendish("generate", "a fox", "-n", 3, "-o", "two", *MODEL).code == 0
    assert cavendish("spend", "--json").json["total"]["billed"] == pytest.approx(billed(google))


def test_without_its_folder_it_is_counted_as_spent(google, cavendish, state):
    cavendish("generate", "a kite", "-n", 2, "-o", "one", *MODEL)
    died("one", held=0.25)
    shutil.rmtree("one")
    found = cavendish("spend", "--by", "model", "--json").json
    assert [(line["name"], line["unknown"]) for line in found["lines"]] == [("(not known)", 0.25)]


def test_a_price_that_is_not_known_is_no_price_for_a_cap(google, cavendish, monkeypatch):
    cap("max_cost_per_day = 5", monkeypatch)
    ran = cavendish("generate", "a kite", "-o", "one", "-m", "google/unheard-of", "--via", "google")
    assert ran.code == 2
    assert "no price is known" in ran.err
    assert json.dumps(google.stats["requests"]) == "0"
