"""Answers of the simulated model: pictures with words, thoughts, drafts and signatures around them, and what they use.

Token counts follow what was measured at Google and at resellers in 2026: a picture's tokens go by its size alone, the
3.x models write 90 to 630 tokens besides, and thinking adds to that.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from ..catalog.cards import PriceCard
from ..model.blob import Blob
from ..model.call import Done, GroundingNote, Source
from ..model.fault import Charged, Fault, FaultKind
from ..model.request import Image, ImageRequest, Part, Text
from ..model.usage import Usage
from .books import listed_price
from .checks import signs
from .dice import SeededDice
from .draw import Sketch, media_type_of
from .faults import REFUSALS, Mishap, Wish
from .menu import Entry
from .profile import Counted, Quirks
from .sheet import Flaw

CHARS_PER_TOKEN = 4
INPUT_IMAGE_TOKENS = 1120
"""Of a reference picture; sources differ between 258 and 1120."""
GIGANTIC_BYTES = 96 << 20
TOKENS_PER_PRICE = 1_000_000
"""Prices of tokens are by the million."""
SIGNATURE_BYTES = 96
BIG_SIGNATURE_BYTES = 1 << 20

_UNTOLD = frozenset({Mishap.SHORT})
"""Mishaps that leave a picture out of the answer without a word."""


class Shelf(Protocol):
    """Where a transport keeps what the model made until it is sent."""

    def picture(self, sketch: Sketch) -> Blob:
        """A picture, drawn now or when it is sent."""
        ...

    def keep(self, data: bytes, media_type: str) -> Blob:
        """Any other bytes."""
        ...

    def url(self, sketch: Sketch) -> str:
        """An address at which the picture can be fetched."""
        ...

    def at(self, url: str) -> Sketch | None:
        """The picture behind such an address."""
        ...

    def made(self) -> tuple[str, ...]:
        """References of all that was put here since this was last asked."""
        ...

    def drop(self, refs: Iterable[str]) -> None:
        """Forget them."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One call that the model works on. ``sketch`` is the picture that it would draw without a mishap.

    Of several pictures it is the first. ``by_address``: pictures are given as addresses. ``previews`` is how many
    drafts of each picture are wanted on the way.
    """

    number: int
    request: ImageRequest
    entry: Entry
    wish: Wish
    dice: SeededDice
    sketch: Sketch
    quirks: Quirks = field(default_factory=Quirks)
    price: PriceCard | None = None
    by_address: bool = False
    previews: int = 0

    def at(self, place: int) -> Job:
        """The job of one of several pictures."""
        return replace(self, sketch=replace(self.sketch, seed=self.sketch.seed + place)) if place else self


def answer(job: Job, mishaps: Sequence[Mishap | None], shelf: Shelf) -> Done | Fault:
    """What the model says: a mishap, or none, for each picture that was asked for."""
    if job.request.modalities == ("TEXT",):
        return _refuse(job, Mishap.TEXT_ONLY)
    drawn = [_drawn(job.at(place), mishap, shelf) for place, mishap in enumerate(mishaps) if mishap not in _UNTOLD]
    refused = tuple(one for one in drawn if isinstance(one, Fault))
    shapes = [one for one in drawn if not isinstance(one, Fault)]
    if refused and job.quirks.black_pictures and refused[0].kind is FaultKind.IMAGE_SAFETY and not shapes:
        return Done(parts=(), finals=(), shortfall=refused)
    if not shapes or (refused and job.quirks.whole_or_none):
        return refused[0] if refused else _refuse(job, Mishap.NO_IMAGE)
    parts: list[Part] = []
    finals: list[int] = []
    for said, _ in shapes:
        own = [i for i, part in enumerate(said) if isinstance(part, Image) and not part.thought][-1:]
        finals += [len(parts) + i for i in own]
        parts += said
    return Done(
        parts=tuple(parts),
        finals=tuple(finals),
        usage=usage_of(job, sum(pictures for _, pictures in shapes)),
        finish="STOP" if job.quirks.signatures else "stop",
        answered_by=job.entry.id,
        response_id=f"sim-{job.number}",
        grounding=_grounding(job.request),
        shortfall=refused if job.quirks.says_why else (),
    )


def _drawn(job: Job, mishap: Mishap | None, shelf: Shelf) -> _Shape | Fault:
    """One picture with what comes with it, or why there is none."""
    if mishap and mishap in REFUSALS:
        return _refuse(job, mishap)
    shape = _SHAPES.get(mishap, _plain) if mishap else _plain
    return (_plain if shape in _SPOKEN and not job.quirks.speaks else shape)(job, shelf)


def usage_of(job: Job, pictures: int) -> Usage:
    """What the call used, for an answer of so many pictures."""
    request = job.request
    thinks = signs(job.entry)
    return Usage(
        input_tokens=input_tokens(request),
        input_image_tokens=INPUT_IMAGE_TOKENS * sum(_is_image(part) for turn in request.turns for part in turn.parts),
        output_image_tokens=_picture_tokens(job) * pictures,
        output_text_tokens=job.dice.between(90, 630) if thinks else 0,
        thought_tokens=_thought_tokens(job),
        images=pictures,
        searches=len(request.grounding),
    )


def _picture_tokens(job: Job) -> int:
    """Of one picture: by the model's card, else as many as its list price comes to."""
    word = job.entry.size_word(job.request)
    known = job.entry.card.sizes.get(word)
    if known and known.output_tokens:
        return known.output_tokens
    listed = listed_price(job.price, word, job.request.quality)
    if not (job.price and job.price.output_image and listed):
        return 0
    return listed * TOKENS_PER_PRICE // job.price.output_image


def told_usage(usage: Usage, counts: Sequence[Counted], billed_nusd: int) -> Usage:
    """As much of what was used as the system says."""
    if "tokens" not in counts:
        usage = Usage(images=usage.images)
    return replace(
        usage,
        images=usage.images if "images" in counts else 0,
        cost_nusd=billed_nusd if "cost" in counts else None,
    )


def input_tokens(request: ImageRequest) -> int:
    """Tokens of everything sent: words by their length, pictures at a flat count."""
    words = len(request.system or "") + sum(
        len(part.text) for turn in request.turns for part in turn.parts if isinstance(part, Text)
    )
    images = sum(_is_image(part) for turn in request.turns for part in turn.parts)
    return 1 + words // CHARS_PER_TOKEN + images * INPUT_IMAGE_TOKENS


def _is_image(part: Part) -> bool:
    return isinstance(part, Image)


def _thought_tokens(job: Job) -> int:
    card, level = job.entry.card, job.request.thinking or job.entry.card.default_thinking
    if card.always_thinks:
        return job.dice.between(180, 530)
    if not card.thinking or level in {"", "minimal"}:
        return 0
    # Seen were the least and the most; between them is a guess, the catalog's too.
    return job.dice.between(300, 400) if level == "medium" else job.dice.between(700, 800)


def _refuse(job: Job, mishap: Mishap) -> Fault:
    refusal = REFUSALS[mishap]
    known = job.quirks.refuses_as
    kind = refusal.kind if not known or refusal.kind in known else known[0]
    says = "I can describe that picture for you, but I have not drawn it." if mishap is Mishap.TEXT_ONLY else ""
    blocked = mishap in {Mishap.PROMPT_BLOCKED, Mishap.PROMPT_PROHIBITED}
    thoughts = 0 if blocked or not signs(job.entry) else _thought_tokens(job) or job.dice.between(90, 300)
    return Fault(
        kind,
        refusal.message,
        charged=Charged.UNKNOWN,
        reason=refusal.reason,
        status=200,
        text=says,
        usage=Usage(
            input_tokens=input_tokens(job.request),
            output_text_tokens=len(says) // CHARS_PER_TOKEN,
            thought_tokens=thoughts,
        ),
    )


# --- shapes of a good answer -----------------------------------------------------------------------------------------

_Shape = tuple[tuple[Part, ...], int]
"""The parts of an answer, of which the last picture is the final one, and how many pictures were drawn for it."""


def _plain(job: Job, shelf: Shelf) -> _Shape:
    words = _thoughts(job) if job.request.include_thoughts else ()
    if job.quirks.speaks and job.request.modalities != ("IMAGE",) and job.dice.uniform() < 0.5:
        words = (*words, Text("Here is the picture.", signature=_signature(job)))
    previews = tuple(_picture(job, shelf, label=f"preview {i + 1}") for i in range(job.previews))
    return (*words, *previews, _picture(job, shelf)), 1


def _thought_parts(job: Job, shelf: Shelf) -> _Shape:
    """Interim pictures that are marked as thoughts; the last of them equals the final one."""
    final = _picture(job, shelf)
    first = _picture(job, shelf, label="draft 1")
    interim = tuple(replace(image, thought=True, signature=None) for image in (first, final))
    return (*_thoughts(job), *interim, final), 1


def _drafts(job: Job, shelf: Shelf) -> _Shape:
    """Earlier tries that are not marked as thoughts; each is billed."""
    count = job.wish.pictures or job.dice.between(2, 10)
    drafts = tuple(_picture(job, shelf, label=f"draft {i + 1}") for i in range(count - 1))
    return (*drafts, _picture(job, shelf)), count


def _big_signature(job: Job, shelf: Shelf) -> _Shape:
    """A signature that is larger than the picture it stands beside, as 3-pro gives with search."""
    seedling = f"{job.sketch.seed}/{job.number}:".encode()
    data = seedling + bytes(BIG_SIGNATURE_BYTES - len(seedling))
    return (replace(_picture(job, shelf), signature=shelf.keep(data, "application/octet-stream")),), 1


def _not_an_image(job: Job, shelf: Shelf) -> _Shape:
    blob = shelf.keep(f"This was to be picture {job.number}, and is only words. ".encode() * 40, "image/png")
    return (Image(blob=blob, media_type="image/png", signature=_signature(job)),), 1


def _wrong_type(job: Job, shelf: Shelf) -> _Shape:
    image = _picture(job, shelf)
    return (replace(image, media_type="image/webp"),), 1


def _gigantic(job: Job, shelf: Shelf) -> _Shape:
    sketch = replace(job.sketch, least_bytes=max(job.sketch.least_bytes, job.wish.least_bytes or GIGANTIC_BYTES))
    return (_image_of(job, sketch, shelf),), 1


def _url(job: Job, shelf: Shelf) -> _Shape:
    if not job.quirks.speaks:
        return (_image_of(replace(job, by_address=True), job.sketch, shelf),), 1
    return (Text(f"Your picture: {shelf.url(job.sketch)}"),), 1


def _flawed(job: Job, shelf: Shelf, flaw: Flaw) -> _Shape:
    """A contact sheet that is not as it should be; any other picture is none the worse."""
    return _plain(replace(job, sketch=replace(job.sketch, flaw=flaw)), shelf)


_SHAPES: dict[Mishap, Callable[[Job, Shelf], _Shape]] = {
    Mishap.DRAFTS: _drafts,
    Mishap.THOUGHTS: _thought_parts,
    Mishap.BIG_SIGNATURE: _big_signature,
    Mishap.NOT_AN_IMAGE: _not_an_image,
    Mishap.WRONG_TYPE: _wrong_type,
    Mishap.GIGANTIC: _gigantic,
    Mishap.URL: _url,
    **{mishap: partial(_flawed, flaw=Flaw(mishap.value)) for mishap in Mishap if mishap.value in set(Flaw)},
}

_SPOKEN = frozenset({_drafts, _thought_parts, _big_signature})
"""Shapes of models that think and speak."""


def _picture(job: Job, shelf: Shelf, label: str = "") -> Image:
    sketch = replace(job.sketch, label=f"{job.sketch.label} {label}") if label else job.sketch
    return _image_of(job, sketch, shelf)


def _image_of(job: Job, sketch: Sketch, shelf: Shelf) -> Image:
    if job.by_address:
        return Image(uri=shelf.url(sketch), media_type=media_type_of(sketch))
    blob = shelf.picture(sketch)
    return Image(blob=blob, media_type=blob.media_type, signature=_signature(job))


def _thoughts(job: Job) -> tuple[Part, ...]:
    speaks = job.quirks.speaks and signs(job.entry)
    return (Text(f"Planning the picture: {job.request.prompt[:80]}", thought=True),) if speaks else ()


def _signature(job: Job) -> str | None:
    if not (job.quirks.signatures and signs(job.entry)):
        return None
    seedling = f"simulated signature of answer {job.number} "
    return base64.b64encode(seedling.ljust(SIGNATURE_BYTES, ".").encode()).decode()


def _grounding(request: ImageRequest) -> GroundingNote | None:
    if not request.grounding:
        return None
    words = request.prompt[:80]
    wants_pictures = "image" in request.grounding
    return GroundingNote(
        web_queries=(words,) if "web" in request.grounding else (),
        image_queries=(words,) if wants_pictures else (),
        sources=(
            Source(
                page="https://example.org/simulated",
                title="example.org",
                picture="https://example.org/simulated.jpg" if wants_pictures else "",
                domain="example.org" if wants_pictures else "",
            ),
        ),
        attribution="<div>Simulated search</div>",
    )
