"""Google's Batch API, both ways: jobs of generateContent requests, made inline or out of a file of lines.

The results of a job stand in its output twice (``metadata.output`` and ``response``) and are read once. Counts are
strings; zeros are left out; ``done`` is absent until the end. The states of both spellings are read (``BATCH_STATE_*``
on the wire, ``JOB_STATE_*`` in SDKs and at Vertex AI). A state that is not known is malformed: it could be polled for
ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from ...model.call import Done, Open
from ...model.fault import Charged, Fault, FaultKind
from ...model.job import Job, JobCounts, JobLine, JobResult, JobState
from ...model.request import ImageRequest
from ...wire.google import error_object, read_google_error, read_wait
from ...wire.google.statuses import HTTP_OF, WORD_OF
from ...wire.message import Headers, JsonBody, WireRequest, WireResponse
from ...wire.reading import count, flag, items, mapping, member, text
from .asked import read_body
from .asking import Spelling, Version, write_body
from .errors import read_error
from .refusals import is_refusal
from .reply import read_answer, write_done, write_refused

TYPE_PREFIX: Final = "type.googleapis.com/google.ai.generativelanguage.v1beta."
LIST_PAGE: Final = 100

_STATES: Final[Mapping[str, JobState]] = {
    "UNSPECIFIED": JobState.PENDING,
    "PENDING": JobState.PENDING,
    "QUEUED": JobState.PENDING,
    "PAUSED": JobState.PENDING,
    "RUNNING": JobState.RUNNING,
    "UPDATING": JobState.RUNNING,
    "CANCELLING": JobState.RUNNING,
    "SUCCEEDED": JobState.SUCCEEDED,
    "PARTIALLY_SUCCEEDED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "EXPIRED": JobState.EXPIRED,
}
_CODES: Final = tuple(HTTP_OF)
CANCELLED_CODE: Final = 1
_ANY: Final = Open(ImageRequest((), ""))


@dataclass(frozen=True, slots=True)
class JobWish:
    """A job that a client asks for: its lines, or the file that holds them."""

    model: str
    name: str = ""
    lines: tuple[JobLine, ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of a list of jobs; ``more`` is the token of the next one, empty at the end."""

    jobs: tuple[Job, ...] = ()
    more: str = ""


@dataclass(frozen=True, slots=True)
class GeminiBatch:
    """The client's side: what is asked and what the answers mean. Reading never raises."""

    version: Version = "v1beta"
    spelling: Spelling = "imageConfig"

    def write_create(self, wish: JobWish) -> WireRequest:
        """Ask for a job."""
        source: dict[str, Any] = {"fileName": wish.file}
        if not wish.file:
            lines = [
                {"request": write_body(line.request, self.spelling), "metadata": {"key": line.key}}
                for line in wish.lines
            ]
            source = {"requests": {"requests": lines}}
        model = quote(wish.model.removeprefix("models/"), safe="")
        body = {"batch": {"displayName": wish.name, "inputConfig": source}}
        return WireRequest("POST", f"/{self.version}/models/{model}:batchGenerateContent", body)

    def write_line(self, line: JobLine) -> JsonBody:
        """One line of an input file."""
        return {"key": line.key, "request": write_body(line.request, self.spelling)}

    def write_look(self, job_id: str) -> WireRequest:
        """Ask how a job stands; the answer holds its inline results, too."""
        return WireRequest("GET", f"/{self.version}/{_named(job_id, 'batches')}")

    def write_list(self, page: str = "") -> WireRequest:
        """Ask for the jobs of the key's project, the newest first."""
        query = (("pageSize", str(LIST_PAGE)), *((("pageToken", page),) if page else ()))
        return WireRequest("GET", f"/{self.version}/batches", query=query)

    def write_cancel(self, job_id: str) -> WireRequest:
        """Give a job up; what it has finished stays."""
        return WireRequest("POST", f"/{self.version}/{_named(job_id, 'batches')}:cancel", {})

    def write_download(self, file_id: str) -> WireRequest:
        """Ask for a file of results."""
        name = _named(file_id, "files")
        return WireRequest("GET", f"/{self.version}/{name}:download", query=(("alt", "media"),))

    def read_job(self, response: WireResponse) -> Job | Fault:
        """The job that an answer tells of."""
        if not 200 <= response.status < 300:
            return read_error(response, _ANY)
        if response.cut or response.too_large:
            return Fault(FaultKind.CUT, "the line broke before the job was told", Charged.UNKNOWN)
        return read_job(response.body)

    def read_page(self, response: WireResponse) -> JobPage | Fault:
        """A page of a list; entries that are no jobs are passed over."""
        if not 200 <= response.status < 300:
            return read_error(response, _ANY)
        if response.cut or response.body is None:
            return Fault(FaultKind.CUT, "the line broke before the list was whole")
        jobs = (read_job(entry) for entry in items(response.body, "operations"))
        return JobPage(tuple(job for job in jobs if isinstance(job, Job)), text(response.body, "nextPageToken"))

    def read_done(self, response: WireResponse) -> Fault | None:
        """Whether an order without an answer of its own (cancel, delete) was taken."""
        return None if 200 <= response.status < 300 else read_error(response, _ANY)


def _named(name: str, kind: str) -> str:
    """The path of a resource. Names are the provider's own words, so nothing in them may lead elsewhere."""
    return f"{kind}/{quote(name.removeprefix(f'{kind}/'), safe='')}"


# --- jobs, read ------------------------------------------------------------------------------------------------------


def read_job(body: Any) -> Job | Fault:
    """A job from its operation object."""
    told = mapping(body, "metadata")
    job_id = text(body, "name") or text(told, "name")
    if not job_id:
        return Fault(FaultKind.MALFORMED, "the answer names no job", Charged.UNKNOWN)
    state = _state(body, told)
    if state is None:
        return Fault(FaultKind.MALFORMED, f"a job in no known state: {text(told, 'state')}", Charged.UNKNOWN)
    output = mapping(told, "output") or mapping(body, "response")
    error = mapping(body, "error")
    return Job(
        id=job_id,
        name=text(told, "displayName"),
        state=state,
        model=text(told, "model"),
        counts=_counts(mapping(told, "batchStats")),
        input_file=text(mapping(told, "inputConfig"), "fileName"),
        results_file=text(output, "responsesFile"),
        results=tuple(read_result(entry) for entry in items(mapping(output, "inlinedResponses"), "inlinedResponses")),
        fault=read_item_error(error) if error else None,
        created=text(told, "createTime"),
        updated=text(told, "updateTime"),
        ended=text(told, "endTime"),
    )


def _state(body: Any, told: Any) -> JobState | None:
    word = text(told, "state").upper()
    state = _STATES.get(word.removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")) if word else JobState.PENDING
    if state is JobState.PENDING and flag(body, "done"):
        return JobState.FAILED if mapping(body, "error") else JobState.SUCCEEDED
    return state


def _counts(stats: Any) -> JobCounts:
    return JobCounts(
        total=count(stats, "requestCount"),
        succeeded=count(stats, "successfulRequestCount"),
        failed=count(stats, "failedRequestCount"),
        pending=count(stats, "pendingRequestCount"),
    )


def read_result(entry: Any) -> JobResult:
    """A line of a file of results, or an inline result. Never raises; a line that says nothing is a fault."""
    key = text(entry, "key") or text(mapping(entry, "metadata"), "key")
    if error := mapping(entry, "error"):
        return JobResult(key, read_item_error(error))
    if isinstance(response := member(entry, "response"), Mapping):
        reply = read_answer(WireResponse(200, body=response), _ANY)
        return JobResult(key, reply)
    return JobResult(key, Fault(FaultKind.MALFORMED, "a result without an answer", Charged.UNKNOWN))


def read_item_error(error: Any) -> Fault:
    """The error of a job or of one of its calls: ``code`` is a number of ``google.rpc.Code``."""
    message = text(error, "message")
    if count(error, "code") == CANCELLED_CODE or "cancel" in message.lower():
        return Fault(FaultKind.JOB_EXPIRED, message or "the job was cancelled", Charged.NO, reason="CANCELLED")
    fault = read_google_error(error)
    wait = read_wait(message, items(error, "details"), Headers())
    return fault.having(retry_after_s=wait)


# --- the provider's side ---------------------------------------------------------------------------------------------


def read_create(body: Any, model: str) -> JobWish | Fault:
    """The job that a client asks for. Never raises."""
    wish = mapping(body, "batch")
    source = mapping(wish, "inputConfig")
    if file := text(source, "fileName"):
        return JobWish(model, text(wish, "displayName"), file=file)
    entries = items(mapping(source, "requests"), "requests")
    lines: list[JobLine] = []
    for number, entry in enumerate(entries):
        line = read_line(entry, model)
        if isinstance(line, Fault):
            return line.having(message=f"requests[{number}]: {line.message}")
        lines.append(line)
    if not lines:
        return Fault(FaultKind.INVALID_REQUEST, "A batch needs requests or a file.", status=400)
    return JobWish(model, text(wish, "displayName"), tuple(lines))


def read_line(entry: Any, model: str) -> JobLine | Fault:
    """A line of an input file, or an inline request. Never raises."""
    request = read_body(member(entry, "request"), model)
    if isinstance(request, Fault):
        return request
    return JobLine(text(entry, "key") or text(mapping(entry, "metadata"), "key"), request)


def write_job(job: Job, results: Sequence[JsonBody] = ()) -> dict[str, Any]:
    """A job as its operation object; ``results`` are inline results as ``write_result`` writes them."""
    told: dict[str, Any] = {
        "@type": f"{TYPE_PREFIX}GenerateContentBatch",
        "model": job.model,
        "displayName": job.name,
        "name": job.id,
        "state": f"BATCH_STATE_{job.state.value.upper()}",
        "createTime": job.created,
        "updateTime": job.updated,
        "endTime": job.ended,
        "inputConfig": {"fileName": job.input_file} if job.input_file else None,
        "batchStats": _written_counts(job.counts),
    }
    operation: dict[str, Any] = {"name": job.id, "metadata": {name: value for name, value in told.items() if value}}
    if not job.over:
        return operation
    operation["done"] = True
    if job.fault is not None:
        return {**operation, "error": write_item_error(job.fault)}
    output = _output(job, results)
    operation["metadata"]["output"] = output
    return {**operation, "response": {"@type": f"{TYPE_PREFIX}GenerateContentBatchOutput", **output}}


def _output(job: Job, results: Sequence[JsonBody]) -> dict[str, Any]:
    if job.results_file:
        return {"responsesFile": job.results_file}
    return {"inlinedResponses": {"inlinedResponses": list(results)}}


def _written_counts(counts: JobCounts) -> dict[str, str]:
    numbers = {
        "requestCount": counts.total,
        "successfulRequestCount": counts.succeeded,
        "failedRequestCount": counts.failed,
        "pendingRequestCount": counts.pending,
    }
    return {name: str(number) for name, number in numbers.items() if number}


def write_page(jobs: Sequence[Job], more: str = "") -> dict[str, Any]:
    """A page of a list."""
    page: dict[str, Any] = {"operations": [write_job(job) for job in jobs]}
    return {**page, "nextPageToken": more} if more else page


def write_result(result: JobResult, *, inline: bool = False) -> JsonBody:
    """One result, as a line of a file or ``inline``."""
    if isinstance(result.reply, Fault) and not is_refusal(result.reply):
        said: dict[str, Any] = {"error": write_item_error(result.reply)}
    else:
        said = {"response": _answer(result.reply)}
    if inline:
        return {**said, "metadata": {"key": result.key}} if result.key else said
    return {"key": result.key, **said}


def _answer(reply: Done | Fault) -> JsonBody:
    if isinstance(reply, Done):
        return write_done(reply, stream=False).body
    return write_refused(reply, stream=False).body


def write_item_error(fault: Fault) -> dict[str, Any]:
    """An error with its number of ``google.rpc.Code``."""
    if fault.reason == "CANCELLED":
        return {"code": CANCELLED_CODE, "message": fault.message or "Batch was cancelled."}
    error = error_object(fault)
    word = error.pop("status", "")
    return {**error, "code": _CODES.index(word if word in HTTP_OF else WORD_OF[error["code"]]) + 1}
