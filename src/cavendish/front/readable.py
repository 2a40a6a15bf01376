"""Readable: reference pictures such as their model reads them: upright, and of a type that it takes.

What must be changed is written anew, once, below the run folder, and told; all else goes as it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalog.fit import insist
from ..errors import RequestError
from ..model.blob import Blob
from ..model.request import Image, ImageRequest, Notice, Role, Turn, Use
from ..wire.media import HEAD_BYTES, extension, sniff
from . import redraw
from .folder.atomic import replacing
from .keeping import HASH_CHARS, REFERENCES

if TYPE_CHECKING:
    from ..catalog.cards import ModelCard
    from .routes import Routes

REMEMBERED = 4096
"""Pictures that were looked at: the same one often stands in every row."""

_UPRIGHT, _CONVERTED = "upright", "converted"
_NOT_YET = "not written yet"


class Readable:
    """Makes requests readable for their models.

    What is made bears the hash of what it was made of, so that a resumed run finds the same bytes: other releases of
    the encoder may write others, and another picture is another request. Without ``draw`` nothing is written: a
    picture that would be made anew is then a stand-in of the right type.
    """

    def __init__(self, routes: Routes, folder: Path, *, draw: bool = True) -> None:
        self._routes = routes
        self._folder = folder
        self._draw = draw
        self._turned: dict[str, bool] = {}
        self._made: dict[tuple[str, str, bool], Blob] = {}

    def request(self, request: ImageRequest) -> ImageRequest:
        """The request with pictures that its model reads. Raises ``RequestError`` for one that cannot be made so."""
        if not any(isinstance(part, Image) and part.blob for turn in request.turns for part in turn.parts):
            return request
        cards = [resolved.card for resolved in self._routes.resolve(request.model)]
        turns = tuple(self._turn(turn, cards) if turn.role is Role.USER else turn for turn in request.turns)
        return request if turns == request.turns else request.having(turns=turns)

    def _turn(self, turn: Turn, cards: list[ModelCard]) -> Turn:
        number = 0
        parts = list(turn.parts)
        for place, part in enumerate(parts):
            if not isinstance(part, Image):
                continue
            number += 1
            try:
                parts[place] = self._image(part, cards)
            except (OSError, ValueError) as error:
                raise RequestError(f"reference picture {number}: {error}", field="references") from error
        return replace(turn, parts=tuple(parts))

    def _image(self, image: Image, cards: list[ModelCard]) -> Image:
        blob = image.blob
        if blob is None:
            return image
        turned = self._is_turned(blob)
        unread = next((card for card in cards if not _reads(card, blob.media_type)), None)
        targets = _targets(image, cards)
        if not (turned or unread) or not targets or blob.media_type not in redraw.READ:
            return image
        if not redraw.can_read(blob.media_type):
            raise _not_installed(blob, unread)
        made = self._anew(blob, targets, _UPRIGHT if turned else _CONVERTED)
        self._tell(_notice(blob.media_type, made.media_type, unread, turned=turned))
        return replace(image, blob=made, media_type=made.media_type)

    def _tell(self, notice: Notice) -> None:
        if self._routes.wish.strict:
            insist((notice,))
        self._routes.note((notice,))

    def _is_turned(self, blob: Blob) -> bool:
        known = self._turned.get(blob.sha256)
        if known is None:
            if len(self._turned) >= REMEMBERED:
                self._turned.clear()
            # The picture itself may be gone by the time a run is resumed.
            known = bool(self._kept(blob, _UPRIGHT, redraw.READ)) or self._looks_turned(blob)
            self._turned[blob.sha256] = known
        return known

    def _looks_turned(self, blob: Blob) -> bool:
        try:
            return redraw.is_turned(self._folder / blob.ref, blob.media_type)
        except OSError:
            return False  # the call that cannot read it says so

    def _anew(self, blob: Blob, targets: tuple[str, ...], how: str) -> Blob:
        key = (blob.sha256, targets[0], len(targets) > 1)
        if key not in self._made:
            if len(self._made) >= REMEMBERED:
                self._made.clear()
            if (kept := self._kept(blob, how, targets)) is not None:
                self._made[key] = _blob_of(kept, self._folder)
            elif self._draw:
                self._made[key] = self._written(blob, targets, how)
            else:
                return replace(blob, media_type=targets[0], ref=_NOT_YET)
        return self._made[key]

    def _written(self, blob: Blob, targets: tuple[str, ...], how: str) -> Blob:
        data, media_type = redraw.redrawn(self._folder / blob.ref, blob.media_type, targets)
        path = self._place(blob, how, media_type)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(data)
        return _blob_of(path, self._folder)

    def _kept(self, blob: Blob, how: str, types: frozenset[str] | tuple[str, ...]) -> Path | None:
        places = (self._place(blob, how, media_type) for media_type in (redraw.PNG, redraw.JPEG) if media_type in types)
        return next((path for path in places if path.is_file()), None)

    def _place(self, blob: Blob, how: str, media_type: str) -> Path:
        return self._folder / REFERENCES / f"{blob.sha256[:HASH_CHARS]}-{how}.{extension(media_type)}"


def _reads(card: ModelCard, media_type: str) -> bool:
    """A model of which no types are known is left to say itself what it does not read."""
    return not card.references.media_types or media_type in card.references.media_types


def _targets(image: Image, cards: list[ModelCard]) -> tuple[str, ...]:
    wanted = (redraw.PNG,) if image.use is Use.MASK else (redraw.PNG, redraw.JPEG)
    return tuple(media_type for media_type in wanted if all(_reads(card, media_type) for card in cards))


def _blob_of(path: Path, folder: Path) -> Blob:
    with path.open("rb") as file:
        media_type = sniff(file.read(HEAD_BYTES)) or ""
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Blob(digest, file.tell(), media_type, path.relative_to(folder).as_posix())


def _notice(before: str, after: str, unread: ModelCard | None, *, turned: bool) -> Notice:
    # Without the picture's name: in a batch, one notice stands for all rows.
    if turned:
        text = f"{before} references that lie on their side were turned upright, and written anew as {after}"
        return Notice("reference_turned", text, "references")
    name = unread.name if unread else "the model"
    return Notice(
        "reference_converted", f"{name} reads no {before}: references were converted to {after}", "references"
    )


def _not_installed(blob: Blob, unread: ModelCard | None) -> RequestError:
    return RequestError(
        f"{unread.name if unread else 'the model'} reads no {blob.media_type}, and what would convert it is missing",
        field="references",
        allowed=unread.references.media_types if unread else (),
        hints=("pip install 'cavendish[heif]'",),
    )
