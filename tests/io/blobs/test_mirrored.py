"""Files in the folder and in a store that machines share: nothing is lost while the store is away."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from cavendish.errors import ConfigError
from cavendish.io.blobs.mirrored import MirroredBlobs
from cavendish.io.blobs.objects import S3Place, read_place
from cavendish.model.blob import Blob
from cavendish.model.request import ImageRequest
from cavendish.model.result import Slot

BYTES = b"\x89PNG\r\n\x1a\n" + b"kite" * 1000


class FolderObjects:
    """A store that is a folder; ``away``: nobody answers there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.away = False
        self.fetched = 0

    def _reached(self) -> None:
        if self.away:
            raise OSError("nobody answers")

    async def put(self, name: str, file: Path, media_type: str) -> None:
        self._reached()
        target = self.root / name.replace("/", "%")
        await asyncio.to_thread(shutil.copy, file, target)

    def fetch(self, name: str, file: Path) -> None:
        self._reached()
        self.fetched += 1
        shutil.copy(self.root / name.replace("/", "%"), file)

    async def delete(self, names: Sequence[str]) -> None:
        self._reached()
        for name in names:
            await asyncio.to_thread((self.root / name.replace("/", "%")).unlink, missing_ok=True)

    async def check(self) -> None:
        """It is there, or away for a while."""

    def names(self) -> set[str]:
        return {path.name.replace("%", "/") for path in self.root.iterdir()}


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    (tmp_path / "store").mkdir()
    return FolderObjects(tmp_path / "store")


@pytest_asyncio.fixture
async def blobs(tmp_path: Path, objects: FolderObjects) -> AsyncIterator[MirroredBlobs]:
    (tmp_path / "here").mkdir()
    async with MirroredBlobs(tmp_path / "here", objects) as blobs:
        yield blobs


async def placed(blobs: MirroredBlobs, job: str = "job") -> Blob:
    part = blobs.new_blob("a1")
    part.write(BYTES)
    blob = part.finish("image/png")
    await blobs.seal("a1")
    slot = Slot(f"{job}.0", job, 0, 0, ImageRequest.of("", ""))
    found = await blobs.place(blob, slot)
    await blobs.forget("a1")
    return found


async def read(blobs: MirroredBlobs, blob: Blob) -> bytes:
    return await asyncio.to_thread(lambda: b"".join(blobs.read(blob)))


async def test_a_placed_picture_is_in_the_store(blobs, objects) -> None:
    blob = await placed(blobs)
    assert objects.names() == {blob.ref}
    assert (objects.root / blob.ref).read_bytes() == BYTES


async def test_what_is_not_here_is_fetched_once(blobs, objects) -> None:
    blob = await placed(blobs)
    (blobs.root / blob.ref).unlink()
    assert await read(blobs, blob) == BYTES
    assert await read(blobs, blob) == BYTES
    assert (await blobs.file(blob)).read_bytes() == BYTES
    assert objects.fetched == 1


async def test_another_picture_under_the_name_is_not_taken_for_it(blobs, objects) -> None:
    blob = await placed(blobs)
    (blobs.root / blob.ref).write_bytes(b"other")
    assert await read(blobs, blob) == BYTES


async def test_while_the_store_is_away_nothing_is_lost(blobs, objects) -> None:
    objects.away = True
    blob = await placed(blobs)
    assert await read(blobs, blob) == BYTES
    assert objects.names() == set()
    objects.away = False
    assert await blobs.resend() == 1
    assert objects.names() == {blob.ref}
    assert await blobs.resend() == 0


async def test_what_was_not_sent_is_sent_by_the_next_life(tmp_path, objects) -> None:
    (tmp_path / "here").mkdir()
    objects.away = True
    async with MirroredBlobs(tmp_path / "here", objects) as blobs:
        blob = await placed(blobs)
    objects.away = False
    async with MirroredBlobs(tmp_path / "here", objects) as blobs:
        await blobs.resend()
        assert objects.names() == {blob.ref}


async def test_only_what_the_store_has_goes_from_the_folder(blobs, objects) -> None:
    sent = await placed(blobs, "one")
    objects.away = True
    unsent = await placed(blobs, "two")
    assert await blobs.tidy(1e12) == 1
    assert not (blobs.root / sent.ref).exists()
    assert (blobs.root / unsent.ref).exists()


async def test_what_was_asked_for_lately_stays(blobs) -> None:
    blob = await placed(blobs)
    assert await blobs.tidy(1000.0) == 0
    assert (blobs.root / blob.ref).exists()


async def test_removed_is_removed_in_both(blobs, objects) -> None:
    blob = await placed(blobs)
    await blobs.remove((blob,))
    assert objects.names() == set()
    with pytest.raises(FileNotFoundError):
        await blobs.file(blob)


async def test_while_the_store_is_away_nothing_is_removed(blobs, objects) -> None:
    blob = await placed(blobs)
    objects.away = True
    with pytest.raises(OSError, match="nobody answers"):
        await blobs.remove((blob,))
    assert (blobs.root / blob.ref).exists()


@pytest.mark.parametrize(
    "address, place",
    [
        ("s3://kites", S3Place("kites")),
        ("s3://kites/a/b/", S3Place("kites", "a/b")),
        (
            "s3://kites/a?endpoint=http://127.0.0.1:9000&region=eu-west-1",
            S3Place("kites", "a", "http://127.0.0.1:9000", "eu-west-1"),
        ),
    ],
)
def test_what_an_address_names(address: str, place: S3Place) -> None:
    assert read_place(address) == place


@pytest.mark.parametrize(
    "address",
    [
        "s3://",
        "s3://Kites!",
        "s3://id:word@kites",
        "gs://kites",
        "s3://kites?key=word",
        "s3://kites?endpoint=ftp://host",
        "s3://kites?endpoint=https://id:word@host",
    ],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_place(address)
    assert "word" not in str(error.value)
