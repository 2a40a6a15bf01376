"""What the tests of OpenAI's formats share: cases from their files, sent as bytes and read again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pybase64
import pytest

from cavendish.model.blob import Blob
from cavendish.model.call import Call, Done, Open, Reply
from cavendish.model.fault import Fault
from cavendish.model.request import Image, ImageRequest, Part
from cavendish.wire.dialect import Dialect
from cavendish.wire.message import Field, Form, Headers, WireRequest, WireResponse
from cavendish.wire.request_body import outgoing, request_reader
from tests.dialects.gemini.cases import (
    STORE,
    arrived,
    asked,
    events,
    pictured,
    pictured_turns,
    sent,
    told,
)
from tests.wire.test_pour import sent as sent_as_base64

__all__ = ["STORE", "Table", "arrived", "asked", "events", "pictured", "pictured_turns", "sent", "told", "typed"]

CASES = Path(__file__).parents[1] / "cases"


@dataclass(frozen=True)
class Table:
    """The cases of one dialect."""

    folder: str
    dialect: Dialect
    model: str

    def load(self, name: str) -> list[dict[str, Any]]:
        return json.loads((CASES / self.folder / f"{name}.json").read_text("utf-8"))

    def cases(self, *names: str) -> Any:
        """The cases of these files as the parameter ``case``."""
        found = [pytest.param(c, id=c["name"]) for name in names for c in self.load(name)]
        return pytest.mark.parametrize("case", found)

    def ask(self, n: int = 1, *, stream: bool = False) -> Open:
        return Open(ImageRequest.of("a red kite", self.model, n=n), stream)

    def reply_to(self, case: dict[str, Any], call: Call | None = None) -> Done | Fault:
        """What the dialect makes of an answer."""
        headers = Headers.of(case.get("headers", {}))
        response = arrived(sent(case), case.get("status", 200), headers, cut=case.get("cut", False))
        stream = case.get("stream", "events" in case)
        reply = self.dialect.read_reply(response, call or self.ask(case.get("n", 1), stream=stream))
        assert isinstance(reply, Done | Fault)
        return reply

    def done_of(self, case: dict[str, Any]) -> Done:
        reply = self.reply_to(case)
        assert isinstance(reply, Done), reply
        return reply

    def fault_of(self, case: dict[str, Any], call: Call | None = None) -> Fault:
        reply = self.reply_to(case, call)
        assert isinstance(reply, Fault), reply
        return reply

    def resent(self, reply: Reply, call: Call, dialect: Dialect | None = None) -> Done | Fault:
        """A reply, written, sent as bytes, and read again."""
        speaker = dialect or self.dialect
        again = speaker.read_reply(rearrived(speaker.write_reply(reply, call)), call)
        assert isinstance(again, Done | Fault)
        return again


def rearrived(response: WireResponse) -> WireResponse:
    """An answer after its way over a line."""
    if response.binary is not None:
        return response
    value = STORE.text(response.body)
    body = response.raw if response.body is None else json.dumps(value).encode()
    return arrived(events(value) if response.stream else body, response.status, response.headers)


def request_of(case: dict[str, Any]) -> WireRequest:
    """The request of a case as it arrives, its pictures set aside."""
    if "form" in case:
        body: Any = Form(tuple(_field(*entry) for entry in case["form"]))
    else:
        body = case.get("body")
    request = WireRequest(case.get("method", "POST"), case["path"], body, query=tuple(case.get("query", {}).items()))
    return over_the_wire(request) if body is not None else request


def _field(name: str, value: str, filename: str = "", media_type: str = "") -> Field:
    content = STORE.blob(pybase64.b64decode(value)) if filename else value
    return Field(name, content, filename, media_type)


def over_the_wire(request: WireRequest) -> WireRequest:
    """A request after its way over a line."""
    sending = outgoing(request.body)
    reader = request_reader(sending.content_type, STORE.new_blob)
    if sending.plain:
        reader.feed(b"".join(STORE.data[p.sha256] if isinstance(p, Blob) else p for p in sending.parts))
    else:
        reader.feed(sent_as_base64(sending.parts, STORE))
    return replace(request, body=reader.close())


def typed(part: Part) -> Part:
    """A picture as an answer has it: its type is that of its bytes, and of an address none is said."""
    if isinstance(part, Image):
        return replace(part, use=None, signature=None, media_type=part.blob and part.blob.media_type)
    return replace(part, signature=None)


def uses(call: Open) -> Sequence[str | None]:
    return [image.use.value if image.use else None for image in call.request.references]
