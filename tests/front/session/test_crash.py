"""What was bought is never bought again: between the purchase and the turn's record, anything may happen."""

import asyncio
import threading

import pytest

from cavendish import InputError, RunStopped
from cavendish.front.session import talk
from cavendish.front.session.store import SessionStore
from cavendish.model.fault import FaultKind
from tests.front.conftest import in_flight

MODEL = "nano-banana-2"


class Killed(BaseException):
    """The process ends here."""


def _die(*_arguments):
    raise Killed


async def killed(client, folder, words, **said):
    with pytest.raises(Killed):
        await client.session(folder, model=MODEL, via="google").say(words, **said)


async def test_the_same_words_take_up_what_was_bought(client, wire, tmp_path, monkeypatch):
    folder = tmp_path / "kite"
    await client.session(folder, model=MODEL, via="google").say("a kite")
    with monkeypatch.context() as patch:
        patch.setattr(talk, "end", _die)
        await killed(client, folder, "make it night")
    bought = len(wire.requests)
    session = await client.session(folder).open()
    assert [turn.unfinished for turn in session.turns] == [False, True]
    turn = await session.say("make it night")
    assert (turn.number, turn.parent, turn.failure) == (2, 1, None)
    assert turn.path.read_bytes()
    assert len(wire.requests) == bought == 2


async def test_other_words_go_on_from_what_was_bought(client, wire, tmp_path, monkeypatch):
    folder = tmp_path / "kite"
    with monkeypatch.context() as patch:
        patch.setattr(talk, "end", _die)
        await killed(client, folder, "a kite")
    session = client.session(folder, via="google")
    turn = await session.say("make it night")
    assert (turn.number, turn.parent) == (2, 1)
    assert len(wire.requests) == 2
    assert not session.turns[0].unfinished
    assert wire.pictures() == [session.turns[0].value.picture.blob.sha256]


async def test_a_turn_that_was_written_down_and_not_begun_is_begun(client, wire, tmp_path, monkeypatch):
    folder = tmp_path / "kite"
    with monkeypatch.context() as patch:
        patch.setattr(talk, "Job", _die)
        patch.setattr(talk, "end", _die)
        await killed(client, folder, "a kite", references=[])
    assert (await client.session(folder).open()).turns[0].unfinished
    turn = await client.session(folder, via="google").say("a kite")
    assert (turn.number, len(wire.requests)) == (1, 1)


async def test_a_crash_while_the_record_is_written_leaves_the_turn_open(client, wire, tmp_path, monkeypatch):
    folder = tmp_path / "kite"
    write, calls = SessionStore.write, []

    def once(self, record, source=None):
        calls.append(record)
        if len(calls) == 2:
            raise Killed
        return write(self, record, source)

    with monkeypatch.context() as patch:
        patch.setattr(SessionStore, "write", once)
        await killed(client, folder, "a kite")
    turn = await client.session(folder, via="google").say("a kite")
    assert (turn.failure, len(wire.requests)) == (None, 1)


async def test_a_turn_that_a_budget_stopped_goes_on_with_the_same_words(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    with pytest.raises(RunStopped, match="no answer") as caught:
        await session.say("a kite", max_cost="0.001")
    assert caught.value.fault.kind is FaultKind.BUDGET
    assert session.turns[0].unfinished
    turn = await session.say("a kite")
    assert (turn.number, turn.failure, len(wire.requests)) == (1, None, 1)


async def test_a_turn_that_was_begun_otherwise_is_left_open_and_another_begun(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    await session.say("a kite")
    with pytest.raises(RunStopped):
        await session.say("make it night", max_cost="0.001")
    chat = await session.say("make it night", via="apiyi-chat")
    assert (chat.number, chat.parent, len(wire.requests)) == (3, 1, 2)
    assert [turn.unfinished for turn in session.turns] == [False, True, False]
    first = await session.say("make it night", turn=1)
    assert (first.number, first.parent, first.value.route.endpoint) == (2, 1, "google")


async def test_words_that_were_refused_before_the_crash_are_not_bought_again(client, wire, tmp_path, monkeypatch):
    folder = tmp_path / "kite"
    with monkeypatch.context() as patch:
        patch.setattr(talk, "end", _die)
        await killed(client, folder, "somebody [sim:prohibited]")
    turn = await client.session(folder, via="google").say("somebody [sim:prohibited]")
    assert turn.failure.kind is FaultKind.PROHIBITED
    assert len(wire.requests) == 1


async def test_a_cancelled_turn_lets_go_of_the_session(client, server, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    saying_it = asyncio.ensure_future(session.say("a kite [sim:latency=60]"))
    await in_flight(server, 1)
    saying_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saying_it
    await client.idle()
    assert session.turns[0].unfinished
    other = await session.say("a fox")
    assert (other.number, other.parent) == (2, None)


async def test_what_is_cancelled_before_it_was_begun_leaves_nothing(client, wire, tmp_path, monkeypatch):
    session = await client.session(tmp_path / "kite", model=MODEL, via="google").open()
    reached, go_on, prepare = threading.Event(), threading.Event(), talk.prepare

    def slow(*arguments):
        reached.set()
        assert go_on.wait(30)
        return prepare(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(talk, "prepare", slow)
        saying_it = asyncio.ensure_future(session.say("a kite"))
        assert await asyncio.to_thread(reached.wait, 30)
        saying_it.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await saying_it
        await client.idle()
    assert not list((tmp_path / "kite/turns").iterdir())
    assert (await session.say("a fox")).number == 1
    assert len(wire.requests) == 1


async def test_what_is_stopped_before_it_was_begun_buys_nothing(client, wire, tmp_path, monkeypatch):
    session = await client.session(tmp_path / "kite", model=MODEL, via="google").open()
    prepare = talk.prepare

    def stopping(*arguments):
        client.stop()
        return prepare(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(talk, "prepare", stopping)
        with pytest.raises(RunStopped, match="interrupted"):
            await session.say("a kite")
    assert not wire.requests
    assert (await session.say("a kite")).number == 1


async def test_closing_the_client_ends_a_turn(client, server, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    saying_it = asyncio.ensure_future(session.say("a kite [sim:latency=1]"))
    await in_flight(server, 1)
    client.stop()
    assert (await saying_it).failure is None


async def test_what_was_never_begun_leaves_nothing_behind(client, tmp_path, monkeypatch):
    folder = tmp_path / "kite"
    session = await client.session(folder, model=MODEL, via="google").open()

    class Broken:
        def __init__(self, *_parts):
            raise InputError("no")

    monkeypatch.setattr(talk, "Job", Broken)
    with pytest.raises(InputError, match="no"):
        await session.say("a kite", references=[])
    assert session.turns == ()
    assert not list((folder / "turns").iterdir())
