"""What a caller in Python is handed: pictures that can be read, failures that can be understood, both in a result."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ShortfallError
from ..model import result as model
from ..model.fault import Charged, Fault, FaultKind
from ..model.money import as_float, dollars
from ..model.request import Notice

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage


@dataclass(frozen=True, slots=True)
class Picture:
    """One delivered picture. Its bytes are in ``path``, exactly as the provider sent them."""

    path: Path
    value: model.Picture = field(repr=False)

    @property
    def bytes(self) -> bytes:
        """The file's bytes."""
        return self.path.read_bytes()

    def image(self) -> PillowImage:
        """The picture as a Pillow image, loaded."""
        from PIL import Image

        with Image.open(self.path) as image:
            image.load()
            return image

    def save(self, target: str | os.PathLike[str]) -> Path:
        """Copy the file, bytes untouched.

        A folder as target keeps the file's name: one that exists, or a name that ends in a slash.
        """
        said = os.fspath(target)
        path = Path(said)
        if path.is_dir() or said.endswith(("/", os.sep)):
            path /= self.path.name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.path, path)
        return path

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.value.width

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.value.height

    @property
    def media_type(self) -> str:
        """By the bytes, not by what was declared: ``image/jpeg``."""
        return self.value.blob.media_type

    @property
    def sha256(self) -> str:
        """The hash of the bytes, in hexadecimal."""
        return self.value.blob.sha256

    @property
    def key(self) -> str:
        """The row's key, or the prompt's place."""
        return self.value.slot.key

    @property
    def prompt(self) -> str:
        """The words that asked for it."""
        return self.value.slot.request.prompt

    @property
    def text(self) -> str:
        """What the model said with it."""
        return self.value.text

    @property
    def route(self) -> str:
        """Endpoint and model: ``google/gemini-3.1-flash-image``."""
        return str(self.value.route)

    @property
    def attempts(self) -> int:
        """How many calls it took."""
        return self.value.attempts

    @property
    def cost(self) -> float:
        """Dollars for all its attempts; a lower bound when ``cost_known`` is false."""
        return as_float(self.value.cost_nusd)

    @property
    def cost_known(self) -> bool:
        """Whether every attempt's price is known."""
        return self.value.cost_known

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What could not be honoured exactly."""
        return self.value.notices

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002
        """Notebooks show the picture itself."""
        return {self.media_type: self.bytes, "text/plain": repr(self)}


@dataclass(frozen=True, slots=True)
class Failure:
    """One wanted picture that did not come, and why."""

    value: model.Failure = field(repr=False)
    key: str = ""
    kind: FaultKind = FaultKind.NO_IMAGE
    message: str = ""

    @classmethod
    def of(cls, value: model.Failure) -> Failure:
        """From the engine's outcome."""
        return cls(value, value.slot.key, value.fault.kind, value.fault.message)

    @property
    def fault(self) -> Fault:
        """All that is known of the last failure."""
        return self.value.fault

    @property
    def prompt(self) -> str:
        """The words that asked for it."""
        return self.value.slot.request.prompt

    @property
    def reason(self) -> str:
        """The provider's own word: ``IMAGE_SAFETY``."""
        return self.value.fault.reason

    @property
    def charged(self) -> Charged:
        """Whether the last call was billed."""
        return self.value.fault.charged

    @property
    def attempts(self) -> int:
        """How many calls were made for it."""
        return self.value.attempts

    @property
    def cost(self) -> float:
        """Dollars that its attempts were billed all the same."""
        return as_float(self.value.cost_nusd)


Outcome = Picture | Failure


@dataclass(frozen=True, slots=True)
class Result(Sequence[Picture]):
    """All outcomes of a request or a batch, in the order of the slots; as a sequence, its pictures.

    ``asked == len(pictures) + len(failures)``, always. ``unknown_cost`` is what attempts of unknown fate may have cost.
    ``stopped`` is set when the run ended early and can be resumed by the same call.
    """

    folder: Path
    outcomes: tuple[Outcome, ...]
    notices: tuple[Notice, ...] = ()
    billed_nusd: int = 0
    unknown_nusd: int = 0
    stopped: Fault | None = None
    simulated: bool = False

    @property
    def asked(self) -> int:
        """How many pictures were wanted."""
        return len(self.outcomes)

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Those that came."""
        return tuple(o for o in self.outcomes if isinstance(o, Picture))

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Those that did not."""
        return tuple(o for o in self.outcomes if isinstance(o, Failure))

    @property
    def cost(self) -> float:
        """Dollars billed by this run folder's calls, as far as known."""
        return as_float(self.billed_nusd)

    @property
    def unknown_cost(self) -> float:
        """Dollars that attempts of unknown fate may have cost besides."""
        return as_float(self.unknown_nusd)

    def raise_for_shortfall(self) -> Result:
        """Itself when every picture came, else ``ShortfallError``, which holds it."""
        if not self.failures:
            return self
        reasons = sorted({failure.kind.value for failure in self.failures})
        raise ShortfallError(
            f"{len(self.pictures)} of {self.asked} pictures came; {len(self.failures)} failed: {', '.join(reasons)}",
            self,
            hints=(self.stopped.message,) if self.stopped is not None and self.stopped.message else (),
        )

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Picture:  # type: ignore[override]
        return self.pictures[index]

    def __iter__(self) -> Iterator[Picture]:
        return iter(self.pictures)

    def __repr__(self) -> str:
        return f"<Result: {len(self)} of {self.asked} pictures, {dollars(self.billed_nusd)}, in {self.folder}>"
