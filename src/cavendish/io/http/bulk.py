"""GoogleJobs: jobs of Google's Batch API, behind the port that bulk runs ask.

A small job goes inline, a large one through a file: what decides is the size of its *output*, which an inline job gives
back in one answer, twice. The results of a large one are read line by line as they arrive.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Final

from ...dialects.gemini.batch import GeminiBatch, JobWish, read_result
from ...dialects.gemini.batch_files import JSONL, GeminiFiles
from ...model.call import Done
from ...model.fault import Charged, Fault, FaultKind
from ...model.job import Job, JobLine, JobResult
from ...model.request import ImageRequest
from ...wire.jsonl import Line, LineReader
from ...wire.message import WireRequest, WireResponse
from ...wire.request_body import outgoing
from ..blobs.inbox import blobs_of
from ..quota.local import fingerprint
from .files import Door, Piece, Uploads
from .files_placed import PlacedReferences
from .upload import Upload

ANSWER_BYTES: Final = {"512": 1_500_000, "1K": 4_000_000, "2K": 8_000_000, "4K": 30_000_000}
"""What one picture takes in the answer of an inline job: 150 of 2K (1.2 GB) could never be fetched, 122 could."""
USUAL_ANSWER_BYTES: Final = ANSWER_BYTES["4K"]
INLINE_ANSWER_BYTES: Final = 64_000_000
INLINE_INPUT_BYTES: Final = 15_000_000
"""Google takes 20 MB."""

LIST_PAGES: Final = 500
"""Of a hundred jobs each: more than any project has."""


class GoogleJobs:
    """Implements ``engine.bulk.ports.Jobs`` for the key of a door."""

    def __init__(
        self, door: Door, batch: GeminiBatch | None = None, references: PlacedReferences | None = None
    ) -> None:
        self._door = door
        self._batch = batch or GeminiBatch()
        self._uploads = Uploads(door, GeminiFiles(self._batch.version))
        self._references = references
        self._key = fingerprint(door.key.reveal() if door.key else "")
        self._files: dict[str, str] = {}
        self._read_to: dict[str, tuple[int, int]] = {}

    def __repr__(self) -> str:
        return f"GoogleJobs({self._door.card.name!r}, {self._key!r})"

    @property
    def key(self) -> str:
        """The fingerprint of the key."""
        return self._key

    async def submit(self, name: str, lines: Sequence[JobLine]) -> Job | Fault:
        """Ask for a job; large ones upload their lines first."""
        lines = [await self._with_references(line) for line in lines]
        wish = JobWish(lines[0].request.model, name, tuple(lines))
        try:
            if not self._fits_inline(lines):
                file = await self._uploaded(name, lines)
                if isinstance(file, Fault):
                    return file
                wish = JobWish(wish.model, name, file=file)
            request = self._batch.write_create(wish)
        except (ValueError, TypeError) as error:
            return Fault(FaultKind.INVALID_REQUEST, f"the batch cannot be written: {error}")
        job = await self._job(request)
        return _unsure(job) if isinstance(job, Fault) else job

    async def find(self, name: str) -> Job | Fault | None:
        """The job of that name, by going through all jobs of the key's project."""
        page = ""
        for _ in range(LIST_PAGES):
            answer = await self._ask(self._batch.write_list(page))
            listed = answer if isinstance(answer, Fault) else self._batch.read_page(answer)
            if isinstance(listed, Fault):
                return self._door.safe(listed)
            found = next((job for job in listed.jobs if job.name == name), None)
            if found is not None or not listed.more:
                return found
            page = listed.more
        return None

    async def look(self, job_id: str) -> Job | Fault:
        """How a job stands."""
        return await self._job(self._batch.write_look(job_id))

    async def cancel(self, job_id: str) -> Fault | None:
        """Give a job up."""
        answer = await self._ask(self._batch.write_cancel(job_id))
        return answer if isinstance(answer, Fault) else self._batch.read_done(answer)

    async def results(self, job: Job, wanted: Callable[[str], bool]) -> AsyncGenerator[JobResult | Fault]:
        """What came of the calls whose keys are wanted; each picture is durable before it is given out."""
        source = self._from_file(job.results_file) if job.results_file else self._inline(job)
        async for label, result in source:
            if isinstance(result, Fault):
                yield self._door.safe(result)
            elif not wanted(result.key):
                self._door.inbox.discard(label)
            else:
                yield await self._kept(label, result)

    async def replies(self, job: Job) -> AsyncGenerator[JobResult | Fault]:
        """What came of all calls of a job, without keeping a picture: for who wants to know what they used."""
        source = self._from_file(job.results_file) if job.results_file else self._inline(job)
        async for label, result in source:
            self._door.inbox.discard(label)
            yield self._door.safe(result) if isinstance(result, Fault) else result

    # --- asking -----------------------------------------------------------------------------------------------------

    def _fits_inline(self, lines: Sequence[JobLine]) -> bool:
        if sum(answer_bytes(line.request) for line in lines) > INLINE_ANSWER_BYTES:
            return False
        return sum(self._upload(line).size for line in lines) <= INLINE_INPUT_BYTES

    async def _with_references(self, line: JobLine) -> JobLine:
        """The line with its large pictures as addresses: a thousand lines may have the same one."""
        if self._references is None:
            return line
        return JobLine(line.key, await self._references.placed(line.request, self._door.inbox.read))

    def _upload(self, line: JobLine) -> Upload:
        return Upload(self._batch.write_line(line), self._door.inbox.read)

    async def _uploaded(self, name: str, lines: Sequence[JobLine]) -> str | Fault:
        """The input file of a job. When the job is asked for again, it is there already."""
        if name not in self._files:
            size = sum(outgoing(self._batch.write_line(line)).size + 1 for line in lines)
            file = await self._uploads.send(name, JSONL, size, self._bytes_of(lines))
            if isinstance(file, Fault):
                return file
            self._files[name] = file.id
        return self._files[name]

    def _bytes_of(self, lines: Sequence[JobLine]) -> Iterator[bytes]:
        for line in lines:
            yield from self._upload(line).pieces()
            yield b"\n"

    async def _job(self, request: WireRequest) -> Job | Fault:
        answer = await self._ask(request)
        job = answer if isinstance(answer, Fault) else self._batch.read_job(answer)
        return self._door.safe(job) if isinstance(job, Fault) else job

    async def _ask(self, request: WireRequest) -> WireResponse | Fault:
        """An exchange whose pictures, if it has any, are not wanted yet."""
        try:
            return await self._door.ask(request, _LOOKED)
        finally:
            self._door.inbox.discard(_LOOKED)

    # --- results ----------------------------------------------------------------------------------------------------

    async def _kept(self, label: str, result: JobResult) -> JobResult:
        """The result with its pictures the attempt's own, and durable."""
        inbox = self._door.inbox
        if isinstance(result.reply, Done):
            inbox.give(label, result.key, {blob.ref for blob in blobs_of(result.reply)})
        # Drafts of a call that was refused would stay to the end of the run.
        inbox.discard(label)
        if isinstance(result.reply, Done):
            await inbox.record(result.key, result.reply)
        return result

    async def _inline(self, job: Job) -> AsyncGenerator[tuple[str, JobResult | Fault]]:
        label = f"results of {job.id}"
        try:
            answer = await self._door.ask(self._batch.write_look(job.id), label)
            told = answer if isinstance(answer, Fault) else self._batch.read_job(answer)
            if isinstance(told, Fault):
                yield label, told
                return
            for result in told.results:
                yield _OF_ALL, result if not isinstance(result.reply, Done) else self._given(label, result)
        finally:
            self._door.inbox.discard(label)

    def _given(self, label: str, result: JobResult) -> JobResult:
        """The blobs of one result taken out of those of the whole answer."""
        assert isinstance(result.reply, Done)
        self._door.inbox.give(label, _OF_ALL, {blob.ref for blob in blobs_of(result.reply)})
        return result

    async def _from_file(self, file_id: str) -> AsyncGenerator[tuple[str, JobResult | Fault]]:
        """The lines of a file of results, from where the last reading got to."""
        first, offset = self._read_to.get(file_id, (0, 0))
        label = _Labels(file_id)
        reader: LineReader | None = None
        try:
            async for piece in self._door.download(self._batch.write_download(file_id), offset):
                if not isinstance(piece, Piece):
                    yield "", self._failed(piece)
                    return
                if reader is None:
                    at = (first, offset) if piece.start else (0, 0)
                    reader = LineReader(lambda n: self._door.inbox.new_blob(label(n)), first=at[0], offset=at[1])
                for line in reader.feed(piece.data):
                    yield label(line.number), _read(line)
                    self._read_to[file_id] = line.number + 1, line.end
                await self._door.inbox.drained()
            for line in reader.close() if reader else ():
                yield label(line.number), _read(line)
        finally:
            if reader is not None:
                reader.abort()
                self._door.inbox.discard(label.last)

    def _failed(self, answer: Fault | WireResponse) -> Fault:
        if isinstance(answer, Fault):
            return answer
        read = self._batch.read_job(answer)
        return read if isinstance(read, Fault) else Fault(FaultKind.MALFORMED, "an odd answer instead of a file")


_LOOKED: Final = "looked at"
_OF_ALL: Final = "one of all"


class _Labels:
    """Under which id the blobs of a line arrive, until it is known whose they are. Remembers the last one given."""

    def __init__(self, file_id: str) -> None:
        self._file_id = file_id
        self.last = ""

    def __call__(self, number: int) -> str:
        self.last = f"{self._file_id} {number}"
        return self.last


def _read(line: Line) -> JobResult:
    if line.broken:
        return JobResult("", Fault(FaultKind.MALFORMED, f"a line of the results: {line.broken}", Charged.UNKNOWN))
    return read_result(line.value)


def answer_bytes(request: ImageRequest) -> int:
    """About how many bytes the answer to a request takes in that of an inline job."""
    return ANSWER_BYTES.get(request.size or "1K", USUAL_ANSWER_BYTES) * request.n


def _unsure(fault: Fault) -> Fault:
    """Whoever answers a creation with a 5xx may have made the job all the same."""
    if fault.status >= 500 or fault.kind in {FaultKind.TIMEOUT, FaultKind.MALFORMED}:
        return fault.having(charged=Charged.UNKNOWN)
    return fault
