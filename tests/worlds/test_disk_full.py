"""A disk that fills up: the run stops cleanly and says so, and is completed when there is room again."""

import asyncio
import errno
import shutil
import subprocess
import sys

import pytest

from cavendish.engine.ports import OutOfSpace
from cavendish.io.blobs.disk import Disk
from cavendish.model.fault import FaultKind
from cavendish.sim.loop import run_virtual
from tests.worlds.folder import FolderWorld
from tests.worlds.layout import Life
from tests.worlds.programs import Simulator, begin, look
from tests.worlds.test_clock import layout
from tests.worlds.world import World

pytestmark = pytest.mark.worlds


class FullDisk(Disk):
    """Has room for so many operations; after that for none that writes, whoever asks."""

    def __init__(self, operations: int, error: int = errno.ENOSPC) -> None:
        self.left = operations
        self._error = error

    def _use(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(self._error, "no room")

    def open_new(self, path):
        self._use()
        return super().open_new(path)

    def write(self, fd, data):
        self._use()
        return super().write(fd, data)

    def sync(self, fd):
        self._use()

    def link(self, source, target):
        self._use()
        super().link(source, target)

    def sync_folder(self, path):
        """Without room for names there would have been none for the file."""


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "error, step",
    [(errno.ENOSPC, 3), (errno.EDQUOT, 9), pytest.param(errno.ENOSPC, 1, marks=pytest.mark.slow)],
    ids=["full", "quota", "full-each"],
)
async def test_whichever_write_is_the_first_without_room(tmp_path, error, step):
    for operations in range(0, 200, step):
        world = await asyncio.to_thread(FolderWorld, tmp_path / str(operations))
        disk = FullDisk(operations, error)
        end = await world.live(disk=disk)
        assert end is not None
        full = disk.left < 0
        assert (end.stop is not None) == full
        if end.stop is not None:
            assert end.stop.kind is FaultKind.DISK_FULL
            assert "no room" in end.stop.message
            reached = [o.slot.id for o in world.watcher.ended] + [slot.id for slot, _ in world.watcher.left]
            assert len(set(reached)) == len(reached)
            end = await world.live()
            assert end is not None
        assert end.stop is None
        await asyncio.to_thread(world.check, lost_at_most=world.policy.concurrency if full else 0)
        if not full:
            assert operations > 30
            return
    pytest.fail("it never came to its end")


async def test_a_disk_that_is_still_full_is_told_again_and_nothing_is_bought(tmp_path):
    world = await asyncio.to_thread(FolderWorld, tmp_path / "run")
    await world.live(disk=FullDisk(12))
    calls = world.sim.books.stats()["requests"]
    for _ in range(3):
        end = await world.live(disk=FullDisk(0))
        assert end is not None
        assert end.stop is not None
        assert end.stop.kind is FaultKind.DISK_FULL
    bought = world.sim.books.stats()["requests"] - calls
    assert bought <= 3 * world.policy.concurrency
    assert (await world.live()) is not None
    await asyncio.to_thread(world.check, lost_at_most=4 * world.policy.concurrency)


# --- the books have no room -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", range(1, 11))
def test_whichever_entry_of_the_ledger_is_the_first_without_room(entry):
    """The n-th entry and all after it are refused: receipts, intents, marks, and what a recovery notes."""
    world = World(layout(4, lives=(Life(),)))
    left = entry

    def full(moment: str) -> None:
        nonlocal left
        left -= moment == "before"
        if left <= 0:
            raise OutOfSpace(errno.ENOSPC, "no room left for the ledger")

    async def main():
        world.ledger._on_commit = full
        first = await world.live(Life())
        assert first is not None
        is_done = len(world.ledger._outcomes) == 4
        assert (first.stop is None) == is_done == (entry > 8), "four intents and four receipts; then only the mark"
        if first.stop is not None:
            assert first.stop.kind is FaultKind.DISK_FULL
            calls = world.sim.books.stats()["requests"]
            again = await world.live(Life())
            assert again is not None
            assert again.stop is not None
            assert again.stop.kind is FaultKind.DISK_FULL
            assert world.sim.books.stats()["requests"] == calls, "nothing is bought that cannot be written down"
        world.ledger._on_commit = world._tick
        await world.play()

    run_virtual(main())
    assert len(world.ledger._outcomes) == 4


# --- a real file system without room ----------------------------------------------------------------------------------

SMALL = "1500k"
LARGE = "60m"
SCRIPT = """
set -u
mount -t tmpfs -o size={small} tmpfs "$1" || exit 77
folder=$1/run; shift
"$@" generate "a kite" -n 60 -o "$folder" --via sim; echo "first: $?"
"$@" resume "$folder"; echo "still full: $?"
mount -o remount,size={large} "${{folder%/run}}"
"$@" resume "$folder"; echo "with room: $?"
cp -a "$folder" "${{folder%/mount/run}}/kept"
"""


def can_mount() -> bool:
    """Whether this system lets us have a small file system of our own."""
    if sys.platform != "linux" or not shutil.which("unshare"):
        return False
    command = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
    return subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0


@pytest.mark.timeout(120)
@pytest.mark.skipif(not can_mount(), reason="needs a mount namespace")
def test_the_command_line_on_a_file_system_that_is_full(tmp_path):
    """Pictures, ledger and all else meet the full disk, each in its own way; the command says so and no more."""
    (tmp_path / "mount").mkdir()
    script = tmp_path / "script.sh"
    script.write_text(SCRIPT.format(small=SMALL, large=LARGE), "utf-8")
    simulator = Simulator("fast")
    try:
        program = begin(simulator, prefix=("unshare", "-rm", "sh", str(script), str(tmp_path / "mount")))
        out, said = program.communicate(timeout=100)
        assert "Traceback" not in said
        assert "no room left" in said
        assert "make room" in said
        codes = dict(line.split(": ") for line in out.splitlines() if ": " in line)
        assert (codes["first"] in {"1", "3"}, codes["with room"]) == (True, "0"), said
        assert codes["still full"] != "0"
        left = look(tmp_path / "kept", 60)
        assert simulator.stats["pictures"] == left.delivered + left.unknown
    finally:
        simulator.close()
