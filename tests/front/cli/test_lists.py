"""``models``, ``price``, ``plan``, ``doctor``, ``config show`` and ``sim``."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

KEY = "AIza-a-key-that-must-not-be-seen"


def test_models_says_where_and_how_long(sim, cavendish):
    text = cavendish("models", "--all").out
    assert re.search(
        r"nano-banana-2 +google +gemini-3.1-flash-image .*retired, ended 2026-10-29, then gemini-nano-banana-2.1", text
    )
    assert re.search(r"nano-banana-2 +apiyi +gemini-3.1-flash-image .*current", text)
    listed = cavendish("models", "--via", "apiyi", "--json").json
    assert {row["endpoint"] for row in listed} == {"apiyi"}
    assert cavendish("models", "--via", "nowhere").code == 2


def test_models_leaves_out_what_does_not_answer_and_says_so(sim, cavendish):
    ran = cavendish("models")
    assert not re.search(r"dall-e-3 +openai", ran.out)
    assert re.search(r"gpt-image-1.5 +openai .*retiring, ends 2026-12-01, then gpt-image-2", ran.out)
    assert "cavendish models --all" in ran.err
    everything = cavendish("models", "--all")
    assert re.search(r"dalle-3 +openai +dall-e-3 .*retired, ended 2026-05-12, then gpt-image-2", everything.out)
    assert everything.err == ""
    lives = {row["life"] for row in cavendish("models", "--all", "--json").json}
    assert lives >= {"current", "retiring", "retired"}


def test_prices_have_a_source_and_a_date(sim, cavendish):
    rows = cavendish("price", "nano-banana-2", "--size", "4K", "--json").json
    found = {(row["endpoint"], row["mode"]): row["list_nusd"] for row in rows}
    assert {key: price for key, price in found.items() if key[0] in {"google", "apiyi"}} == {
        ("google", "standard"): 151_000_000,
        ("google", "batch"): 76_000_000,
        ("apiyi", "per_request"): 55_000_000,
        ("apiyi", "tokens"): 54_400_000,
    }
    assert found["fal", "standard"] == 160_000_000
    assert all(row["source"] and row["as_of"] for row in rows if row["list_nusd"] is not None)
    assert "$0.60" in cavendish("price", "nano-banana-2", "--size", "4K", "-n", 4).out
    assert cavendish("price", "nano-bananna").code == 2
    assert cavendish("price", "nano-banana-2", "--size", "9K").code == 2


PRICES = [
    (("gpt-image-2", "--size", "1K", "--quality", "low"), {("openai", 6_000_000), ("apiyi-images", 6_000_000)}),
    (("gpt-image-2", "--size", "3840x2160", "--quality", "high", "--via", "openai"), {("openai", 401_000_000)}),
    (("nano-banana-2", "--size", "2k", "--mode", "batch", "--via", "google"), {("google", 50_000_000)}),
    (("seedream-4.5", "--size", "2048x2048", "--via", "byteplus"), {("byteplus", 40_000_000)}),
    (("nano-banana-2", "--size", "1K", "--via", "openrouter"), {("openrouter", None)}),
]


@pytest.mark.parametrize("asked,expected", PRICES)
def test_a_price_goes_by_size_quality_and_mode(sim, cavendish, asked, expected):
    rows = cavendish("price", *asked, "--json").json
    assert {(row["endpoint"], row["list_nusd"]) for row in rows} == expected


def test_a_price_of_one_model_tells_what_tokens_cost(sim, cavendish):
    text = cavendish("price", "nano-banana-2", "--via", "google").out
    assert re.search(r"A MILLION TOKENS OF +AT +MODE +PROMPT +REFERENCE +PICTURE +WORDS", text)
    assert re.search(r"Nano Banana 2 +google +batch +\$0.25 +\$30.00 +\$1.50", text)
    assert "A MILLION" not in cavendish("price", "flux-1.1-pro").out


def test_a_price_in_no_such_quality_or_mode(sim, cavendish):
    ran = cavendish("price", "gpt-image-2", "--quality", "ultra")
    assert (ran.code, "high, low, medium" in ran.err) == (2, True)
    assert cavendish("price", "gpt-image-2", "--mode", "batch").code == 2
    assert "unknown" in cavendish("price", "nano-banana-2", "--via", "openrouter").out


def test_plan_is_the_arithmetic_of_the_quota(sim, cavendish):
    asked = ("a kite", "-n", 100, "-m", "nano-banana-2", "--via", "google", "--mode", "standard")
    plan = cavendish("plan", *asked, "--rpm", 10, "--json").json
    # Ten at once, ten more each minute: the last leaves after nine minutes, and takes 12.5 s.
    assert plan["seconds"] == 9 * 60 + 12.5
    assert plan["cost"] == pytest.approx(100 * 0.0672, rel=0.1)
    text = cavendish("plan", *asked, "--tier", "tier1").out
    assert "9 min 12 s" in text
    assert sim.calls == 0


def test_a_plan_needs_no_key(sim, cavendish):
    plan = cavendish("plan", "a kite", "-m", "nano-banana-2", "--via", "google,apiyi", "--json")
    assert (plan.code, plan.json["routes"][0]["route"]) == (0, "google/gemini-3.1-flash-image")
    assert cavendish("generate", "a kite", "--via", "google", "--dry-run", "--json").code == 0
    assert cavendish("generate", "a kite", "--via", "google").code == 2


def test_a_tier_where_none_are_known(sim, cavendish):
    ran = cavendish("plan", "a kite", "-m", "nano-banana-2", "--via", "apiyi", "--tier", "tier1")
    assert (ran.code, "--rpm" in ran.err) == (2, True)


def test_plan_of_a_batch_leaves_out_what_is_there(sim, cavendish, tmp_path):
    (tmp_path / "p.csv").write_text("prompt,n\na kite,2\na fox,3\n")
    assert cavendish("plan", "p.csv", "--json").json["pictures"] == 5
    cavendish("batch", "p.csv", "-o", "run")
    plan = cavendish("plan", "p.csv", "-o", "run", "--json").json
    assert (plan["pictures"], plan["kept"]) == (0, 5)


def test_doctor_without_keys_finds_nothing_wrong(sim, cavendish):
    ran = cavendish("doctor")
    assert ran.code == 0
    assert "no key" in ran.out


def test_doctor_asks_each_key_what_it_can_reach(sim, cavendish, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", sim.url)
    ran = cavendish("doctor")
    assert ran.code == 0, ran.out
    assert "from $GEMINI_API_KEY" in ran.out
    assert "gemini-nano-banana-2.1" in ran.out
    assert KEY not in ran.out + ran.err
    monkeypatch.setenv("GEMINI_API_KEY", "wrong-key")
    wrong = cavendish("doctor", "--json")
    assert wrong.code == 1
    found = [finding for finding in wrong.json if finding["ok"] is False]
    assert [finding["what"] for finding in found] == ["google"]
    assert "bad_key" in found[0]["text"]
    assert found[0]["hints"]


def test_doctor_where_nobody_answers(cavendish, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    ran = cavendish("doctor")
    assert ran.code == 1
    assert "WRONG" in ran.out
    assert cavendish("doctor", "--offline").code == 0


def test_config_show_says_where_from_and_hides_keys(sim, cavendish, monkeypatch, tmp_path):
    (tmp_path / "cavendish.toml").write_text('size = "2K"\n')
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("CAVENDISH_CONCURRENCY", "7")
    ran = cavendish("config", "show")
    assert ran.code == 0
    assert re.search(r"size +2K +\S*cavendish.toml", ran.out)
    assert re.search(r"concurrency +7 +\$CAVENDISH_CONCURRENCY", ran.out)
    assert re.search(r"endpoints.google.api_key .*\$GEMINI_API_KEY", ran.out)
    assert KEY not in ran.out + ran.err
    assert {entry["name"] for entry in cavendish("config", "show", "--json").json} >= {"size", "timeout", "max_cost"}


def test_the_settings_of_a_file_hold_for_generate(sim, cavendish, tmp_path):
    (tmp_path / "cavendish.toml").write_text('size = "4K"\naspect_ratio = "16:9"\nmodel = "nano-banana-pro"\n')
    entry = cavendish("generate", "a kite", "-o", "out", "--json").json["pictures"][0]
    assert (entry["size"], entry["aspect_ratio"], entry["model"]) == ("4K", "16:9", "gemini-3-pro-image")


def test_sim_serves_until_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "cavendish", "sim", "--port", "0", "--profile", "fast"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=dict(os.environ)) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/stats") as reply:
            assert json.load(reply)["requests"] == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_sim_on_a_port_that_is_taken(sim, cavendish):
    port = sim.url.rpartition(":")[2]
    ran = cavendish("sim", "--port", port)
    assert (ran.code, "in use" in ran.err) == (2, True)
    assert cavendish("sim", "--profile", "none").code == 2


def test_version_and_help(cavendish):
    assert cavendish("--version").out.startswith("cavendish ")
    assert "generate" in cavendish("--help").out
    assert cavendish().code == 2


def test_so_many_pictures_have_an_expected_price_and_a_time(sim, cavendish):
    rows = cavendish("price", "nano-banana-2", "-n", 100, "--size", "1K", "--json").json
    found = {(row["endpoint"], row["mode"]): row for row in rows}
    google = found["google", "standard"]
    # 23 tokens of prompt, 1,120 of the picture, 400 of words; ten a minute, and 12.5 s for the last.
    assert (google["expected_nusd"], google["seconds"]) == (6_841_150_000, 552.5)
    assert google["bound_by"] in {"requests_per_minute", "images_per_minute"}
    relay = found["apiyi", "per_request"]
    assert (relay["expected_nusd"], relay["seconds"], relay["limits_assumed"]) == (5_500_000_000, 125.0, True)
    nowhere = found["openrouter", "standard"]
    assert (nowhere["expected_nusd"], nowhere["seconds"]) == (None, None)


def test_a_tier_that_is_set_is_reckoned_with(sim, cavendish, monkeypatch):
    monkeypatch.setenv("CAVENDISH_GOOGLE_TIER", "tier3")
    rows = cavendish("price", "nano-banana-2", "--via", "google", "-n", 100, "--size", "1K", "--json").json
    assert rows[0]["seconds"] == 72.5


def test_the_time_is_told_with_what_it_rests_on(sim, cavendish):
    text = cavendish("price", "nano-banana-2", "-n", 100, "--size", "1K").out
    assert "9 min 12 s" in text
    assert "2 min 5 s, 10 at once" in text
    assert "within a day" in text
    assert "and the last call" in cavendish("price", "gpt-image-2", "-n", 100, "--via", "openai").out
