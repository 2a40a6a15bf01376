"""Dialect: a wire format described once, in both directions.

The client writes calls and reads replies; the gateway and the simulator read calls and write replies. Laws, for all
that a dialect can express: ``read_call(write_call(c)) == c`` and ``read_reply(write_reply(r, c), c) == r``. Reading
never raises: what cannot be understood is a ``Fault``.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..model.call import Call, Reply
from ..model.fault import Fault
from ..model.request import Image, Notice
from .message import JsonBody, WireRequest, WireResponse


class Dialect(Protocol):
    """One wire format. Implementations are frozen values that hold nothing but their options."""

    @property
    def name(self) -> str:
        """The name that endpoints refer to it by."""
        ...

    def write_call(self, call: Call) -> WireRequest:
        """The call as it goes over the wire."""
        ...

    def unsupported(self, call: Call) -> tuple[Notice, ...]:
        """What this format has no way to say, one notice for each field that ``write_call`` leaves out."""
        ...

    def read_reply(self, response: WireResponse, call: Call) -> Reply:
        """What the answer means. Never raises."""
        ...

    def read_call(self, request: WireRequest) -> Call | Fault:
        """What a client asks for. Never raises."""
        ...

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """The reply as it goes over the wire."""
        ...


@runtime_checkable
class ReadsDrafts(Protocol):
    """What a dialect does beside that whose streams show drafts of a picture before it is finished."""

    def read_drafts(self, event: JsonBody) -> tuple[Image, ...]:
        """The drafts in one event of a stream. Never raises."""
        ...
