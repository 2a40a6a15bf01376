"""``--plan`` and ``--deadline``: runs that go by a plan, at no more than it says."""

import json
from pathlib import Path

import pytest

from cavendish.front.saved_plan import SavedPlan, of_plain

MODEL = ("-m", "nano-banana-2")
KITES = Path("kites.csv")


@pytest.fixture
def kites():
    """A file of six rows."""
    KITES.write_text("prompt\n" + "".join(f"kite {n}\n" for n in range(6)), encoding="utf-8")
    return KITES


def metadata(folder="out"):
    lines = Path(folder, "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return {line["key"]: line for line in map(json.loads, lines)}


def saved(cavendish, name, *mode) -> SavedPlan:
    assert cavendish("plan", KITES, *MODEL, "--via", "sim", *mode, "--save", name).code == 0
    return of_plain(json.loads(Path(name).read_text(encoding="utf-8")))


@pytest.fixture
def split(sim, cavendish, kites):
    """A plan of which four pictures go by batch and two online; written to ``plan.json``."""
    batch, online = (saved(cavendish, f"{mode}.json", "--mode", mode).to_json() for mode in ("batch", "standard"))
    (group,), (other,) = batch["groups"], online["groups"]
    shares = [{**group["shares"][0], "pictures": 4}, {**other["shares"][0], "pictures": 2}]
    cost = sum(share["pictures"] * share["each_nusd"] for share in shares)
    plan = {
        **batch,
        "options": [*batch["options"], *online["options"]],
        "groups": [{**group, "shares": shares}],
        "cost_nusd": cost,
        "bound_nusd": cost * 2,
        "deadline_s": 3600.0,
    }
    plan["recipe"]["routes"]["mode"] = None
    Path("plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return of_plain(plan)


def modes(folder="out"):
    return [mode_of(entry) for _, entry in sorted(metadata(folder).items())]


def mode_of(entry):
    return entry["route"].partition(":")[2] or "standard"


def test_each_picture_goes_by_its_own_route(split, cavendish):
    ran = cavendish("batch", KITES, "--plan", "plan.json", "-o", "out", "--json")
    assert ran.code == 0, ran.err
    assert modes() == ["batch"] * 4 + ["standard"] * 2
    assert ran.json["delivered"] == 6
    assert ran.json["billed"] <= split.bound_nusd / 1e9


def test_the_same_command_again_and_resume_buy_nothing(split, sim, cavendish):
    first = cavendish("batch", KITES, "--plan", "plan.json", "-o", "out")
    calls = sim.calls
    again = cavendish("batch", KITES, "--plan", "plan.json", "-o", "out")
    resumed = cavendish("resume", "out")
    assert (first.code, again.code, resumed.code) == (0, 0, 0)
    assert sim.calls == calls
    assert modes() == ["batch"] * 4 + ["standard"] * 2


def test_a_prompt_may_be_planned_too(sim, cavendish):
    plan = cavendish("plan", "a kite", "-n", 3, *MODEL, "--via", "sim", "--mode", "standard", "--save", "p.json")
    assert plan.code == 0, plan.err
    ran = cavendish("generate", "a kite", "--plan", "p.json", "-o", "out")
    assert (ran.code, len(ran.out.splitlines())) == (0, 3)


def test_what_changed_since_is_refused_before_anything_is_bought(split, sim, cavendish):
    KITES.write_text(KITES.read_text(encoding="utf-8") + "one kite more\n", encoding="utf-8")
    ran = cavendish("batch", KITES, "--plan", "plan.json", "-o", "out")
    assert ran.code == 2
    assert "other pictures" in ran.err
    assert (sim.calls, Path("out").exists()) == (0, False)


def test_another_price_is_refused(split, sim, cavendish):
    plan = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    share = plan["groups"][0]["shares"][1]
    plan["cost_nusd"] -= share["pictures"] * 1000
    share["each_nusd"] -= 1000
    Path("plan.json").write_text(json.dumps(plan), encoding="utf-8")
    ran = cavendish("batch", KITES, "--plan", "plan.json", "-o", "out")
    assert ran.code == 2
    assert "prices changed" in ran.err
    assert sim.calls == 0


def test_a_key_that_is_gone_is_named(split, sim, cavendish):
    plan = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    plan["options"][1]["endpoint"] = "google"
    Path("plan.json").write_text(json.dumps(plan), encoding="utf-8")
    ran = cavendish("batch", KITES, "--plan", "plan.json", "-o", "out")
    assert ran.code == 2
    assert "there is no key for google" in ran.err
    assert sim.calls == 0


@pytest.mark.parametrize("flag", [("-n", 2), ("--size", "2K"), ("--via", "sim"), MODEL, ("--tier", "tier1")])
def test_what_the_plan_says_is_not_said_again(split, cavendish, flag):
    ran = cavendish("batch", KITES, "--plan", "plan.json", "-o", "out", *flag)
    assert ran.code == 2
    assert "the plan says that already" in ran.err


def test_a_prompt_is_none_of_a_plan_for_a_file(split, cavendish):
    ran = cavendish("generate", "a kite", "--plan", "plan.json", "-o", "out")
    assert ran.code == 2
    assert "the plan is of a batch" in ran.err


def test_a_folder_goes_on_by_the_plan_that_it_began_with(split, sim, cavendish):
    assert cavendish("batch", KITES, "--plan", "plan.json", "-o", "out").code == 0
    ran = cavendish("batch", KITES, "--plan", "standard.json", "-o", "out")
    assert ran.code == 2
    assert "another plan" in ran.err


def test_the_bound_of_the_plan_is_the_cap(split, sim, cavendish):
    plan = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    each = [share["each_nusd"] for share in plan["groups"][0]["shares"]]
    plan["bound_nusd"] = 4 * each[0] + each[1] + each[1] // 2
    Path("plan.json").write_text(json.dumps(plan), encoding="utf-8")
    ran = cavendish("batch", KITES, "--plan", "plan.json", "-o", "out", "--json")
    assert ran.code == 4
    assert 0 < ran.json["delivered"] < 6
    assert ran.json["billed"] <= plan["bound_nusd"] / 1e9


def test_a_deadline_is_planned_for_and_kept_to_on_resume(sim, cavendish):
    ran = cavendish("generate", "a kite", "-n", 8, *MODEL, "--deadline", "10m", "-o", "out", "--json")
    assert ran.code == 0, ran.err
    assert {mode_of(entry) for entry in ran.json["pictures"]} == {"standard"}
    calls = sim.calls
    again = cavendish("generate", "a kite", "-n", 8, *MODEL, "--deadline", "10m", "-o", "out")
    assert (again.code, sim.calls) == (0, calls)
    far = cavendish("generate", "a kite", "-n", 2, *MODEL, "--deadline", "2d", "-o", "far", "--json")
    assert {mode_of(entry) for entry in far.json["pictures"]} == {"batch"}, "half the price, and in time"


def test_a_deadline_that_nothing_keeps_buys_nothing(sim, cavendish):
    ran = cavendish("generate", "a kite", "-n", 8, *MODEL, "--deadline", "1s", "-o", "out")
    assert ran.code == 4
    assert "the fastest plan" in ran.err
    assert (sim.calls, Path("out").exists()) == (0, False)


def test_a_dry_run_tells_the_plan(split, sim, cavendish):
    told = cavendish("batch", KITES, "--plan", "plan.json", "-o", "out", "--dry-run")
    assert told.code == 0
    assert "at most" in told.out
    plain = cavendish("batch", KITES, "--plan", "plan.json", "-o", "out", "--dry-run", "--json")
    assert plain.json["pictures"] == 6
    assert sim.calls == 0


@pytest.mark.parametrize(
    "command",
    [
        ("generate", "a kite", "-n", 6, *MODEL, "--via", "google", "--tier", "tier1"),
        ("batch", KITES, *MODEL, "--via", "google", "--mode", "batch"),
        ("batch", KITES, "--plan", "plan.json", "-o", "out"),
    ],
)
def test_a_rehearsal_calls_nobody(split, sim, cavendish, command):
    ran = cavendish(*command, "--rehearse", "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["pictures"], ran.json["played"]) == (6, 6)
    assert ran.json["cost"]["p50"] > 0
    assert (sim.calls, Path("out").exists()) == (0, False)


def test_a_plan_is_played_as_it_is_chosen(sim, cavendish, kites):
    ran = cavendish("plan", KITES, *MODEL, "--via", "google", "--tier", "tier1", "--rehearse", "--json")
    assert ran.code == 0, ran.err
    assert [leg["mode"] for leg in ran.json["rehearsal"]["routes"]] == ["batch"]
    assert sim.calls == 0


def test_a_batch_without_a_model_stays_with_the_one_it_began_with(sim, cavendish, kites, monkeypatch):
    """Keys come and go, and with them the model that is used when none is named."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-key-that-must-not-be-seen")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{sim.url}/openai/v1")
    assert cavendish("batch", KITES, "--rpm", 60, "-o", "out").code == 0
    assert {entry["model"] for entry in metadata().values()} == {"gpt-image-2"}
    calls = sim.calls
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-a-key-that-must-not-be-seen")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", sim.url)
    for command in (("batch", KITES, "-o", "out"), ("resume", "out")):
        assert cavendish(*command).code == 0
        assert sim.calls == calls
