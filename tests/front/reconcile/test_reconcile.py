"""Round trips: runs at the simulator over HTTP, its bills read back, and a difference of each class planted."""

import csv
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cavendish import config
from cavendish.catalog.load import load
from cavendish.front.order import LEDGER
from cavendish.model.money import as_float
from cavendish.sim.systems import SYSTEMS
from tests.commandline import cavendish, sim, simulators

__all__ = ["cavendish", "sim", "simulators"]

NB2 = "nano-banana-2"


@pytest.fixture(autouse=True)
def _state(monkeypatch, tmp_path):
    monkeypatch.setenv("CAVENDISH_STATE", str(tmp_path / "state"))


@pytest.fixture
def systems(sim, monkeypatch):
    """Every endpoint at the simulator, with a key."""
    places = {system.endpoint: sim.url + system.prefix for system in SYSTEMS} | {"google": sim.url}
    for endpoint, place in places.items():
        names = config.variables_of(endpoint, load().endpoints[endpoint])
        monkeypatch.setenv(names["base_url"][0], place)
        monkeypatch.setenv(names["api_key"][0], "a-key-of-nobody")
    return sim


@pytest.fixture
def billed(systems):
    """The simulator's books of what it billed, to plant differences in."""
    return systems._server.sim.books.billed


@pytest.fixture
def drawn(systems, cavendish):
    """Runs at an endpoint."""

    def run(via, model=NB2, n=3, folder="out", prompt="a fox", code=0):
        ran = cavendish("generate", prompt, "-n", n, "-m", model, "--via", via, "-o", folder, "-y", "-q")
        assert ran.code == code, ran.err

    return run


def found(ran):
    """Class and amount of each difference, bill after bill."""
    return [(part["class"], part["amount_nusd"]) for account in ran.json for part in account["differences"]]


def exported(path, billed):
    """The simulator's books as an export of a console: each call a line."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("request_id", "created_at", "model", "cost ($)"))
        for entry in billed:
            at = datetime.fromtimestamp(entry.wall, UTC).isoformat()
            rows.writerow((entry.id, at, entry.model, f"{as_float(entry.billed_nusd):.9f}"))
    return path


ASKED = [("openrouter", NB2), ("fal", NB2), ("openai", "gpt-image-1.5"), ("sim", NB2)]


@pytest.mark.parametrize("via, model", ASKED, ids=[via for via, _ in ASKED])
def test_what_was_bought_is_what_was_billed(drawn, cavendish, via, model):
    drawn(via, model)
    ran = cavendish("reconcile", "out", "--via", via, "--json")
    assert (ran.code, found(ran)) == (0, []), ran.err
    assert ran.json[0]["ours"] > 0
    assert ran.json[0]["ours"] == ran.json[0]["theirs"]


@pytest.mark.parametrize("via, model", [("bfl", "flux-1.1-pro"), ("apiyi", NB2)])
def test_a_meter_tells_what_was_spent_between_two_readings(drawn, cavendish, via, model):
    first = cavendish("reconcile", "--via", via)
    assert first.code == 1
    assert "the next reading tells" in first.err
    drawn(via, model)
    ran = cavendish("reconcile", "--json")
    assert (ran.code, found(ran)) == (0, []), ran.err
    assert ran.json[0]["theirs"] > 0


def test_money_paid_in_makes_two_readings_useless(drawn, billed, cavendish):
    drawn("bfl", "flux-1.1-pro")
    cavendish("reconcile", "--via", "bfl")
    billed.clear()
    ran = cavendish("reconcile", "--via", "bfl")
    assert ran.code == 1
    assert "money was paid in" in ran.err


def test_calls_by_name_at_openrouter_have_another_price_from_the_second_on(drawn, billed, cavendish):
    drawn("openrouter", n=4)
    for place in range(1, 4):
        billed[place] = replace(billed[place], billed_nusd=80_000_000)
    ran = cavendish("reconcile", "--via", "openrouter", "--json")
    assert ran.code == 0
    assert found(ran)[0] == ("price", 3 * 13_000_000)


# --- an export, with a difference of each class planted --------------------------------------------------------------


def test_an_export_of_the_same_agrees(drawn, billed, cavendish, tmp_path):
    drawn("google")
    ran = cavendish("reconcile", "out", "--csv", exported(tmp_path / "e.csv", billed), "--json")
    assert (ran.code, found(ran)) == (0, []), ran.err


def test_another_program_with_the_same_key(drawn, billed, cavendish, tmp_path):
    drawn("google", folder="other")
    drawn("google", folder="out")
    ran = cavendish("reconcile", "out", "--csv", exported(tmp_path / "e.csv", billed), "--json")
    amount = sum(entry.billed_nusd for entry in list(billed)[:3])
    assert (ran.code, found(ran)) == (0, [("not ours", amount)])


def test_a_call_that_was_not_billed(drawn, billed, cavendish, tmp_path):
    drawn("google")
    gone = billed.pop()
    ran = cavendish("reconcile", "out", "--csv", exported(tmp_path / "e.csv", billed), "--json")
    assert (ran.code, found(ran)) == (0, [("not billed", -gone.billed_nusd)])


def test_an_amount_that_nobody_can_explain(drawn, billed, cavendish, tmp_path):
    drawn("google")
    billed[0] = replace(billed[0], billed_nusd=billed[0].billed_nusd + 12_345)
    ran = cavendish("reconcile", "out", "--csv", exported(tmp_path / "e.csv", billed))
    assert ran.code == 1
    assert "unexplained" in ran.out


def test_cents_are_rounding(drawn, billed, cavendish, tmp_path):
    drawn("google")
    total = sum(entry.billed_nusd for entry in billed)
    day = datetime.now(UTC).date().isoformat()
    path = tmp_path / "e.csv"
    path.write_text(f"date,model,cost\n{day},{billed[0].model},{as_float(total):.2f}\n")
    ran = cavendish("reconcile", "out", "--csv", path, "--zone", "UTC", "--json")
    assert ran.code == 0
    assert [kind for kind, _ in found(ran)] == ["rounding"]


def test_calls_of_unknown_fate_are_settled_once(drawn, billed, cavendish, tmp_path):
    drawn("google", n=1)
    # A line that is cut after the picture was billed: our books cannot know.
    drawn("google", n=1, folder="cut", prompt="a fox [sim:cut,times=1]")
    path = exported(tmp_path / "e.csv", billed)
    before = cavendish("status", "cut", "--json").json
    ran = cavendish("reconcile", "out", "cut", "--csv", path, "--json")
    assert ran.code == 0
    assert ("unknown fate", billed[1].billed_nusd) in found(ran)
    assert "--apply" in ran.err
    assert cavendish("status", "cut", "--json").json == before
    assert "settled in our books: 1" in cavendish("reconcile", "out", "cut", "--csv", path, "--apply").err
    assert cavendish("status", "cut", "--json").json["unknown_attempts"] == 0
    spent = cavendish("spend", "--json").json["total"]
    assert (spent["unknown"], round(spent["billed"] * 1e9)) == (0, sum(entry.billed_nusd for entry in billed))
    again = cavendish("reconcile", "out", "cut", "--csv", path, "--apply", "--json")
    assert (again.code, found(again)) == (0, [])
    assert "settled" not in again.err


def test_drafts_that_an_answer_did_not_count(drawn, billed, cavendish, tmp_path):
    drawn("apiyi-chat", n=2)
    billed[0] = replace(billed[0], billed_nusd=2 * billed[0].billed_nusd)
    ran = cavendish("reconcile", "out", "--csv", exported(tmp_path / "e.csv", billed), "--json")
    assert (ran.code, found(ran)) == (0, [("drafts", billed[1].billed_nusd)])


def test_days_that_end_at_another_hour(drawn, billed, cavendish, tmp_path, monkeypatch):
    # Two runs, nine hours apart; on the bill each stands on the day that ends at midnight in Sydney.
    real = time.time
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
    for folder, hour in (("one", 0), ("two", 5), ("three", 20)):
        monkeypatch.setattr(time, "time", lambda hour=hour: noon + hour * 3600)
        drawn("google", n=2, folder=folder)
    monkeypatch.setattr(time, "time", real)
    first, later = "2026-11-20", "2026-11-21"
    rows = [f"{first},{billed[0].model},{as_float(sum(e.billed_nusd for e in list(billed)[:2])):.9f}"]
    rows.append(f"{later},{billed[0].model},{as_float(sum(e.billed_nusd for e in list(billed)[2:])):.9f}")
    path = tmp_path / "e.csv"
    path.write_text("\n".join(("date,model,cost", *rows)))
    ran = cavendish("reconcile", "one", "two", "three", "--csv", path, "--zone", "UTC", "--json")
    assert ran.code == 0, ran.out
    assert [kind for kind, _ in found(ran)] == ["day border"]


# --- keys -------------------------------------------------------------------------------------------------------------


def test_an_admins_key_is_asked_with_and_never_told(drawn, cavendish, monkeypatch):
    drawn("openai", "gpt-image-1.5")
    monkeypatch.setenv("MY_ADMIN", "an-admins-own-key")
    monkeypatch.delenv(config.variables_of("openai", load().endpoints["openai"])["api_key"][0])
    assert "there is no key to ask with" in cavendish("reconcile", "out", "--via", "openai").err
    ran = cavendish("reconcile", "out", "--via", "openai", "--key-env", "MY_ADMIN")
    assert ran.code == 0, ran.err
    assert "an-admins-own-key" not in ran.out + ran.err
    assert cavendish("reconcile", "out", "--via", "openai", "--key-env", "NOBODYS").code == 2
    assert cavendish("reconcile", "out", "--key-env", "MY_ADMIN").code == 2


def test_the_bill_of_a_key_is_not_that_of_another(drawn, cavendish, monkeypatch):
    drawn("apiyi", folder="mine")
    monkeypatch.setenv("ANOTHER", "a-key-of-somebody")
    cavendish("reconcile", "--via", "apiyi", "--key-env", "ANOTHER")
    drawn("apiyi", folder="more")
    ran = cavendish("reconcile", "--via", "apiyi", "--key-env", "ANOTHER", "--json")
    assert ran.json[0]["theirs"] == 0


def test_a_simulator_that_is_gone_is_told(drawn, cavendish, monkeypatch):
    drawn("sim", n=1)
    monkeypatch.setenv("CAVENDISH_SIM_BASE_URL", "http://127.0.0.1:9")
    ran = cavendish("reconcile", "out")
    assert ran.code == 1
    assert "let `cavendish sim` run" in ran.err


# --- what is refused --------------------------------------------------------------------------------------------------


def test_an_export_may_be_of_one_bill_only(drawn, cavendish, tmp_path):
    drawn("google", folder="a", n=1)
    drawn("apiyi", folder="b", n=1)
    (tmp_path / "e.csv").write_text("date,amount\n2026-11-20,1\n")
    ran = cavendish("reconcile", "a", "b", "--csv", "e.csv")
    assert ran.code == 2
    assert "apiyi, google" in ran.err


@pytest.mark.parametrize(
    "flags, words",
    [
        (("--via", "nowhere"), "no endpoint is named 'nowhere'"),
        (("--columns", "date=x"), "are about an export"),
        (("--csv", "e.csv", "--zone", "Mars"), "no time zone is named 'Mars'"),
        (("--csv", "e.csv", "--columns", "x"), "is not KIND=COLUMN"),
        (("--csv", "none.csv"), "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused(drawn, cavendish, tmp_path, flags, words):
    drawn("google", n=1)
    (tmp_path / "e.csv").write_text("date,amount\n2026-11-20,1\n")
    ran = cavendish("reconcile", "out", *flags)
    assert ran.code == 2
    assert words in ran.err


def test_a_folder_of_folders_without_a_run_is_told(sim, cavendish):
    ran = cavendish("reconcile")
    assert ran.code == 2
    assert "no run folder here" in ran.err


def test_where_nothing_can_be_read_an_export_is_asked_for(drawn, cavendish):
    drawn("google", n=1)
    ran = cavendish("reconcile", "out")
    assert ran.code == 1
    assert "--csv" in ran.err


# --- batch results ----------------------------------------------------------------------------------------------------


@pytest.fixture
def batched(systems, cavendish, tmp_path):
    """A run at half the price."""
    (tmp_path / "rows.txt").write_text("a fox\na kite\na cow\n")
    ran = cavendish("batch", "rows.txt", "--mode", "batch", "--via", "google", "-m", NB2, "-o", "half", "-y", "-q")
    assert ran.code == 0, ran.err


def test_the_results_of_batch_jobs_are_read_once_more(batched, cavendish):
    ran = cavendish("reconcile", "half", "--json")
    assert (ran.code, found(ran)) == (0, []), ran.err
    (account,) = ran.json
    assert account["source"] == "google: batch results"
    assert account["calls"] == 3
    assert account["theirs"] == account["ours"] > 0


def test_a_line_of_a_batch_whose_fate_was_unknown_is_settled_by_its_result(batched, cavendish, tmp_path):
    with sqlite3.connect(tmp_path / "half" / LEDGER) as db:
        db.execute(
            "UPDATE attempts SET charged = 'unknown', cost_nusd = NULL WHERE id = (SELECT MIN(id) FROM attempts)"
        )
    db.close()
    ran = cavendish("reconcile", "half", "--apply", "--json")
    assert ran.code == 0
    assert [kind for kind, _ in found(ran)] == ["unknown fate"]
    assert found(cavendish("reconcile", "half", "--json")) == []


def test_jobs_that_are_gone_are_told(batched, cavendish, simulators, monkeypatch):
    monkeypatch.setenv(config.variables_of("google", load().endpoints["google"])["base_url"][0], simulators().url)
    ran = cavendish("reconcile", "half")
    assert ran.code == 1
    assert "are not to be had" in ran.err


# --- a day of trouble -------------------------------------------------------------------------------------------------

TROUBLES = (
    "a fox",
    "a kite [sim:cut,times=1]",
    "a cow [sim:dropped,times=1]",
    "a hen [sim:image_safety,times=1]",
    "a pig [sim:server_error,times=1]",
    "an owl [sim:reset,times=1]",
)


@pytest.mark.parametrize("via", ["google", "apiyi", "openrouter"])
def test_after_a_day_of_trouble_books_and_bill_agree(systems, billed, cavendish, tmp_path, monkeypatch, via):
    monkeypatch.setenv("CAVENDISH_GOOGLE_TIER", "tier3")
    (tmp_path / "rows.txt").write_text("\n".join(TROUBLES))
    ran = cavendish("batch", "rows.txt", "--via", via, "-m", NB2, "-o", "out", "-y", "-q")
    assert ran.code in {0, 3}, ran.err
    path = exported(tmp_path / "e.csv", billed)
    cavendish("reconcile", "out", "--csv", path, "--apply")
    after = cavendish("reconcile", "out", "--csv", path, "--json")
    assert (after.code, found(after)) == (0, []), after.out
    bill = sum(entry.billed_nusd for entry in billed)
    assert round(cavendish("status", "out", "--json").json["billed"] * 1e9) == bill
