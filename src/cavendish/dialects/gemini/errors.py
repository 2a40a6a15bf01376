"""Errors, read: what an answer that is no answer means.

Google's envelope ``{"error": {code, status, message, details}}``, the relays' one, either of them wrapped in a list
or under status 200, and bodies that are no JSON at all: HTML of a proxy, plain words, nothing.

``charged``: an error status is not billed (docs.apiyi.com on 4xx, 429 and 503; Google likewise), unless the body
shows that somebody between answered with a 5xx: then the model may have worked all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...model.call import Call
from ...model.fault import Fault
from ...wire.google import read_google_error, read_wait
from ...wire.http_faults import bare_fault
from ...wire.message import WireResponse
from ...wire.reading import items, mapping, member, text, text_of
from .relay import is_relay_error, read_relay_error
from .stream import events_of


def read_error(response: WireResponse, call: Call) -> Fault:
    """The fault that an answer without candidates stands for. Never raises."""
    error = _envelope(response.body)
    if error is None:
        return bare_fault(response)
    if is_relay_error(error):
        fault = read_relay_error(error, response.status, call)
    else:
        fault = read_google_error(error, response.status)
    wait = read_wait(fault.message, items(error, "details"), response.headers)
    return replace(fault, retry_after_s=wait)


def _envelope(body: Any) -> Mapping[str, Any] | None:
    """The error object, wherever it is."""
    for event in events_of(body):
        if found := mapping(event, "error"):
            return found
        if said := text_of(member(event, "error")):
            return {**event, "message": said}
        for name in ("message", "msg", "detail"):
            if said := text(event, name):
                return {**event, "message": said}
    return None
