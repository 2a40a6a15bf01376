"""Numbers: counts of what a gateway did, in the text form that Prometheus reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

BUCKETS_S: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
"""A picture takes seconds to minutes."""

HELP: Final = {
    "cavendish_requests_total": "Requests that were answered, by door and status; 499: the client went away.",
    "cavendish_request_seconds": "How long requests took, from their first line to the end of the answer.",
    "cavendish_pictures_total": "Pictures that were handed over.",
    "cavendish_pictures_missing_total": "Pictures that were asked for and did not come.",
    "cavendish_cost_usd_total": "Dollars that the pictures handed over cost, by the prices known.",
    "cavendish_turned_away_total": "Requests refused because too many were at work.",
    "cavendish_crashes_total": "Requests that met a mistake in the gateway itself.",
    "cavendish_requests_at_work": "Requests that are being answered.",
    "cavendish_jobs_at_work": "Jobs at work here.",
    "cavendish_jobs_waiting": "Of the jobs at work here, those for which no call was made yet.",
    "cavendish_draining": "1 while the gateway ends and takes nothing new.",
    "cavendish_store_free_bytes": "Room left where the pictures are.",
    "process_resident_memory_bytes": "Memory of the process.",
}
"""What each number counts."""

Labels = tuple[tuple[str, str], ...]


class Numbers:
    """All counts of one life. Labels are words of ours, never a client's: their number must be bounded."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._times: dict[Labels, list[int]] = {}
        self._seconds: Counter[Labels] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._counts[name, tuple(labels.items())] += amount  # type: ignore[assignment] - dollars are fractions

    def took(self, seconds: float, **labels: str) -> None:
        """Note how long a request took."""
        key = tuple(labels.items())
        buckets = self._times.setdefault(key, [0] * (len(BUCKETS_S) + 1))
        buckets[sum(seconds > bound for bound in BUCKETS_S)] += 1
        self._seconds[key] += seconds  # type: ignore[assignment] - fractions too

    def text(self, gauges: Mapping[str, float]) -> str:
        """Everything, and what just now is so."""
        return "\n".join([*self._lines(gauges), ""])

    def _lines(self, gauges: Mapping[str, float]) -> Iterator[str]:
        for name, value in gauges.items():
            yield from _head(name, "gauge")
            yield f"{name} {_exact(value)}"
        told = ""
        for (name, labels), value in sorted(self._counts.items()):
            if name != told:
                told = name
                yield from _head(name, "counter")
            yield f"{name}{_spelled(labels)} {_exact(value)}"
        if self._times:
            yield from _head("cavendish_request_seconds", "histogram")
        for labels, buckets in sorted(self._times.items()):
            yield from self._histogram(labels, buckets)

    def _histogram(self, labels: Labels, buckets: list[int]) -> Iterator[str]:
        name, total = "cavendish_request_seconds", 0
        for bound, count in zip((*(f"{bound:g}" for bound in BUCKETS_S), "+Inf"), buckets, strict=True):
            total += count
            yield f"{name}_bucket{_spelled((*labels, ('le', bound)))} {total}"
        yield f"{name}_sum{_spelled(labels)} {_exact(self._seconds[labels])}"
        yield f"{name}_count{_spelled(labels)} {total}"


def _head(name: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {HELP[name]}"
    yield f"# TYPE {name} {kind}"


def _exact(value: float) -> str:
    """To the last digit: a counter that is rounded seems to stand still, and then to leap."""
    return str(int(value)) if float(value).is_integer() else repr(round(value, 9))


def _spelled(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}" if labels else ""
