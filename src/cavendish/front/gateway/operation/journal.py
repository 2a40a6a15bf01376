"""Journal: one line of JSON for each request, without pictures and without keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web

from ..jobs.desk import Job
from ..passage import Passage
from ..wants import Answer

MOST: Final = 200
"""Of what a client chose, such as a path, so many characters are noted."""

Write = Callable[[bytes], object]


class Journal:
    """Writes lines somewhere. ``prompts``: whether what was asked for is told, too."""

    def __init__(self, write: Write, *, prompts: bool = False) -> None:
        self._write = write
        self._prompts = prompts

    def note(
        self,
        request: web.Request,
        passing: Passage,
        response: web.StreamResponse | None,
        at: float,
        seconds: float,
    ) -> None:
        """A request has ended; ``response`` is ``None`` when its client went away."""
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
            "id": response.headers.get("x-request-id", passing.id) if response is not None else passing.id,
            "method": request.method[:MOST],
            "path": request.path[:MOST],
            "status": response.status if response is not None else 499,
            "ms": round(seconds * 1000),
            "caller": passing.caller or None,
            **worked(passing),
        }
        if self._prompts and passing.job is not None:
            entry["prompt"] = passing.job.request.prompt
        self._write(orjson.dumps({name: value for name, value in entry.items() if value is not None}) + b"\n")


def worked(passing: Passage) -> dict[str, Any]:
    """What is known of a request's job: the door it came by, what was asked for, what came of it and at what cost."""
    job = passing.job
    if job is None:
        return {}
    told: dict[str, Any] = {
        "door": passing.door,
        "job": job.id,
        "model": job.request.model[:MOST],
        "n": job.request.n,
    }
    answer = answer_of(job)
    if answer is not None:
        told["pictures"] = len(answer.pictures)
        told["cost_usd"] = 0.0 if answer.replayed else round(answer.cost_nusd / 1e9, 6)
        told["replayed"] = answer.replayed or None
        told["missing"] = ", ".join(dict.fromkeys(fault.kind.value for fault in answer.faults)) or None
    return told


def answer_of(job: Job) -> Answer | None:
    """What came of a job, when it has ended well."""
    task = job.answer
    return task.result() if task.done() and not task.cancelled() and task.exception() is None else None
