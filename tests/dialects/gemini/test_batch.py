"""Google's Batch and Files APIs on the wire: shapes as their own client sends them, and laws of both directions."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.dialects.gemini.batch import (
    CANCELLED_CODE,
    GeminiBatch,
    JobPage,
    JobWish,
    read_create,
    read_item_error,
    read_job,
    read_line,
    read_result,
    write_job,
    write_page,
    write_result,
)
from cavendish.dialects.gemini.batch_files import GeminiFiles, read_file, write_file
from cavendish.model.call import Done
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.job import Job, JobCounts, JobLine, JobResult, JobState, StoredFile
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn
from cavendish.wire.message import Headers, WireResponse
from tests import strategies
from tests.wire.memory import PNG, values

from .cases import STORE

BATCH = GeminiBatch()
MODEL = "gemini-3.1-flash-image"
KITE = ImageRequest((Turn(Role.USER, (Text("a red kite"),)),), MODEL, size="1K", modalities=("IMAGE",))
BLOB = STORE.blob(PNG)


# --- what is asked ----------------------------------------------------------------------------------------------------


def test_an_inline_job_has_its_requests_twice_nested():
    wish = JobWish(f"models/{MODEL}", "night-run-7", (JobLine("kite-001", KITE),))
    request = BATCH.write_create(wish)
    assert (request.method, request.path) == ("POST", f"/v1beta/models/{MODEL}:batchGenerateContent")
    (entry,) = request.body["batch"]["inputConfig"]["requests"]["requests"]
    assert entry["metadata"] == {"key": "kite-001"}
    assert entry["request"]["contents"] == [{"role": "user", "parts": [{"text": "a red kite"}]}]
    assert request.body["batch"]["displayName"] == "night-run-7"


def test_a_job_of_a_file_names_it():
    request = BATCH.write_create(JobWish(MODEL, "file-5", file="files/in1"))
    assert request.body == {"batch": {"displayName": "file-5", "inputConfig": {"fileName": "files/in1"}}}


@pytest.mark.parametrize(
    "request_, method, path",
    [
        (BATCH.write_look("batches/b7k2"), "GET", "/v1beta/batches/b7k2"),
        (BATCH.write_cancel("batches/b7k2"), "POST", "/v1beta/batches/b7k2:cancel"),
        (BATCH.write_look("batches/../../files/x"), "GET", "/v1beta/batches/..%2F..%2Ffiles%2Fx"),
        (BATCH.write_list(), "GET", "/v1beta/batches"),
        (BATCH.write_download("files/batch-b7k2"), "GET", "/v1beta/files/batch-b7k2:download"),
        (GeminiFiles("v1").write_delete("files/k3x9"), "DELETE", "/v1/files/k3x9"),
    ],
)
def test_the_paths(request_, method, path):
    assert (request_.method, request_.path) == (method, path)


def test_the_start_of_an_upload():
    request = GeminiFiles().write_start("in", "application/jsonl", 12)
    assert request.path == "/upload/v1beta/files"
    assert dict(request.headers)["X-Goog-Upload-Command"] == "start"
    assert dict(request.headers)["X-Goog-Upload-Header-Content-Length"] == "12"
    assert request.body == {"file": {"displayName": "in", "mimeType": "application/jsonl", "sizeBytes": "12"}}


@pytest.mark.parametrize(
    "body",
    [
        # As Google's own client sends it (3.4.0), and as its guide writes a line.
        {"contents": [{"parts": [{"text": "picture 0"}]}], "generationConfig": {"responseModalities": ["IMAGE"]}},
        {"contents": [{"parts": [{"text": "picture 0"}]}], "generation_config": {"response_modalities": ["IMAGE"]}},
    ],
)
def test_a_line_is_read_in_either_casing(body):
    line = read_line({"key": "r-0", "request": body}, MODEL)
    assert isinstance(line, JobLine)
    assert (line.key, line.request.prompt, line.request.modalities) == ("r-0", "picture 0", ("IMAGE",))


@pytest.mark.parametrize(
    "body", [None, {}, {"batch": {}}, {"batch": {"inputConfig": {"requests": {"requests": [{"request": {"no": 1}}]}}}}]
)
def test_a_job_that_asks_for_nothing_is_refused(body):
    fault = read_create(body, MODEL)
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.INVALID_REQUEST


# --- what is told -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word, done, state",
    [
        ("BATCH_STATE_PENDING", False, JobState.PENDING),
        ("JOB_STATE_QUEUED", False, JobState.PENDING),
        ("BATCH_STATE_UNSPECIFIED", False, JobState.PENDING),
        ("", False, JobState.PENDING),
        ("", True, JobState.SUCCEEDED),
        ("BATCH_STATE_RUNNING", False, JobState.RUNNING),
        ("JOB_STATE_CANCELLING", False, JobState.RUNNING),
        ("BATCH_STATE_SUCCEEDED", True, JobState.SUCCEEDED),
        ("JOB_STATE_PARTIALLY_SUCCEEDED", True, JobState.SUCCEEDED),
        ("batch_state_failed", True, JobState.FAILED),
        ("BATCH_STATE_CANCELLED", True, JobState.CANCELLED),
        ("BATCH_STATE_EXPIRED", True, JobState.EXPIRED),
    ],
)
def test_states_of_both_spellings(word, done, state):
    body = {"name": "batches/b1", "metadata": {"state": word} if word else {}, **({"done": True} if done else {})}
    job = read_job(body)
    assert isinstance(job, Job)
    assert (job.id, job.state) == ("batches/b1", state)


def test_a_state_that_is_not_known_is_not_polled_for_ever():
    fault = read_job({"name": "batches/b1", "metadata": {"state": "BATCH_STATE_ASLEEP"}})
    assert isinstance(fault, Fault)
    assert "ASLEEP" in fault.message


def test_a_finished_job_of_a_file():
    body = {
        "name": "batches/b7k2",
        "metadata": {
            "model": f"models/{MODEL}",
            "displayName": "night-run-7",
            "state": "BATCH_STATE_SUCCEEDED",
            "inputConfig": {"fileName": "files/in1"},
            "batchStats": {"requestCount": "2", "successfulRequestCount": "1", "failedRequestCount": "1"},
            "output": {"responsesFile": "files/batch-b7k2"},
        },
        "done": True,
        "response": {"responsesFile": "files/batch-b7k2"},
    }
    job = BATCH.read_job(WireResponse(200, body=body))
    assert isinstance(job, Job)
    assert (job.name, job.results_file, job.input_file) == ("night-run-7", "files/batch-b7k2", "files/in1")
    assert job.counts == JobCounts(2, 1, 1, 0)
    del body["metadata"]["output"]
    assert read_job(body) == job, "the results stand in either place"


@pytest.mark.parametrize(
    "error, kind, charged",
    [
        ({"code": 3, "message": "bad aspect ratio"}, FaultKind.INVALID_REQUEST, Charged.NO),
        ({"code": 8, "message": "quota"}, FaultKind.RATE_LIMITED, Charged.NO),
        ({"code": 13, "message": "Internal error encountered."}, FaultKind.SERVER_ERROR, Charged.NO),
        ({"code": 13, "message": "Batch was cancelled."}, FaultKind.JOB_EXPIRED, Charged.NO),
        ({"code": CANCELLED_CODE, "message": ""}, FaultKind.JOB_EXPIRED, Charged.NO),
        ({"code": 14, "message": "overloaded"}, FaultKind.OVERLOADED, Charged.NO),
    ],
)
def test_errors_of_single_calls_have_numbers_of_their_own(error, kind, charged):
    result = read_result({"key": "k", "error": error})
    assert (result.key, result.reply.kind, result.reply.charged) == ("k", kind, charged)


def test_a_result_without_an_answer_may_have_been_bought():
    assert read_result({"key": "k"}).reply.charged is Charged.UNKNOWN
    assert read_result(None).key == ""


@pytest.mark.parametrize("response", [WireResponse(200, cut=True), WireResponse(200, body=None), WireResponse(502)])
def test_an_answer_that_broke_leaves_open_whether_there_is_a_job(response):
    fault = BATCH.read_job(response)
    assert isinstance(fault, Fault)
    assert fault.charged is Charged.UNKNOWN


def test_an_upload_without_an_address_is_a_fault():
    assert isinstance(GeminiFiles().read_start(WireResponse(200)), Fault)
    assert GeminiFiles().read_start(WireResponse(200, Headers((("x-goog-upload-url", "https://u"),)))) == "https://u"
    assert isinstance(GeminiFiles().read_file(WireResponse(200, body={"file": {}})), Fault)


# --- laws -------------------------------------------------------------------------------------------------------------

names = st.text(min_size=1, max_size=12)
counts = st.builds(JobCounts, *[st.integers(0, 5000)] * 4)
ended = st.sampled_from([JobState.SUCCEEDED, JobState.EXPIRED])
open_jobs = st.builds(
    Job, names, names, st.sampled_from([JobState.PENDING, JobState.RUNNING]), names, counts, st.text(max_size=5)
)
ended_jobs = st.builds(Job, names, names, ended, names, counts, names, names, ended=names)


@given(open_jobs | ended_jobs)
def test_a_job_that_is_written_is_read(job):
    assert read_job(json.loads(json.dumps(write_job(job)))) == job


@given(st.lists(open_jobs | ended_jobs, max_size=3), st.text(max_size=5))
def test_a_page_that_is_written_is_read(jobs, more):
    assert BATCH.read_page(WireResponse(200, body=write_page(jobs, more))) == JobPage(tuple(jobs), more)


@given(names, st.booleans())
def test_a_picture_that_is_written_is_read(key, inline):
    done = Done((Image(blob=BLOB, media_type="image/png"),), (0,), finish="STOP", answered_by="m")
    assert read_result(write_result(JobResult(key, done), inline=inline)) == JobResult(key, done)


@given(names, st.sampled_from(["bad", "oops"]), strategies.waits)
def test_an_error_that_is_written_is_read(key, message, wait_s):
    for kind, status in (
        (FaultKind.INVALID_REQUEST, 400),
        (FaultKind.RATE_LIMITED, 429),
        (FaultKind.SERVER_ERROR, 500),
        (FaultKind.OVERLOADED, 503),
        (FaultKind.TIMEOUT, 504),
    ):
        fault = Fault(kind, message, retry_after_s=wait_s, status=status)
        read = read_result(write_result(JobResult(key, fault))).reply
        assert (read.kind, read.message, read.retry_after_s, read.status) == (kind, message, wait_s, status)


@given(st.lists(st.builds(JobLine, names, st.just(KITE)), min_size=1, max_size=3), names)
def test_a_wish_that_is_written_is_read(lines, name):
    wish = JobWish(MODEL, name, tuple(lines))
    assert read_create(BATCH.write_create(wish).body, MODEL) == wish
    assert [read_line(BATCH.write_line(line), MODEL) for line in lines] == lines


@given(values)
def test_whatever_comes_reading_never_raises(value):
    response = WireResponse(200, body=value)
    assert isinstance(BATCH.read_job(response), Job | Fault)
    assert isinstance(BATCH.read_page(response), JobPage | Fault)
    assert isinstance(read_result(value), JobResult)
    assert isinstance(read_line(value, MODEL), JobLine | Fault)
    assert isinstance(read_create(value, MODEL), JobWish | Fault)
    assert isinstance(read_item_error(value), Fault)
    assert isinstance(GeminiFiles().read_file(response), StoredFile | Fault)


@given(st.builds(StoredFile, *[names] * 4, st.integers(0, 2**40), *[names] * 6))
def test_a_file_that_is_written_is_read(file):
    assert read_file(json.loads(json.dumps(write_file(file)))) == file
