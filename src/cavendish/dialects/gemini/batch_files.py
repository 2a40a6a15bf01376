"""Google's Files API, both ways: a resumable upload's first step, and what is told of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from ...model.call import Open
from ...model.fault import Fault, FaultKind
from ...model.job import StoredFile
from ...model.request import ImageRequest
from ...wire.message import Headers, WireRequest, WireResponse
from ...wire.reading import count, mapping, text
from .asking import Version
from .errors import read_error

UPLOAD_URL: Final = "X-Goog-Upload-URL"
UPLOAD_STATUS: Final = "X-Goog-Upload-Status"
UPLOAD_COMMAND: Final = "X-Goog-Upload-Command"
UPLOAD_OFFSET: Final = "X-Goog-Upload-Offset"
UPLOAD_RECEIVED: Final = "X-Goog-Upload-Size-Received"
UPLOAD_LENGTH: Final = "X-Goog-Upload-Header-Content-Length"
UPLOAD_TYPE: Final = "X-Goog-Upload-Header-Content-Type"

FILE_LIFE_S: Final = 48 * 3600.0
"""How long an uploaded file is kept (Google's guide on files, 2026)."""

JSONL: Final = "application/jsonl"
_ANY: Final = Open(ImageRequest((), ""))


@dataclass(frozen=True, slots=True)
class GeminiFiles:
    """The client's side. Reading never raises."""

    version: Version = "v1beta"

    def write_start(self, name: str, media_type: str, size: int) -> WireRequest:
        """Begin an upload of so many bytes. The answer names the address that they go to."""
        told = {"displayName": name, "mimeType": media_type, "sizeBytes": str(size)}
        headers = {
            "X-Goog-Upload-Protocol": "resumable",
            UPLOAD_COMMAND: "start",
            UPLOAD_LENGTH: str(size),
            UPLOAD_TYPE: media_type,
        }
        return WireRequest("POST", f"/upload/{self.version}/files", {"file": told}, Headers.of(headers))

    def write_delete(self, file_id: str) -> WireRequest:
        """Have a file forgotten."""
        return WireRequest("DELETE", f"/{self.version}/files/{quote(file_id.removeprefix('files/'), safe='')}")

    def read_start(self, response: WireResponse) -> str | Fault:
        """Where the bytes go."""
        if not 200 <= response.status < 300:
            return read_error(response, _ANY)
        url = response.headers.get(UPLOAD_URL)
        return url or Fault(FaultKind.MALFORMED, "the answer to an upload names no address")

    def read_file(self, response: WireResponse) -> StoredFile | Fault:
        """The file that an answer tells of."""
        if not 200 <= response.status < 300:
            return read_error(response, _ANY)
        file = read_file(mapping(response.body, "file") or response.body)
        return file or Fault(FaultKind.MALFORMED, "the answer names no file")


def read_file(body: Any) -> StoredFile | None:
    """A file from its object."""
    if not (file_id := text(body, "name")):
        return None
    return StoredFile(
        id=file_id,
        uri=text(body, "uri"),
        name=text(body, "displayName"),
        media_type=text(body, "mimeType"),
        size=count(body, "sizeBytes"),
        state=text(body, "state") or "ACTIVE",
        sha256=text(body, "sha256Hash"),
        source=text(body, "source") or "UPLOADED",
        created=text(body, "createTime"),
        expires=text(body, "expirationTime"),
        download_uri=text(body, "downloadUri"),
    )


def write_file(file: StoredFile) -> dict[str, Any]:
    """A file as Google tells of it."""
    told = {
        "name": file.id,
        "displayName": file.name,
        "mimeType": file.media_type,
        "sizeBytes": str(file.size),
        "createTime": file.created,
        "updateTime": file.created,
        "expirationTime": file.expires,
        "sha256Hash": file.sha256,
        "uri": file.uri,
        "downloadUri": file.download_uri,
        "state": file.state,
        "source": file.source,
    }
    return {name: value for name, value in told.items() if value}
