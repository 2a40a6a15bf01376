"""The serving side of Google's Files API: resumable uploads step by step, and lists of files."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ...model.fault import Fault, FaultKind
from ...model.job import StoredFile
from ...wire.message import Headers, JsonBody, WireResponse
from ...wire.reading import integer, mapping, text
from .batch_files import (
    UPLOAD_COMMAND,
    UPLOAD_LENGTH,
    UPLOAD_OFFSET,
    UPLOAD_RECEIVED,
    UPLOAD_STATUS,
    UPLOAD_TYPE,
    UPLOAD_URL,
    write_file,
)

MAX_FILE_BYTES: Final = 2 << 30
"""Of one file (Google's guide on files, 2026)."""
DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class UploadWish:
    """A file that a client is about to send. ``size`` is 0 when it did not say."""

    name: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Step:
    """One request of an upload: whether it brings bytes and where they belong, and whether they are the last."""

    brings: bool
    ends: bool
    offset: int | None


def read_upload(body: JsonBody, headers: Headers) -> UploadWish | Fault:
    """What a client is about to send. Never raises."""
    told = mapping(body, "file")
    size = integer({"size": headers.get(UPLOAD_LENGTH)}, "size") or integer(told, "sizeBytes") or 0
    if size > MAX_FILE_BYTES:
        return Fault(FaultKind.INVALID_REQUEST, "a file has at most 2 GB", reason="INVALID_ARGUMENT", status=400)
    media_type = headers.get(UPLOAD_TYPE) or text(told, "mimeType")
    return UploadWish(text(told, "displayName"), media_type or "application/octet-stream", max(size, 0))


def read_step(headers: Headers) -> Step:
    """What a request of an upload is for. Never raises."""
    commands = {word.strip() for word in headers.get(UPLOAD_COMMAND).lower().split(",")}
    return Step("upload" in commands, "finalize" in commands, integer({"at": headers.get(UPLOAD_OFFSET)}, "at"))


def write_begun(url: str) -> WireResponse:
    """The upload may begin, at this address."""
    return WireResponse(200, Headers(((UPLOAD_URL, url), (UPLOAD_STATUS, "active"))))


def write_received(count: int) -> WireResponse:
    """So many bytes are there, and more are awaited."""
    return WireResponse(200, Headers(((UPLOAD_STATUS, "active"), (UPLOAD_RECEIVED, str(count)))))


def write_uploaded(file: StoredFile) -> WireResponse:
    """All bytes are there: the file."""
    return WireResponse(200, Headers(((UPLOAD_STATUS, "final"),)), {"file": write_file(file)})


def write_files(files: Sequence[StoredFile], more: str = "") -> dict[str, Any]:
    """One page of a list of files; ``more`` is the token of the next one."""
    page: dict[str, Any] = {"files": [write_file(file) for file in files]}
    return {**page, "nextPageToken": more} if more else page


def page_of(size: str, token: str, count: int) -> tuple[int, int, str]:
    """Where a page of a list of so many begins and ends, and the token of the next. Odd wishes are passed over."""
    length = integer({"size": size}, "size") or DEFAULT_PAGE
    start = max(0, integer({"at": token}, "at") or 0)
    end = start + min(MAX_PAGE, max(1, length))
    return start, end, str(end) if end < count else ""


def no_file(identity: str) -> Fault:
    """What Google says of a file that is another's or no one's."""
    message = f"You do not have permission to access the File {identity.removeprefix('files/')} or it may not exist."
    return Fault(FaultKind.FORBIDDEN, message, reason="PERMISSION_DENIED", status=403)


def moment(at: float) -> str:
    """A time, in seconds since the epoch, as Google writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def written_hash(hexdigest: str) -> str:
    """A file's SHA-256 as Google tells it: the base64 of its hexadecimal digits."""
    return base64.b64encode(hexdigest.encode()).decode()
