"""Asking: what a user said, with the settings where nothing was said, as an ``ImageRequest``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ..errors import RequestError
from ..model.request import Image, ImageRequest
from .routes import Routes

FIELDS = tuple(name for name in ImageRequest.__dataclass_fields__ if name != "turns")


def asked(routes: Routes, prompt: str, fields: Mapping[str, Any], references: tuple[Image, ...] = ()) -> ImageRequest:
    """The request. A field that is ``None`` was not said. Raises ``RequestError`` for fields that do not exist."""
    said = {name: _frozen(value) for name, value in fields.items() if value is not None}
    if unknown := sorted(set(said) - set(FIELDS)):
        raise RequestError(f"no field is named {', '.join(unknown)}", field=unknown[0], allowed=FIELDS)
    settings = routes.settings
    usual = {"size": settings.size.value, "aspect_ratio": settings.aspect_ratio.value}
    wanted = {**{name: value for name, value in usual.items() if value is not None}, **said}
    model = wanted.pop("model", None) or routes.default_model
    return ImageRequest.of(prompt, model, references, **wanted)


def _frozen(value: Any) -> Any:
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value
