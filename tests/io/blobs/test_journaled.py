"""Small replies are in a journal first: what a crash or a power cut takes of their files comes back from there."""

from pathlib import Path

import pytest

from cavendish.io.blobs import journaled
from cavendish.io.blobs.claim import REPLIES, TMP
from cavendish.io.blobs.journaled import SMALL_BYTES, JournaledBlobs, Placed
from tests.io.blobs.journal import MemoryJournal
from tests.io.blobs.test_contract import arrive, done, picture, read, slot


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


def opened(root: Path, journal: MemoryJournal) -> JournaledBlobs:
    return JournaledBlobs(root, journal, ballast_bytes=0)


def inner_files(root: Path) -> list[str]:
    return [path.name for folder in (TMP, REPLIES) for path in (root / folder).iterdir()]


def pictures(root: Path) -> list[str]:
    return [path.name for path in root.glob("*.png")]


async def recorded(store: JournaledBlobs, data: bytes, attempt_id: str = "a1"):
    blob = arrive(store, attempt_id, data)
    await store.record(attempt_id, done(blob))
    return blob


async def test_a_small_reply_is_one_file_and_one_entry(tmp_path: Path, journal: MemoryJournal) -> None:
    async with opened(tmp_path, journal) as store:
        blob = await recorded(store, picture())
        assert inner_files(tmp_path) == []
        assert list(journal.arrivals) == ["a1"]
        assert await store.dimensions(blob) == (8, 6)
        placed = await store.place(blob, slot())
        await store.forget("a1")
        assert (tmp_path / placed.ref).read_bytes() == picture() == read(store, placed)
        assert list(journal.arrivals) == ["a1"]
    assert journal.arrivals == {}
    assert (tmp_path / placed.ref).read_bytes() == picture()


async def test_a_large_reply_goes_into_files(tmp_path: Path, journal: MemoryJournal) -> None:
    async with opened(tmp_path, journal) as store:
        blob = await recorded(store, picture() + bytes(SMALL_BYTES))
        assert journal.arrivals == {}
        assert len(inner_files(tmp_path)) == 2
        await store.place(blob, slot())


async def test_many_files_are_made_to_last_together(
    tmp_path: Path, journal: MemoryJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journaled, "ONE_BY_ONE", 2)
    async with opened(tmp_path, journal) as store:
        for number in range(5):
            blob = await recorded(store, picture(size=(number + 1, 1)), f"a{number}")
            await store.place(blob, slot(row=number))
            await store.forget(f"a{number}")
    assert journal.arrivals == {}
    assert len(pictures(tmp_path)) == 5


async def test_what_a_power_cut_took_is_mended(tmp_path: Path, journal: MemoryJournal) -> None:
    async with opened(tmp_path, journal) as store:
        blobs = [await recorded(store, picture(size=(size, 1)), f"a{size}") for size in (1, 2, 3)]
        placed = [await store.place(blob, slot(row=row)) for row, blob in enumerate(blobs)]
        for size in (1, 2, 3):
            await store.forget(f"a{size}")
    (tmp_path / placed[0].ref).unlink()
    (tmp_path / placed[1].ref).write_bytes(b"")
    journal.placed = [
        Placed(f"a{size}", [(blob, picture(size=(size, 1)))]) for size, blob in zip((1, 2, 3), placed, strict=True)
    ]
    async with opened(tmp_path, journal) as store:
        assert await store.recorded() == {}
        for size, blob in zip((1, 2, 3), placed, strict=True):
            assert read(store, blob) == picture(size=(size, 1))


async def test_what_was_not_settled_is_adopted(tmp_path: Path, journal: MemoryJournal) -> None:
    async with opened(tmp_path, journal) as dead:
        await recorded(dead, picture())
    async with JournaledBlobs(tmp_path, journal, ballast_bytes=0) as heir:
        found = await heir.adopt(["a1", "a2"])
        assert list(found) == ["a1"]
        assert journal.arrivals == {}
    async with JournaledBlobs(tmp_path, journal, ballast_bytes=0) as again:
        (reply,) = (await again.recorded()).values()
        placed = await again.place(reply.pictures[0].blob, slot())
        await again.forget("a1")
        assert read(again, placed) == picture()
        assert inner_files(tmp_path) == []


async def test_what_had_its_name_already_keeps_it_when_it_is_adopted(tmp_path: Path, journal: MemoryJournal) -> None:
    async with opened(tmp_path, journal) as dead:
        before = await dead.place(await recorded(dead, picture()), slot())
    async with opened(tmp_path, journal) as heir:
        (reply,) = (await heir.adopt(["a1"])).values()
        assert (await heir.place(reply.pictures[0].blob, slot())).ref == before.ref
        await heir.forget("a1")
        assert len(pictures(tmp_path)) == 1


async def test_a_journal_that_takes_nothing_is_done_without(tmp_path: Path, journal: MemoryJournal) -> None:
    journal.broken = True
    async with opened(tmp_path, journal) as store:
        blob = await recorded(store, picture())
        assert len(inner_files(tmp_path)) == 2
        assert read(store, await store.place(blob, slot())) == picture()


async def test_a_journal_that_is_away_for_a_while_lets_go_later(tmp_path: Path, journal: MemoryJournal) -> None:
    async with opened(tmp_path, journal) as store:
        for number in range(2):
            blob = await recorded(store, picture(), f"a{number}")
            await store.place(blob, slot(row=number))
            await store.forget(f"a{number}")
            journal.broken = True
            await store._sync()
            journal.broken = False
        assert list(journal.arrivals) == ["a0", "a1"]
        await store._sync()
        assert journal.arrivals == {}


async def test_extras_are_kept_as_files(tmp_path: Path, journal: MemoryJournal) -> None:
    async with opened(tmp_path, journal) as store:
        first, second = arrive(store, "a1", picture("red")), arrive(store, "a1", picture("blue"))
        await store.record("a1", done(first, second))
        (kept,) = await store.keep("a1", [first])
        placed = await store.place(second, slot())
        await store.forget("a1")
        assert (read(store, kept), read(store, placed)) == (picture("red"), picture("blue"))
        assert inner_files(tmp_path) == []


async def test_nothing_is_kept_in_memory_for_good(
    tmp_path: Path, journal: MemoryJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journaled, "FRESH_BYTES", 3 * len(picture()))
    async with opened(tmp_path, journal) as store:
        at_rest = sizes(store)
        for number in range(40):
            blob = await recorded(store, picture(), f"a{number}")
            await store.place(blob, slot(row=number))
            await store.forget(f"a{number}")
        assert len(store._fresh) == 3
        await store._sync()
        assert sizes(store) == at_rest


def sizes(store: JournaledBlobs) -> dict[str, int]:
    """How much each of a store's collections holds."""
    backlog = store._means.backlog
    held = {**vars(store), "backlog": backlog._parts, "waiting": range(backlog._waiting)}
    return {
        name: len(value) for name, value in held.items() if hasattr(value, "__len__") and not isinstance(value, str)
    }


async def test_nor_of_replies_that_go_into_files(tmp_path: Path, journal: MemoryJournal) -> None:
    journal.broken = True
    async with opened(tmp_path, journal) as store:
        at_rest = sizes(store)
        for number in range(20):
            blob = await recorded(store, picture(), f"a{number}")
            await store.place(blob, slot(row=number))
            await store.forget(f"a{number}")
        assert sizes(store) == at_rest
