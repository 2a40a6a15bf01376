"""Bulk: files and batches of both worlds, put together: their paths, and the one store behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ...io.desk.batches import BatchBooks
from ...io.desk.stored import StoredBooks
from .batches.batches import Batches, Scribe
from .batches.files import Files
from .doors.door import Door
from .doors.google_batches import GoogleBatches, GoogleScribe
from .doors.google_files import GoogleFiles
from .doors.openai_batches import OpenaiBatches, OpenaiScribe
from .doors.openai_files import OpenaiFiles
from .jobs.desk import Desk
from .routing import Route, World

_V: Final = r"/(?:v1|v1beta|v1alpha)"
_NAME: Final = "(?P<name>[A-Za-z0-9_-]{1,80})"
_GET, _POST, _DELETE = ("GET", "HEAD"), ("POST",), ("DELETE",)


class Bulk:
    """Files and batches. Open for as long as its desk is; doors are told after they are made."""

    def __init__(self, desk: Desk, keep_s: float | None = None) -> None:
        self.files = Files(desk, StoredBooks(desk.books))
        self._places: dict[str, Door] = {}
        scribes: dict[str, Scribe] = {World.GOOGLE: GoogleScribe(), World.OPENAI: OpenaiScribe(self._places)}
        self.batches = Batches(desk, BatchBooks(desk.books), self.files, scribes, keep_s)

    def routes(self, google: Door, openai: Door, places: Mapping[str, Door]) -> tuple[Route, ...]:
        """All paths. ``places`` are the doors that a line of OpenAI's batches may name, by their path."""
        self._places.update(places)
        return (*self._google(google), *self._openai(openai))

    def _google(self, google: Door) -> tuple[Route, ...]:
        files, batches = GoogleFiles(google, self.files, self.batches), GoogleBatches(google, self.batches)
        world = World.GOOGLE
        return (
            Route(_POST, re.compile(rf"/upload{_V}/files"), files.start),
            Route(("POST", "PUT"), re.compile(rf"/upload/sessions/{_NAME}"), files.piece, keyless=True),
            Route(_GET, re.compile(rf"{_V}/files"), files.list, world),
            Route(_GET, re.compile(rf"{_V}/files/{_NAME}"), files.one, world),
            Route(_DELETE, re.compile(rf"{_V}/files/{_NAME}"), files.delete, world),
            Route(_GET, re.compile(rf"(?:/download)?{_V}/files/{_NAME}:download"), files.content),
            Route(_POST, re.compile(rf"{_V}/models/(?P<model>[^:]+):batchGenerateContent"), batches.create),
            Route(_GET, re.compile(rf"{_V}/batches"), batches.list, world),
            Route(_GET, re.compile(rf"{_V}/batches/{_NAME}"), batches.one, world),
            Route(_DELETE, re.compile(rf"{_V}/batches/{_NAME}"), batches.delete, world),
            Route(_POST, re.compile(rf"{_V}/batches/{_NAME}:cancel"), batches.cancel),
        )

    def _openai(self, openai: Door) -> tuple[Route, ...]:
        files = OpenaiFiles(openai, self.files, self.batches)
        batches = OpenaiBatches(openai, self._places, self.batches)
        file, batch, world = f"/v1/files/file-{_NAME}", f"/v1/batches/batch_{_NAME}", World.OPENAI
        return (
            Route(_POST, re.compile("/v1/files"), files.create, world),
            Route(_GET, re.compile("/v1/files"), files.list, world),
            Route(_GET, re.compile(file), files.one, world),
            Route(_DELETE, re.compile(file), files.delete, world),
            Route(_GET, re.compile(f"{file}/content"), files.content, world),
            Route(_POST, re.compile("/v1/batches"), batches.create, world),
            Route(_GET, re.compile("/v1/batches"), batches.list, world),
            Route(_GET, re.compile(batch), batches.one, world),
            Route(_POST, re.compile(f"{batch}/cancel"), batches.cancel, world),
        )
