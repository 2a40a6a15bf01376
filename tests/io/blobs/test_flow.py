"""Pieces of files: at once when they are at hand, else from a thread, and never more than a share of each."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from cavendish.io.blobs import flow
from cavendish.io.blobs.flow import LEAST_BYTES, PIECE_LEAST, PIECE_MOST, Readers, flowing, joined

DATA = os.urandom(3 * PIECE_MOST + 17)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "picture"
    path.write_bytes(DATA)
    return path


def reading(path, readers=None):
    """Its pieces."""
    with path.open("rb", buffering=0) as file:
        yield from (readers or Readers()).read(file)


async def all_of(pieces):
    return [piece async for piece in flowing(pieces)]


def test_a_thread_reads_without_empty_pieces(path):
    pieces = list(reading(path))
    assert b"".join(pieces) == DATA
    assert b"" not in pieces
    assert {len(piece) % 3 for piece in pieces[:-1]} == {0}


async def test_what_is_at_hand_needs_no_thread(path, monkeypatch):
    monkeypatch.setattr(flow, "_at_hand", lambda _file, buffer, at: DATA[at : at + len(buffer)])
    threads = []
    with path.open("rb", buffering=0) as file:
        pieces = [piece async for piece in flowing(_noted(Readers().read(file), threads))]
    assert b"".join(pieces) == DATA
    assert threads == [True] * 4


def _noted(pieces, threads):
    for piece in pieces:
        threads.append(threading.current_thread() is threading.main_thread())
        yield piece


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EOPNOTSUPP])
async def test_what_is_not_at_hand_is_read_in_a_thread(path, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "preadv", refuse, raising=False)
    threads = []
    opened = await asyncio.to_thread(path.open, "rb", buffering=0)
    pieces = [piece async for piece in flowing(_noted(Readers().read(opened), threads))]
    opened.close()
    assert b"".join(pieces) == DATA
    assert threads.count(False) == 4


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this system cannot tell what is at hand")
async def test_other_errors_are_told(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, "gone")

    monkeypatch.setattr(os, "preadv", refuse)
    opened = await asyncio.to_thread(path.open, "rb", buffering=0)
    with pytest.raises(OSError, match="gone"):
        await all_of(Readers().read(opened))
    opened.close()


def test_the_more_read_the_less_each_takes(path, monkeypatch):
    monkeypatch.setattr(flow, "READ_BYTES", 2 * PIECE_MOST)
    readers = Readers()
    at_work = [reading(path, readers) for _ in range(100)]
    sizes = [len(next(one)) for one in at_work]
    assert sizes[0] == sizes[1] == PIECE_MOST
    assert sizes[-1] == PIECE_LEAST
    assert sizes == sorted(sizes, reverse=True)
    for one in at_work:
        one.close()
    assert len(next(reading(path, readers))) == PIECE_MOST


def test_small_pieces_are_put_together_and_large_ones_go_as_they_are():
    large = bytes(LEAST_BYTES)
    pieces = [b"ab", b"", b"c", large, large, b"d"]
    got = list(joined(pieces))
    assert got == [b"", b"abc" + large, large, b"d"]
    assert got[2] is large
