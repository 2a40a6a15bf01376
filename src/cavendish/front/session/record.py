"""Record: one turn of a session as a value, and as the JSON in its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from ...model.blob import Blob
from ...model.call import Done
from ...model.fault import Fault
from ...model.plain import from_plain, read_json, to_plain, write_json
from ...model.request import Image, ImageRequest, Notice, Part, Role, Text, Turn
from ...model.result import Failure, Picture, Route

FORMAT = 1
"""Of a turn's file; a file with a greater number is from a newer version."""


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn: what the user said, and what came of it.

    ``request`` holds the words and pictures of this turn alone, however many came before: those are found by
    ``parent``, which is ``None`` for a first turn. ``reply`` is all that the model gave, in order; a fault when no
    picture came, and ``None`` as long as none is known of. ``dialect`` is the wire format that it came in. Refs of
    blobs are names of files beside the record. ``created`` in seconds since the epoch, amounts in nano-dollars.
    """

    number: int
    parent: int | None
    created: float
    request: ImageRequest
    reply: Done | Fault | None = None
    route: Route | None = None
    dialect: str = ""
    size: tuple[int, int] | None = None
    cost_nusd: int = 0
    cost_known: bool = True
    attempts: int = 0
    latency_s: float = 0.0
    notices: tuple[Notice, ...] = ()
    simulated: bool = False

    @property
    def asked(self) -> Turn:
        """The user's side."""
        return self.request.turns[-1]

    @property
    def answered(self) -> Turn | None:
        """The model's side; ``None`` when it gave no picture."""
        return Turn(Role.MODEL, self.reply.parts) if isinstance(self.reply, Done) else None

    @property
    def picture(self) -> Image | None:
        """The picture that came of it."""
        return self.reply.pictures[-1] if isinstance(self.reply, Done) and self.reply.pictures else None

    def having(self, **changes: Any) -> TurnRecord:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def with_outcome(self, outcome: Picture | Failure, dialect: str) -> TurnRecord:
        """The turn with what came of it; blobs still where the run folder has them."""
        ended = self.having(
            route=outcome.route,
            dialect=dialect,
            cost_nusd=outcome.cost_nusd,
            cost_known=outcome.cost_known,
            attempts=outcome.attempts,
        )
        if isinstance(outcome, Failure):
            return ended.having(reply=outcome.fault)
        notices = tuple(dict.fromkeys((*self.notices, *outcome.notices)))
        size = outcome.width, outcome.height
        return ended.having(reply=_reply_of(outcome), size=size, latency_s=outcome.latency_s, notices=notices)


def _reply_of(picture: Picture) -> Done:
    final = Image(blob=picture.blob, media_type=picture.blob.media_type, signature=picture.signature)
    before, after = picture.extras[: picture.place], picture.extras[picture.place :]
    return Done(
        parts=(*before, final, *after),
        finals=(len(before),),
        usage=picture.usage,
        finish=picture.finish,
        answered_by=picture.answered_by,
        response_id=picture.response_id,
        grounding=picture.grounding,
    )


def map_blobs(record: TurnRecord, change: Callable[[Blob, str], Blob]) -> TurnRecord:
    """The record with each of its blobs changed; ``change`` is also told what it is: a word for its file's name."""
    request = record.request.having(turns=(Turn(Role.USER, _mapped(record.asked.parts, "reference", change)),))
    if not isinstance(record.reply, Done):
        return record.having(request=request)
    return record.having(request=request, reply=_answer_mapped(record.reply, change))


def _answer_mapped(reply: Done, change: Callable[[Blob, str], Blob]) -> Done:
    parts = list(_mapped(reply.parts, "draft", change, skip=reply.finals))
    for index in reply.finals:
        parts[index] = _mapped((parts[index],), "", change)[0]
    return replace(reply, parts=tuple(parts))


def _mapped(
    parts: tuple[Part, ...], word: str, change: Callable[[Blob, str], Blob], skip: tuple[int, ...] = ()
) -> tuple[Part, ...]:
    return tuple(part if index in skip else _part_mapped(part, word, change) for index, part in enumerate(parts))


def _part_mapped(part: Part, word: str, change: Callable[[Blob, str], Blob]) -> Part:
    if isinstance(part.signature, Blob):
        part = replace(part, signature=change(part.signature, "signature"))
    if isinstance(part, Image) and part.blob is not None:
        part = replace(part, blob=change(part.blob, "thought" if part.thought else word))
    return part


# --- as JSON ---------------------------------------------------------------------------------------------------------


def to_file(record: TurnRecord) -> bytes:
    """The record as its file has it."""
    entry: dict[str, Any] = {
        "format": FORMAT,
        "number": record.number,
        "parent": record.parent,
        "created": record.created,
        "request": to_plain(record.request),
        "reply": None if record.reply is None else to_plain(record.reply),
        "route": None if record.route is None else to_plain(record.route),
        "dialect": record.dialect,
        "size": None if record.size is None else list(record.size),
        "cost_nusd": record.cost_nusd,
        "cost_known": record.cost_known,
        "attempts": record.attempts,
        "latency_s": record.latency_s,
        "notices": [to_plain(notice) for notice in record.notices],
        "simulated": record.simulated,
    }
    return write_json(entry) + b"\n"


def from_file(data: bytes) -> TurnRecord:
    """The record that a file has. Raises ``ValueError`` when it has none, or one of a newer format."""
    try:
        entry = cast("dict[str, Any]", read_json(data))
        if entry["format"] > FORMAT:
            raise ValueError("it was written by a newer version of Cavendish")
        return _sound(_read(entry))
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"it is no turn of a session ({type(error).__name__})") from error


def _read(entry: dict[str, Any]) -> TurnRecord:
    return TurnRecord(
        number=int(entry["number"]),
        parent=None if entry["parent"] is None else int(entry["parent"]),
        created=float(entry["created"]),
        request=from_plain(entry["request"], ImageRequest),
        reply=None if entry["reply"] is None else _read_reply(entry["reply"]),
        route=None if entry["route"] is None else from_plain(entry["route"], Route),
        dialect=str(entry["dialect"]),
        size=None if entry["size"] is None else (int(entry["size"][0]), int(entry["size"][1])),
        cost_nusd=int(entry["cost_nusd"]),
        cost_known=bool(entry["cost_known"]),
        attempts=int(entry["attempts"]),
        latency_s=float(entry["latency_s"]),
        notices=tuple(from_plain(notice, Notice) for notice in entry["notices"]),
        simulated=bool(entry["simulated"]),
    )


def _read_reply(plain: Any) -> Done | Fault:
    reply = from_plain(plain)
    return reply if isinstance(reply, Done) else from_plain(plain, Fault)


def _sound(record: TurnRecord) -> TurnRecord:
    """The record when its parts fit together; what was edited by hand may not."""
    if len(record.request.turns) != 1 or record.asked.role is not Role.USER:
        raise ValueError("it holds not one turn of the user's")
    if isinstance(record.reply, Done):
        parts = record.reply.parts
        if not record.reply.finals or not all(0 <= index < len(parts) for index in record.reply.finals):
            raise ValueError("its picture is not among its parts")
        if record.picture is None or record.picture.blob is None:
            raise ValueError("it has no picture")
    return record


def words_of(record: TurnRecord) -> str:
    """What the user said, in one line."""
    return " ".join(record.request.prompt.split())


def text_of(record: TurnRecord) -> str:
    """What the model said aloud, with its picture or instead of one."""
    if isinstance(record.reply, Fault):
        return record.reply.text
    return record.reply.text if record.reply else ""


def thoughts_of(record: TurnRecord) -> str:
    """What the model thought, as far as it told."""
    parts = record.reply.parts if isinstance(record.reply, Done) else ()
    return "\n".join(part.text for part in parts if isinstance(part, Text) and part.thought)
