"""Forms: what is written is read, wherever the chunks are cut, and files never stand in memory."""

import email
import email.policy
import itertools
import json
import random

import pytest
from aiohttp import FormData, payload
from hypothesis import given
from hypothesis import strategies as st

from cavendish.model.blob import Blob
from cavendish.wire.blobs import Limits, SpillError, SpillTooLarge
from cavendish.wire.message import Field, Form, Spilled
from cavendish.wire.multipart import MAX_FIELDS, MAX_HEAD_BYTES, FormReader, form_length, form_type, write_form
from cavendish.wire.request_body import outgoing, request_reader

from .memory import JPEG, PNG, Store, chunked

BOUNDARY = "multipart/form-data; boundary=b"
STORE = Store()


def sent(form: Form, store: Store = STORE) -> bytes:
    return b"".join(store.data[p.sha256] if isinstance(p, Blob) else p for p in write_form(form))


def read(body: bytes, content_type: str = BOUNDARY, cuts=(), store: Store = STORE, limits: Limits = Limits()) -> Form:  # noqa: B008 (frozen)
    reader = FormReader(content_type, store.new_blob, limits=limits)
    for chunk in chunked(body, cuts):
        reader.feed(chunk)
    return reader.close()


def part(head: str, content: bytes = b"x") -> bytes:
    return b"--b\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


END = b"--b--\r\n"


# --- laws ------------------------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["--", "\r\n--", "\r\n--cavendish-", "a=b&c", "\r\n\r\n", '"; name="x"']
)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="%"), min_size=1, max_size=20)
contents = st.binary(min_size=1, max_size=60) | st.builds(
    lambda a, b: a + b, st.sampled_from([PNG, JPEG, b"\r\n--", b"\r\n--cavendish-0"]), st.binary(max_size=20)
)


def file_of(name: str, filename: str, content: bytes, media_type: str) -> Field:
    from cavendish.wire import media

    blob = STORE.blob(content, media.sniff(content) or media.UNKNOWN)
    return Field(name, blob, filename, media_type)


fields = st.builds(Field, names, words) | st.builds(
    file_of, names, names, contents, st.sampled_from(["image/png", "application/octet-stream", "text/plain"])
)
forms = st.lists(fields, max_size=5).map(lambda found: Form(tuple(found)))


@given(form=forms, cuts=st.lists(st.integers(0, 900), max_size=12))
def test_a_form_that_is_written_is_read(form, cuts):
    body = sent(form)
    assert form_length(write_form(form)) == len(body)
    assert read(body, form_type(form), cuts) == form


@given(form=forms)
def test_no_two_parts_of_bytes_stand_side_by_side(form):
    parts = write_form(form)
    assert all(isinstance(a, Blob) or isinstance(b, Blob) for a, b in itertools.pairwise(parts))


@given(body=st.binary(max_size=200) | st.lists(st.sampled_from(
    [b"--b", b"\r\n", b"--b--", b"--", b"-", b"Content-Disposition: form-data; name=a", b": ", b"x", b"\r\n\r\n", PNG]
), max_size=14).map(b"".join), cuts=st.lists(st.integers(0, 200), max_size=9))  # fmt: skip
def test_any_bytes_are_a_form_or_none_wherever_they_are_cut(body, cuts):
    def outcome(cuts) -> Form | str:
        store = Store()
        try:
            return read(body, cuts=cuts, store=store)
        except SpillError as error:
            return type(error).__name__
        finally:
            assert "open" not in store.states()

    assert outcome(cuts) == outcome(())


def test_each_byte_may_come_alone():
    form = Form((Field("prompt", "blue"), file_of("image[]", "a.png", PNG, "image/png"), Field("n", "2")))
    body = sent(form)
    assert read(body, form_type(form), range(len(body))) == form


# --- what it looks like ----------------------------------------------------------------------------------------------


def test_a_form_as_it_goes_over_the_wire():
    form = Form((Field("prompt", "blue"), file_of("image[]", 'a"b\r\n.png', PNG, "image/png"), Field("n", "2")))
    border = form_type(form).removeprefix("multipart/form-data; boundary=")
    head, blob, tail = write_form(form)
    assert head.decode() == (
        f'--{border}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nblue\r\n'
        f'--{border}\r\nContent-Disposition: form-data; name="image[]"; filename="a%22b%0D%0A.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    assert blob == form.fields[1].value
    assert tail.decode() == (f'\r\n--{border}\r\nContent-Disposition: form-data; name="n"\r\n\r\n2\r\n--{border}--\r\n')


def test_the_same_form_has_the_same_border_and_another_another():
    one = Form((Field("a", "b"),))
    assert form_type(one) == form_type(Form((Field("a", "b"),)))
    assert form_type(one) != form_type(Form((Field("a", "c"),)))


def test_half_a_character_cannot_be_written():
    with pytest.raises(ValueError, match="surrogates"):
        write_form(Form((Field("prompt", "\ud800"),)))


@pytest.mark.parametrize(
    "head, field",
    [
        ("Content-Disposition: form-data; name=prompt", Field("prompt", "x")),
        ('content-disposition:form-data;name="a b"', Field("a b", "x")),
        ('Content-Disposition: form-data; name="image%5B%5D"', Field("image[]", "x")),
        (
            'Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name="p"',
            Field("p", "x", "", "text/plain; charset=utf-8"),
        ),
        (
            'Content-Disposition: form-data; name="p"\r\nContent-Type: application/json',
            Field("p", "x", "", "application/json"),
        ),
        ("Content-Disposition: form-data", Field("", "x")),
    ],
)  # fmt: skip
def test_words(head, field):
    assert read(part(head) + END).fields == (field,)


@pytest.mark.parametrize(
    "head, filename, media_type",
    [
        ('Content-Disposition: form-data; name="image"; filename="a.png"', "a.png", ""),
        ("Content-Disposition: form-data; filename*=UTF-8''a.png; name=image", "UTF-8''a.png", ""),
        ('Content-Disposition: form-data; name="image"; filename=""', "", ""),
        ('Content-Disposition: form-data; name="image"\r\nContent-Type: image/png', "", "image/png"),
        (
            'Content-Disposition: form-data; name="image"; filename="b"\r\nContent-Type: text/plain',
            "b",
            "text/plain",
        ),
    ],
)
def test_files(head, filename, media_type):
    (field,) = read(part(head, PNG) + END).fields
    assert field == Field("image", STORE.blob(PNG), filename, media_type)


def test_an_empty_file_is_no_blob():
    head = 'Content-Disposition: form-data; name="image"; filename="a.png"'
    assert read(part(head, b"") + END).fields == (Field("image", "", "a.png"),)


def test_what_stands_around_a_form_is_passed_over():
    body = b"preamble\r\n" + part("Content-Disposition: form-data; name=a") + END + b"epilogue" * 9
    assert read(body).fields == (Field("a", "x"),)
    assert read(b"--b--").fields == ()


def test_a_part_may_have_no_head():
    assert read(b"--b\r\n\r\nx\r\n" + END).fields == (Field("", "x"),)


def test_white_space_behind_a_border_is_allowed():
    assert read(b"--b \t\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n" + END).fields == (Field("a", "x"),)


@pytest.mark.parametrize(
    "spelling", ["multipart/form-data; boundary=b", 'MULTIPART/form-data; charset=x; Boundary="b"']
)
def test_borders_are_named_in_the_type(spelling):
    assert read(part("Content-Disposition: form-data; name=a") + END, spelling).fields == (Field("a", "x"),)


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", ""])
def test_a_form_without_a_border(content_type):
    with pytest.raises(SpillError, match="boundary"):
        FormReader(content_type, STORE.new_blob)


@pytest.mark.parametrize(
    "body, message",
    [
        (b"", "not whole"),
        (part("Content-Disposition: form-data; name=a"), "not whole"),
        (b"--b\r\nContent-Disposition: form-data; name=a\r\n", "not whole"),
        (b"--bx\r\n\r\n" + END, "followed by something else"),
        (b"--b" + b" " * (MAX_HEAD_BYTES + 1), "followed by something else"),
        (b"{}", "not whole"),
    ],
)
def test_what_is_no_form(body, message):
    with pytest.raises(SpillError, match=message):
        read(body)


# --- limits ----------------------------------------------------------------------------------------------------------

FILE = 'Content-Disposition: form-data; name="image"; filename="a"'


@pytest.mark.parametrize(
    "body, limits",
    [
        (part("Content-Disposition: form-data; name=a", b"x" * 200), Limits(envelope_bytes=150)),
        (part("X: " + "y" * (MAX_HEAD_BYTES + 10)), Limits()),
        (b"--b\r\nX: " + b"y" * (MAX_HEAD_BYTES + 10), Limits()),
        (part("X: y") * (MAX_FIELDS + 1), Limits()),
        (part(FILE, b"x" * 200), Limits(blob_bytes=150)),
        (part(FILE, b"x" * 90) * 2, Limits(total_bytes=150)),
        (part(FILE) * 3, Limits(blobs=2)),
    ],
)
def test_limits(body, limits):
    store = Store()
    with pytest.raises(SpillTooLarge):
        read(body + END, store=store, limits=limits)
    assert "open" not in store.states()


def test_a_file_is_written_while_it_arrives():
    store, rest = Store(), b"x" * 5000
    reader = FormReader(BOUNDARY, store.new_blob)
    reader.feed(b"--b\r\n" + FILE.encode() + b"\r\n\r\n" + PNG)
    for _ in range(200):
        reader.feed(rest)
        assert len(reader._data) < 10
    reader.feed(b"\r\n" + END)
    (field,) = reader.close().fields
    assert isinstance(field.value, Blob)
    assert (field.value.size, field.value.media_type) == (len(PNG) + 1_000_000, "image/png")


def test_a_full_disk_is_told_and_nothing_stays_open():
    store = Store(room=10)
    with pytest.raises(OSError, match="No space"):
        read(part(FILE, b"x" * 99) + END, store=store)
    assert store.states() == ["aborted"]


def test_nothing_comes_after_the_end():
    reader = FormReader(BOUNDARY, STORE.new_blob)
    reader.feed(END)
    reader.close()
    with pytest.raises(SpillError, match="has ended"):
        reader.feed(b"x")


# --- what others write -----------------------------------------------------------------------------------------------


async def test_a_form_as_aiohttp_writes_it():
    data = FormData(quote_fields=True)
    data.add_field("prompt", "blue", content_type="text/plain")
    data.add_field("image[]", PNG, filename="a b.png", content_type="image/png")
    written = data()
    assert isinstance(written, payload.Payload)
    chunks: list[bytes] = []

    class Sink:
        async def write(self, chunk: bytes) -> None:
            chunks.append(bytes(chunk))

    await written.write(Sink())
    prompt, image = read(b"".join(chunks), written.headers["Content-Type"]).fields
    assert (prompt.name, prompt.value) == ("prompt", "blue")
    assert image == Field("image[]", STORE.blob(PNG), "a b.png", "image/png")


def test_a_form_as_the_standard_library_reads_it():
    form = Form((Field("prompt", "blue"), file_of("image[]", "a.png", PNG, "image/png"), Field("n", "2")))
    whole = f"Content-Type: {form_type(form)}\r\n\r\n".encode() + sent(form)
    parts = list(email.message_from_bytes(whole, policy=email.policy.HTTP).iter_parts())
    assert [part.get_param("name", header="content-disposition") for part in parts] == ["prompt", "image[]", "n"]
    assert [part.get_payload(decode=True) for part in parts] == [b"blue", PNG, b"2"]
    assert (parts[1].get_filename(), parts[1].get_content_type()) == ("a.png", "image/png")


# --- bodies of either kind -------------------------------------------------------------------------------------------


def test_a_body_knows_its_type_its_length_and_how_its_blobs_go():
    blob = STORE.blob(PNG)
    form = Form((Field("image", blob, "a.png", "image/png"),))
    sending = outgoing(form)
    assert (sending.content_type, sending.plain, sending.size) == (form_type(form), True, len(sent(form)))
    sending = outgoing({"b64_json": Spilled((blob,))})
    assert (sending.content_type, sending.plain) == ("application/json", False)
    assert sending.size == len(json.dumps(STORE.text({"b64_json": Spilled((blob,))}), separators=(",", ":")))


@pytest.mark.parametrize("content_type", ["application/json", "", "text/plain; boundary=b"])
def test_all_that_is_no_form_is_json(content_type):
    reader = request_reader(content_type, STORE.new_blob)
    reader.feed(b'{"n":1}')
    assert reader.close() == {"n": 1}


def test_a_form_is_told_by_its_type():
    reader = request_reader(" Multipart/form-data; boundary=b", STORE.new_blob)
    reader.feed(part("Content-Disposition: form-data; name=n", str(random.Random(1).random()).encode()) + END)
    assert reader.close() == Form((Field("n", str(random.Random(1).random())),))
