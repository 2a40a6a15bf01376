"""Lines of providers' own batch files: read by the dialect that speaks their bodies.

::

    OpenAI   {"custom_id": ..., "method": "POST", "url": "/v1/images/generations", "body": {...}}
    Gemini   {"key": ..., "request": {...}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import orjson

from ...model.call import Open
from ...model.fault import Fault
from ...model.request import ImageRequest
from ...wire.message import WireRequest
from ...wire.spill import Spiller, SpillError
from .intake import Intake

_BY_PATH = {"/images/": "openai_images", "/chat/completions": "openai_chat"}
_FILLED = (
    "size",
    "aspect_ratio",
    "system",
    "thinking",
    "modalities",
    "seed",
    "temperature",
    "quality",
    "output_format",
)
"""Fields that the defaults fill where a line does not speak of them."""


class ProviderLine(NamedTuple):
    """What such a line asks for, and the dialect that can read it."""

    key: Any
    dialect: str
    wire: WireRequest


def is_provider_line(names: tuple[str, ...]) -> bool:
    """Whether an object with these members is a line of a provider's batch file."""
    return ("custom_id" in names and "body" in names) or ("request" in names and "key" in names)


def read_provider_line(line: Mapping[str, Any], defaults: ImageRequest, intake: Intake) -> tuple[Any, ImageRequest]:
    """The line's key and its request. Raises ``ValueError`` saying what is wrong."""
    found = _openai(line, intake) if "custom_id" in line and "body" in line else _gemini(line, defaults, intake)
    read_call = intake.read_calls.get(found.dialect)
    if read_call is None:
        raise ValueError(f"bodies in the format {found.dialect} cannot be read here")
    call = read_call(found.wire)
    if isinstance(call, Fault):
        raise ValueError(call.message or call.kind.value)  # noqa: TRY004 - what is wrong is the line's value
    if not isinstance(call, Open):
        raise ValueError("asks for no picture")  # noqa: TRY004
    return found.key, _filled(call.request, defaults, counted="custom_id" in line and _counts(line))


def _counts(line: Mapping[str, Any]) -> bool:
    body: Any = line["body"]
    return isinstance(body, dict) and "n" in body


def _openai(line: Mapping[str, Any], intake: Intake) -> ProviderLine:
    url = line.get("url", "/v1/images/generations")
    if not isinstance(url, str):
        raise ValueError("url: expected some text")  # noqa: TRY004
    dialect = next((name for part, name in _BY_PATH.items() if part in url), None)
    if dialect is None:
        raise ValueError(f"url {url}: images/generations, images/edits and chat/completions can be read")
    return ProviderLine(line["custom_id"], dialect, WireRequest("POST", url, _set_aside(line["body"], "body", intake)))


def _gemini(line: Mapping[str, Any], defaults: ImageRequest, intake: Intake) -> ProviderLine:
    body = _set_aside(line["request"], "request", intake)
    named: Any = line.get("model") or cast("dict[str, Any]", body).get("model") or defaults.model
    model = str(named).removeprefix("models/")
    return ProviderLine(line["key"], "gemini", WireRequest("POST", f"/v1beta/models/{model}:generateContent", body))


def _set_aside(body: Any, member: str, intake: Intake) -> Any:
    """The body with its pictures as blobs, as dialects want it."""
    if not isinstance(body, dict):
        raise ValueError(f"{member}: expected a JSON object")  # noqa: TRY004
    data = orjson.dumps(cast("dict[str, Any]", body))
    if not any(mark in data for mark in (b'"data"', b"b64_json", b"bytesBase64Encoded", b";base64,")):
        return cast("dict[str, Any]", body)
    if intake.new_blob is None:
        raise ValueError("pictures inside a batch file cannot be kept here")
    spiller = Spiller(intake.new_blob)
    try:
        spiller.feed(data)
        return spiller.close()
    except SpillError as error:
        raise ValueError(str(error)) from error


def _filled(request: ImageRequest, defaults: ImageRequest, *, counted: bool) -> ImageRequest:
    changes: dict[str, Any] = {name: getattr(defaults, name) for name in _FILLED if getattr(request, name) is None}
    changes["model"] = request.model or defaults.model
    if not counted:
        changes["n"] = defaults.n
    return request.having(**changes)
