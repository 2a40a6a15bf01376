"""Upload: what leaves is as long as was said; a form's files go as they are."""

import pytest

from cavendish.io.http.upload import Upload
from cavendish.wire.message import Field, Form, Spilled
from cavendish.wire.multipart import form_type, write_form
from tests.wire.memory import PNG, Store

STORE = Store()
BLOB = STORE.blob(PNG)
FORM = Form((Field("prompt", "blue"), Field("image", BLOB, "a.png", "image/png"), Field("n", "2")))


def in_pieces(size):
    """A reader of blobs that gives so many bytes at once."""

    def read(blob):
        data = STORE.data[blob.sha256]
        return (data[at : at + size] for at in range(0, len(data), size))

    return read


async def sent(upload: Upload) -> bytes:
    data = upload.data
    return data if isinstance(data, bytes) else b"".join([piece async for piece in data])


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
async def test_a_form_leaves_whole(size):
    upload = Upload(FORM, in_pieces(size))
    head, _, tail = write_form(FORM)
    assert await sent(upload) == head + PNG + tail
    assert upload.size == len(head + PNG + tail)
    assert upload.content_type == form_type(FORM)


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
async def test_json_leaves_whole(size):
    upload = Upload({"data": Spilled((BLOB,))}, in_pieces(size))
    body = await sent(upload)
    assert body.decode() == '{"data":"' + STORE.text(Spilled((BLOB,))) + '"}'
    assert (upload.size, upload.content_type) == (len(body), "application/json")


async def test_a_form_of_words_leaves_at_once():
    form = Form((Field("prompt", "blue"),))
    upload = Upload(form, in_pieces(9))
    assert upload.data == write_form(form)[0]


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("body", [FORM, {"data": Spilled((BLOB,))}])
async def test_a_file_that_was_changed_meanwhile_never_leaves_whole(body, change):
    def read(_blob):
        return iter([(PNG + b"x")[: len(PNG) + change]])

    upload = Upload(body, read)
    with pytest.raises(OSError, match="changed meanwhile"):
        await sent(upload)
    assert upload.error is not None
