"""Results of a job that were read: what is of no use is not kept, and what is stays with its call."""

import base64
import json
from dataclasses import replace
from types import SimpleNamespace

from cavendish.io.blobs.inbox import blobs_of
from cavendish.io.blobs.memory import MemoryBlobs
from cavendish.io.http.bulk import GoogleJobs
from cavendish.io.http.files import Piece
from cavendish.model.call import Done
from cavendish.model.fault import FaultKind
from cavendish.model.job import Job, JobState
from cavendish.secret import Secret
from tests.engine.doubles import tiny_png

JOB = Job("batches/1", "mine", JobState.SUCCEEDED, results_file="files/out")


def line(key, finish, *pictures, thought=False):
    data = [base64.b64encode(picture).decode() for picture in pictures]
    parts = [{"inlineData": {"mimeType": "image/png", "data": each}, "thought": thought} for each in data]
    answer = {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": finish}]}
    return json.dumps({"key": key, "response": answer}).encode() + b"\n"


def jobs_over(inbox, *lines):
    async def download(_request, offset):
        yield Piece(b"".join(lines)[offset:], offset)

    door = SimpleNamespace(
        card=SimpleNamespace(name="google"), key=Secret("k"), inbox=inbox, download=download, safe=lambda fault: fault
    )
    return GoogleJobs(door)  # type: ignore[arg-type]


async def read(jobs, wanted=lambda _key: True):
    return {result.key: result.reply async for result in jobs.results(replace(JOB), wanted)}


async def test_a_draft_of_a_call_that_was_refused_is_not_kept():
    inbox = MemoryBlobs()
    picture, draft = (tiny_png(64, 64, bytes(range(256)) * size) for size in (8, 9))
    lines = line("a", "IMAGE_SAFETY", draft, thought=True), line("b", "STOP", picture), line("c", "STOP", draft)
    replies = await read(jobs_over(inbox, *lines), lambda key: key != "c")
    assert replies["a"].kind is FaultKind.IMAGE_SAFETY
    assert isinstance(replies["b"], Done)
    assert [inbox.files[blob.ref] for blob in blobs_of(replies["b"])] == [picture]
    assert len(inbox.files) == 1
