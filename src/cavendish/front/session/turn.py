"""SessionTurn: one turn as a caller in Python is handed it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...model.call import Done, GroundingNote
from ...model.fault import Fault
from ...model.money import as_float
from ...model.request import Notice
from ...model.usage import NOTHING_USED, Usage
from .record import TurnRecord, text_of, thoughts_of
from .store import SessionStore

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage


@dataclass(frozen=True, slots=True)
class SessionTurn:
    """What was said, and what came of it. ``path`` is the picture's file, ``None`` when no picture came."""

    number: int
    parent: int | None
    prompt: str
    path: Path | None
    value: TurnRecord = field(repr=False)

    @classmethod
    def of(cls, store: SessionStore, record: TurnRecord) -> SessionTurn:
        """From its record."""
        blob = record.picture.blob if record.picture else None
        path = store.path_of(blob.ref) if blob else None
        return cls(record.number, record.parent, record.request.prompt, path, record)

    @property
    def bytes(self) -> bytes:
        """The picture's bytes, as the provider sent them. Raises ``ValueError`` when no picture came."""
        if self.path is None:
            raise ValueError(f"turn {self.number} has no picture")
        return self.path.read_bytes()

    def image(self) -> PillowImage:
        """The picture as a Pillow image, loaded."""
        import io

        from PIL import Image

        image = Image.open(io.BytesIO(self.bytes))
        image.load()
        return image

    @property
    def text(self) -> str:
        """What the model said aloud."""
        return text_of(self.value)

    @property
    def thoughts(self) -> str:
        """What it thought, as far as it was asked to tell."""
        return thoughts_of(self.value)

    @property
    def failure(self) -> Fault | None:
        """Why no picture came; ``None`` too as long as no answer is known."""
        return self.value.reply if isinstance(self.value.reply, Fault) else None

    @property
    def unfinished(self) -> bool:
        """Whether no answer is known: the same words again go on with it."""
        return self.value.reply is None

    @property
    def route(self) -> str:
        """Endpoint and model: ``google/gemini-3.1-flash-image``; empty as long as none answered."""
        return str(self.value.route) if self.value.route else ""

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return self.value.request.model

    @property
    def cost(self) -> float:
        """Dollars for all its attempts; a lower bound when ``cost_known`` is false."""
        return as_float(self.value.cost_nusd)

    @property
    def cost_known(self) -> bool:
        """Whether every attempt's price is known."""
        return self.value.cost_known

    @property
    def usage(self) -> Usage:
        """What the provider counted."""
        return self.value.reply.usage if self.value.reply else NOTHING_USED

    @property
    def grounding(self) -> GroundingNote | None:
        """Queries and sources, when it searched."""
        return self.value.reply.grounding if isinstance(self.value.reply, Done) else None

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What could not be honoured exactly, and what of the conversation did not carry over."""
        return self.value.notices

    def to_json(self) -> dict[str, Any]:
        """For programs: dollars as numbers."""
        record, failure = self.value, self.failure
        return {
            "turn": self.number,
            "parent": self.parent,
            "prompt": self.prompt,
            "picture": None if self.path is None else str(self.path),
            "text": self.text,
            "model": self.model,
            "route": self.route or None,
            "width": record.size[0] if record.size else None,
            "height": record.size[1] if record.size else None,
            "cost": self.cost,
            "cost_known": self.cost_known,
            "attempts": record.attempts,
            "failure": None if failure is None else {"class": failure.kind.value, "reason": failure.reason},
            "unfinished": self.unfinished,
            "grounding": None if self.grounding is None else asdict(self.grounding),
            "notices": [{"code": notice.code, "text": notice.text} for notice in self.notices],
            "simulated": record.simulated,
        }
