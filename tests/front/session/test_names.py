"""What a session may be called, and where it then lies."""

from pathlib import Path

import pytest

from cavendish import RequestError
from cavendish.front.session.names import NAME_CHARS, fork_folder, fresh_name, locate, sessions_folder

GOOD = ["kite", "Kite-2", "a", "2026.11.21", "x_1", "a" * NAME_CHARS, "console"]
BAD = [
    "", " ", "a b", ".hidden", "-x", "kite.", "k\u00e4fer", "a\0b", "a\nb", "a:b", "con", "NUL.txt", "com1", "x" * 81,
    "*",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_name_is_a_folder_among_the_sessions(name):
    assert locate(name) == sessions_folder() / name


def test_a_fresh_name_is_a_good_one():
    name = fresh_name()
    assert locate(name) == sessions_folder() / name


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_is_told(name):
    with pytest.raises(RequestError, match="no name for a session"):
        locate(name)


@pytest.mark.parametrize("path", ["./kite", "a/b c", "..", ".", "/somewhere/k\u00e4fer", Path("kite")])
def test_a_path_is_a_path(path):
    assert locate(path) == Path(path).absolute()


def test_a_path_may_begin_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate("~/kite") == tmp_path / "kite"


def test_a_fork_without_a_name_lies_beside_its_session(tmp_path):
    root = tmp_path / "kite"
    assert fork_folder(root, 2, None) == tmp_path / "kite-2"
    (tmp_path / "kite-2").mkdir()
    assert fork_folder(root, 2, None) == tmp_path / "kite-2-2"
    assert fork_folder(root, 2, "night") == sessions_folder() / "night"
