"""Messages that were bytes for a while mean the same."""

import json

import pytest

from cavendish.sim.dice import SeededDice
from cavendish.sim.roundtrip import body_bytes, reread_request, reread_response, spelled
from cavendish.sim.shelves import MemoryShelf
from cavendish.wire.message import Field, Form, Headers, Spilled, WireRequest, WireResponse
from cavendish.wire.pour import pour
from tests.wire.memory import Store


def shelf_with(data):
    shelf = MemoryShelf()
    return shelf, shelf.keep(data, "image/png")


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 50


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("stream", [False, True])
def test_a_response_comes_back_whatever_the_chunks(seed, stream):
    shelf, blob = shelf_with(PICTURE)
    value = {"text": "kite", "inlineData": {"data": Spilled((blob,))}}
    response = WireResponse(200, body=[value, {"end": 1}] if stream else value, stream=stream)
    store = Store()
    back = reread_response(response, shelf.read, store.new_blob, SeededDice(seed))
    assert back == response
    assert store.data[blob.sha256] == PICTURE


def test_what_is_no_json_comes_back_too():
    shelf, blob = shelf_with(PICTURE)
    store = Store()

    def back(response):
        return reread_response(response, shelf.read, store.new_blob, SeededDice(1))

    assert back(WireResponse(502, raw=b"<html>oops</html>")).raw == b"<html>oops</html>"
    assert back(WireResponse(200, Headers((("Content-Type", "image/png"),)), binary=blob)).binary == blob


@pytest.mark.parametrize("seed", range(5))
def test_a_request_comes_back_with_stand_ins_for_its_pictures(seed):
    shelf, blob = shelf_with(PICTURE)
    request = WireRequest("POST", "/x", {"prompt": "é" * 2000, "data": Spilled((blob,))})
    back = reread_request(request, SeededDice(seed))
    assert back.body["prompt"] == "é" * 2000
    assert isinstance(back.body["data"], Spilled)
    assert reread_request(WireRequest("GET", "/x"), SeededDice(seed)).body is None
    assert shelf.made() == (blob.ref,)


@pytest.mark.parametrize("seed", range(5))
def test_a_form_comes_back_with_stand_ins_for_its_files(seed):
    _, blob = shelf_with(PICTURE)
    form = Form((Field("prompt", "é" * 2000), Field("image", blob, "a.png", "image/png")))
    back = reread_request(WireRequest("POST", "/x", form), SeededDice(seed)).body
    assert back.fields[0] == form.fields[0]
    assert (back.fields[1].filename, back.fields[1].value.size) == ("a.png", 64)


def test_a_stream_without_events_is_one_array():
    shelf, _ = shelf_with(PICTURE)
    response = WireResponse(200, body=[{"a": 1}, {"b": 2}], stream=True)
    assert json.loads(b"".join(body_bytes(response, shelf.read, events=False))) == [{"a": 1}, {"b": 2}]
    assert b"".join(body_bytes(response, shelf.read, events=True)).count(b"data: ") == 2


def test_pieces_of_any_length_make_one_base64():
    class Pieces:
        def read(self, blob):
            return (memoryview(PICTURE)[i : i + 7] for i in range(0, len(PICTURE), 7))

    _, blob = shelf_with(PICTURE)
    whole = b"".join(spelled(pour({"data": Spilled((blob,))}), Pieces().read))
    shelf, again = shelf_with(PICTURE)
    assert whole == b"".join(spelled(pour({"data": Spilled((again,))}), shelf.read))
