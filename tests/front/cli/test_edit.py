"""``cavendish edit``: pictures in, changed pictures out."""

import inspect
import shutil
from pathlib import Path

import pytest

from cavendish.front.cli.edit import edit
from cavendish.front.cli.generate import generate
from cavendish.model.request import Image, Use
from cavendish.sim.provider import SimProvider

KEY = "key-of-a-test"


@pytest.fixture
def kite(sim, cavendish):
    """A picture to change."""
    (path,) = cavendish("generate", "a kite", "-o", "kite").out.splitlines()
    return path


@pytest.fixture
def heard(monkeypatch):
    """The requests that the simulator is asked."""
    requests = []
    handle = SimProvider.handle

    def listening(self, call, *rest, **named):
        requests.append(call.request)
        return handle(self, call, *rest, **named)

    monkeypatch.setattr(SimProvider, "handle", listening)
    return requests


def pictures_in(request):
    return [part for part in request.turns[-1].parts if isinstance(part, Image)]


def test_a_picture_is_changed_as_often_as_it_is_asked_for(kite, heard, cavendish):
    ran = cavendish("edit", kite, "make it night", "-n", 2, "-m", "nano-banana-2", "-o", "night")
    assert ran.code == 0, ran.err
    assert [Path(path).name for path in ran.out.splitlines()] == [
        "0001-make-it-night-1.jpg",
        "0001-make-it-night-2.jpg",
    ]
    assert {request.prompt for request in heard} == {"make it night"}
    assert {len(pictures_in(request)) for request in heard} == {1}


def test_several_pictures_go_in_their_order_and_further_ones_after_them(kite, heard, cavendish):
    second = shutil.copy(kite, "second.jpg")
    first_bytes = Path(kite).read_bytes()
    Path(second).write_bytes(first_bytes + b"\0")
    ran = cavendish("edit", kite, second, "put them together", "-i", f"{kite}:style", "-o", "both")
    assert ran.code == 0, ran.err
    (request,) = heard
    sizes = [part.blob.size for part in pictures_in(request)]
    assert sizes == [len(first_bytes), len(first_bytes) + 1, len(first_bytes)]


def test_the_same_edit_again_buys_nothing(kite, sim, cavendish):
    first = cavendish("edit", kite, "make it night", "-o", "night")
    calls = sim.calls
    assert cavendish("edit", kite, "make it night", "-o", "night").out == first.out
    assert sim.calls == calls


def test_a_mask_goes_to_a_model_that_takes_one(kite, heard, cavendish, sim, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("CAVENDISH_OPENAI_BASE_URL", f"{sim.url}/openai/v1")
    ran = cavendish("edit", kite, "a moon here", "--mask", kite, "-m", "gpt-image-2", "--via", "openai", "-o", "moon")
    assert ran.code == 0, ran.err
    (request,) = heard
    assert [part.use for part in pictures_in(request)] == [None, Use.MASK]


def test_a_mask_for_a_model_that_takes_none_is_an_error_before_anything_is_bought(kite, sim, cavendish):
    calls = sim.calls
    ran = cavendish("edit", kite, "a moon here", "--mask", kite, "-o", "moon")
    assert ran.code == 2
    assert "mask" in ran.err
    assert sim.calls == calls


@pytest.mark.parametrize("words", [["only-words"], [], ["nothing.png", "make it night"]])
def test_what_is_missing_is_told(sim, cavendish, words):
    ran = cavendish("edit", *words, "-o", "out")
    assert ran.code == 2
    assert sim.calls == 0


def test_it_has_every_option_of_generate():
    edits, generates = (inspect.signature(command, eval_str=True).parameters for command in (edit, generate))
    assert set(edits) == {*generates, "pictures", "mask"}
    assert all(edits[name] == option for name, option in generates.items() if name != "prompt")
