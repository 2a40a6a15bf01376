"""What is kept of conversations: signed answers and responses, of one caller each, and not for ever."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from cavendish.io.clock import SystemClock
from cavendish.io.desk.books import DeskBooks, JobEntry, put_outcome
from cavendish.io.desk.responses import ResponseBook, ResponseEntry
from cavendish.io.desk.schema import MIGRATIONS
from cavendish.io.desk.signed import Signed
from cavendish.io.state.database import open_database
from cavendish.model.blob import Blob
from cavendish.model.request import ImageRequest, Text
from cavendish.model.result import Picture, Route, Slot
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

LARGE = Blob("a" * 64, 2_000_000, "application/octet-stream", "extras/large")
REQUEST = ImageRequest.of("a red kite", "nano-banana-2")


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def books(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DeskBooks]:
    address = tmp_path if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    books = DeskBooks(await open_database(address, "desk", MIGRATIONS, SystemClock()), "main")
    yield books
    await books.close()


def picture(job: str, sha256: str, **fields: object) -> Picture:
    slot = Slot(f"{job}.0", job, 0, 0, REQUEST)
    blob = Blob(sha256, 10, "image/png", "a.png")
    return replace(Picture(slot, blob, 1, 1, Route("google", "m", "m"), 1, 0), **fields)


async def ended(books: DeskBooks, caller: str, outcome: Picture) -> None:
    job = outcome.slot.key
    await books.begin(JobEntry(job, "main", caller, "openai_chat", "form", REQUEST, 1.0))
    await books.write(put_outcome(job, outcome))


async def test_a_signed_answer_is_found_by_its_picture_by_who_asked_for_it(books: DeskBooks) -> None:
    signed = picture("one", "1" * 64, signature="s1", extras=(Text("plan", True, LARGE), Text("Here", False, "w")))
    by_words = picture("two", "2" * 64, extras=(Text("Here", False, "w"),))
    unsigned = picture("three", "3" * 64, extras=(Text("Here"),))
    for outcome in (signed, by_words, unsigned):
        await ended(books, "alice", outcome)
    found = await Signed(books).find("alice", ["1" * 64, "2" * 64, "3" * 64, "4" * 64])
    assert set(found) == {"1" * 64, "2" * 64}
    assert (found["1" * 64].signature, found["1" * 64].extras) == ("s1", signed.extras)
    assert await Signed(books).find("bob", ["1" * 64]) == {}
    assert await Signed(books).find("alice", []) == {}


async def test_what_was_asked_is_not_kept_with_it(books: DeskBooks) -> None:
    await ended(books, "alice", picture("one", "1" * 64, signature="s1"))
    rows = await books.read(lambda link: link.run("SELECT entry FROM signed"))
    assert "red kite" not in rows[0][0]


async def test_the_same_picture_drawn_again_has_the_later_signature(books: DeskBooks) -> None:
    await ended(books, "alice", picture("one", "1" * 64, signature="s1"))
    await ended(books, "alice", picture("two", "1" * 64, signature="s2"))
    assert (await Signed(books).find("alice", ["1" * 64]))["1" * 64].signature == "s2"


async def test_what_is_old_is_forgotten_with_its_files(books: DeskBooks) -> None:
    await ended(books, "alice", picture("one", "1" * 64, signature=LARGE))
    signed = Signed(books)
    assert await signed.forget_old() == ()
    assert await signed.find("alice", ["1" * 64])
    assert await signed.forget_old(-60.0) == (), "its job is kept"
    await books.write(lambda link: link.run("DELETE FROM outcomes") and None)
    assert await signed.forget_old(-60.0) == (LARGE,)
    assert await signed.find("alice", ["1" * 64]) == {}
    assert await signed.forget_old(-60.0) == ()


async def test_responses_are_their_caller_s_and_end(books: DeskBooks) -> None:
    book = ResponseBook(books)
    kept = ResponseEntry("resp_one", "alice", "one", {"model": "m", "metadata": {}})
    await book.put(kept)
    await book.put(replace(kept, head={}))
    assert await book.find("alice", "resp_one") == kept
    assert await book.find("bob", "resp_one") is None
    await book.delete("bob", "resp_one")
    await book.forget_old()
    assert await book.find("alice", "resp_one") == kept
    await book.delete("alice", "resp_one")
    assert await book.find("alice", "resp_one") is None
    await book.put(kept)
    await book.forget_old(-60.0)
    assert await book.find("alice", "resp_one") is None
