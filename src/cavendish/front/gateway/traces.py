"""Traces: a span for each request and each call, for OpenTelemetry where it is installed and set up.

Without its package, or without a provider that somebody has set up, this costs nothing and says nothing. Nothing of a
prompt and no key gets into a span.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

from aiohttp import web

from ...model.attempt import Attempt

try:
    from opentelemetry import propagate, trace
except ImportError:  # an extra
    propagate = trace = None

NAME = "cavendish"


def is_heard() -> bool:
    """Whether somebody has set up where spans go."""
    return trace is not None and not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextlib.contextmanager
def span_of(request: web.Request) -> Generator[dict[str, Any]]:
    """A span for a request, below its client's where that says so; what is put into the dict becomes its attributes."""
    told: dict[str, Any] = {}
    if trace is None or propagate is None or not is_heard():
        yield told
        return
    tracer = trace.get_tracer(NAME)
    above = propagate.extract(dict(request.headers))
    with tracer.start_as_current_span(f"{request.method} gateway", above, trace.SpanKind.SERVER) as span:
        yield told
        span.set_attributes({name: value for name, value in told.items() if value is not None})


def note_call(attempt: Attempt) -> None:
    """A span for a call that has ended, below that of the request whose job it was for."""
    if trace is None or attempt.settled_at is None or not is_heard():
        return
    span = trace.get_tracer(NAME).start_span(
        f"call {attempt.route.model}",
        kind=trace.SpanKind.CLIENT,
        start_time=int(attempt.intent_at * 1e9),
        attributes={"cavendish.route": str(attempt.route), "cavendish.attempt": attempt.number},
    )
    if attempt.fault is not None:
        span.set_attribute("cavendish.fault", attempt.fault.kind.value)
    span.end(int(attempt.settled_at * 1e9))
