"""Kinds: pictures that cost alike and last alike wherever they are drawn, so that a plan can count them."""

from __future__ import annotations

from dataclasses import dataclass

from ..catalog.fit import BYTES_PER_TOKEN
from ..model.request import Image, ImageRequest, Text

FEW_TOKENS = 256
"""Prompts of up to so many are of one kind: they cost a hundredth of a cent, and plans of few kinds can be read."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What price and time of a picture depend on. ``word_tokens`` is rounded up to ``FEW_TOKENS`` by a power of two.

    ``together`` is how many pictures its request asks for: as many may share a call where a call gives several. A
    seed keeps a picture alone, so it counts as one.
    """

    model: str
    size: str
    ratio: str
    quality: str
    thinking: str
    grounding: tuple[str, ...]
    references: int
    word_tokens: int
    together: int

    @classmethod
    def of(cls, request: ImageRequest) -> Kind:
        """The kind of a request that was fitted to its model."""
        parts = [part for turn in request.turns for part in turn.parts]
        return cls(
            model=request.model,
            size=request.size or "",
            ratio=request.aspect_ratio or "",
            quality=request.quality or "",
            thinking=request.thinking or "",
            grounding=tuple(sorted(request.grounding)),
            references=sum(isinstance(part, Image) for part in parts),
            word_tokens=_up(_bytes_of_words(request) / BYTES_PER_TOKEN),
            together=1 if request.seed is not None else request.n,
        )

    @property
    def key(self) -> str:
        """The kind in words: the same for the same kind for ever, so a saved plan can be laid beside its input."""
        parts = [self.model, self.size, self.ratio, self.quality, self.thinking and f"thinking={self.thinking}"]
        parts += [f"search={'+'.join(self.grounding)}" if self.grounding else ""]
        parts += [f"references={self.references}" if self.references else ""]
        parts += [f"words={self.word_tokens}" if self.word_tokens > FEW_TOKENS else ""]
        return " ".join(filter(None, (*parts, f"n={self.together}")))


@dataclass(slots=True)
class Group:
    """So many pictures of one kind. ``longest`` is the request of it that costs most; ``kept`` are there already."""

    kind: Kind
    longest: ImageRequest
    pictures: int = 0
    kept: int = 0

    def meet(self, request: ImageRequest) -> None:
        """A further request of this kind."""
        if _bytes_of_words(request) > _bytes_of_words(self.longest):
            self.longest = request

    def add(self, *, kept: bool = False) -> None:
        """One more picture."""
        if kept:
            self.kept += 1
        else:
            self.pictures += 1

    def asked_of(self, model: str) -> ImageRequest:
        """Its dearest request, put to another model."""
        return self.longest if model == self.longest.model else self.longest.having(model=model)


def _bytes_of_words(request: ImageRequest) -> int:
    texts = [part.text for turn in request.turns for part in turn.parts if isinstance(part, Text)]
    return sum(len(text.encode(errors="surrogatepass")) for text in (*texts, request.system or ""))


def _up(tokens: float) -> int:
    bound = FEW_TOKENS
    while bound < tokens:
        bound *= 2
    return bound
