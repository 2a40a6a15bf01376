"""Asking: what a user said, with the settings where nothing was said, as an ``ImageRequest``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import RequestError
from ..model.request import Image, ImageRequest
from . import said
from .routes import Routes

MODEL = "model"
FIELDS = tuple(name for name in ImageRequest.__dataclass_fields__ if name != "turns")
_KINDS: Mapping[str, Callable[[str, Any], Any]] = {
    "n": said.whole,
    "seed": said.whole,
    "temperature": said.number,
    "include_thoughts": said.truth,
    "modalities": said.words,
    "grounding": said.words,
    "extra": said.table,
}
"""All others are words."""


def asked(routes: Routes, prompt: str, fields: Mapping[str, Any], references: tuple[Image, ...] = ()) -> ImageRequest:
    """The request. A field that is ``None`` was not said.

    Raises ``RequestError`` for fields that do not exist and for values that are of another kind.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    if unknown := sorted(set(given) - set(FIELDS)):
        hint = f"there are: prompt, references, {', '.join(FIELDS)}"
        raise RequestError(f"no field is named {', '.join(unknown)}", field=unknown[0], allowed=FIELDS, hints=(hint,))
    given = {name: _KINDS.get(name, said.text)(name, _as_text(name, value)) for name, value in given.items()}
    settings = routes.settings
    usual = {"size": settings.size.value, "aspect_ratio": settings.aspect_ratio.value}
    wanted = {**{name: value for name, value in usual.items() if value is not None}, **given}
    model = wanted.pop("model", None) or routes.default_model
    return ImageRequest.of(said.text("prompt", prompt), model, references, **wanted)


def models_named(model: str | Sequence[str] | None) -> tuple[str, ...]:
    """Several models, in a list or with commas between them; none when nothing was said."""
    if model is None:
        return ()
    if isinstance(model, str):
        return tuple(word for part in model.split(",") if (word := part.strip()))
    return said.words(MODEL, model)


def each_with(models: Sequence[str], grid: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """The grid of a batch in which every row is asked of each model. Raises ``RequestError`` when both name models."""
    if len(models) < 2:
        return grid
    if MODEL in grid:
        raise RequestError("several models are named, and the grid names models too", field=MODEL)
    return {**grid, MODEL: tuple(models)}


def _as_text(name: str, value: Any) -> Any:
    """A size may be said as the number of its pixels."""
    return str(value) if name == "size" and isinstance(value, int) and not isinstance(value, bool) else value
