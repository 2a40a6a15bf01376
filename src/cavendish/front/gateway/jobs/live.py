"""Live: drafts of pictures that are still being drawn, handed to whoever waits for the picture."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

from ....io.blobs.folder import FolderBlobs
from ....model.request import Image


class LiveDrafts:
    """Implements ``io.http.drafts.Onlooker`` for the calls that somebody follows.

    A draft that was told is a file of its own: who was told of it hides it when it was sent, or is not wanted.
    """

    def __init__(self, blobs: FolderBlobs) -> None:
        self._blobs = blobs
        self._followed: dict[str, Callable[[Image], None]] = {}

    def follow(self, call_id: str, tell: Callable[[Image], None]) -> None:
        """Have each draft of a call told, before it leaves. ``call_id`` is that of its attempts."""
        self._followed[call_id] = tell

    def leave(self, call_id: str) -> None:
        """Nothing more of it is wanted."""
        self._followed.pop(call_id, None)

    def wants(self, attempt_id: str) -> bool:
        """Whether anybody follows."""
        return attempt_id in self._followed

    async def drew(self, attempt_id: str, draft: Image) -> None:
        """Tell of a draft. One that cannot be shown is left out: it comes with the picture."""
        if draft.blob is None:
            return
        with contextlib.suppress(OSError):
            shown = await self._blobs.show(attempt_id, draft.blob)
            if tell := self._followed.get(attempt_id):
                tell(replace(draft, blob=shown))
            else:
                await self.hide(replace(draft, blob=shown))

    async def hide(self, draft: Image) -> None:
        """Remove a draft that was told."""
        if draft.blob is not None:
            await self._blobs.hide(draft.blob)
