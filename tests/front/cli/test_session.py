"""``cavendish session``: conversations at the command line."""

import json
from pathlib import Path

import pytest

from cavendish.front.session.names import sessions_folder
from cavendish.front.session.store import SessionStore

KEY = "key-of-a-test"


@pytest.fixture
def kite(sim, cavendish):
    """A session with two turns."""
    assert cavendish("session", "new", "kite", "-m", "nano-banana-2", "--size", "512").out == "kite\n"
    for words in ("a red kite", "make it night"):
        ran = cavendish("session", "say", "kite", words, "-q")
        assert ran.code == 0, ran.err
    return sessions_folder() / "kite"


def test_each_turn_prints_its_picture(kite, cavendish):
    ran = cavendish("session", "say", "kite", "add a moon")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [str(kite / "turns/0003-add-a-moon.jpg")]
    assert Path(ran.out.strip()).read_bytes()
    assert "1 delivered" in ran.err


def test_the_tree_is_shown(kite, cavendish):
    cavendish("session", "say", "kite", "add rain", "--turn", 1, "-q")
    ran = cavendish("session", "show", "kite")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert [line for line in lines if line.lstrip()[:1].isdigit() and "  " in line.strip()] == [
        "1  a red kite",
        "  2  make it night",
        "  3  add rain",
    ]
    assert "sim/gemini-3.1-flash-image, $0.0" in ran.out
    assert "simulated" in ran.out
    assert lines[-1].startswith("3 turns, $0.1")


def test_one_turn_is_shown_with_all_that_is_known_of_it(kite, cavendish):
    ran = cavendish("session", "show", "kite", "--turn", 2)
    assert "after turn 1" in ran.out
    assert "0002-make-it-night.jpg (512x512)" in ran.out
    assert "tokens: " in ran.out
    told = cavendish("session", "show", "kite", "--turn", 2, "--json").json
    assert (told["turn"], told["parent"], told["prompt"]) == (2, 1, "make it night")
    missing = cavendish("session", "show", "kite", "--turn", 9)
    assert (missing.code, "there is no turn 9" in missing.err) == (2, True)


def test_json_tells_all(kite, cavendish):
    said = cavendish("session", "say", "kite", "add a moon", "--json", "-q").json
    assert (said["turn"], said["parent"], said["failure"], said["simulated"]) == (3, 2, None, True)
    told = cavendish("session", "show", "kite", "--json").json
    assert [turn["prompt"] for turn in told["turns"]] == ["a red kite", "make it night", "add a moon"]
    assert told["turns"][2] == said
    assert told["defaults"] == {"model": "nano-banana-2", "size": "512"}
    assert told["cost"] == pytest.approx(sum(turn["cost"] for turn in told["turns"]))
    listed = cavendish("session", "list", "--json").json
    assert [(one["name"], one["turns"], one["problem"]) for one in listed] == [("kite", 3, None)]


def test_a_fork_goes_on_by_itself(kite, cavendish, tmp_path):
    ran = cavendish("session", "fork", "kite", "--turn", 1, "--as", "./snow")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'snow'}\n")
    assert cavendish("session", "say", "./snow", "add snow", "-q").code == 0
    shown = cavendish("session", "show", "./snow").out
    assert "fork of turn 1 of kite" in shown
    assert "make it night" not in shown
    assert [one["name"] for one in cavendish("session", "list", tmp_path, "--json").json] == ["snow"]
    named = cavendish("session", "fork", "kite", "--turn", 2, "--json").json
    assert named == {"name": "kite-2", "folder": str(sessions_folder() / "kite-2")}
    assert "kite-2" in cavendish("session", "list").out


def test_a_session_is_gone_on_with_at_a_chat_that_the_user_configured(kite, simulators, sim, cavendish, monkeypatch):
    cavendish("session", "new", "real", "-m", "nano-banana-2")
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", sim.url)
    monkeypatch.setenv("MY_RELAY_KEY", KEY)
    Path("own.toml").write_text('catalog = ["relay.toml"]\n', encoding="utf-8")
    Path("relay.toml").write_text(
        f"""
        [endpoints.relay]
        dialect = "openai_chat"
        base_url = "{sim.url}/apiyi/v1"
        auth_header = "Authorization"
        auth_prefix = "Bearer "
        key_env = ["MY_RELAY_KEY"]
        default_mode = "standard"
        options = {{ history = "markdown", size_in = "none", ratio_in = "none", thinking_in = "none" }}

        [offers."relay/gemini-3.1-flash-image"]
        wire_id = "gemini-3.1-flash-image-preview"
        """,
        encoding="utf-8",
    )
    monkeypatch.setenv("CAVENDISH_CONFIG", str(Path("own.toml").absolute()))
    first = cavendish("session", "say", "real", "a kite", "--via", "google", "--json", "-q")
    assert first.code == 0, first.err
    second = cavendish("session", "say", "real", "make it night", "--via", "relay", "--json")
    assert second.code == 0, second.err
    assert second.json["route"].startswith("relay/gemini-3.1-flash-image")
    assert "thought signatures of turn 1 are left out" in second.err


def test_what_a_dry_run_would_cost_leaves_nothing(kite, sim, cavendish):
    calls = sim.calls
    ran = cavendish("session", "say", "kite", "add a moon", "--dry-run")
    assert (ran.code, "1 picture to make" in ran.out) == (0, True)
    assert sim.calls == calls
    assert not (kite / "turns/0003.json").exists()
    assert not (kite / "runs/0003").exists()


def test_a_refused_turn_has_its_exit_code_and_is_shown(kite, cavendish):
    ran = cavendish("session", "say", "kite", "somebody [sim:prohibited]", "-q")
    assert (ran.code, ran.out) == (1, "")
    assert "prohibited, sim/" in cavendish("session", "show", "kite").out
    assert cavendish("session", "say", "kite", "add a moon", "--json", "-q").json["parent"] == 2


def test_after_a_crash_the_same_command_buys_nothing(kite, sim, cavendish, monkeypatch):
    def die(*_arguments):
        raise OSError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr("cavendish.front.session.saying.settle", die)
        assert cavendish("session", "say", "kite", "add a moon", "-q").code == 1
    calls = sim.calls
    assert "no answer yet" in cavendish("session", "show", "kite").out
    ran = cavendish("session", "say", "kite", "add a moon")
    assert (ran.code, ran.out) == (0, f"{kite / 'turns/0003-add-a-moon.jpg'}\n")
    assert "nothing is bought again" in ran.err
    assert sim.calls == calls


def test_words_and_pictures_from_stdin(kite, cavendish, monkeypatch):
    import io
    import sys

    picture = (kite / "turns/0001-a-red-kite.jpg").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(picture), encoding="utf-8"))
    assert cavendish("session", "say", "kite", "like this", "-i", "-", "-q").code == 0
    assert (kite / "turns/0003.reference-1.jpg").read_bytes() == picture
    both = cavendish("session", "say", "kite", "-", "-i", "-", "-q")
    assert (both.code, "cannot be both" in both.err) == (2, True)


@pytest.mark.parametrize(
    "words, why",
    [
        (["say", "nix", "x"], "there is no session"),
        (["say", "a b", "x"], "no name for a session"),
        (["say", "kite", "x", "--turn", "9"], "there is no turn 9"),
        (["say", "kite", " "], "the prompt is empty"),
        (["say", "kite", "x", "-m", "nano-banana-2,nano-banana-pro"], "one model"),
        (["show", "nix"], "there is no session"),
        (["fork", "kite", "--turn", "7"], "there is no turn 7"),
        (["fork", "kite", "--turn", "1", "--as", "kite"], "already"),
        (["new", "kite"], "already"),
        (["new", "other", "-m", "nonsense"], "no model is named"),
        (["new", "other", "--size", "9K"], "size"),
    ],
)
def test_what_cannot_be_is_told(kite, sim, cavendish, words, why):
    calls = sim.calls
    ran = cavendish("session", *words)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
    assert sim.calls == calls


def test_a_session_in_use_is_told(kite, cavendish):
    with SessionStore(kite).hold():
        ran = cavendish("session", "say", "kite", "x")
    assert (ran.code, "another process works on" in ran.err) == (2, True)


def test_a_broken_session_is_in_the_list(kite, cavendish):
    (kite / "session.json").write_text("{", encoding="utf-8")
    assert "is broken" in cavendish("session", "list").out


def test_a_name_is_made_up_where_none_is_given(sim, cavendish):
    name = cavendish("session", "new").out.strip()
    assert json.loads((sessions_folder() / name / "session.json").read_bytes())["name"] == name
