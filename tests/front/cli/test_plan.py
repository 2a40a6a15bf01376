"""``cavendish plan``: routes priced and timed, the split for a deadline or a budget, the unknown, the saved plan."""

import json
from pathlib import Path

import pytest

from cavendish.front.cli import main
from cavendish.front.saved_plan import read_plan

KEY = "a-key-of-nobody"
HUNDRED = ("a kite", "-n", 100, "-m", "nano-banana-pro", "--size", "1K", "--tier", "tier2")
"""$0.1434 each at Google with words and thoughts, half of that by batch; $0.09 by request at APIYI."""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def split(plan):
    return {part["route"].partition("/")[0] + " " + part["route"].split()[-1]: part["pictures"] for part in plan}


def test_the_frontier_of_batch_and_online(cavendish):
    plan = cavendish("plan", *HUNDRED, "--via", "google", "--rpm", 10, "--json").json
    batch, online = plan["frontier"]
    assert (split(batch["split"]), batch["slow_seconds"]) == ({"google batch": 100}, 86_400.0)
    assert (split(online["split"]), online["seconds"]) == ({"google standard": 100}, 9 * 60 + 23.0)
    assert online["slow_seconds"] == 9 * 60 + 35.0
    assert batch["cost"] == pytest.approx(online["cost"] / 2)
    assert (plan["chosen"]["cost"], plan["cost"]) == (batch["cost"], batch["cost"])
    assert "neither --deadline nor --max-cost" in plan["why"]


def test_the_money_of_ten_minutes_runs_out_first(cavendish):
    """At $0.1434 each, $10 are 69 pictures: the last of a hundred is the 31st after ten minutes."""
    asked = ("a kite", "-n", 100, "-m", "nano-banana-pro", "--size", "1K", "--via", "google", "--mode", "standard")
    plan = cavendish("plan", *asked, "--tier", "tier1", "--rpm", 10, "--json").json
    assert (plan["seconds"], plan["bound_by"]) == (600 + 3 * 60 + 23.0, "spend_per_10_minutes")


def test_a_deadline_takes_the_cheapest_and_a_budget_the_fastest(cavendish):
    asked = (*HUNDRED, "--via", "google,apiyi", "--rpm", "google=10,apiyi=20", "--mode")
    cheap = cavendish("plan", *asked, "per_request", "--deadline", "10m", "--json")
    assert (cheap.code, cheap.json["cost"], cheap.json["seconds"]) == (0, pytest.approx(9.0), 4 * 60 + 23.0)
    both = (*HUNDRED, "--via", "google,apiyi", "--rpm", "google=10,apiyi=20")
    rush = cavendish("plan", *both, "--max-cost", "10.5", "--json").json
    assert rush["chosen"]["cost"] <= 10.5
    assert rush["chosen"]["slow_seconds"] < cheap.json["chosen"]["slow_seconds"]
    assert split(rush["chosen"]["split"]).keys() > {"apiyi per_request"}


@pytest.mark.parametrize(
    "bounds, why, nearest",
    [
        (("--deadline", "5m"), "within 5 min", "the fastest plan: $14."),
        (("--max-cost", "1"), "nothing costs $1.00 or less", "the cheapest plan: $7."),
        (("--deadline", "1h", "--max-cost", "8"), "within 1 h for $8.00", "for that money: $7."),
    ],
)
def test_no_such_plan_says_what_is_nearest(cavendish, bounds, why, nearest):
    ran = cavendish("plan", *HUNDRED, "--via", "google", "--rpm", 10, *bounds)
    assert (ran.code, why in ran.out, nearest in ran.out) == (4, True, True)
    told = cavendish("plan", *HUNDRED, "--via", "google", "--rpm", 10, *bounds, "--json")
    assert (told.code, told.json["chosen"]) == (4, None)
    assert any(nearest in line for line in told.json["nearest"])


def test_a_dearer_way_of_unknown_time_is_told_with_what_would_tell_its_time(cavendish):
    asked = ("plan", "a kite", "-n", 100, "-m", "nano-banana-pro", "--via", "google,apiyi", "--mode", "per_request")
    lone = cavendish(*asked)
    assert "--rpm apiyi=REQUESTS_A_MINUTE" in lone.out
    both = ("plan", *HUNDRED[:-2], "--via", "google,apiyi")
    told = cavendish(*both, "--json").json
    assert [split(plan["split"]) for plan in told["untimed"]] == [{"apiyi per_request": 100}]
    assert told["untimed"][0]["seconds"] is None
    assert told["untimed"][0]["least_seconds"] < told["frontier"][-1]["slow_seconds"]
    text = cavendish(*both).out
    assert "100 apiyi" in text
    assert "--rpm apiyi=REQUESTS_A_MINUTE" in text
    timed = cavendish(*both, "--rpm", "google=10,apiyi=60", "--json").json
    assert timed["untimed"] == []


def test_a_plan_fits_a_terminal_of_80_columns(cavendish, monkeypatch):
    monkeypatch.setattr("cavendish.front.planning.show.PLAIN_WIDTH", 80)
    text = cavendish("plan", *HUNDRED, "--via", "google,apiyi", "--rpm", "google=10").out
    assert max(map(len, text.splitlines())) <= 80


def test_unknown_limits_promise_nothing(cavendish):
    asked = ("plan", *HUNDRED[:-2], "--via", "apiyi", "--mode", "per_request")
    ran = cavendish(*asked, "--json")
    assert (ran.json["cost"], ran.json["seconds"], ran.json["chosen"]["least_seconds"]) == (9.0, None, 23.0)
    text = cavendish(*asked).out
    assert "time: unknown, at least 23 s" in text
    late = cavendish(*asked, "--deadline", "9h")
    assert (late.code, "say --rpm" in late.out) == (4, True)


def test_unknown_prices_are_named_and_never_chosen(cavendish):
    ran = cavendish("plan", "a kite", "-m", "nano-banana-2", "--via", "openrouter", "--json")
    assert ran.code == 4
    assert [one["why_not"] for one in ran.json["apart"]] == ["its price is not known"]


def test_other_models_draw_only_when_they_are_named(cavendish):
    asked = ("a kite", "-n", 10, "--size", "1K", "--via", "google", "--mode", "standard", "--rpm", 60)
    alone = cavendish("plan", *asked, "-m", "nano-banana-pro", "--json").json
    both = cavendish("plan", *asked, "-m", "nano-banana-pro,nano-banana-2-lite", "--json").json
    assert (alone["pictures"], both["pictures"]) == (10, 10)
    assert both["cost"] < alone["cost"] / 3
    large = cavendish("plan", *asked, "-m", "nano-banana-pro,nano-banana-2-lite", "--size", "4K", "--json").json
    assert any("cannot do size 4K" in one["why_not"] for one in large["apart"])
    assert cavendish("plan", *asked, "-m", "nano-banana-pro,nosuch", "--json").json["apart"][0]["why_not"]


def test_rows_with_a_model_of_their_own_keep_it(cavendish):
    Path("p.csv").write_text("prompt,model\na kite,\na fox,nano-banana-2.1\n", encoding="utf-8")
    plan = cavendish(
        "plan", "p.csv", "-m", "nano-banana-pro,nano-banana-2-lite", "--via", "google", "--mode", "standard", "--json"
    ).json
    names = [part["route"] for part in plan["chosen"]["split"]]
    assert names == ["google/gemini-3.1-flash-lite-image standard", "google/gemini-nano-banana-2.1 standard"]


def test_with_a_key_other_places_are_told_apart(cavendish, monkeypatch):
    monkeypatch.setenv("APIYI_API_KEY", KEY)
    plan = cavendish("plan", "a kite", "-m", "nano-banana-pro", "--json").json
    assert {route["name"].split("/")[0] for route in plan["routes"]} == {"apiyi", "apiyi-chat"}
    apart = {one["route"]: one for one in plan["apart"]}
    assert "set GOOGLE_API_KEY" in apart["google/gemini-3-pro-image standard"]["why_not"]
    assert apart["google/gemini-3-pro-image standard"]["each"] > 0.13
    assert "--mode tokens" in apart["apiyi/gemini-3-pro-image tokens"]["why_not"]


def test_two_keys_are_twice_as_fast(cavendish, monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", f"{KEY},another-key")
    plan = cavendish("plan", *HUNDRED, "--mode", "standard", "--rpm", 10, "--json").json
    assert (plan["routes"][0]["keys"], plan["seconds"]) == (2, 4 * 60 + 23.0)


def test_a_plan_for_people_fits_their_terminal(cavendish, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    ran = cavendish("plan", *HUNDRED, "--via", "google", "--rpm", 10)
    assert ran.code == 0
    assert "done within" in ran.out
    assert "promised in a day" in " ".join(ran.out.split())
    assert "stops at" in ran.out


def test_jobs_are_counted_on_as_the_user_does(cavendish):
    asked = (*HUNDRED, "--via", "google", "--rpm", 10, "--deadline", "8h", "--json")
    assert split(cavendish("plan", *asked).json["chosen"]["split"]) == {"google standard": 100}
    assert split(cavendish("plan", *asked, "--batch-within", "6h").json["chosen"]["split"]) == {"google batch": 100}


def test_a_sheet_only_when_asked_for(cavendish):
    asked = ("a kite", "-n", 16, "-m", "nano-banana-2", "--via", "google", "--mode", "standard")
    assert cavendish("plan", *asked, "--json").json["cost"] > 1.0
    ran = cavendish("plan", *asked, "--sheet", "4x4", "--json").json
    assert ran["cost"] < 0.2
    assert "16 pictures drawn as one" in ran["routes"][1]["risk"]


def test_the_plan_is_saved_with_its_bound(cavendish):
    ran = cavendish("plan", *HUNDRED, "--via", "google", "--rpm", 10, "--deadline", "1h", "--save", "deep/plan.json")
    assert (ran.code, "saved: deep/plan.json" in ran.err) == (0, True)
    plan = read_plan(Path("deep/plan.json"))
    (option,) = plan.options
    assert (option.endpoint, option.mode, option.rpm) == ("google", "standard", 10)
    assert option.price_as_of == "2026-09-08"
    assert (plan.pictures, plan.seconds, plan.deadline_s) == (100, 563.0, 3600.0)
    assert plan.cost_nusd == 100 * plan.groups[0].shares[0].each_nusd
    assert plan.bound_nusd == plan.cost_nusd + -(-plan.cost_nusd // 10)
    assert plan.recipe["command"] == "generate"
    capped = ("--max-cost", "14.6", "--deadline", "1h", "--save", "capped.json")
    assert cavendish("plan", *HUNDRED, "--via", "google", "--rpm", 10, *capped).code == 0
    assert read_plan(Path("capped.json")).bound_nusd == 14_600_000_000


def test_nothing_is_saved_of_no_plan(cavendish):
    ran = cavendish("plan", *HUNDRED, "--via", "google", "--rpm", 10, "--deadline", "1m", "--save", "plan.json")
    assert (ran.code, Path("plan.json").exists()) == (4, False)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (("--rpm", "many"), "ENDPOINT=NUMBER"),
        (("--rpm", "google=0"), "from 1 to"),
        (("--tier", "google=tier9"), "no tier 'tier9'"),
        (("--deadline", "soon"), "a duration"),
        (("--max-cost", "much"), "an amount of dollars"),
        (("--via", "nowhere"), "no endpoint is named 'nowhere'"),
        (("-m", "nosuch"), "no model is named 'nosuch'"),
    ],
)
def test_what_no_plan_can_be_told(cavendish, wrong, words):
    ran = cavendish("plan", "a kite", "-m", "nano-banana-pro", *wrong)
    assert (ran.code, words in ran.err) == (2, True)


def test_a_tier_is_one_vendor_s_word(cavendish):
    plan = cavendish("plan", *HUNDRED, "--via", "google,apiyi", "--json").json
    rates = {route["name"]: route["limits"].get("requests_per_minute") for route in plan["routes"]}
    assert rates["google/gemini-3-pro-image standard"] == 500
    assert rates["apiyi/gemini-3-pro-image per_request"] is None


def test_a_dry_run_shows_the_other_ways(cavendish):
    asked = ("generate", *HUNDRED, "--via", "google", "--rpm", 10, "--dry-run")
    told = cavendish(*asked, "--json").json
    assert (told["seconds"], told["bound_by"]) == (9 * 60 + 23.0, "requests_per_minute")
    assert [split(plan["split"]) for plan in told["plan"]["frontier"]] == [
        {"google batch": 100},
        {"google standard": 100},
    ]
    text = cavendish(*asked).out
    assert "time: about 9 min 23 s, bound by requests per minute" in text
    assert "100 google batch" in text
    batch = cavendish("generate", *HUNDRED, "--via", "google", "--mode", "batch", "--dry-run").out
    assert "requests a minute" not in batch
    assert "within 24 h, mostly much sooner" in batch


def test_pictures_of_one_call_are_counted_as_such(cavendish):
    """Ten of one prompt are one call at OpenAI: at 5 pictures a minute, two minutes' worth in calls of five."""
    plan = cavendish(
        "plan",
        "a kite",
        "-n",
        10,
        "-m",
        "gpt-image-2",
        "--quality",
        "low",
        "--via",
        "openai",
        "--tier",
        "tier1",
        "--json",
    ).json
    assert 60 < plan["seconds"] < 120
    assert plan["bound_by"] == "images_per_minute"


def test_no_key_is_needed_and_none_is_told(cavendish, monkeypatch, capsys):
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    assert main(["plan", "a kite", "-m", "nano-banana-pro", "--save", "plan.json", "--json"]) == 0
    out = capsys.readouterr()
    assert KEY not in out.out + out.err + Path("plan.json").read_text(encoding="utf-8")
    assert json.loads(out.out)["pictures"] == 1


def test_a_dry_run_without_a_price_says_so(cavendish, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    asked = ("generate", "a kite", "-n", 3, "-m", "nano-banana-2", "--via", "openrouter", "--dry-run")
    told = cavendish(*asked, "--json").json
    assert (told["cost"], told["routes"][0]["cost"], told["seconds"], told["pictures"]) == (None, None, None, 3)
    text = cavendish(*asked).out
    assert "cost: unknown" in text
    assert "time: at least" in text


def test_a_dry_run_of_several_models_plans_the_comparison(cavendish):
    asked = ("generate", "a kite", "-n", 10, "-m", "nano-banana-pro,nano-banana-2-lite", "--via", "google", "--rpm", 10)
    told = cavendish(*asked, "--dry-run", "--json").json
    assert told["pictures"] == 20
    assert [route["pictures"] for route in told["routes"]] == [10, 10]
    assert told["seconds"] == 23.0


def test_a_rehearsal_of_a_batch_keeps_the_time_of_its_plan(cavendish):
    """Its misses go online when the jobs have ended, and its bound has room for all of them at once."""
    asked = ("a kite", "-n", 100, "-m", "nano-banana-2.1", "--size", "4K", "--via", "google", "--tier", "tier1")
    told = cavendish("plan", *asked, "--rehearse", "--json").json
    assert split(told["chosen"]["split"]) == {"google batch": 100}
    rehearsal = told["rehearsal"]
    assert rehearsal["seconds"]["p50"] <= told["chosen"]["slow_seconds"]
    assert rehearsal["cost"]["p90"] <= told["chosen"]["at_most"]
    by_mode = {route["mode"]: route["pictures"] for route in rehearsal["routes"]}
    assert by_mode["batch"] > 90
