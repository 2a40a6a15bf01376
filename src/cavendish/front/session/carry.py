"""Carry: the turns so far, as the endpoint that is asked next can be told them.

Thought signatures belong to the model that gave them, in the wire format that it gave them in. There a turn goes back
exactly as it came. Everywhere else signatures and thoughts are left out; where pictures of the model's own must be
signed, those of other models go with the user's next words. A format without conversations gets the latest picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...catalog.resolve import Resolved
from ...model.call import Open
from ...model.request import Image, ImageRequest, Notice, Part, Role, Text, Turn, Use
from ...wire.dialect import Dialect
from .record import TurnRecord


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked next.

    ``talks``: its format knows conversations; ``signs``: and thought signatures in them; ``insists``: the model takes
    back no picture of its own without one.
    """

    model: str
    dialect: str
    place: str
    talks: bool
    signs: bool
    insists: bool = False

    @classmethod
    def of(cls, resolved: Resolved, dialect: Dialect) -> Target:
        """By what the dialect says that it cannot say."""
        unsaid = {notice.field for notice in dialect.unsupported(Open(_PROBE))}
        card, talks = resolved.card, "turns" not in unsaid
        signs = talks and "signature" not in unsaid
        insists = signs and (bool(card.thinking) or card.always_thinks)
        return cls(card.id, dialect.name, f"{resolved.endpoint.name}/{card.id}", talks, signs, insists)

    @classmethod
    def common(cls, targets: Sequence[Target]) -> Target:
        """What all of several can be told: any of them may be the one that is asked."""
        first = targets[0]
        if all(replace(target, place="") == replace(first, place="") for target in targets):
            return first
        place = ", ".join(target.place for target in targets)
        return cls("", "", place, all(t.talks for t in targets), any(t.signs for t in targets))

    def gave(self, record: TurnRecord) -> bool:
        """Whether a turn's answer is this very model's, in this very format, with the signatures that it needs."""
        if record.route is None or (record.route.model, record.dialect) != (self.model, self.dialect):
            return False
        parts = record.answered.parts if record.answered else ()
        signed = (part.signature is not None for part in parts if isinstance(part, Image) and not part.thought)
        return not self.insists or all(signed)


_PROBE = ImageRequest(
    turns=(
        Turn(Role.USER, (Text("a"),)),
        Turn(Role.MODEL, (Image(uri="https://pictures.invalid/1", signature="AAAA"),)),
        Turn(Role.USER, (Text("b"),)),
    ),
    model="",
)


@dataclass(frozen=True, slots=True)
class Carried:
    """A request with all that came before it, and what of that did not carry over."""

    request: ImageRequest
    notices: tuple[Notice, ...] = ()


def carry(past: Sequence[TurnRecord], request: ImageRequest, target: Target) -> Carried:
    """The request with the turns before it, as the target can be told them."""
    if not past:
        return Carried(request)
    if not target.talks:
        return _latest_picture(past, request, target)
    turns: list[Turn] = []
    handed: tuple[Part, ...] = ()
    for record in past:
        turns.append(Turn(Role.USER, (*handed, *_said(record))))
        own, handed = _answer(record, target)
        turns += [Turn(Role.MODEL, own)] if own else []
    turns.append(Turn(Role.USER, (*handed, *request.turns[-1].parts)))
    return Carried(request.having(turns=tuple(_alternating(turns))), tuple(_left_out(past, target)))


def _answer(record: TurnRecord, target: Target) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """What the model's turn holds, and what goes with the user's next one instead."""
    assert record.answered is not None
    if target.gave(record):
        return record.answered.parts, ()
    parts = tuple(replace(part, signature=None) for part in record.answered.parts if not _is_aside(part, record))
    if not target.signs:
        return parts, ()
    words = tuple(part for part in parts if isinstance(part, Text))
    return words, tuple(part for part in parts if isinstance(part, Image))


def _is_aside(part: Part, record: TurnRecord) -> bool:
    """Whether it is a thought or a draft: of worth to the model that had it, and to no other."""
    return part.thought or (isinstance(part, Image) and part is not record.picture)


def _said(record: TurnRecord) -> tuple[Part, ...]:
    """What the user said then. A mask spoke of that turn's picture alone."""
    return tuple(part for part in record.asked.parts if not _is_mask(part))


def _is_mask(part: Part) -> bool:
    return isinstance(part, Image) and part.use is Use.MASK


def _alternating(turns: Sequence[Turn]) -> Iterator[Turn]:
    """The turns, with those of the user that follow each other as one: of an answer nothing may have been left."""
    held: Turn | None = None
    for turn in turns:
        if held is not None and held.role is turn.role:
            held = Turn(held.role, (*held.parts, *turn.parts))
            continue
        if held is not None:
            yield held
        held = turn
    if held is not None:
        yield held


def _latest_picture(past: Sequence[TurnRecord], request: ImageRequest, target: Target) -> Carried:
    picture = past[-1].picture
    assert picture is not None
    # First, since what a mask speaks of is the first picture.
    parts = (replace(picture, signature=None), *request.turns[-1].parts)
    text = f"{target.place} knows no conversations: it is shown the latest picture and told the latest words alone"
    return Carried(request.having(turns=(Turn(Role.USER, parts),)), (Notice("conversation_cut", text, "turns"),))


def _left_out(past: Sequence[TurnRecord], target: Target) -> Iterator[Notice]:
    foreign = [record for record in past if not target.gave(record)]
    signed = [record for record in foreign if any(part.signature is not None for part in _given(record))]
    aside = [record for record in foreign if any(_is_aside(part, record) for part in _given(record))]
    masked = [record for record in past if any(map(_is_mask, record.asked.parts))]
    if signed:
        text = f"thought signatures of {_which(signed)} are left out: they are of no use to {target.place}"
        yield Notice("signatures_left_out", text, "turns")
    if aside:
        yield Notice(
            "asides_left_out", f"{target.place} is not shown the thoughts and drafts of {_which(aside)}", "turns"
        )
    if target.signs and foreign:
        text = f"pictures of {_which(foreign)} go with the words that follow them: {target.place} did not sign them"
        yield Notice("pictures_moved", text, "turns")
    if masked:
        yield Notice(
            "masks_left_out", f"masks of {_which(masked)} are left out: they spoke of its picture alone", "turns"
        )


def _given(record: TurnRecord) -> tuple[Part, ...]:
    return record.answered.parts if record.answered else ()


def _which(records: Sequence[TurnRecord]) -> str:
    return f"turn{'s' if len(records) > 1 else ''} {', '.join(str(record.number) for record in records)}"
