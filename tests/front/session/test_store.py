"""The folder of a session: nothing half written, nothing outside of it, one writer at a time."""

import json

import pytest

from cavendish import FolderError, RequestError
from cavendish.front.session.store import SessionStore, begin, stores_in
from cavendish.model.request import Image
from tests.front.session.records import answered, asked, file_in


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path):
    return begin(tmp_path / "kite", {"model": "nano-banana-2"})


def names(store):
    return sorted(path.name for path in store.turns.iterdir())


def change(store, turn, **members):
    """What a turn's file says, changed by hand."""
    path = store.turns / f"{turn:04d}.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **members}), encoding="utf-8")


def test_a_turn_is_read_back_as_it_was_kept(store, source):
    reference = Image(blob=file_in(source, "look.png", b"look", "image/png"), media_type="image/png")
    record = answered(source, 1).having(request=asked(1, references=(reference,)).request, cost_nusd=5, simulated=True)
    kept = store.write(record)
    assert store.load().records == {1: kept}
    assert kept == record
    assert names(store) == [
        "0001-a-kite.jpg",
        "0001.draft-1.jpg",
        "0001.json",
        "0001.reference-1.png",
        "0001.signature-1.bin",
    ]
    assert (store.turns / "0001.signature-1.bin").read_bytes() == b"large 1"


def test_no_words_of_a_user_take_the_name_of_another_file(store, source):
    store.write(answered(source, 1, words="draft 1"))
    store.write(answered(source, 2, words="../../etc/passwd \0 signature-1"))
    store.write(answered(source, 3, words="\u51e7"))
    assert len(names(store)) == 3 * 4
    assert all(path.parent == store.turns for path in store.root.rglob("*.jpg"))


def test_a_turn_that_is_written_again_takes_the_place_of_the_first(store, source):
    store.write(asked(1))
    before = (store.turns / "0001.json").read_bytes()
    record = answered(source, 1)
    gone = source / "1.jpg"
    data = gone.read_bytes()
    gone.unlink()
    with pytest.raises(FileNotFoundError):
        store.write(record)
    assert (store.turns / "0001.json").read_bytes() == before
    gone.write_bytes(data)
    assert store.write(record).answered is not None
    assert not [name for name in names(store) if name.endswith(".tmp")]


def test_a_picture_that_changes_while_it_is_read_is_no_part_of_a_turn(store, source):
    record = answered(source, 1)
    (source / "1.jpg").write_bytes(b"another")
    with pytest.raises(RequestError, match="was changed while it was read"):
        store.write(record)
    assert not store.load().records


@pytest.mark.parametrize("torn", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": 1}', b'{"format": 2}'])
def test_a_torn_turn_breaks_no_session(store, source, torn):
    for number, parent in ((1, None), (2, 1), (3, 2), (4, 1)):
        store.write(answered(source, number, parent))
    (store.turns / "0002.json").write_bytes(torn)
    tree = store.load()
    assert list(tree.records) == [1, 4]
    assert list(tree.problems) == [2, 3]
    assert "turn 2, which it follows, cannot be read" in tree.problems[3]
    assert (tree.to_follow(None), tree.last) == (4, 4)
    with pytest.raises(RequestError, match="turn 2 cannot be read"):
        tree.to_follow(2)


@pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/passwd", "a/b.jpg", "", ".", "..", "a\\b", "c:x", 7, None])
def test_no_record_leads_out_of_the_folder(store, source, name):
    store.write(answered(source, 1))
    reply = json.loads((store.turns / "0001.json").read_bytes())["reply"]
    reply["parts"][3]["blob"]["ref"] = name
    change(store, 1, reply=reply)
    tree = store.load()
    assert (dict(tree.records), list(tree.problems)) == ({}, [1])


def test_a_link_is_no_file_of_a_session(store, source):
    kept = store.write(answered(source, 1))
    picture = store.turns / "0001-a-kite.jpg"
    picture.unlink()
    picture.symlink_to(source / "1.jpg")
    with pytest.raises(FolderError, match="gone or was changed"):
        store.placed(kept)


@pytest.mark.parametrize(
    "members",
    [{"number": 5}, {"parent": 1}, {"parent": 9}, {"parent": "x"}, {"request": {}}, {"reply": {"type": "blob"}}],
)
def test_a_record_that_fits_nothing_is_told_of(store, source, members):
    store.write(answered(source, 1))
    change(store, 1, **members)
    assert list(store.load().problems) == [1]


def test_unknown_members_of_a_record_change_nothing(store, source):
    kept = store.write(answered(source, 1))
    change(store, 1, mood="sunny")
    assert store.load().records == {1: kept}


def test_one_writes_at_a_time(store):
    with store.hold(), pytest.raises(FolderError, match="another process works on"), SessionStore(store.root).hold():
        pass
    with store.hold():
        pass


def test_a_session_is_begun_once_and_in_an_empty_folder(store, tmp_path):
    with pytest.raises(FolderError, match="already"):
        begin(store.root, {})
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x.txt").touch()
    with pytest.raises(FolderError, match="not empty"):
        begin(tmp_path / "full", {})
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(FolderError):
            begin(path, {})


def test_what_is_no_session_is_told(tmp_path):
    nothing = SessionStore(tmp_path / "nothing")
    with pytest.raises(FolderError, match="there is no session"):
        nothing.card()
    with pytest.raises(FolderError, match="there is no session"), nothing.hold():
        pass


@pytest.mark.parametrize("card, words", [(b"{", "is broken"), (b'{"format": 1}', "is broken")])
def test_a_broken_card_is_told(store, card, words):
    (store.root / "session.json").write_bytes(card)
    with pytest.raises(FolderError, match=words):
        store.card()


def test_a_newer_session_is_left_alone(store):
    path = store.root / "session.json"
    path.write_text(path.read_text("utf-8").replace('"format": 1', '"format": 2'), encoding="utf-8")
    with pytest.raises(FolderError, match="newer version"):
        store.card()


def test_a_fork_holds_the_turns_that_lead_to_one_and_their_files(store, source, tmp_path):
    for number, parent in ((1, None), (2, 1), (3, 1), (4, 3)):
        store.write(answered(source, number, parent))
    new = store.fork(4, tmp_path / "new")
    assert list(new.load().records) == [1, 3, 4]
    assert new.load().records == {n: r for n, r in store.load().records.items() if n != 2}
    assert (new.card().origin, new.card().defaults) == ("turn 4 of kite", {"model": "nano-banana-2"})
    assert all(new.placed(record) for record in new.load().records.values())
    with pytest.raises(RequestError, match="nothing is before"):
        store.fork(0, tmp_path / "other")
    assert [one.root.name for one in stores_in(tmp_path)] == ["kite", "new"]
