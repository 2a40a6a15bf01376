"""JobPage: a job as its caller sees it: how far it is, what it waits for, what came of it and where to get that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ....io.desk.books import CANCELLED, OPEN, JobEntry
from ....io.desk.job_lists import JobStanding
from ....model.fault import Fault
from ....model.result import Failure, Outcome, Picture
from ....wire.message import Spilled
from .desk import Desk

JOBS: Final = "/v1/jobs"

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
NUSD: Final = 1e9


@dataclass(frozen=True, slots=True)
class JobPages:
    """Pages of jobs. ``base`` is the address under which the client reaches us."""

    desk: Desk
    base: str
    with_bytes: bool = False

    def page(self, standing: JobStanding) -> dict[str, Any]:
        """Everything about a job."""
        entry = standing.entry
        return {
            **self.summary(standing),
            **self.waits(entry),
            "outcomes": [self.outcome(outcome) for outcome in standing.outcomes],
            "webhook": _webhook(standing),
            "notices": [{"code": one.code, "text": one.text, "field": one.field} for one in entry.notices],
        }

    def summary(self, standing: JobStanding) -> dict[str, Any]:
        """A job without what came of it, one by one."""
        entry, outcomes = standing.entry, standing.outcomes
        done = sum(isinstance(outcome, Picture) for outcome in outcomes)
        return {
            "id": entry.id,
            "object": "job",
            "state": state_of(entry, done, started=bool(outcomes) or self._started(standing)),
            "door": entry.door,
            "model": entry.request.model,
            "created_at": entry.begun_at,
            "ended_at": entry.ended_at,
            "counts": {
                "asked": entry.request.n,
                "done": done,
                "failed": len(outcomes) - done,
                "open": entry.request.n - len(outcomes),
            },
            "cost_usd": sum(outcome.cost_nusd for outcome in outcomes) / NUSD,
            "cost_known": all(outcome.cost_known for outcome in outcomes),
            "metadata": dict(entry.told.get("metadata", {})),
            "urls": self.urls(entry.id),
        }

    def urls(self, job_id: str) -> dict[str, str]:
        """Where more of a job is."""
        own = f"{self.base}{JOBS}/{job_id}"
        return {"self": own, "events": f"{own}/events", "answer": f"{own}/answer", "cancel": f"{own}/cancel"}

    def outcome(self, outcome: Outcome) -> dict[str, Any]:
        """What came of one picture."""
        about = {"index": outcome.slot.ordinal, "attempts": outcome.attempts, "cost_usd": outcome.cost_nusd / NUSD}
        if isinstance(outcome, Failure):
            return {**about, "state": FAILED, "fault": fault_page(outcome.fault)}
        now, blob = self.desk.clock.now(), outcome.blob
        shown: dict[str, Any] = {
            **about,
            "state": DONE,
            "url": self.desk.links.url(outcome, self.base, now),
            "expires_at": int(now + self.desk.links.lasts_s),
            "media_type": blob.media_type,
            "bytes": blob.size,
            "sha256": blob.sha256,
            "width": outcome.width,
            "height": outcome.height,
            "route": str(outcome.route),
            "text": outcome.text,
        }
        return {**shown, "b64_json": Spilled((blob,))} if self.with_bytes else shown

    def waits(self, entry: JobEntry) -> dict[str, Any]:
        """What a job that is at work here waits for, and how many are before it."""
        live = self.desk.job(entry.id)
        if live is None or entry.state != OPEN:
            return {}
        return {"waiting_for": live.watching.why or None, "position": self.desk.position(entry.id)}

    def _started(self, standing: JobStanding) -> bool:
        live = self.desk.job(standing.entry.id)
        return standing.attempts > 0 or (live is not None and live.watching.attempts > 0)


def _webhook(standing: JobStanding) -> dict[str, Any] | None:
    """How far the message is that the job has ended; never its secret."""
    told: Mapping[str, Any] = standing.entry.told.get("webhook") or {}
    if not told:
        return None
    sent = standing.delivery
    return {
        "url": told["url"],
        "state": sent.state if sent else "waiting",
        "tries": sent.tries if sent else 0,
        "last": sent.said if sent else "",
    }


def state_of(entry: JobEntry, done: int, *, started: bool) -> str:
    """One word for how a job is doing."""
    if entry.state == OPEN:
        return RUNNING if started else QUEUED
    if entry.state == CANCELLED:
        return CANCELLED
    return DONE if done else FAILED


def fault_page(fault: Fault) -> dict[str, Any]:
    """Why a picture did not come."""
    told: Mapping[str, Any] = {
        "kind": fault.kind.value,
        "message": fault.message,
        "reason": fault.reason,
        "retry_after_s": fault.retry_after_s,
        "text": fault.text,
    }
    return {name: value for name, value in told.items() if value or name == "kind"}


def list_page(jobs: Iterable[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    """One page of a list."""
    data = list(jobs)
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return {"object": "list", "data": data, "has_more": more, **ends}
