"""Twins: tells a picture that this request already has, byte for byte."""

from __future__ import annotations

from .ports import Ledger


def form_of(slot_id: str) -> str:
    """The request's form in a slot's name."""
    return slot_id.rsplit(".", 1)[0]


class Twins:
    """The hashes of the pictures that each request has, while it has a slot at work; the rest stays in the ledger."""

    def __init__(self, ledger: Ledger, *, fresh: bool) -> None:
        self._ledger = ledger
        self._fresh = fresh
        self._seen: dict[str, set[str]] = {}
        self._live: dict[str, int] = {}

    async def enter(self, slot_id: str) -> None:
        """A slot of this form is at work from now on."""
        form = form_of(slot_id)
        self._live[form] = self._live.get(form, 0) + 1
        if form in self._seen:
            return
        self._seen[form] = seen = set[str]()
        # The first slot of a form in a new ledger cannot have a twin: spare the look-up, a million times.
        if not (self._fresh and slot_id.endswith(".0")):
            seen.update(await self._ledger.hashes(form))

    def leave(self, slot_id: str) -> None:
        """The slot is no longer at work."""
        form = form_of(slot_id)
        self._live[form] -= 1
        if not self._live[form]:
            del self._live[form], self._seen[form]

    def add(self, slot_id: str, sha256: str) -> bool:
        """Note a picture; false when the request has the same one already."""
        seen = self._seen[form_of(slot_id)]
        if sha256 in seen:
            return False
        seen.add(sha256)
        return True
