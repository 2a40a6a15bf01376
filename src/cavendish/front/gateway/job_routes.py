"""Job routes: the paths of jobs and of the pictures that links name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .doors.door import Door
from .doors.jobs import JobsDoor
from .doors.pictures import Pictures
from .jobs.desk import Desk
from .routing import Route
from .transit.intake import Intake

_JOB = r"/v1/jobs/(?P<id>[A-Za-z0-9_-]{1,80})"
_GET = ("GET", "HEAD")


def job_routes(desk: Desk, intake: Intake, doors: Iterable[Door]) -> tuple[Route, ...]:
    """All of them. ``doors``: those by which jobs may come, for answers in their formats."""
    jobs = JobsDoor(desk, intake, {door.dialect.name: door for door in doors})
    pictures = Pictures(desk)
    return (
        Route(("POST",), re.compile("/v1/jobs"), jobs.asked_here),
        Route(("GET",), re.compile("/v1/jobs"), jobs.listing),
        Route(("GET",), re.compile(_JOB), jobs.one),
        Route(("DELETE",), re.compile(_JOB), jobs.delete),
        Route(("GET",), re.compile(f"{_JOB}/events"), jobs.events),
        Route(("GET",), re.compile(f"{_JOB}/answer"), jobs.result),
        Route(("POST",), re.compile(f"{_JOB}/cancel"), jobs.cancel),
        Route(_GET, re.compile(r"/v1/pictures/(?P<name>[^/]{1,120})"), pictures.one, keyless=True),
    )
