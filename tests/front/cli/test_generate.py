"""``cavendish generate``: N pictures of one prompt."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

KEY = "AIza-a-key-that-must-not-be-seen"


def test_the_example_of_the_readme(sim, cavendish):
    ran = cavendish("generate", "A cyberpunk-style cat with neon background", "-n", 4, "-m", "nano-banana-2",
                    "--size", "2K", "--aspect-ratio", "16:9", "-o", "out/")  # fmt: skip
    assert ran.code == 0
    paths = ran.out.splitlines()
    assert len(set(paths)) == 4
    for path in paths:
        with Image.open(path) as picture:
            picture.load()
            assert picture.size == (2752, 1536)
    assert "simulated" in ran.err
    assert "4 delivered, 0 failed" in ran.err
    assert Path("out/index.html").is_file()
    lines = [json.loads(line) for line in Path("out/metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["file_name"] for line in lines] == [Path(path).name for path in paths]


def test_the_same_command_again_buys_nothing(sim, cavendish):
    first = cavendish("generate", "a kite", "-n", 3, "-o", "out")
    calls = sim.calls
    again = cavendish("generate", "a kite", "-n", 3, "-o", "out")
    assert (again.code, again.out) == (0, first.out)
    assert "3 of them before" in again.err
    assert sim.calls == calls


def test_json_tells_all(sim, cavendish):
    ran = cavendish("generate", "a kite", "-n", 2, "-o", "out", "--json", "-q")
    assert (ran.code, ran.err) == (0, ran.err)
    assert ran.json["delivered"] == 2
    assert ran.json["simulated"] is True
    assert [entry["prompt"] for entry in ran.json["pictures"]] == ["a kite"] * 2
    assert ran.json["billed"] == pytest.approx(sum(entry["cost"] for entry in ran.json["pictures"]))


def test_a_words_count_is_left_alone(sim, cavendish):
    ran = cavendish("generate", "generate 4 images of a cat", "-n", 2, "-o", "out")
    assert len(ran.out.splitlines()) == 2


@pytest.mark.parametrize("name", ["GEMINI_API_KEY", "GOOGLE_API_KEY"])
def test_a_key_for_google_is_used_and_never_seen(sim, cavendish, monkeypatch, name):
    monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", sim.url)
    ran = cavendish("generate", "a kite", "-o", "out", "--json")
    assert ran.code == 0
    assert ran.json["pictures"][0]["route"].startswith("google/")
    assert ran.json["simulated"] is False
    assert KEY not in ran.out + ran.err
    assert all(KEY.encode() not in path.read_bytes() for path in Path("out").rglob("*") if path.is_file())


def test_apiyi_by_its_key(simulators, cavendish, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    relay = simulators("apiyi")
    monkeypatch.setenv("APIYI_API_KEY", KEY)
    monkeypatch.setenv("APIYI_BASE_URL", relay.url)
    ran = cavendish(
        "generate", "a kite", "-m", "nano-banana-2", "--via", "apiyi", "-o", "out", "--json", "--size", "512"
    )
    assert ran.code == 0, ran.err
    assert ran.json["pictures"][0]["route"] == "apiyi/gemini-3.1-flash-image:per_request"
    assert ran.json["billed"] == pytest.approx(0.055)
    assert "note:" not in ran.err


def test_several_models_are_compared(sim, cavendish):
    ran = cavendish("generate", "a kite", "-n", 2, "-m", "nano-banana-2.1,nano-banana-pro", "-o", "out", "--json")
    assert [entry["route"].partition("/")[2] for entry in ran.json["pictures"]] == [
        *["gemini-nano-banana-2.1"] * 2,
        *["gemini-3-pro-image"] * 2,
    ]
    sums = ran.json["models"]
    assert [*sums] == ["Nano Banana 2.1", "Nano Banana Pro"]
    assert [model["pictures"] for model in sums.values()] == [2, 2]
    assert sum(model["cost"] for model in sums.values()) == pytest.approx(ran.json["billed"])
    assert "  Nano Banana Pro: 2 pictures, $0." in ran.err
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert page.count('<section class="round">') == 1
    assert page.count('<div class="model">') == 2
    again = cavendish("resume", "out", "--json")
    assert again.json["models"] == sums


def test_a_batch_compares_models_too(sim, cavendish):
    Path("rows.csv").write_text("key,prompt\nkite,a kite\nfox,a fox [sim:prohibited]\n", encoding="utf-8")
    ran = cavendish("batch", "rows.csv", "-m", "nano-banana-2.1,nano-banana-pro", "-o", "out", "--json")
    assert ran.code == 3
    assert [(model["pictures"], model["failures"]) for model in ran.json["models"].values()] == [(1, 1), (1, 1)]
    lines = [json.loads(line) for line in Path("out/metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["key"] for line in lines] == ["kite-nano-banana-2.1", "kite-nano-banana-pro"]
    both = cavendish("batch", "rows.csv", "-m", "nano-banana-2.1,nb-pro", "--grid", "model=nb2.1", "-o", "both")
    assert (both.code, "the grid names models too" in both.err) == (2, True)
    dry = cavendish("batch", "rows.csv", "-m", "nano-banana-2.1,nano-banana-pro", "-n", 3, "--dry-run", "--json")
    assert dry.json["pictures"] == 12


@pytest.mark.parametrize("said, queries", [("web", (1, 0)), ("image", (0, 1)), ("both", (1, 1)), ("web,image", (1, 1))])
def test_search_is_asked_for_in_words(sim, cavendish, said, queries):
    ran = cavendish("generate", "the weather", "-m", "nano-banana-2.1", "--search", said, "-o", "out", "--json")
    note = ran.json["pictures"][0]["grounding"]
    assert (len(note["web_queries"]), len(note["image_queries"])) == queries


def test_a_prompt_and_a_picture_from_stdin(sim, cavendish, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a red kite\n"), encoding="utf-8"))
    assert cavendish("generate", "-", "-o", "one").code == 0
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(picture.getvalue()), encoding="utf-8"))
    assert cavendish("generate", "the same in blue", "-i", "-", "-o", "two").code == 0
    both = cavendish("generate", "-", "-i", "-", "-o", "three")
    assert both.code == 2
    assert "stdin cannot be both" in both.err


def test_some_and_none_and_stopped(sim, cavendish):
    assert cavendish("generate", "a face [sim:prohibited]", "-o", "none").code == 1
    poor = cavendish("generate", "a kite", "-n", 4, "--max-cost", "0.10", "-o", "poor", "-p", 1)
    assert poor.code == 4
    assert "hint:" in poor.err
    assert "cavendish resume poor" in poor.err
    assert "the cap of $0.10" in poor.err
    same = cavendish("generate", "a kite", "-n", 4, "--max-cost", "0.10", "-o", "poor", "-p", 1)
    assert (same.code, "2 delivered (2 of them before)" in same.err) == (4, True)
    rich = cavendish("resume", "poor", "--max-cost", 1)
    assert (rich.code, "4 delivered" in rich.err) == (0, True)


def test_quiet_still_says_what_stopped_it(sim, cavendish):
    ran = cavendish("generate", "a kite", "-n", 4, "--max-cost", "0.01", "-o", "poor", "-q")
    assert ran.code == 4
    assert "error: stopped: the next picture would pass the cap of $0.01" in ran.err
    assert "cavendish resume poor --max-cost" in ran.err


def test_a_dry_run_makes_no_call_and_no_folder(sim, cavendish):
    ran = cavendish("generate", "a kite", "-n", 100, "--rpm", 10, "--dry-run", "--json", "-o", "out")
    assert ran.code == 0
    assert (ran.json["pictures"], ran.json["bound_by"]) == (100, "requests_per_minute")
    assert 540 < ran.json["seconds"] < 600
    assert sim.calls == 0
    assert not Path("out").exists()


def test_sizes_as_people_spell_them(sim, cavendish):
    ran = cavendish("generate", "a kite", "-m", "nano-banana-2", "--size", "512px", "-o", "out")
    assert ran.code == 0
    assert "512px" in ran.err
    strict = cavendish("generate", "a kite", "-m", "nano-banana-2", "--size", "512px", "-o", "out2", "--strict")
    assert strict.code == 2


BAD = {
    "no prompt": (["generate", ""], "prompt is empty"),
    "half a character": (["generate", "a \udcff kite"], "no Unicode"),
    "n is 0": (["generate", "x", "-n", "0"], "at least 1"),
    "n below 0": (["generate", "x", "-n", "-3"], "at least 1"),
    "absurd n": (["generate", "x", "-n", "1000000"], "at most"),
    "a size it cannot do": (["generate", "x", "--size", "9K"], "1K, 2K, 4K"),
    "a ratio it cannot do": (["generate", "x", "--aspect-ratio", "17:3"], "16:9"),
    "a missing picture": (["generate", "x", "-i", "none.png"], "none.png"),
    "no model of that name": (["generate", "x", "-m", "nano-bananna"], "nano-banana"),
    "no endpoint of that name": (["generate", "x", "--via", "nowhere"], "google"),
    "no key": (["generate", "x", "--via", "google"], "GEMINI_API_KEY"),
    "no amount": (["generate", "x", "--max-cost", "lots"], "--max-cost"),
    "no time": (["generate", "x", "--timeout", "-1"], "--timeout"),
    "no flag": (["generate", "x", "--colour"], "--help"),
    "no tier": (["generate", "x", "--tier", "tier99"], "tier"),
    "a folder that is a file": (["generate", "x", "-o", "file"], "file"),
    "pictures of others": (["generate", "x", "-o", "holiday"], "holiday"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_before_anything_is_bought(sim, cavendish, case):
    Path("file").write_text("mine", encoding="utf-8")
    Path("holiday").mkdir()
    Image.new("RGB", (8, 8)).save("holiday/beach.png")
    arguments, words = BAD[case]
    ran = cavendish(*arguments)
    assert ran.code == 2
    assert "error: " in ran.err
    assert words in ran.err
    assert sim.calls == 0


def test_a_folder_of_another_run(sim, cavendish):
    cavendish("generate", "a kite", "-o", "out")
    ran = cavendish("generate", "a dog", "-o", "out")
    assert ran.code == 2
    assert "belongs to another run" in ran.err


def test_simulated_and_real_pictures_never_share_a_folder(sim, cavendish, monkeypatch):
    cavendish("generate", "a kite", "-o", "out")
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", sim.url)
    ran = cavendish("generate", "a kite", "-o", "out")
    assert ran.code == 2
    assert "simulated" in ran.err


def test_a_wrong_key_ends_the_run_and_says_so(sim, cavendish, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "wrong-key")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", sim.url)
    ran = cavendish("generate", "a kite", "-n", 4, "-o", "out")
    assert ran.code == 1
    assert "API key" in ran.err
    assert "wrong-key" not in ran.err


def test_a_retired_model_is_asked_for_and_its_404_names_the_successor(simulators, cavendish, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    google = simulators("google-tier3")
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", google.url)
    ran = cavendish("generate", "a kite", "-m", "nano-banana-2", "-o", "out")
    assert ran.code == 1
    assert "note: gemini-3.1-flash-image was due to end on 2026-10-29" in ran.err
    assert "use gemini-nano-banana-2.1 instead" in ran.err
    strict = cavendish("generate", "a kite", "-m", "nano-banana-2", "-o", "out2", "--strict")
    assert (strict.code, google.calls) == (2, 1)
