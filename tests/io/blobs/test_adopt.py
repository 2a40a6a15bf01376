"""What arrived whole at a process that is gone comes to another one that shares its folder."""

import os
from pathlib import Path

import pytest

from cavendish.io.blobs.claim import REPLICAS
from cavendish.io.blobs.folder import FolderBlobs
from cavendish.model.call import Done
from cavendish.model.request import Image, ImageRequest
from cavendish.model.result import Slot

BYTES = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
SLOT = Slot("job.0", "job", 0, 0, ImageRequest.of("a kite", "m"))


def folder_of(root: Path, name: str) -> FolderBlobs:
    return FolderBlobs(root, ballast_bytes=0, own=f"{REPLICAS}/{name}")


async def arrived(root: Path, name: str, attempt_id: str) -> None:
    """A reply that is recorded at a process, which then is gone."""
    async with folder_of(root, name) as store:
        part = store.new_blob(attempt_id)
        part.write(BYTES)
        image = Image(blob=part.finish("image/png"), media_type="image/png")
        await store.record(attempt_id, Done(parts=(image,), finals=(0,)))


async def test_another_takes_over_what_it_is_asked_to(tmp_path: Path) -> None:
    await arrived(tmp_path, "dead", "a1")
    await arrived(tmp_path, "dead", "a2")
    async with folder_of(tmp_path, "heir") as heir:
        found = await heir.adopt(["a1", "never"])
        assert list(found) == ["a1"]
        blob = found["a1"].pictures[0].blob
        assert b"".join(heir.read(blob)) == BYTES
        placed = await heir.place(blob, SLOT)
        await heir.forget("a1")
        assert b"".join(heir.read(placed)) == BYTES
        assert not list((tmp_path / REPLICAS / "heir/tmp").iterdir())
    async with folder_of(tmp_path, "dead") as again:
        assert list(await again.recorded()) == ["a2"]


async def test_what_was_adopted_outlives_the_heir_too(tmp_path: Path) -> None:
    await arrived(tmp_path, "dead", "a1")
    async with folder_of(tmp_path, "heir") as heir:
        await heir.adopt(["a1"])
    async with folder_of(tmp_path, "heir") as heir:
        (reply,) = (await heir.recorded()).values()
        assert b"".join(heir.read(reply.pictures[0].blob)) == BYTES
    async with folder_of(tmp_path, "third") as third:
        assert list(await third.adopt(["a1"])) == ["a1"]


async def test_adopting_that_was_broken_off_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await arrived(tmp_path, "dead", "a1")
    async with folder_of(tmp_path, "heir") as heir:
        with monkeypatch.context() as broken:
            broken.setattr("cavendish.io.blobs.adopt.write_record", _fails)
            with pytest.raises(OSError, match="broken off"):
                await heir.adopt(["a1"])
        found = await heir.adopt(["a1"])
        assert b"".join(heir.read(found["a1"].pictures[0].blob)) == BYTES


def _fails(*_: object) -> None:
    raise OSError("broken off")


async def test_a_picture_that_is_not_all_there_is_not_adopted(tmp_path: Path) -> None:
    await arrived(tmp_path, "dead", "a1")
    (part,) = (tmp_path / REPLICAS / "dead/tmp").iterdir()
    os.truncate(part, 10)
    async with folder_of(tmp_path, "heir") as heir:
        assert await heir.adopt(["a1"]) == {}
