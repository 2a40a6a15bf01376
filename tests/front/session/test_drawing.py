"""What people are shown of a session."""

from cavendish.front.session.drawing import lines_of, turn_lines
from cavendish.front.session.store import SessionCard, SessionStore
from cavendish.front.session.tree import Tree
from cavendish.front.session.turn import SessionTurn
from cavendish.model.call import Done, GroundingNote, Source
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Notice
from tests.front.session.records import ROUTE, answered, asked


def kept_turn(folder):
    """A turn with all that a turn may have; its files are named as they are kept."""
    record = answered(folder, 1, cost_nusd=50_000_000, cost_known=False, attempts=2)
    assert isinstance(record.reply, Done)
    note = GroundingNote(("kites",), ("kite photo",), (Source("https://x.example/kite", "Kites"),))
    reply = Done(record.reply.parts, (3,), grounding=note)
    return SessionStore(folder / "s"), record.having(reply=reply, notices=(Notice("x", "it was left out"),))


def test_a_turn_is_told_with_its_thoughts_sources_and_notes(tmp_path):
    store, record = kept_turn(tmp_path)
    store.turns.mkdir(parents=True)
    lines = list(turn_lines(SessionTurn.of(store, store.write(record))))
    for line in (
        "you: a kite",
        "thought: Planning.",
        "it said: Here:",
        "it said: Do you like it?",
        f"picture: {store.turns / '0001-a-kite.jpg'} (8x8)",
        "by google/gemini-3.1-flash-image, 2 attempts, at least $0.0500",
        "searched: kites",
        "searched: kite photo",
        "source: Kites https://x.example/kite",
        "note: it was left out",
    ):
        assert line in lines


def test_turns_without_a_picture_say_so(tmp_path):
    store = SessionStore(tmp_path)
    refused = Fault(FaultKind.TEXT_ONLY, "it talked", text="Which kite?")
    failed = asked(1).having(reply=refused, route=ROUTE, attempts=1)
    assert "no picture: text_only: it talked" in turn_lines(SessionTurn.of(store, failed))
    assert "it said: Which kite?" in turn_lines(SessionTurn.of(store, failed))
    open_ = asked(2, words="a very long wish " * 9)
    assert list(turn_lines(SessionTurn.of(store, open_)))[-1].startswith("no answer yet")
    tree = Tree({1: failed, 2: open_}, {3: "torn"}, 3)
    lines = list(lines_of(store, SessionCard("s", 0.0, {"via": ["google"]}, "turn 1 of x"), tree))
    assert "fork of turn 1 of x" in lines
    assert "via: google" in lines
    assert "turn 3 cannot be read: torn" in lines
    assert any('said "Which kite?"' in line for line in lines)
    assert max(map(len, lines[3:])) < 120
    assert not any("simulated" in line for line in lines)
