"""``--sheet`` at the command line: said before, drawn, resumed, shown."""

import json

import pytest

MODEL = "gemini-2.5-flash-image"


def metadata(folder):
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def test_resolution_price_and_risk_are_said_before_and_the_pictures_listed(cavendish, sim, tmp_path):
    ran = cavendish("generate", "a red kite", "-n", 4, "-m", MODEL, "--sheet", "2x2", "-o", "kite")
    assert ran.code == 0
    words = "draws sheets of 2x2: pictures of at most 512x512 pixels cut from 1024x1024, for about $0.0097 each"
    assert words in ran.err
    assert "note: a model may draw a sheet with uneven or empty cells" in ran.err
    assert len(ran.out.splitlines()) == 4
    assert sim.calls == 1
    assert {line["route"] for line in metadata(tmp_path / "kite")} == {f"sim/{MODEL}:sheet-2x2"}


def test_a_resumed_run_goes_on_with_sheets(cavendish, sim, tmp_path):
    command = ("generate", "a red kite [sim:prompt_blocked,times=1]", "-m", MODEL, "--sheet", "2x2", "-o", "kite")
    assert cavendish(*command, "-n", 8).code == 3
    assert cavendish("resume", "kite").code == 3
    lines = metadata(tmp_path / "kite")
    assert [line["cell"] for line in lines] == [1, 2, 3, 4]
    assert sim.calls == 2


def test_a_dry_run_reckons_with_sheets_and_calls_nothing(cavendish, sim):
    def cost(*more):
        return cavendish("generate", "a red kite", "-n", 8, "-m", MODEL, "--dry-run", "--json", *more).json["cost"]

    assert cost("--sheet", "2x2") == pytest.approx(cost() / 4, rel=0.1)
    assert sim.calls == 0


def test_a_rehearsal_plays_no_sheets_and_says_so(cavendish, sim):
    ran = cavendish("generate", "a red kite", "-n", 4, "-m", MODEL, "--sheet", "2x2", "--rehearse")
    assert (ran.code, sim.calls) == (2, 0)
    assert "error: a rehearsal plays no sheets" in ran.err


def test_a_grid_that_cannot_be_is_an_error_with_one_that_can(cavendish, sim):
    ran = cavendish("generate", "a red kite", "-n", 16, "-m", MODEL, "--sheet", "4x4")
    assert (ran.code, sim.calls) == (2, 0)
    assert "would have 256x256 pixels" in ran.err
    assert "hint: it can: --sheet 2x2" in ran.err


def test_a_turn_of_a_conversation_has_no_such_option(cavendish, sim):
    assert "--sheet" not in cavendish("session", "say", "--help").out
    assert "--sheet" in cavendish("generate", "--help").out
