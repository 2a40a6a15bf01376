"""What a caller does with a delivered picture."""

import pytest

from cavendish.front.outcome import Picture


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "run" / "0001-a-kite-1.jpg"
    path.parent.mkdir()
    path.write_bytes(b"bytes")
    return Picture(path, None)


@pytest.mark.parametrize(
    "target, saved",
    [("new/", "new/0001-a-kite-1.jpg"), ("there", "there/0001-a-kite-1.jpg"), ("deep/kite.jpg", "deep/kite.jpg")],
)
def test_a_folder_keeps_the_name_even_one_that_is_not_there_yet(picture, tmp_path, monkeypatch, target, saved):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    assert picture.save(target).as_posix() == saved
    assert (tmp_path / saved).read_bytes() == b"bytes"
