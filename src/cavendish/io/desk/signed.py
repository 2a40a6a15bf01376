"""Signed: answers with thought signatures, found again by their picture.

OpenAI's formats have no place for the signatures that Google's models want back with their pictures. So what such a
model gave is kept beside the outcome, under who asked and the hash of the picture, for longer than its job need be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ...model.blob import Blob
from ...model.plain import from_json, to_json
from ...model.request import ImageRequest
from ...model.result import Picture
from ..state.port import Link
from .port import Books

KEPT_FOR_S = 90 * 86_400.0
"""How long a conversation may rest before its signatures are forgotten."""

MOST = 256
"""Pictures of one request that are looked up: more than any request may hold."""

_NAMELESS = ImageRequest.of("", "")


def put_signed(link: Link, job_id: str, picture: Picture) -> None:
    """Keep an answer when a part of it is signed; in the transaction that ends its slot."""
    if picture.signature is None and all(part.signature is None for part in picture.extras):
        return
    for (caller,) in link.run("SELECT caller FROM jobs WHERE id = :job", job=job_id):
        # What was asked is the job's, and comes back with the conversation.
        kept = replace(picture, slot=replace(picture.slot, request=_NAMELESS))
        sql = (
            "INSERT INTO signed (caller, sha256, at, entry) VALUES (:caller, :sha256, :at, :entry)"
            " ON CONFLICT (caller, sha256) DO UPDATE SET at = excluded.at, entry = excluded.entry"
        )
        link.run(sql, caller=caller, sha256=picture.blob.sha256, at=link.wall_s(), entry=to_json(kept).decode())


class Signed:
    """The signed answers in a gateway's books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def find(self, caller: str, hashes: Iterable[str]) -> Mapping[str, Picture]:
        """Those of a caller by the sha256 of their pictures."""
        wanted = list(dict.fromkeys(hashes))[:MOST]
        if not wanted:
            return {}
        sql = "SELECT entry FROM signed WHERE caller = :caller AND sha256 = :sha256"

        def work(link: Link) -> list[str]:
            rows = (link.run(sql, caller=caller, sha256=sha256) for sha256 in wanted)
            return [entry for found in rows for (entry,) in found]

        pictures = (from_json(entry, Picture) for entry in await self._books.read(work))
        return {picture.blob.sha256: picture for picture in pictures}

    async def forget_old(self, kept_for_s: float = KEPT_FOR_S) -> tuple[Blob, ...]:
        """Forget those that are older. Returns the files of their signatures, which nothing leads to any more.

        One with a file stays for as long as its job does, whose answer may be asked for again.
        """
        found: list[Blob] = []

        def entry(link: Link) -> None:
            found.clear()
            before = link.wall_s() - kept_for_s
            sql = "SELECT caller, sha256, entry FROM signed WHERE at < :before"
            for caller, sha256, text in link.run(sql, before=before):
                picture = from_json(text, Picture)
                large = tuple(large_signatures(picture))
                if large and link.run("SELECT 1 FROM outcomes WHERE slot = :slot", slot=picture.slot.id):
                    continue
                sql = "DELETE FROM signed WHERE caller = :caller AND sha256 = :sha256"
                link.run(sql, caller=caller, sha256=sha256)
                found.extend(large)

        await self._books.write(entry)
        return tuple(found)


def large_signatures(picture: Picture) -> Iterator[Blob]:
    """Signatures that are too large to stand in the books."""
    for signature in (picture.signature, *(part.signature for part in picture.extras)):
        if isinstance(signature, Blob):
            yield signature
