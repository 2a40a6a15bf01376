"""Columns: which field of a request a column means, and how its cells are read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import orjson

from ...model.request import Use

MAX_N = 10_000
"""Pictures for one row. More than that is a slip of the hand, or work for several rows."""

ROLES: dict[str, Use] = {
    f"{use.value}_{noun}": use for use in Use for noun in ("image", "images", "reference", "references")
} | {"mask": Use.MASK}
"""Columns whose pictures have a role, unless a name says another."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "key": ("key", "custom_id", "id", "name"),
    "prompt": ("prompt", "text", "caption"),
    "references": (
        *("references", "reference", "reference_images", "images", "image", "input_images", "input_image"),
        *ROLES,
    ),
    "n": ("n", "count", "num_images", "number_of_images"),
    "model": ("model",),
    "size": ("size", "image_size", "resolution"),
    "aspect_ratio": ("aspect_ratio", "aspectratio", "ratio", "ar"),
    "seed": ("seed",),
    "thinking": ("thinking", "thinking_level"),
    "system": ("system", "system_instruction", "system_prompt"),
    "modalities": ("modalities", "response_modalities"),
    "grounding": ("grounding",),
    "temperature": ("temperature",),
    "quality": ("quality",),
    "output_format": ("output_format",),
}
"""The names that people give to a field, the strongest first: of several that are there, the first is the field."""


def plain_name(name: str) -> str:
    """A column's name without what people vary: case, spaces, hyphens; ``imageSize`` is ``image_size``."""
    spread = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s\-]+", "_", spread).lower()


# --- cells -----------------------------------------------------------------------------------------------------------
# Each reader gets a cell that is neither None nor blank, and raises ValueError with what it expected.


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,12}(\.0*)?\s*", value):
        return int(float(value))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def count(value: Any) -> int:
    """How many pictures."""
    number = _integer(value)
    if number is None or not 1 <= number <= MAX_N:
        raise ValueError(f"a whole number from 1 to {MAX_N}")
    return number


def integer(value: Any) -> int:
    """A whole number."""
    number = _integer(value)
    if number is None:
        raise ValueError("a whole number")
    return number


def real(value: Any) -> float:
    """A finite number."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("a number")
    return number


def words(value: Any) -> str:
    """A word or a text. Numbers are taken for words, since ``512`` is a size."""
    if isinstance(value, (bool, list, dict)):
        raise ValueError("some text")  # noqa: TRY004 - one kind of error for all cells
    return str(value).strip()


def lower(value: Any) -> str:
    """A word in lower case."""
    return words(value).lower()


def strings(value: Any) -> list[str]:
    """Several words: a list, a JSON list in a cell, or with commas or semicolons between them."""
    if isinstance(value, str):
        return [item for item in (part.strip() for part in re.split(r"[;,|+]", value)) if item]
    if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value)):
        return cast("list[str]", value)
    raise ValueError("a list of words")


def modalities(value: Any) -> tuple[str, ...]:
    """``TEXT``, ``IMAGE`` or both."""
    found = tuple(item.upper() for item in strings(value))
    if not found or not set(found) <= {"TEXT", "IMAGE"}:
        raise ValueError("TEXT, IMAGE or both")
    return found


def grounding(value: Any) -> tuple[str, ...]:
    """``web``, ``image`` or both; yes means ``web``, no means none."""
    said = str(value).strip().lower()
    if said in {"true", "yes", "1"}:
        return ("web",)
    if said in {"false", "no", "0", "none"}:
        return ()
    if said == "both":
        return ("web", "image")
    found = tuple(item.lower() for item in strings(value))
    if not set(found) <= {"web", "image"}:
        raise ValueError("web, image or both")
    return found


def picture_names(value: Any) -> Sequence[str]:
    """Pictures: a list, a JSON list in a cell, or names with semicolons between them. A data URI has its own."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith('["'):
            return picture_names(_json_list(text))
        return [text] if text.startswith("data:") else [name for part in text.split(";") if (name := part.strip())]
    if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value)):
        return cast("list[str]", value)
    raise ValueError("names of pictures, with semicolons between them")


def _json_list(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("a list of names, as JSON") from None


READERS: dict[str, Callable[[Any], Any]] = {
    "n": count,
    "model": words,
    "size": words,
    "aspect_ratio": words,
    "seed": integer,
    "thinking": lower,
    "system": words,
    "modalities": modalities,
    "grounding": grounding,
    "temperature": real,
    "quality": lower,
    "output_format": lower,
}


# --- headers ---------------------------------------------------------------------------------------------------------


class Cell(NamedTuple):
    """A column that is a field: where it stands, its name in the file, the field and the reader."""

    at: int
    name: str
    field: str
    read: Callable[[Any], Any]


class Layout(NamedTuple):
    """Which column is what. Indexes into a row's values; ``None`` or empty where there is none."""

    key: int | None
    prompt: int | None
    references: tuple[int, ...]
    cells: tuple[Cell, ...]
    carried: tuple[tuple[str, int], ...]


def layout_of(names: Sequence[str], key_column: str | None = None) -> Layout:
    """Which column is what, by the columns' names alone."""
    known = {plain_name(name): index for index, name in reversed(list(enumerate(names)))}
    found: dict[str, list[int]] = {}
    for field, synonyms in SYNONYMS.items():
        found[field] = [known[name] for name in synonyms if name in known]
    keys = found["key"] if key_column is None else [i for i, name in enumerate(names) if name == key_column]
    cells = tuple(
        Cell(found[field][0], names[found[field][0]], field, read) for field, read in READERS.items() if found[field]
    )
    prompt = found["prompt"][0] if found["prompt"] else None
    references = tuple(sorted(found["references"]))
    used = {cell.at for cell in cells} | set(references) | {prompt, keys[0] if keys else None}
    carried = tuple((name, index) for index, name in enumerate(names) if index not in used)
    return Layout(keys[0] if keys else None, prompt, references, cells, carried)
