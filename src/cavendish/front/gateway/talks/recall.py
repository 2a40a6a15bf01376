"""Recall: a conversation in a format without thought signatures, as the model that drew in it needs it back.

Clients of OpenAI's formats send earlier pictures back as they got them, and nothing else that a model gave with them.
What was kept of each answer is found by the hash of its picture; from there on it is a conversation like any other, and
is carried to the endpoint that is asked as ``front.session.carry`` says.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from yarl import URL

from ....io.blobs.folder import FolderBlobs
from ....io.desk.books import DeskBooks
from ....io.desk.job_lists import REMOVED
from ....model.blob import Blob
from ....model.call import Done
from ....model.request import Image, ImageRequest, Notice, Part, Role, Text, Turn
from ....model.result import Picture, Route
from ...routes import Routes, dialect_of, speaks
from ...session.carry import Carried, Target, carry
from ...session.record import TurnRecord
from ..jobs.links import PICTURES, Links
from ..transit.intake import blobs_of

_LINK: Final = re.compile(rf"https?://[^\s/]+{PICTURES}(?P<job>[\w-]{{1,80}})\.(?P<ordinal>\d{{1,9}})[^\s()]*")
_SHOWN_IN_WORDS: Final = re.compile(rf"!\[[^\]\n]{{0,200}}\]\((https?://[^\s/()]+{PICTURES}[^\s()]+)\)")


@dataclass(frozen=True, slots=True)
class Recall:
    """What a request is compared with: the routes of its model, and what is known of the pictures in it."""

    routes: Routes
    known: Mapping[str, Picture]

    def recalled(self, request: ImageRequest) -> Carried:
        """The request with its earlier turns as they came, and what of them did not carry over.

        Raises ``CavendishError`` for a model that there is no way to.
        """
        turns = merged(request.turns)
        if all(turn.role is Role.USER for turn in turns) or turns[-1].role is not Role.USER:
            return Carried(request.having(turns=turns))
        resolved = self.routes.resolve(request.model)
        target = Target.common([Target.of(route, dialect_of(route)) for route in resolved])
        past = list(self._records(turns[:-1], target))
        carried = carried_on(past, request.having(turns=turns[-1:]), target)
        whole = tuple(turn for turn in carried.request.turns if turn.parts)
        lost = tuple(_lost(past, target))
        return Carried(carried.request.having(turns=whole), (*lost, *carried.notices))

    def _records(self, turns: Sequence[Turn], target: Target) -> Iterator[TurnRecord]:
        asked: tuple[Part, ...] = ()
        number = 0
        for turn in turns:
            if turn.role is Role.USER:
                asked = turn.parts
                continue
            number += 1
            request = ImageRequest(turns=(Turn(Role.USER, asked),), model="")
            yield self._answered(TurnRecord(number, number - 1 or None, 0.0, request), turn, target)
            asked = ()

    def _answered(self, record: TurnRecord, turn: Turn, target: Target) -> TurnRecord:
        """The turn with all that is known of the model's side of it."""
        pictures = [part for part in turn.parts if isinstance(part, Image)]
        found = [self.known[part.blob.sha256] for part in pictures if part.blob and part.blob.sha256 in self.known]
        whole = Done(turn.parts, tuple(i for i, part in enumerate(turn.parts) if isinstance(part, Image)))
        if not found or len(found) < len(pictures):
            # Where no signature is needed, whoever drew it, it goes back as the model's own.
            own = Route("", target.model, "") if target.model and not target.insists else None
            return record.having(reply=whole, route=own, dialect=target.dialect if own else "")
        first = found[0]
        dialect = self._dialect(first.route)
        if len(found) == 1 and pictures[0].blob:
            kept = record.with_outcome(replace(first, blob=pictures[0].blob), dialect)
            if kept.answered and _same_words(turn.parts, kept.answered.parts):
                return kept
        parts = tuple(self._signed(part) for part in turn.parts)
        return record.having(reply=replace(whole, parts=parts), route=first.route, dialect=dialect)

    def _signed(self, part: Part) -> Part:
        known = self.known.get(part.blob.sha256) if isinstance(part, Image) and part.blob else None
        return part if known is None else replace(part, signature=known.signature)

    def _dialect(self, route: Route) -> str:
        card = self.routes.catalog.endpoints.get(route.endpoint)
        return speaks(card).name if card else ""


def carried_on(past: Sequence[TurnRecord], request: ImageRequest, target: Target) -> Carried:
    """``carry``, also for turns in which the model drew nothing."""
    shown = [record for record in past if record.picture is not None]
    if target.talks or len(shown) == len(past):
        return carry(past, request, target)
    if shown:
        return carry(shown, request, target)
    text = f"{target.place} knows no conversations: it is told the latest words alone"
    return Carried(request, (Notice("conversation_cut", text, "turns"),))


def _lost(past: Iterable[TurnRecord], target: Target) -> Iterator[Notice]:
    """A notice for pictures that should have come with a signature, and none is known."""
    numbers = [record.number for record in past if record.picture and record.route is None]
    if target.insists and numbers:
        which = f"turn{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
        text = f"no thought signature is known for the picture of {which}: not drawn here, changed since, or forgotten"
        yield Notice("signature_lost", text, "turns")


def merged(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """The turns, those of the same side that follow each other as one; and none without anything in it."""
    found: list[Turn] = []
    for turn in turns:
        if not turn.parts:
            continue
        if found and found[-1].role is turn.role:
            found[-1] = Turn(turn.role, (*found[-1].parts, *turn.parts))
        else:
            found.append(turn)
    return tuple(found)


def _same_words(said: Iterable[Part], kept: Iterable[Part]) -> bool:
    """Whether a client left what the model said as it was, or said nothing of it at all."""
    words = _words(said)
    return not words or words == _words(kept)


def _words(parts: Iterable[Part]) -> str:
    return " ".join(" ".join(part.text for part in parts if isinstance(part, Text) and not part.thought).split())


def drawn(turns: Iterable[Turn]) -> list[str]:
    """The hashes of all pictures that stand in a model's turns."""
    parts = (part for turn in turns if turn.role is Role.MODEL for part in turn.parts)
    return [part.blob.sha256 for part in parts if isinstance(part, Image) and part.blob]


# --- pictures of ours by their links ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Album:
    """The pictures of a caller by their links, also by those that ended meanwhile. ``base`` is this gateway's address.

    A link of somebody else's picture is good for as long as its signature is.
    """

    books: DeskBooks
    links: Links
    caller: str
    base: str
    now: float

    async def placed(self, request: ImageRequest) -> Carried:
        """The request with pictures in place of their links.

        Links among the words of a model's turn are pictures that a client could not keep in any other way. Pictures
        of such a turn that are no more are left out: nobody can bring them back, and the conversation goes on.
        """
        turns: list[Turn] = []
        gone = False
        for turn in request.turns:
            ours = turn.role is Role.MODEL
            found = [await self._placed(part) for part in (_divided(turn.parts) if ours else turn.parts)]
            kept = [part for part in found if not (ours and self._is_gone(part))]
            shown = any(isinstance(part, Image) and part.blob for part in kept)
            gone = gone or (len(kept) < len(found) and not shown)
            turns.append(Turn(turn.role, tuple(_once(kept) if ours else kept)))
        text = "a picture that a link in the conversation names is not kept any more: the model is not shown it"
        return Carried(request.having(turns=tuple(turns)), (Notice("picture_gone", text, "turns"),) if gone else ())

    def _is_gone(self, part: Part) -> bool:
        uri = part.uri or "" if isinstance(part, Image) else ""
        return uri.startswith(f"{self.base}{PICTURES}") and _LINK.fullmatch(uri) is not None

    async def _placed(self, part: Part) -> Part:
        match = _LINK.fullmatch(part.uri or "") if isinstance(part, Image) else None
        if match is None or not isinstance(part, Image):
            return part
        slot_id = f"{match['job']}.{match['ordinal']}"
        job = await self.books.job(match["job"])
        if job is None or not (job.caller == self.caller or self._is_good(part.uri or "")):
            return part
        for outcome in await self.books.outcomes(job.id):
            if isinstance(outcome, Picture) and outcome.slot.id == slot_id and job.state != REMOVED:
                return replace(part, uri=None, blob=outcome.blob, media_type=outcome.blob.media_type)
        return part

    def _is_good(self, address: str) -> bool:
        url = URL(address)
        return self.links.slot_of(url.path.removeprefix(PICTURES), url.query, self.now) is not None


def _divided(parts: Iterable[Part]) -> Iterator[Part]:
    """Words, and the pictures of ours that are shown among them."""
    for part in parts:
        if not isinstance(part, Text) or not _SHOWN_IN_WORDS.search(part.text):
            yield part
            continue
        pieces = _SHOWN_IN_WORDS.split(part.text)
        for words, address in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
            if words.strip():
                yield replace(part, text=words.strip())
            if address:
                yield Image(uri=address)


def _once(parts: Iterable[Part]) -> Iterator[Part]:
    """The parts, a picture that stands there twice only once: beside the words, and among them as a link."""
    seen: set[str] = set()
    for part in parts:
        name = (part.blob.sha256 if part.blob else part.uri or "") if isinstance(part, Image) else ""
        if not name or name not in seen:
            yield part
        seen.add(name)


async def with_own_names(blobs: FolderBlobs, before: ImageRequest, after: ImageRequest, own_id: str) -> ImageRequest:
    """The request with names of its own for the files that it has of earlier jobs: those may be removed before it.

    ``before`` is the request without them.
    """
    known = {blob.ref for blob in _blobs_in(before)}
    further = {blob.ref: blob for blob in _blobs_in(after) if blob.ref not in known}
    if not further:
        return after
    kept = dict(zip(further, await blobs.keep(own_id, tuple(further.values())), strict=True))
    return after.having(turns=tuple(replace(turn, parts=tuple(_placed(turn.parts, kept))) for turn in after.turns))


def _blobs_in(request: ImageRequest) -> Iterator[Blob]:
    return (blob for turn in request.turns for blob in blobs_of(turn.parts))


def _placed(parts: Iterable[Part], kept: Mapping[str, Blob]) -> Iterator[Part]:
    for part in parts:
        placed = part
        if isinstance(part, Image) and part.blob and part.blob.ref in kept:
            placed = replace(part, blob=kept[part.blob.ref])
        if isinstance(part.signature, Blob) and part.signature.ref in kept:
            placed = replace(placed, signature=kept[part.signature.ref])
        yield placed


# --- what is still there ---------------------------------------------------------------------------------------------


async def whole_ones(known: Mapping[str, Picture], blobs: FolderBlobs) -> dict[str, Picture]:
    """Those of which nothing but drafts is gone: a large signature, and what was drawn on the way, are files."""
    if not known:
        return {}
    return await asyncio.to_thread(lambda: dict(_whole_ones(known, blobs)))


def _whole_ones(known: Mapping[str, Picture], blobs: FolderBlobs) -> Iterator[tuple[str, Picture]]:
    for sha256, picture in known.items():
        signed = [part.signature for part in picture.extras] + [picture.signature]
        if not all(_is_there(blob, blobs) for blob in signed if isinstance(blob, Blob)):
            continue
        gone = [not _is_there(part.blob, blobs) if isinstance(part, Image) else False for part in picture.extras]
        kept = tuple(part for part, missing in zip(picture.extras, gone, strict=True) if not missing)
        yield sha256, replace(picture, extras=kept, place=picture.place - sum(gone[: picture.place]))


def _is_there(blob: Blob | None, blobs: FolderBlobs) -> bool:
    if blob is None:
        return True
    try:
        return next(iter(blobs.read(blob)), None) is not None
    except (OSError, ValueError):
        return False
