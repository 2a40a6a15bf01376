"""Job: a batch of calls that a provider works on in its own time, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .call import Done
from .fault import Fault
from .request import ImageRequest


class JobState(StrEnum):
    """Where a job stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


ENDED: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})
"""A job in one of these changes no more. What it finished before is there, whichever it is."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """One call of a job, by the key that the caller gave it."""

    key: str
    request: ImageRequest


@dataclass(frozen=True, slots=True)
class JobResult:
    """What came of one call of a job. The key is empty when the provider left it out."""

    key: str
    reply: Done | Fault


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many calls a job has, and how they fared so far."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its provider tells of it.

    ``id`` is the provider's name for it, ``name`` the one that we gave. Results are in ``results``, or in a file of
    the provider's, ``results_file``. Times are as the provider writes them (RFC 3339).
    """

    id: str
    name: str = ""
    state: JobState = JobState.PENDING
    model: str = ""
    counts: JobCounts = JobCounts()
    input_file: str = ""
    results_file: str = ""
    results: tuple[JobResult, ...] = ()
    fault: Fault | None = None
    created: str = ""
    updated: str = ""
    ended: str = ""

    @property
    def over(self) -> bool:
        """Whether it changes no more."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that a provider keeps for a while. ``id`` is its name there, ``uri`` what requests refer to it by."""

    id: str
    uri: str = ""
    name: str = ""
    media_type: str = ""
    size: int = 0
    state: str = "ACTIVE"
    sha256: str = ""
    source: str = "UPLOADED"
    created: str = ""
    expires: str = ""
    download_uri: str = ""
