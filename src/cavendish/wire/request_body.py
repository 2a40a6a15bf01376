"""A request's body, JSON or a form: as it leaves and as it arrives."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.blob import Blob
from .blobs import DEFAULT_LIMITS, Limits, NewBlob
from .message import Form, JsonBody
from .multipart import FormReader, form_length, form_type, write_form
from .pour import encoded_length, pour
from .spill import Spiller


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A body ready to be sent. ``parts`` are bytes as they are and blobs: as base64, or as they are when ``plain``."""

    content_type: str
    parts: tuple[bytes | Blob, ...]
    plain: bool

    @property
    def size(self) -> int:
        """The length in bytes, for ``Content-Length``."""
        return form_length(self.parts) if self.plain else encoded_length(self.parts)


def outgoing(body: JsonBody | Form) -> Outgoing:
    """The body as it leaves. Raises ``ValueError`` and ``TypeError`` for what cannot be written."""
    if isinstance(body, Form):
        return Outgoing(form_type(body), tuple(write_form(body)), plain=True)
    return Outgoing("application/json", tuple(pour(body)), plain=False)


def request_reader(content_type: str, new_blob: NewBlob, *, limits: Limits = DEFAULT_LIMITS) -> FormReader | Spiller:
    """What reads a body of that declared type: a form, or else JSON. Raises ``SpillError`` for a form without borders.

    Unlike an answer's, a request's declared type is trusted: every server goes by it.
    """
    if content_type.strip().lower().startswith("multipart/"):
        return FormReader(content_type, new_blob, limits=limits)
    return Spiller(new_blob, limits=limits)
