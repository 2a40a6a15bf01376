"""Conversations from Python: three turns deep, forked, and gone on with elsewhere."""

import asyncio
import json

import pytest

from cavendish import AsyncClient, Client, FolderError, RequestError
from cavendish.model.fault import FaultKind
from cavendish.model.request import Role, Text
from tests.front.session.conftest import keys_for

MODEL = "nano-banana-2"


def codes(turn):
    return {notice.code for notice in turn.notices}


def signatures_in(turn):
    """What its record on disk says, of large ones the hash of their bytes."""
    record = json.loads((turn.path.parent / f"{turn.number:04d}.json").read_text(encoding="utf-8"))
    found = [part.get("signature") for part in record["reply"]["parts"]]
    return [one if isinstance(one, str) else one["sha256"] for one in found if one is not None]


def said(part):
    """A part as both sides know it."""
    what = part.text if isinstance(part, Text) else part.blob
    return what, part.thought, part.signature


async def test_three_turns_deep_every_signature_goes_back_byte_for_byte(client, wire, tmp_path):
    async with client.session(tmp_path / "kite", model=MODEL, via="google") as session:
        first = await session.say("a kite", modalities=["TEXT", "IMAGE"])
        second = await session.say("make it night [sim:big_signature]")
        third = await session.say("add a moon")
    sent = [signatures_in(first), signatures_in(second)]
    assert all(sent)
    assert wire.signatures() == [*sent[0], *sent[1]]
    assert wire.pictures(Role.MODEL) == [first.value.picture.blob.sha256, second.value.picture.blob.sha256]
    assert [turn.role for turn in wire.last.turns] == [Role.USER, Role.MODEL, Role.USER, Role.MODEL, Role.USER]
    assert (tmp_path / "kite/turns/0002.signature-1.bin").stat().st_size > 1_000_000
    assert [turn.parent for turn in (first, second, third)] == [None, 1, 2]
    assert not third.notices


async def test_the_parts_of_an_answer_go_back_in_their_order(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    first = await session.say("a kite [sim:drafts,pictures=3]", include_thoughts=True)
    await session.say("make it night")
    kept, told = first.value.reply.parts, wire.last.turns[1].parts
    assert [said(part) for part in told] == [said(part) for part in kept]
    assert len(kept) == 3
    assert first.value.reply.finals == (2,)


async def test_thoughts_go_back_where_they_were(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    first = await session.say("a kite [sim:thoughts]", include_thoughts=True)
    await session.say("make it night")
    kept, told = first.value.reply.parts, wire.last.turns[1].parts
    assert [said(part) for part in told] == [said(part) for part in kept]
    assert [part.thought for part in kept].count(True) >= 2


async def test_a_turn_can_be_gone_on_from_at_any_time(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    first = await session.say("a kite")
    await session.say("make it night")
    again = AsyncClient(settings=client._settings)
    async with again, again.session(tmp_path / "kite") as reopened:
        branch = await reopened.say("make it noon", turn=1)
        anew = await reopened.say("a fox", turn=0)
        assert [turn.prompt for turn in reopened.turns] == ["a kite", "make it night", "make it noon", "a fox"]
    assert (branch.number, branch.parent, branch.model) == (3, 1, MODEL)
    assert (anew.parent, len(wire.last.turns)) == (None, 1)
    assert wire.requests[2].turns[1].parts[-1].blob == first.value.picture.blob


async def test_a_fork_goes_on_by_itself(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    first = await session.say("a kite", references=[])
    await session.say("make it night")
    fork = await session.fork(first)
    snow = await fork.say("add snow")
    assert fork.folder == tmp_path / "kite-1"
    assert wire.signatures() == signatures_in(first)
    assert [turn.prompt for turn in fork.turns] == ["a kite", "add snow"]
    assert (snow.number, snow.parent) == (2, 1)
    # Its own copy: what becomes of the other is no matter.
    first.path.write_bytes(b"")
    assert fork.turns[0].path.read_bytes()
    assert [turn.prompt for turn in (await session.open()).turns] == ["a kite", "make it night"]
    with pytest.raises(FolderError, match=r"0001-a-kite\.\w+ is gone or was changed"):
        await session.fork(2, tmp_path / "other")


async def test_it_goes_on_at_a_relay_that_speaks_the_same_format(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL)
    first = await session.say("a kite", via="google")
    second = await session.say("make it night", via="apiyi")
    assert (first.route, second.route) == (
        "google/gemini-3.1-flash-image",
        "apiyi/gemini-3.1-flash-image:per_request",
    )
    assert wire.signatures() == signatures_in(first)
    assert not {"signatures_left_out", "pictures_moved"} & codes(second)


async def test_a_model_is_asked_again_where_it_drew_the_turn_before(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model="nano-banana-pro")
    first = await session.say("a kite", via="apiyi")
    second = await session.say("make it night")
    other = await session.say("add a moon", model="gpt-image-2", via="openai")
    again = await session.say("add a star", model="gpt-image-2")
    assert [turn.value.route.endpoint for turn in (first, second, other, again)] == ["apiyi"] * 2 + ["openai"] * 2
    fork = await session.fork(first)
    assert (await fork.say("add snow")).value.route.endpoint == "apiyi"


async def test_it_goes_on_in_a_chat_without_signatures_and_thoughts_and_comes_back(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL)
    first = await session.say("a kite", via="google", include_thoughts=True)
    chat = await session.say("make it night", via="apiyi-chat")
    assert chat.route.startswith("apiyi-chat/")
    assert {"signatures_left_out", "asides_left_out"} <= codes(chat)
    assert not any(part.thought or part.signature for turn in wire.last.turns for part in turn.parts)
    assert wire.pictures() == [first.value.picture.blob.sha256]

    back = await session.say("add a moon", via="google")
    # Google's own turn is signed; the picture that came by the chat is no answer of Google's, and goes with the words.
    assert wire.signatures() == signatures_in(first)
    assert wire.pictures(Role.USER) == [chat.value.picture.blob.sha256]
    assert "pictures_moved" in codes(back)
    assert back.failure is None


async def test_another_model_is_shown_the_pictures_with_the_words_that_follow_them(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    first = await session.say("a kite")
    second = await session.say("make it night", model="nano-banana-pro")
    assert second.failure is None
    assert codes(second) == {"signatures_left_out", "pictures_moved"}
    assert wire.signatures() == []
    assert [turn.role for turn in wire.last.turns] == [Role.USER]
    assert wire.pictures() == [first.value.picture.blob.sha256]
    third = await session.say("add a moon")
    assert third.value.route.model == "gemini-3.1-flash-image"


async def test_a_model_that_knows_no_conversations_gets_the_latest_picture_and_the_words(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL)
    await session.say("a kite", via="google")
    latest = await session.say("make it night", via="google")
    other = await session.say("add a moon", model="gpt-image-2", via="openai")
    assert other.failure is None, other.failure
    assert "conversation_cut" in codes(other)
    assert (wire.last.prompt, wire.pictures()) == ("add a moon", [latest.value.picture.blob.sha256])
    assert len(wire.last.turns) == 1


async def test_what_a_turn_says_outlives_the_file_that_it_named(client, wire, tmp_path):
    look = tmp_path / "look.png"
    first = await client.session(tmp_path / "one", model=MODEL, via="google").say("a kite")
    look.write_bytes(first.path.read_bytes())
    session = client.session(tmp_path / "two", model=MODEL, via="google")
    await session.say("like this one", references=[look])
    look.unlink()
    await session.say("make it night")
    assert wire.pictures(Role.USER) == [first.value.picture.blob.sha256]


async def test_turns_may_be_references(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    first = await session.say("a kite")
    await session.say("a fox like this", references=[first], turn=0)
    assert wire.pictures() == [first.value.picture.blob.sha256]
    with pytest.raises(RequestError, match="no field is named output"):
        await session.say("a fox", output=tmp_path)


async def test_sources_are_kept_with_the_turn(client, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    turn = await session.say("a kite", grounding=["web"])
    (again,) = (await client.session(tmp_path / "kite").open()).turns
    assert again.grounding == turn.grounding
    assert again.to_json()["grounding"]["web_queries"] == ("a kite",)
    assert again.usage.searches == 1


async def test_a_refused_turn_is_kept_and_nothing_follows_it(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    await session.say("a kite")
    refused = await session.say("somebody famous [sim:prohibited]")
    assert (refused.path, refused.failure.kind) == (None, FaultKind.PROHIBITED)
    with pytest.raises(RequestError, match="turn 2 ended without a picture"):
        await session.say("again", turn=refused)
    after = await session.say("make it night")
    assert after.parent == 1
    with pytest.raises(ValueError, match="no picture"):
        _ = refused.bytes


async def test_what_cannot_be_is_said_before_anything_is_bought(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    await session.say("a kite")
    for fields, words in (
        ({"turn": 9}, "there is no turn 9"),
        ({"n": 2}, "one picture"),
        ({"model": "nano-banana-2,nano-banana-pro"}, "one model"),
        ({"size": "9K"}, "size"),
        ({"references": [tmp_path / "nothing.png"]}, "nothing.png"),
    ):
        with pytest.raises(RequestError, match=words):
            await session.say("make it night", **fields)
    assert len(wire.requests) == 1
    assert sorted(path.name for path in (tmp_path / "kite/turns").glob("*.json")) == ["0001.json"]
    with pytest.raises(RequestError, match="a session has no sice"):
        client.session(tmp_path / "other", sice="2K")


async def test_the_defaults_of_a_session_are_kept_with_it(client, wire, tmp_path):
    await client.session(tmp_path / "kite", model="nano-banana-pro", size="2K", via=["google"]).say("a kite")
    turn = await client.session(tmp_path / "kite").say("make it night")
    assert (turn.value.route.model, wire.last.size) == ("gemini-3-pro-image", "2K")
    assert (await client.session(tmp_path / "kite").say("smaller", size="1K")).value.request.size == "1K"


async def test_strict_refuses_what_does_not_carry_over(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    await session.say("a kite")
    with pytest.raises(RequestError, match="signatures of turn 1"):
        await session.say("make it night", model="nano-banana-pro", strict=True)
    assert len(wire.requests) == 1


async def test_simulated_turns_never_follow_real_ones(client, server, tmp_path):
    await client.session(tmp_path / "kite", model=MODEL, via="google").say("a kite")
    async with AsyncClient(via="sim", settings={"endpoints.sim.base_url": server.url}) as other:
        with pytest.raises(FolderError, match="holds real turns"):
            await other.session(tmp_path / "kite").say("make it night", via="sim")


async def test_two_at_once_take_turns_in_one_session_and_are_kept_apart_from_another(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    await session.say("a kite")
    both = await asyncio.gather(session.say("make it night", turn=1), session.say("make it noon", turn=1))
    assert [turn.number for turn in both] == [2, 3]
    other = await client.session(tmp_path / "kite").open()
    results = await asyncio.gather(session.say("a"), other.say("b"), return_exceptions=True)
    assert sum(isinstance(result, FolderError) for result in results) == 1
    assert "another process works on" in str(next(r for r in results if isinstance(r, FolderError)))


async def test_the_same_words_again_are_another_turn(client, wire, tmp_path):
    session = client.session(tmp_path / "kite", model=MODEL, via="google")
    first = await session.say("a kite", turn=0)
    other = await session.say("a kite", turn=0)
    assert (first.number, other.number, len(wire.requests)) == (1, 2, 2)


def test_without_asyncio(far_server, tmp_path):
    with Client(settings=keys_for(far_server.url)) as client, client.session(tmp_path / "kite", model=MODEL) as session:
        first = session.say("a kite", via="google")
        second = session.say("make it night", via="google")
        fork = session.fork(first)
        assert session.turns == (first, second)
        assert [turn.number for turn in fork.turns] == [1]
        assert (session.name, session.folder) == ("kite", tmp_path / "kite")
        assert first.image().size == first.value.size
        assert second.cost > 0


async def test_turns_before_it_is_open_are_an_error_that_says_so(client, tmp_path):
    with pytest.raises(RuntimeError, match="not open"):
        _ = client.session(tmp_path / "kite").turns


async def test_keys_stay_out_of_a_session(client, tmp_path):
    await client.session(tmp_path / "kite", model=MODEL, via="google").say("a kite")
    files = [path for path in (tmp_path / "kite").rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not any(b"key-of-a-test" in path.read_bytes() for path in files)
