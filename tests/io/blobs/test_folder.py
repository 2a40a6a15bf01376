"""The run folder: crashes, full disks, many at once, strange file systems, things not where they should be."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cavendish.engine.ports import OutOfSpace
from cavendish.errors import FolderError
from cavendish.io.blobs import part
from cavendish.io.blobs.disk import Disk
from cavendish.io.blobs.folder import FolderBlobs
from cavendish.model.blob import Blob
from cavendish.model.call import Done
from cavendish.model.request import Image

from .test_contract import arrive, done, picture, read, slot

MIB = 1 << 20


@pytest.fixture
def root(tmp_path):
    return tmp_path / "out"


def reopened(root, **options):
    """The folder as a process finds it that starts after the last one was killed."""
    return FolderBlobs(root, ballast_bytes=0, **options)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


# --- after a crash ----------------------------------------------------------------------------------------------------


async def recorded_and_killed(root, reply_of, **options):
    """A process that recorded one reply; nothing of it is closed."""
    store = reopened(root, **options)
    await store.open()
    reply = reply_of(store)
    await store.record("a1", reply)
    return store, reply


async def test_a_reply_is_adopted_after_a_crash(root):
    _, reply = await recorded_and_killed(root, lambda store: done(arrive(store, "a1", picture()), finish="STOP"))
    async with reopened(root) as store:
        assert await store.recorded() == {"a1": reply}
        (again,) = (await store.recorded()).values()
        assert await store.dimensions(again.pictures[0].blob) == (8, 6)
        placed = await store.place(again.pictures[0].blob, slot())
        await store.forget("a1")
        assert read(store, placed) == picture()
        assert files(root / ".cavendish/tmp") == files(root / ".cavendish/replies") == []


async def test_a_crash_after_placing_places_nothing_twice(root):
    first, reply = await recorded_and_killed(root, lambda store: done(arrive(store, "a1", picture())))
    placed = await first.place(reply.pictures[0].blob, slot())
    async with reopened(root) as store:
        (again,) = (await store.recorded()).values()
        assert (await store.place(again.pictures[0].blob, slot())).ref == placed.ref
        await store.forget("a1")
    assert [name for name in files(root) if name != ".cavendish"] == [placed.ref]


async def test_what_was_still_arriving_is_removed(root):
    store = reopened(root)
    await store.open()
    writer = store.new_blob("a1")
    writer.write(b"x" * 2 * MIB)
    await store.seal("a1")
    assert len(files(root / ".cavendish/tmp")) == 1
    async with reopened(root) as after:
        assert await after.recorded() == {}
        assert files(root / ".cavendish/tmp") == []


async def test_what_arrives_now_is_not_taken_for_what_was_left(root):
    async with reopened(root) as store:
        blob = arrive(store, "a2", picture())
        await store.seal("a2")
        await store.recorded()
        assert await store.dimensions(blob) == (8, 6)


def cut_blob(root):
    (path,) = (root / ".cavendish/tmp").iterdir()
    path.write_bytes(path.read_bytes()[:-1])


def changed_blob(root):
    (path,) = (root / ".cavendish/tmp").iterdir()
    path.write_bytes(b"y" * path.stat().st_size)


def lost_blob(root):
    (path,) = (root / ".cavendish/tmp").iterdir()
    path.unlink()


def linked_blob(root):
    (path,) = (root / ".cavendish/tmp").iterdir()
    path.rename(root.parent / "elsewhere")
    path.symlink_to(root.parent / "elsewhere")


def record_file(root):
    (path,) = (root / ".cavendish/replies").iterdir()
    return path


def cut_record(root):
    record_file(root).write_bytes(record_file(root).read_bytes()[:-9])


def unfinished_record(root):
    record_file(root).rename(record_file(root).with_suffix(".tmp"))


def record_of(root, **changes):
    entry = json.loads(record_file(root).read_bytes())
    entry["reply"] |= changes
    record_file(root).write_text(json.dumps(entry), encoding="utf-8")


def record_without_its_picture(root):
    record_of(root, finals=[7])


def record_of_a_fault(root):
    record_of(root, type="fault", kind="cut")


def record_that_leads_out(root):
    (path,) = (root / ".cavendish/tmp").iterdir()
    shutil.copy(path, root.parent / "outside")
    blob = json.loads(record_file(root).read_bytes())["reply"]["parts"][0]["blob"]
    record_of(root, parts=[{"blob": blob | {"ref": "../outside"}}])


@pytest.mark.parametrize(
    "break_it",
    [
        cut_blob,
        changed_blob,
        lost_blob,
        linked_blob,
        cut_record,
        unfinished_record,
        record_without_its_picture,
        record_of_a_fault,
        record_that_leads_out,
    ],
)
async def test_a_broken_record_is_ignored_and_removed(root, break_it):
    await recorded_and_killed(root, lambda store: done(arrive(store, "a1", picture())))
    await asyncio.to_thread(break_it, root)
    async with reopened(root) as store:
        assert await store.recorded() == {}
        assert files(root / ".cavendish/replies") == files(root / ".cavendish/tmp") == []


async def test_a_reply_whose_pictures_are_still_to_be_fetched_is_found(root):
    waiting = Done((Image(uri="http://h/1"),), (0,))
    await recorded_and_killed(root, lambda _: waiting)
    async with reopened(root) as store:
        assert await store.recorded() == {"a1": waiting}


def test_a_killed_process_leaves_what_it_recorded(root):
    code = """
import asyncio, os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.io.blobs.test_contract import arrive, done, picture
from cavendish.io.blobs.folder import FolderBlobs

async def main():
    store = FolderBlobs(Path(sys.argv[1]))
    await store.open()
    await store.record("a1", done(arrive(store, "a1", picture())))
    arrive(store, "a2", b"x" * 5_000_000)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    done_ = subprocess.run([sys.executable, "-c", code, str(root), Path.cwd()], check=False)
    assert done_.returncode == -9

    async def after():
        async with reopened(root) as store:
            (reply,) = (await store.recorded()).values()
            assert await store.dimensions(reply.pictures[0].blob) == (8, 6)
            assert len(files(root / ".cavendish/tmp")) == 1

    asyncio.run(after())


# --- file systems without hard links ----------------------------------------------------------------------------------


class NoLinks(Disk):
    """As exFAT and some network mounts are."""

    def link(self, source, target):
        raise OSError(errno.EPERM, "no links here")


async def test_without_links_a_picture_is_moved(root):
    async with reopened(root, disk=NoLinks()) as store:
        blob = arrive(store, "a1", picture())
        await store.record("a1", done(blob))
        placed = await store.place(blob, slot())
        assert placed.ref == "0001-a-red-kite-1.png"
        assert (await store.place(blob, slot())).ref == placed.ref
        await store.forget("a1")
        assert read(store, placed) == picture()


async def test_without_links_nothing_is_written_over(root):
    async with reopened(root, disk=NoLinks()) as store:
        placed = []
        for attempt_id, colour in (("a1", "red"), ("a2", "blue"), ("a3", "blue")):
            blob = arrive(store, attempt_id, picture(colour))
            await store.record(attempt_id, done(blob))
            placed.append((await store.place(blob, slot())).ref)
        assert placed == ["0001-a-red-kite-1.png", "0001-a-red-kite-1~2.png", "0001-a-red-kite-1~3.png"]


async def test_without_links_a_placed_picture_is_found_after_a_crash(root):
    first, reply = await recorded_and_killed(root, lambda store: done(arrive(store, "a1", picture())), disk=NoLinks())
    placed = await first.place(reply.pictures[0].blob, slot())
    async with reopened(root, disk=NoLinks()) as store:
        (again,) = (await store.recorded()).values()
        blob = again.pictures[0].blob
        assert await store.dimensions(blob) == (8, 6)
        assert (await store.place(blob, slot())).ref == placed.ref
        await store.forget("a1")
        assert read(store, placed) == picture()


async def test_a_crash_between_holding_a_name_and_moving_there_does_no_harm(root):
    async with reopened(root, disk=NoLinks()) as store:
        blob = arrive(store, "a1", picture())
        await store.record("a1", done(blob))
        (root / "0001-a-red-kite-1.png").touch()
        assert (await store.place(blob, slot())).ref == "0001-a-red-kite-1.png"


async def test_another_file_system_in_between_is_copied_over(root, monkeypatch):
    def replace_(source, target):
        if ".cavendish/tmp" in str(source):
            raise OSError(errno.EXDEV, "another device")
        return Path(source).rename(target)

    async with reopened(root, disk=NoLinks()) as store:
        blob = arrive(store, "a1", picture())
        await store.record("a1", done(blob))
        monkeypatch.setattr(os, "replace", replace_)
        placed = await store.place(blob, slot())
        assert read(store, placed) == picture()
        assert [name for name in files(root) if name != ".cavendish"] == [placed.ref]


# --- the disk is full -------------------------------------------------------------------------------------------------


class FullDisk(Disk):
    """Takes so many bytes, and again as many when the ballast is dropped."""

    def __init__(self, root, room, error=errno.ENOSPC):
        self.ballast = root / ".cavendish/ballast"
        self.room = room
        self.reserve = room
        self.error = error

    def write(self, fd, data):
        if not self.ballast.exists():
            self.room, self.reserve = self.room + self.reserve, 0
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        count = super().write(fd, data[: self.room])
        self.room -= count
        return count


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
async def test_the_ballast_saves_what_is_arriving_when_the_disk_is_full(root, error):
    data = picture("red", (900, 900), "BMP")
    disk = FullDisk(root, len(data) // 2 + 500, error)
    store = FolderBlobs(root, disk=disk, ballast_bytes=MIB)
    async with store:
        assert disk.ballast.stat().st_size == MIB
        blob = arrive(store, "a1", data)
        await store.record("a1", done(blob))
        assert not disk.ballast.exists()
        assert await store.dimensions(blob) == (900, 900)
        assert list(await store.recorded()) == ["a1"]
        with pytest.raises(OutOfSpace, match="full"):
            await store.record("a2", done(arrive(store, "a2", data)))
        store.discard("a2")


async def test_a_full_disk_is_told_to_who_writes_on(root, monkeypatch):
    monkeypatch.setattr(part, "FLUSH_BYTES", 1)
    monkeypatch.setattr(part, "HIGH_WATER_BYTES", 0)
    async with FolderBlobs(root, disk=FullDisk(root, 1000), ballast_bytes=0) as store:
        writer = store.new_blob("a1")
        writer.write(b"x" * 5000)
        await store.drained()
        with pytest.raises(OutOfSpace):
            writer.write(b"x")
        writer.abort()


async def test_the_disk_is_full_when_it_is_synced(root):
    class Late(Disk):
        def sync(self, fd):
            raise OSError(errno.ENOSPC, "too late")

    store = FolderBlobs(root, disk=Disk(), ballast_bytes=0)
    async with store:
        store._room.disk = Late()
        blob = arrive(store, "a1", picture())
        with pytest.raises(OutOfSpace):
            await store.record("a1", done(blob))


async def test_another_fault_of_the_disk_is_not_taken_for_a_full_one(root):
    class Broken(Disk):
        def write(self, fd, data):
            raise OSError(errno.EIO, "broken")

    async with FolderBlobs(root, disk=Broken(), ballast_bytes=0) as store:
        blob = arrive(store, "a1", picture())
        with pytest.raises(OSError, match="broken") as caught:
            await store.record("a1", done(blob))
        assert not isinstance(caught.value, OutOfSpace)


async def test_a_disk_that_is_nearly_full_is_left_without_ballast(root):
    class Small(Disk):
        def free_bytes(self, path):
            return 3 * MIB

    async with FolderBlobs(root, disk=Small(), ballast_bytes=MIB) as store:
        assert store.free_bytes() == 3 * MIB
        assert not (root / ".cavendish/ballast").exists()


async def test_the_ballast_takes_real_room_and_goes_at_the_end(root):
    async with FolderBlobs(root, ballast_bytes=MIB):
        assert (root / ".cavendish/ballast").stat().st_blocks * 512 >= MIB
    assert not (root / ".cavendish/ballast").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_real_full_disk(tmp_path):
    """Sixteen pictures of one MiB on a file system of eight: each is kept whole, or told to be lost."""
    mount = tmp_path / "small"
    mount.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", mount], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting needs rights that this user has not: " + mounted.stderr.decode().strip())
    try:
        asyncio.run(fill(mount / "out"))
    finally:
        subprocess.run(["umount", mount], check=True)


async def fill(root):
    kept = []
    async with FolderBlobs(root, ballast_bytes=MIB) as store:
        for number in range(16):
            data = os.urandom(MIB)
            try:
                blob = arrive(store, f"a{number}", data, step=65536)
                await store.record(f"a{number}", done(blob))
                kept.append((f"a{number}", blob))
            except OutOfSpace:
                store.discard(f"a{number}")
                break
        assert 6 <= len(kept) < 16
        assert list(await store.recorded()) == [attempt_id for attempt_id, _ in sorted(kept)]
        placed = [await store.place(blob, slot(row)) for row, (_, blob) in enumerate(kept)]
        assert [read(store, blob) for blob in placed] == [read(store, blob) for _, blob in kept]


# --- many at once -----------------------------------------------------------------------------------------------------


def test_a_thousand_at_once_with_few_open_files(root):
    """In a process of its own, whose limit cannot be raised."""
    code = """
import asyncio, os, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
sys.path.insert(0, sys.argv[2])
from tests.io.blobs.test_contract import done
from cavendish.io.blobs.folder import FolderBlobs

async def one(store, number, start):
    await start.wait()
    writer = store.new_blob(f"a{number}")
    for piece in range(3):
        writer.write(bytes([number % 256]) * 3000)
        await store.drained()
        await asyncio.sleep(0)
    blob = writer.finish("image/png")
    await store.record(f"a{number}", done(blob))
    return blob

async def main():
    async with FolderBlobs(Path(sys.argv[1])) as store:
        start = asyncio.Event()
        tasks = [asyncio.create_task(one(store, number, start)) for number in range(1000)]
        start.set()
        blobs = await asyncio.gather(*tasks)
        assert len(await store.recorded()) == 1000
        assert len(os.listdir(Path(sys.argv[1], ".cavendish/tmp"))) == 1000

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(root), Path.cwd()], check=True)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="lists open files by /proc")
async def test_parts_stay_open_between_writes_and_are_closed_in_the_end(root, monkeypatch):
    monkeypatch.setattr(part, "FLUSH_BYTES", 1)
    monkeypatch.setattr(part, "HIGH_WATER_BYTES", 0)

    def descriptors():
        return {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.exists()}

    async with reopened(root) as store:
        writers = [store.new_blob(f"a{n}") for n in range(10)]
        for _ in range(3):
            for writer in writers:
                writer.write(b"x" * 100)
            await store.drained()
        assert sum(".part" in name for name in descriptors()) == 10
        for number, writer in enumerate(writers):
            await store.record(f"a{number}", done(writer.finish("image/png")))
        assert not any(".part" in name for name in descriptors())


async def test_memory_waits_for_the_disk(root, monkeypatch):
    monkeypatch.setattr(part, "FLUSH_BYTES", 10_000)
    monkeypatch.setattr(part, "HIGH_WATER_BYTES", 20_000)
    async with reopened(root) as store:
        writer = store.new_blob("a1")
        for _ in range(100):
            writer.write(b"x" * 1000)
            await store.drained()
            assert store._means.backlog._waiting <= 20_000
        blob = writer.finish("image/png")
        await store.seal("a1")
        assert store._means.backlog._waiting == 0
        assert read(store, blob) == b"x" * 100_000


async def test_cancelling_a_record_does_not_undo_it(root):
    async with reopened(root) as store:
        blob = arrive(store, "a1", picture())
        task = asyncio.create_task(store.record("a1", done(blob)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.recorded()
    async with reopened(root) as store:
        assert list(await store.recorded()) == ["a1"]


# --- what is not where it should be -----------------------------------------------------------------------------------


async def test_refs_do_not_lead_out_of_the_folder(root):
    async with reopened(root) as store:
        (root.parent / "outside.png").write_bytes(picture())
        (root / "link.png").symlink_to(root.parent / "outside.png")
        outside = Blob("0" * 64, len(picture()), "image/png", "../outside.png")
        with pytest.raises(ValueError, match="not a place"):
            await store.place(outside, slot())
        with pytest.raises(ValueError, match="not a place"):
            await store.keep("a1", [outside])
        with pytest.raises(ValueError, match="not a place"):
            read(store, outside)
        with pytest.raises(OSError, match="symbolic"):
            read(store, replace(outside, ref="link.png"))


async def test_a_file_of_the_user_s_is_read_by_its_whole_path(root):
    async with reopened(root) as store:
        path = root.parent / "reference.png"
        path.write_bytes(picture())
        assert read(store, Blob("0" * 64, 3, "image/png", str(path))) == picture()


async def test_a_link_in_place_of_an_inner_folder_is_refused(root):
    root.mkdir()
    (root.parent / "elsewhere").mkdir()
    (root / ".cavendish").symlink_to(root.parent / "elsewhere")
    with pytest.raises(FolderError, match="symbolic link"):
        await reopened(root).open()


async def test_a_dangling_link_of_a_picture_s_name_is_not_written_through(root):
    async with reopened(root) as store:
        (root / "0001-a-red-kite-1.png").symlink_to(root.parent / "victim")
        blob = arrive(store, "a1", picture())
        await store.record("a1", done(blob))
        assert (await store.place(blob, slot())).ref == "0001-a-red-kite-1~2.png"
        assert not (root.parent / "victim").exists()
