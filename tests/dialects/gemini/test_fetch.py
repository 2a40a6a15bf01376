"""Fetching a picture by the address that an answer named."""

import pytest

from cavendish.model.call import Done, Fetch
from cavendish.model.fault import Charged, FaultKind
from cavendish.model.request import Image
from cavendish.wire.message import Headers, WireResponse

from .cases import GEMINI, STORE

PICTURE = STORE.blob(b"\x89PNG\r\n\x1a\n", "image/png")
CALL = Fetch("https://oss.example/a.png")


def test_a_picture_both_ways():
    response = GEMINI.write_reply(Done((Image(blob=PICTURE),), (0,)), CALL)
    assert response == WireResponse(200, Headers((("Content-Type", "image/png"),)), binary=PICTURE)
    done = GEMINI.read_reply(response, CALL)
    assert isinstance(done, Done)
    assert done.pictures == (Image(blob=PICTURE, media_type="image/png"),)


def test_a_picture_that_is_elsewhere_cannot_be_given():
    assert GEMINI.write_reply(Done((Image(uri="https://x.example"),), (0,)), CALL).status == 404


@pytest.mark.parametrize(
    "response, kind",
    [
        (WireResponse(404), FaultKind.JOB_EXPIRED),
        (WireResponse(403, raw=b"<title>Expired</title>"), FaultKind.JOB_EXPIRED),
        (WireResponse(410), FaultKind.JOB_EXPIRED),
        (WireResponse(503), FaultKind.OVERLOADED),
        (WireResponse(429), FaultKind.RATE_LIMITED),
        (WireResponse(302), FaultKind.MALFORMED),
        (WireResponse(200, raw=b"<html>"), FaultKind.NOT_AN_IMAGE),
        (WireResponse(200, body={}), FaultKind.NOT_AN_IMAGE),
        (WireResponse(200, raw=b"\x89PNG", cut=True), FaultKind.CUT),
    ],
)
def test_why_it_is_not_there(response, kind):
    fault = GEMINI.read_reply(response, CALL)
    assert not isinstance(fault, Done)
    assert (fault.kind, fault.charged, fault.status) == (kind, Charged.NO, response.status)


def test_a_wait_is_obeyed():
    fault = GEMINI.read_reply(WireResponse(503, Headers.of({"Retry-After": "9"})), CALL)
    assert not isinstance(fault, Done)
    assert fault.retry_after_s == 9
