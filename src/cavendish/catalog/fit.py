"""A request made to fit a model: spellings put right, the impossible refused, the ignored left out and told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ..errors import RequestError
from ..model.request import Image, ImageRequest, Notice, Part, Role, Text, Use
from .cards import ModelCard, ReferenceLimits
from .resolve import Resolved
from .shape import can, pixels, read_pixels, taken, told, word_for

__all__ = ["BYTES_PER_TOKEN", "MAX_N", "Fitted", "fit", "insist", "pixels", "size_word", "told", "word_for"]

MAX_N = 10_000
"""Pictures of one request. More is a batch, which is read row by row and can be resumed row by row."""

BYTES_PER_TOKEN = 4
"""UTF-8 bytes of a prompt in one token: close for Latin letters, and within a third for Chinese and Japanese."""

MAX_PROMPT_BYTES = 1_000_000
"""For models whose limit is unknown: several times what the largest of them takes."""

_NEAR_SPELLING = re.compile(r"(\d+(?:\.\d+)?)\s*(px|p|k)?", re.IGNORECASE)
_RATIO_SPELLING = re.compile(r"(\d{1,4})\s*[:x×/]\s*(\d{1,4})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fitted:
    """The request as the model takes it, and what was changed about it."""

    request: ImageRequest
    notices: tuple[Notice, ...] = ()


def fit(request: ImageRequest, resolved: Resolved, *, strict: bool = False) -> Fitted:
    """Make a request fit the model that it was resolved to. ``model`` itself is left as it is.

    Raises ``RequestError`` with the field and what is allowed for all that the model cannot do, and, when ``strict``,
    instead of any notice. Of a model without a card only the prompt and the count are checked.
    """
    _check_count(request.n)
    check_prompt(request, resolved.card)
    if not resolved.known:
        return Fitted(request)
    notices: list[Notice] = []
    # Pixels can only be asked for where they can be told.
    card, words = resolved.card, resolved.offer.shape == "words"
    if words and card.any_pixels is not None:
        card = replace(card, any_pixels=None)
    for step in _STEPS:
        request = step(request, card, notices)
    if strict:
        insist(notices)
    return Fitted(request, tuple(notices))


def insist(notices: Iterable[Notice]) -> None:
    """Raise ``RequestError`` for the first notice, if there is one: what strict mode does."""
    for notice in notices:
        raise RequestError(f"{notice.text} (strict)", field=notice.field or "")


# --- what holds for every model ---------------------------------------------------------------------------------------


def _check_count(n: int) -> None:
    if n < 1:
        raise RequestError(f"n must be at least 1, got {n}", field="n")
    if n > MAX_N:
        hint = f"for more than {MAX_N:,} pictures run a batch, one row for each request"
        raise RequestError(f"n must be at most {MAX_N:,}, got {n:,}", field="n", hints=(hint,))


def check_prompt(request: ImageRequest, card: ModelCard) -> None:
    """Raises ``RequestError`` for words that the model cannot take."""
    if not request.turns or request.turns[-1].role is not Role.USER:
        raise RequestError("the last turn must be the user's: it is what asks", field="turns")
    if not request.prompt.strip():
        raise RequestError("the prompt is empty", field="prompt")
    for text in (part.text for turn in request.turns for part in turn.parts if isinstance(part, Text)):
        _check_unicode(text, "prompt")
    _check_unicode(request.system or "", "system")
    size = len(request.prompt.encode())
    limit = card.max_input_tokens * BYTES_PER_TOKEN or MAX_PROMPT_BYTES
    if size > limit:
        message = f"the prompt has {size:,} bytes, and the model takes about {limit:,}"
        raise RequestError(message, field="prompt")


def _check_unicode(text: str, field: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        # Half of a character: how Python holds bytes of the command line that are no UTF-8.
        message = f"the {field} is no Unicode text: character {error.start + 1} is {text[error.start]!a}"
        raise RequestError(message, field=field, hints=("is it in another encoding than UTF-8?",)) from None


# --- one field after the other ----------------------------------------------------------------------------------------

_Step = Callable[[ImageRequest, ModelCard, list[Notice]], ImageRequest]


def _leave_out_ignored(request: ImageRequest, card: ModelCard, notices: list[Notice]) -> ImageRequest:
    names = dict.fromkeys(card.ignores)
    if not card.sends_size:
        names["size"] = None
    if not (card.thinking or card.always_thinks):
        names["include_thoughts"] = None
    dropped: dict[str, object] = {}
    for name in names:
        value: object = getattr(request, name)
        if value is None or value is False:
            continue
        dropped[name] = None if value is not True else False
        # The one size that a model has needs no words to be had.
        if name != "size" or value != card.default_size:
            always = name == "thinking" and card.always_thinks
            what = "always thinks and takes no level of it" if always else f"takes no {name.replace('_', ' ')}"
            text = f"{card.name} {what}: it was left out"
            notices.append(Notice("field_ignored", text, name))
    return request.having(**dropped) if dropped else request


def _fit_size(request: ImageRequest, card: ModelCard, notices: list[Notice]) -> ImageRequest:
    asked = request.size
    if asked is None or asked in card.sizes:
        return request
    if cell := _cell(asked, card, request.aspect_ratio):
        word, ratio = cell
        notices.append(Notice("size_normalised", f"size {asked} is {word} at {ratio} for {card.name}", "size"))
        return request.having(size=word, aspect_ratio=ratio)
    if card.any_pixels and (sides := read_pixels(asked)):
        return _in_pixels(request, "{}x{}".format(*taken(sides, request.aspect_ratio, card, card.any_pixels)), notices)
    word = size_word(asked, card)
    if word is None:
        raise _cannot(card, "size", asked, tuple(card.sizes), can(card))
    notices.append(Notice("size_normalised", f"size {asked} is spelled {word}", "size"))
    return request.having(size=word)


def _in_pixels(request: ImageRequest, size: str, notices: list[Notice]) -> ImageRequest:
    if size != request.size:
        notices.append(Notice("size_normalised", f"size {request.size} is drawn as {size}", "size"))
    return request.having(size=size)


def size_word(asked: str, card: ModelCard) -> str | None:
    """The model's word for a size that was spelled otherwise: ``512px``, ``0.5K``, ``1k``, ``2048``; else ``None``."""
    match = _NEAR_SPELLING.fullmatch(asked.strip())
    edge = float(match[1]) * (1024 if match[2] in {"k", "K"} else 1) if match else None
    for word, size in card.sizes.items():
        square = size.pixels.get("1:1")
        if word.lower() == asked.strip().lower() or (square and edge == square[0]):
            return word
    return None


def _cell(asked: str, card: ModelCard, ratio: str | None) -> tuple[str, str] | None:
    """The size word and ratio whose picture has exactly the ``WIDTHxHEIGHT`` that was asked for."""
    wanted = read_pixels(asked)
    for word, size in card.sizes.items():
        for known, its_pixels in size.pixels.items():
            if its_pixels == wanted and ratio in {None, known}:
                return word, known
    return None


def _fit_ratio(request: ImageRequest, card: ModelCard, notices: list[Notice]) -> ImageRequest:
    asked = request.aspect_ratio
    if asked is None or asked in card.ratios:
        return request
    shape = _shape(asked)
    ratio = next((known for known in card.ratios if _shape(known) == shape), None)
    if ratio is None or shape is None:
        raise _cannot(card, "aspect_ratio", asked, card.ratios)
    notices.append(Notice("ratio_normalised", f"aspect ratio {asked} is spelled {ratio}", "aspect_ratio"))
    return request.having(aspect_ratio=ratio)


def _shape(asked: str) -> Fraction | None:
    """Width over height of ``16:9``, ``16x9``, ``16/9`` or ``1920:1080``."""
    match = _RATIO_SPELLING.fullmatch(asked.strip())
    return Fraction(int(match[1]), int(match[2])) if match and int(match[2]) else None


def _fit_thinking(request: ImageRequest, card: ModelCard, notices: list[Notice]) -> ImageRequest:
    asked = request.thinking
    if asked is None or asked in card.thinking:
        return request
    level = asked.strip().lower()
    if level not in card.thinking:
        raise _cannot(card, "thinking", asked, card.thinking)
    notices.append(Notice("thinking_normalised", f"thinking {asked} is spelled {level}", "thinking"))
    return request.having(thinking=level)


def _check_words(request: ImageRequest, card: ModelCard, _notices: list[Notice]) -> ImageRequest:
    """Fields whose words need no mending: grounding, modalities, quality."""
    for word in request.grounding:
        if word not in card.grounding:
            raise _cannot(card, "grounding", word, card.grounding)
    for word in request.modalities or ():
        if word not in card.modalities:
            raise _cannot(card, "modalities", word, card.modalities)
    if request.modalities is not None and "IMAGE" not in request.modalities:
        raise RequestError("modalities without IMAGE give no picture", field="modalities", allowed=card.modalities)
    # A model that knows no quality is left to its dialect, which tells what it cannot say.
    if request.quality is not None and card.qualities and request.quality not in card.qualities:
        raise _cannot(card, "quality", request.quality, card.qualities)
    return request


def _fit_output_format(request: ImageRequest, card: ModelCard, notices: list[Notice]) -> ImageRequest:
    asked = request.output_format
    # A model with one type is left to its dialect, which tells what it cannot say.
    if asked is None or len(card.output_types) < 2:
        return request
    known = tuple(media_type.removeprefix("image/") for media_type in card.output_types)
    word = asked.strip().lower()
    word = {"jpg": "jpeg"}.get(word, word)
    if word not in known:
        raise _cannot(card, "output_format", asked, known)
    if word != asked:
        notices.append(Notice("format_normalised", f"output format {asked} is spelled {word}", "output_format"))
    return request.having(output_format=word)


def _check_references(request: ImageRequest, card: ModelCard, notices: list[Notice]) -> ImageRequest:
    limits, pictures = card.references, request.references
    uses = Counter(picture.use for picture in pictures)
    bounds = (
        (Use.OBJECT, limits.objects),
        (Use.PERSON, limits.persons),
        (Use.STYLE, limits.styles),
        (Use.MASK, limits.masks),
    )
    for use, bound in bounds:
        if bound is not None and uses[use] > bound:
            raise _too_many(card, uses[use], f"{use.value} references", str(bound))
    count = len(pictures) - uses[Use.MASK]
    if count > limits.total:
        raise _too_many(card, count, "reference pictures", str(limits.total))
    shown = any(_is_picture(part) for turn in request.turns for part in turn.parts)
    if uses[Use.MASK] and not shown:
        raise RequestError("a mask lies on a picture, and there is none", field="references")
    if limits.required and not shown:
        hint = "name one with -i, or use cavendish edit"
        raise RequestError(f"{card.name} changes a picture, and there is none", field="references", hints=(hint,))
    for number, picture in enumerate(pictures, start=1):
        _check_reference(picture, number, card.name, limits)
    if limits.recommended is not None and count > limits.recommended:
        text = f"{card.name} follows up to {limits.recommended} reference pictures well, and has {count}"
        notices.append(Notice("many_references", text, "references"))
    return request


def _is_picture(part: Part) -> bool:
    return isinstance(part, Image) and part.use is not Use.MASK


def _check_reference(picture: Image, number: int, model: str, limits: ReferenceLimits) -> None:
    media_type = picture.blob.media_type if picture.blob else picture.media_type
    if limits.media_types and media_type and media_type not in limits.media_types:
        message = f"reference picture {number} is {media_type}, which {model} does not read"
        raise RequestError(message, field="references", allowed=limits.media_types)
    if limits.max_bytes and picture.blob and picture.blob.size > limits.max_bytes:
        message = f"reference picture {number} has {picture.blob.size:,} bytes; {model} takes {limits.max_bytes:,}"
        raise RequestError(message, field="references", allowed=(str(limits.max_bytes),))


def _too_many(card: ModelCard, count: int, what: str, bound: str) -> RequestError:
    takes = "no" if bound == "0" else f"at most {bound}"
    return RequestError(f"{card.name} takes {takes} {what}, got {count}", field="references", allowed=(bound,))


def _cannot(card: ModelCard, name: str, asked: str, allowed: Sequence[str], words: str = "") -> RequestError:
    hint = f"can: {words or ', '.join(allowed)}" if allowed else "it has no such setting"
    message = f"{card.name} cannot do {name.replace('_', ' ')} {asked}"
    return RequestError(message, field=name, allowed=allowed, hints=(hint,))


_STEPS: tuple[_Step, ...] = (
    _leave_out_ignored,
    _fit_ratio,  # before the size, which is compared with it
    _fit_size,
    _fit_thinking,
    _check_words,
    _fit_output_format,
    _check_references,
)
