import json
import math
import random
import sys

import pybase64
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cavendish.wire import spill
from cavendish.wire.message import Spilled
from cavendish.wire.spill import Limits, Spiller, SpillError, SpillTooLarge

from .memory import JPEG, PNG, Store, chunked, escaped, values

HOLD = spill.HOLD_CHARS
B64 = pybase64.b64encode(PNG).decode()
NOISE = random.Random(5).randbytes(HOLD * 3)


def read(chunks, store=None, *, threshold=64, hold=None, **more):
    """The value, and the store that its blobs are in."""
    store = store or Store()
    spiller = Spiller(store.new_blob, threshold=threshold, **more)
    if hold is not None:
        spiller._hold = hold
    for chunk in chunks:
        spiller.feed(chunk)
    return spiller.close(), store


def read_text(text, **more):
    return read([text.encode()], **more)


def spell(data, *, urlsafe=False, padded=True):
    words = (pybase64.urlsafe_b64encode if urlsafe else pybase64.b64encode)(data).decode()
    return words if padded else words.rstrip("=")


def agrees(value, wanted, store) -> bool:
    """The same JSON, numbers and their kinds included; what was set aside stands for the string there."""
    if isinstance(value, Spilled):
        return isinstance(wanted, str) and store.stands_for(value, wanted)
    if type(value) is not type(wanted):
        return False
    if isinstance(value, dict):
        return list(value) == list(wanted) and all(agrees(value[k], wanted[k], store) for k in value)
    if isinstance(value, list):
        return len(value) == len(wanted) and all(map(agrees, value, wanted, [store] * len(value)))
    if isinstance(value, float) and math.isnan(value):
        return math.isnan(wanted)
    return value == wanted


def loads(body):
    """What the standard library makes of it, and whether it refuses it."""
    try:
        return json.loads(body), False
    except (ValueError, RecursionError):
        return None, True


# --- laws -------------------------------------------------------------------------------------------------------------

cuts = st.one_of(st.lists(st.integers(0, 3000), max_size=12), st.just(range(3000)))


@given(values, st.integers(0, 2**32), st.sampled_from([0, 0.02, 0.5, 1]), cuts, st.sampled_from([48, 400, HOLD]))
@settings(max_examples=300)
def test_agrees_with_the_standard_library(value, seed, density, cuts, hold):
    body = escaped(value, random.Random(seed), density)
    wanted = json.loads(body)
    store = Store()
    try:
        found, _ = read(chunked(body, cuts), store, threshold=64 if hold > 48 else 8, hold=hold)
    except SpillTooLarge:  # URL-safe base64 that breaks off: the one thing that cannot be told exactly
        assert hold < HOLD
    else:
        assert agrees(found, wanted, store)
    assert "open" not in store.states()


@given(values, st.integers(0, 2**32), st.data())
@settings(max_examples=200)
def test_refuses_what_the_standard_library_refuses(value, seed, data):
    body = bytearray(escaped(value, random.Random(seed), 0.05))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from(
                [b"", b'"', b"\\", b"\0", b",", b"{", b"}", b"\xed\xa0\x80", b"\xff", b"\\u12", b"A", b"=", b" "]
            )
        )
    body = bytes(body)
    wanted, refused = loads(body)
    store = Store()
    try:
        found, _ = read(chunked(body, data.draw(cuts)), store)
    except SpillError:
        assert refused
    else:
        assert not refused
        assert agrees(found, wanted, store)
    assert "open" not in store.states()


@given(st.binary(max_size=40), cuts)
@example(b"", [])
@example(b"\xef\xbb\xbf{}", [1])
@example(b"\xef\xbb", [])
@example("[1]".encode("utf-16"), [2])
@example('{"data":"AAAA"}'.encode("utf-32-le"), [7])
@example(b"1\0", [1])
@example(b'"\\ud83d"', [])
@example(b'"\xed\xa0\xbd\xed\xb8\x80"', [5])
@example(b"[NaN,Infinity,-Infinity,1e999,-0.0,12345678901234567890123]", [])
@example(b'{"a":1,"a":"2"}', [])
@example(b"1" * 5000, [])
@example(b'"a\nb"', [])
@example(b"[1,]", [])
@example(b"{} x", [])
@example(b'{"data" "AAAA"}', [])
def test_any_bytes_at_all(body, cuts):
    wanted, refused = loads(body)
    try:
        found, store = read(chunked(body, cuts))
    except SpillError:
        assert refused
    else:
        assert not refused
        assert agrees(found, wanted, store)


def test_as_deep_as_the_parser_goes():
    deep = sys.getrecursionlimit() // 2
    words = '{"data":' + "[" * deep + json.dumps(B64) + "]" * deep + "}"
    value, store = read_text(words)
    for _ in range(deep):
        value = value["data"] if isinstance(value, dict) else value[0]
    assert isinstance(value[0], Spilled)
    assert len(store.writers) == 1


def test_deeper_than_that_is_refused():
    with pytest.raises(SpillError):
        read_text("[" * 200_000)


# --- what is set aside ------------------------------------------------------------------------------------------------

LONG = spell(bytes(range(200)))


STRINGS = [
    ("short", None),
    ("A" * 60, None),  # base64, but short and no picture
    ("A" * 64, [bytes(48)]),
    ("A" * 65, None),  # no bytes have such base64
    ("A" * 66, [bytes(49)]),
    ("A" * 66 + "==", [bytes(49)]),
    ("A" * 66 + "=", None),
    ("A" * 64 + "=", None),
    ("A" * 65 + "B", None),  # unused bits: no encoder's work
    ("A" * 66 + "B==", None),
    ("+" * 40 + "-" * 40, None),
    ("-" * 40 + "+" * 40, None),
    ("=" * 80, None),
    ("a word " * 20, None),
    ("é" * 80, None),
    ("\\" * 80, None),
    ('he said "no" and \\" ' * 5, None),
    (spell(JPEG), [JPEG]),  # a picture, however short
    (spell(JPEG)[:30], None),
    ("data:image/png;base64," + B64, ["data:image/png;base64,", PNG]),
    ("data:image/png;base64," + spell(PNG, urlsafe=True, padded=False), ["data:image/png;base64,", PNG]),
    ("data:text/plain;base64,SGVsbG8=", None),
    ("data:text/plain;base64," + LONG, ["data:text/plain;base64,", bytes(range(200))]),
    ("data:image/png;base64,", None),
    ("data:image/png;base64,(" + "x" * 90, None),
    ("data:image/png;base64," + "A" * 65 + ")", None),
    (f"see ![image](data:image/png;base64,{B64}) there", ["see ![image](data:image/png;base64,", PNG, ") there"]),
    (
        f"![a](data:;base64,{B64})![b](data:;base64,{LONG})",
        ["![a](data:;base64,", PNG, ")![b](data:;base64,", bytes(range(200)), ")"],
    ),
    ("a;base64,b;base64," + LONG, ["a;base64,b;base64,", bytes(range(200))]),
    (LONG + "\n" + LONG, None),
    # Unused bits of what is certainly base64 are forgiven.
    ("data:;base64," + "A" * 66 + "B", ["data:;base64,", bytes(50)]),
    (spell(JPEG + b"\0")[:-3] + "B==", [JPEG + b"\0"]) if len(JPEG) % 3 == 0 else ("x", None),
]


# Those that are no base64 may be begun before that shows, and are blob and text then: see below.
@pytest.mark.parametrize(
    "words, pieces, hold",
    [(*case, HOLD) for case in STRINGS] + [(*case, 60) for case in STRINGS if case[1] is not None],
)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_strings(words, pieces, hold, step):
    body = json.dumps([words, {"text": words}, 1]).encode()
    value, store = read([body[i : i + step] for i in range(0, len(body), step)], hold=hold)
    if pieces is None:
        assert value == [words, {"text": words}, 1]
    else:
        found = value[0]
        assert [p if isinstance(p, str) else store.data[p.sha256] for p in found.pieces] == pieces
        assert value == [found, {"text": found}, 1]


@pytest.mark.parametrize("name", ["data", "b64_json", "bytesBase64Encoded"])
@pytest.mark.parametrize(
    "words, data", [("AAAA", bytes(3)), ("_-8=", b"\xff\xef"), ("_-8", b"\xff\xef"), ("AB==", b"\0")]
)
def test_media_members_whatever_their_length(name, words, data):
    value, store = read_text(json.dumps({name: words}))
    assert store.data[value[name].blob.sha256] == data
    assert read_text(json.dumps({"x" + name: words}))[0] == {"x" + name: words}


@pytest.mark.parametrize("words", ["", "=", "A", "AAAAA", "A===", "not base64", "done.", "AA=A", "+-AA"])
def test_media_members_that_are_no_base64(words):
    assert read_text(json.dumps({"data": words}))[0] == {"data": words}


def test_a_media_member_is_known_by_its_name_alone():
    spelled = json.dumps({"ordinary": "AAAA"}).replace("ordinary", "d\\u0061ta")
    assert isinstance(read_text(spelled)[0]["data"], Spilled)
    for words in ('["data","AAAA"]', '{"data":["AAAA"]}', '{"data":"","x":"AAAA"}', '{"data":{"x":"AAAA"},"y":"AAAA"}'):
        assert read_text(words)[0] == json.loads(words)
    long = '{"' + "\\u0064" * 40 + '":"AAAA"}'
    assert read_text(long)[0] == json.loads(long)


def test_a_name_in_pieces():
    assert isinstance(read([b'{"b64_', b"json", b'" ', b": ", b'"AAAA"}'])[0]["b64_json"], Spilled)
    with pytest.raises(SpillError):
        read_text('{"\\x":"AAAA"}')


def test_names_are_never_set_aside():
    for words in (LONG, "data:image/png;base64," + B64, "A" * 3 * HOLD):
        body = {words: {words: 1}, "list": [{words: []}, {}]}
        assert read_text(json.dumps(body))[0] == body


def test_the_media_type_is_that_of_the_bytes():
    value, _ = read_text(json.dumps(["data:image/png;base64," + spell(JPEG), LONG]))
    assert value[0].blobs[0].media_type == "image/jpeg"
    assert value[1].blob.media_type == "application/octet-stream"


@pytest.mark.parametrize("words", [";base64," * 9000, ";base64,AB" * 9000, (";base64,AAA-" + "A" * 99 + "+") * 900])
@pytest.mark.parametrize("step", [1000, 10**6])
def test_marks_without_end(words, step):
    body = json.dumps([words]).encode()
    assert read([body[i : i + step] for i in range(0, len(body), step)], threshold=1024)[0] == [words]


def test_marks_beyond_the_limit_stay_text(monkeypatch):
    monkeypatch.setattr(spill, "MAX_MARKS", 2)
    words = ["data:image/png;base64," + B64] * 3
    value, _ = read_text(json.dumps(words))
    assert [type(entry) for entry in value] == [Spilled, Spilled, str]
    assert value[2] == words[2]


def test_a_picture_behind_idle_marks():
    words = ";base64,;base64,A;base64,-+" * 3 + "data:image/png;base64," + B64 + ";base64,;base64," + B64 + "!"
    value, store = read_text(json.dumps([words]))
    assert store.text(value) == [words]
    assert len(value[0].blobs) == 2


def test_no_input_can_name_a_blob():
    body = {"data": B64, "a": "<blob:0.", "b": "<blob:" + "0" * 48 + ":0."}
    value, _ = read_text(json.dumps(body))
    assert {k: v for k, v in value.items() if k != "data"} == {k: v for k, v in body.items() if k != "data"}


# --- strings longer than what is held ---------------------------------------------------------------------------------


@pytest.mark.parametrize("urlsafe", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("size", [len(NOISE), len(NOISE) - 1, len(NOISE) - 2])
@pytest.mark.parametrize("step", [997, 65_536])
def test_a_long_string_is_decoded_on_the_way(urlsafe, padded, size, step):
    data = NOISE[:size]
    body = json.dumps({"thoughtSignature": spell(data, urlsafe=urlsafe, padded=padded), "x": 1}).encode()
    value, store = read([body[i : i + step] for i in range(0, len(body), step)])
    assert store.data[value["thoughtSignature"].blob.sha256] == data
    assert value["x"] == 1
    assert store.widest <= HOLD + step


@pytest.mark.parametrize("escape", [("/", r"\/"), ("+", r"\u002B"), ("A", r"\u0041"), ("=", r"\u003d")])
def test_escapes_in_a_long_string(escape):
    body = json.dumps([spell(NOISE[:-1])]).replace(*escape).encode()
    value, store = read([body[i : i + 1000] for i in range(0, len(body), 1000)])
    assert store.data[value[0].blob.sha256] == NOISE[:-1]


def test_more_kinds_of_escapes_than_an_encoder_has():
    words = spell(NOISE)
    body = "".join(f"\\u{ord(c):04x}" if c in "abcdefghijklm/" else c for c in words)
    value, store = read_text(f'["{body}"]')
    assert store.data[value[0].blob.sha256] == NOISE


ALIKE = "A" * (HOLD + 10)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "A",
        "=",
        "==",
        "===",
        "AB==",
        " and text",
        "== and text",
        "é",
        "\n",
        "\\",
        "=A",
        "A=;base64,",
        "AAAA-_",
    ],
)
@pytest.mark.parametrize("step", [1, 5, 50_000])
def test_a_long_string_that_breaks_off_is_exact(rest, step):
    words = ALIKE + rest
    body = json.dumps([words]).encode()
    value, store = read([body[: HOLD + 5], *(body[i : i + step] for i in range(HOLD + 5, len(body), step))])
    if value[0].blob is None:
        assert store.text(value) == [words]
    else:
        assert store.stands_for(value[0], words)


@pytest.mark.parametrize("rest", ["+", " and text", "A", "===", "AA-+"])
@pytest.mark.parametrize("first", "-A")
def test_urlsafe_that_breaks_off_is_refused(first, rest):
    words = first * (HOLD + 11) + "-" + rest
    store = Store()
    with pytest.raises(SpillTooLarge, match="URL-safe"):
        read([json.dumps([words])[: HOLD + 5].encode(), json.dumps([words])[HOLD + 5 :].encode()], store)
    assert store.states() == ["aborted"]


def test_urlsafe_behind_a_mark_may_end_anywhere():
    words = "data:image/png;base64," + spell(PNG + NOISE, urlsafe=True, padded=False) + ")"
    value, store = read([json.dumps([words]).encode()[:HOLD], json.dumps([words]).encode()[HOLD:]])
    assert store.data[value[0].blobs[0].sha256] == PNG + NOISE
    assert value[0].pieces[2] == ")"


def test_stray_bits_of_a_long_picture_are_forgiven():
    words = spell(PNG + NOISE + bytes(-len(PNG + NOISE) % 3) + b"\0")
    body = json.dumps([words[:-3] + "B=="]).encode()
    value, store = read([body[:HOLD], body[HOLD:]])
    assert value[0].blob is not None
    assert store.data[value[0].blob.sha256].startswith(PNG + NOISE)


# --- limits and errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limits, words",
    [
        (Limits(envelope_bytes=10), '{"text":"long"}'),
        (Limits(envelope_bytes=10), '["\\u00e9", "\\u00e9"]'),
        (Limits(blobs=1), json.dumps([B64, B64])),
        (Limits(blob_bytes=70), json.dumps([LONG])),
        (Limits(total_bytes=len(PNG) + 1), json.dumps([B64, B64])),
    ],
)
def test_limits(limits, words):
    store = Store()
    with pytest.raises(SpillTooLarge, match="more than"):
        read_text(words, store=store, limits=limits)
    assert "open" not in store.states()
    assert store.states().count("finished") <= 1


def test_limits_are_inclusive():
    store = Store()
    limits = Limits(envelope_bytes=4, blobs=1, blob_bytes=len(PNG), total_bytes=len(PNG))
    assert read_text(json.dumps([B64]), store=store, limits=limits)[0][0].blob is not None


def test_a_full_disk_passes_through():
    store = Store(room=10)
    with pytest.raises(OSError, match="No space"):
        read_text(json.dumps([B64]), store=store)
    assert store.states() == ["aborted"]


def test_an_unfinished_body_leaves_no_writer_open():
    store = Store()
    with pytest.raises(SpillError, match="not JSON"):
        read_text('["' + "A" * (HOLD + 8), store=store)
    assert store.states() == ["aborted"]


def test_after_its_end_a_reader_is_of_no_use():
    store = Store()
    spiller = Spiller(store.new_blob)
    spiller.feed(b'["' + b"A" * (HOLD + 8))
    spiller.abort()
    spiller.abort()
    assert store.states() == ["aborted"]
    with pytest.raises(SpillError, match="ended"):
        spiller.feed(b"A")
    with pytest.raises(SpillError, match="ended"):
        spiller.close()
