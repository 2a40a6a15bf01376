"""Uploads as a server reads and answers them, against what the client's side writes and reads."""

import base64
import hashlib

import pytest

from cavendish.dialects.gemini.batch_files import GeminiFiles
from cavendish.dialects.gemini.uploads import (
    MAX_FILE_BYTES,
    MAX_PAGE,
    Step,
    UploadWish,
    moment,
    no_file,
    page_of,
    read_step,
    read_upload,
    write_begun,
    write_files,
    write_received,
    write_uploaded,
    written_hash,
)
from cavendish.dialects.gemini.usage import write_count
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.job import StoredFile
from cavendish.wire.message import Headers

CLIENT = GeminiFiles()


def test_what_a_client_is_about_to_send_is_read_as_it_was_said():
    asked = CLIENT.write_start("birds", "application/jsonl", 70)
    assert read_upload(asked.body, asked.headers) == UploadWish("birds", "application/jsonl", 70)
    assert not read_step(asked.headers).brings


@pytest.mark.parametrize(
    "body, headers, wish",
    [
        (None, {}, UploadWish("", "application/octet-stream", 0)),
        ({"file": {"mimeType": "image/png", "sizeBytes": "5"}}, {}, UploadWish("", "image/png", 5)),
        (
            {"file": {"display_name": "a"}},
            {"x-goog-upload-header-content-length": "-3"},
            UploadWish("a", "application/octet-stream", 0),
        ),
        ({"file": []}, {"X-Goog-Upload-Header-Content-Length": "many"}, UploadWish("", "application/octet-stream", 0)),
    ],
)
def test_an_upload_is_read_however_it_is_announced(body, headers, wish):
    assert read_upload(body, Headers.of(headers)) == wish


def test_a_file_that_is_too_large_is_refused():
    fault = read_upload(None, Headers.of({"X-Goog-Upload-Header-Content-Length": str(MAX_FILE_BYTES + 1)}))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.status) == (FaultKind.INVALID_REQUEST, 400)


@pytest.mark.parametrize(
    "headers, step",
    [
        ({"X-Goog-Upload-Command": "upload", "X-Goog-Upload-Offset": "8"}, Step(brings=True, ends=False, offset=8)),
        (
            {"x-goog-upload-command": "upload, Finalize", "x-goog-upload-offset": "0"},
            Step(brings=True, ends=True, offset=0),
        ),
        ({"X-Goog-Upload-Command": "query"}, Step(brings=False, ends=False, offset=None)),
        ({}, Step(brings=False, ends=False, offset=None)),
    ],
)
def test_a_step_is_read(headers, step):
    assert read_step(Headers.of(headers)) == step


def test_answers_are_read_by_the_client_as_they_were_meant():
    assert CLIENT.read_start(write_begun("http://x/upload/1")) == "http://x/upload/1"
    file = StoredFile("files/a", "http://x/v1beta/files/a", "birds", "image/png", 5, created=moment(0.0))
    assert CLIENT.read_file(write_uploaded(file)) == file
    assert write_uploaded(file).headers.get("X-Goog-Upload-Status") == "final"
    received = write_received(8)
    assert received.headers.get("X-Goog-Upload-Size-Received") == "8"
    assert received.headers.get("X-Goog-Upload-Status") == "active"


def test_a_list_names_its_next_page_when_there_is_one():
    assert write_files([StoredFile("files/a")], "50")["nextPageToken"] == "50"
    assert write_files([]) == {"files": []}


@pytest.mark.parametrize(
    "size, token, count, page",
    [
        ("", "", 10, (0, 50, "")),
        ("2", "", 10, (0, 2, "2")),
        ("2", "8", 10, (8, 10, "")),
        ("0", "-4", 10, (0, 50, "")),
        ("-1", "x", 10, (0, 1, "1")),
        ("5000", "", 500, (0, MAX_PAGE, str(MAX_PAGE))),
    ],
)
def test_a_page_of_a_list(size, token, count, page):
    assert page_of(size, token, count) == page


def test_words_as_google_writes_them():
    assert moment(1_700_000_000.25) == "2023-11-14T22:13:20.250000Z"
    digest = hashlib.sha256(b"x").hexdigest()
    assert base64.b64decode(written_hash(digest)).decode() == digest
    assert (no_file("files/a").status, no_file("a").reason) == (403, "PERMISSION_DENIED")
    assert no_file("files/a") == no_file("a")


def test_counts_of_tokens():
    assert write_count(4, 0) == {
        "totalTokens": 4,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4}],
    }
    assert write_count(4, 258)["totalTokens"] == 262
