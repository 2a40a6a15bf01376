"""Whose a run folder is, and who works on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from cavendish.errors import FolderError
from cavendish.io.blobs.claim import RunCard, claim

CARD = RunCard("run1", "digest1", 1_700_000_000.5)
OTHER = RunCard("run2", "digest2", 1_700_000_001.0)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "deep" / "out"


def test_a_new_folder_is_made(root):
    with claim(root, CARD) as mine:
        assert mine.is_new
        assert mine.card == CARD
    assert json.loads((root / ".cavendish/run.json").read_bytes()) == {
        "format": 1,
        "run_id": "run1",
        "settings": "digest1",
        "created": 1_700_000_000.5,
    }


def test_an_old_folder_keeps_its_card(root):
    claim(root, CARD).release()
    with claim(root, OTHER) as mine:
        assert not mine.is_new
        assert mine.card == CARD


def test_other_settings_are_another_run(root):
    claim(root, CARD, settings="digest1").release()
    claim(root, CARD, settings="digest1").release()
    with pytest.raises(FolderError, match="another run") as caught:
        claim(root, OTHER, settings="digest2")
    assert "resume" in caught.value.hints[0]
    claim(root, CARD).release()


def test_one_at_a_time(root):
    first = claim(root, CARD)
    with pytest.raises(FolderError, match=f"another process works on .*: process {os.getpid()} on "):
        claim(root, CARD)
    first.release()
    first.release()
    claim(root, CARD).release()


def test_a_killed_process_leaves_no_lock(root):
    code = """
import sys, time
from pathlib import Path
from cavendish.io.blobs.claim import RunCard, claim
claim_ = claim(Path(sys.argv[1]), RunCard("run1", "digest1", 0.0))
print("mine", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"mine\n"
        with pytest.raises(FolderError, match=f"process {other.pid} "):
            claim(root, CARD)
        other.send_signal(signal.SIGKILL)
    claim(root, CARD).release()


def test_a_file_is_no_folder(root):
    root.parent.mkdir()
    root.touch()
    with pytest.raises(FolderError, match="is a file"):
        claim(root, CARD)
    with pytest.raises(FolderError, match="is no folder"):
        claim(root / "below", CARD)


@pytest.mark.parametrize("name", ["IMG_1.JPG", "a.png", "b.webp"])
def test_pictures_of_someone_else_are_not_mixed_with(root, name):
    root.mkdir(parents=True)
    (root / name).touch()
    with pytest.raises(FolderError, match=f"of no run, such as {name}"):
        claim(root, CARD)
    assert not (root / ".cavendish").exists()


def test_other_files_do_no_harm(root):
    root.mkdir(parents=True)
    (root / "prompts.csv").touch()
    claim(root, CARD).release()
    (root / "0001-mine-1.png").touch()
    claim(root, CARD).release()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "run_id": "a", "settings": "b"}'])
def test_a_broken_card_is_not_written_over(root, text):
    claim(root, CARD).release()
    (root / ".cavendish/run.json").write_text(text, encoding="utf-8")
    with pytest.raises(FolderError, match=r"run\.json is broken"):
        claim(root, CARD)
    assert (root / ".cavendish/run.json").read_text(encoding="utf-8") == text


def test_a_newer_version_s_folder_is_left_alone(root):
    claim(root, CARD).release()
    card = root / ".cavendish/run.json"
    card.write_text(json.dumps(json.loads(card.read_bytes()) | {"format": 2}), encoding="utf-8")
    with pytest.raises(FolderError, match="newer version"):
        claim(root, CARD)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_that_cannot_be_written_to(root):
    root.mkdir(parents=True, mode=0o500)
    with pytest.raises(FolderError, match="cannot be written to"):
        claim(root, CARD)


def test_a_system_that_refuses_is_quoted(root, monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(FolderError, match="cannot be written to"):
        claim(root, CARD)
