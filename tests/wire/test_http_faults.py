"""Faults by HTTP alone, waits in headers, and the note that carries a fault from one Cavendish to the next."""

import pytest

from cavendish.model.fault import Charged, Fault, FaultKind, Scope
from cavendish.model.usage import Usage
from cavendish.wire.fault_note import MEMBER, noted, read_note
from cavendish.wire.fetched import write_unfetched
from cavendish.wire.http_faults import bare_fault, header_wait_s, kind_by_status, scope_of, wait_headers, words_of
from cavendish.wire.message import Headers, WireResponse

K = FaultKind

STATUSES = {
    200: (K.MALFORMED, Charged.UNKNOWN, Scope.CALL),
    302: (K.MALFORMED, Charged.UNKNOWN, Scope.CALL),
    401: (K.BAD_KEY, Charged.NO, Scope.KEY),
    402: (K.NO_CREDIT, Charged.NO, Scope.KEY),
    404: (K.MODEL_NOT_FOUND, Charged.NO, Scope.MODEL),
    418: (K.INVALID_REQUEST, Charged.NO, Scope.CALL),
    429: (K.RATE_LIMITED, Charged.NO, Scope.CALL),
    500: (K.SERVER_ERROR, Charged.UNKNOWN, Scope.CALL),
    503: (K.OVERLOADED, Charged.NO, Scope.CALL),
    524: (K.TIMEOUT, Charged.UNKNOWN, Scope.CALL),
}


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_alone_is_a_fault(status):
    fault = bare_fault(WireResponse(status))
    assert (fault.kind, fault.charged, fault.scope) == STATUSES[status]
    assert fault.kind is kind_by_status(status)
    assert fault.scope is scope_of(fault.kind)


def test_a_broken_line_is_no_status():
    assert bare_fault(WireResponse(200, cut=True)).kind is K.CUT
    assert bare_fault(WireResponse(502, cut=True)).kind is K.SERVER_ERROR


WORDS = [
    (b"<html><head><TITLE lang=en>502\n Bad  Gateway</TITLE></head></html>", "502 Bad Gateway"),
    (b"<h1>Oops</h1>\n<p>try later</p>", "Oops try later"),
    (b"\xff", "\N{REPLACEMENT CHARACTER}"),
    (b"x" * 100_000, "x" * 500),
]


@pytest.mark.parametrize("raw, words", WORDS)
def test_words_are_found_in_pages(raw, words):
    assert words_of(raw) == words


DATE = "Sat, 21 Nov 2026 12:00:00 GMT"
WAITS = [
    ({"Retry-After": "9"}, 9.0),
    ({"retry-after": " 1.5 "}, 1.5),
    ({"Retry-After": "1", "Retry-After-Ms": "250"}, 0.25),
    ({"Retry-After": "Sat, 21 Nov 2026 12:01:30 GMT", "Date": DATE}, 90.0),
    ({"Retry-After": "Sat, 21 Nov 2026 11:00:00 GMT", "Date": DATE}, 0.0),
    ({"Retry-After": "Sat, 21 Nov 2026 12:01:30 GMT"}, None),  # by no clock of the server's
    ({"Retry-After": "soon"}, None),
    ({"Retry-After": "nan"}, None),
    ({"Retry-After": "1_0"}, None),
    ({}, None),
]


@pytest.mark.parametrize("headers, wait_s", WAITS)
def test_a_wait_is_read(headers, wait_s):
    assert header_wait_s(Headers.of(headers)) == wait_s


@pytest.mark.parametrize(
    "wait_s, headers",
    [
        (None, {}),
        (0.0, {"Retry-After": "0"}),
        (60.0, {"Retry-After": "60"}),
        (0.25, {"Retry-After": "1", "Retry-After-Ms": "250"}),
    ],
)
def test_a_wait_is_written(wait_s, headers):
    assert dict(wait_headers(wait_s)) == headers


# --- the note --------------------------------------------------------------------------------------------------------


def reads_as(fault):
    return lambda error: read_note(error) or fault


def test_an_error_that_says_it_all_needs_no_note():
    fault = Fault(K.OVERLOADED, "later", status=503)
    assert noted({"code": 1}, fault, reads_as(Fault(K.OVERLOADED))) == {"code": 1}


def test_a_note_says_what_the_error_cannot():
    fault = Fault(
        K.NO_QUOTA,
        charged=Charged.YES,
        scope=Scope.MODEL,
        reason="Word",
        limit="rpm",
        limit_value=0,
        text="no",
        usage=Usage(images=2, cost_nusd=7),
    )
    error = noted({"code": 1}, fault, reads_as(Fault(K.RATE_LIMITED)))
    assert error["code"] == 1
    assert read_note(error) == fault


@pytest.mark.parametrize("note", [None, [], "no_quota", {}, {"kind": "unheard"}, {"kind": 5}])
def test_what_is_no_note_is_none(note):
    assert read_note({MEMBER: note}) is None


def test_a_note_with_strange_members_is_read_as_far_as_it_goes():
    note = {
        "kind": "no_quota",
        "charged": "perhaps",
        "scope": 1,
        "limitValue": "x",
        "usage": {"images": -1, "cost_nusd": {}},
    }
    assert read_note({MEMBER: note}) == Fault(K.NO_QUOTA, charged=Charged.UNKNOWN, scope=Scope.KEY)


@pytest.mark.parametrize(
    "fault, status",
    [(Fault(K.JOB_EXPIRED), 403), (Fault(K.OVERLOADED), 503), (Fault(K.CUT), 500), (Fault(K.CUT, status=418), 418)],
)
def test_a_picture_that_is_not_there_has_a_status(fault, status):
    assert write_unfetched(fault).status == status
