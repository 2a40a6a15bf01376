"""JobBlobs: the gateway's folder as one job sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ....engine.passing import PassingBlobs
from ....engine.ports import Blobs
from ....model.blob import Blob
from ....model.call import Reply
from ....model.request import ImageRequest
from ....model.result import Slot

_NAMELESS = ImageRequest.of("", "")


class JobBlobs(PassingBlobs):
    """The folder, with ``recorded`` what an earlier life left of this job alone.

    Files are named after the job and not after the prompt: nothing of a client's words gets into a path.
    """

    def __init__(self, folder: Blobs, recorded: Mapping[str, Reply]) -> None:
        super().__init__(folder)
        self._recorded = recorded

    async def place(self, blob: Blob, slot: Slot) -> Blob:
        """Give a judged picture its final name."""
        return await super().place(blob, replace(slot, request=_NAMELESS))

    async def recorded(self) -> Mapping[str, Reply]:
        """Replies of this job that arrived whole and were never settled."""
        return self._recorded
