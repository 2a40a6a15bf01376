"""What the caller says about a batch file: how to read it, and what holds where a row says nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from ...model.plain import to_json
from ...model.request import Image, ImageRequest


@dataclass(frozen=True, slots=True)
class RowDefaults:
    """What holds for rows that do not say otherwise.

    ``request`` gives every field but the prompt; the pictures of its last turn stand before each row's own.
    """

    request: ImageRequest

    @property
    def references(self) -> tuple[Image, ...]:
        """Pictures that every row has."""
        return self.request.references


@dataclass(frozen=True, slots=True)
class RowOptions:
    """How to read a batch file.

    ``format`` is a word of ``FORMATS`` (``None``: by the file's ending). ``template`` makes prompts out of columns.
    ``grid`` gives columns with several values each; every row is taken with every combination. ``skip_bad`` lets
    broken rows be reported and the others run. ``key_column`` names the column of the keys (``""``: number the rows;
    ``None``: ``key``, ``custom_id``, ``id`` or ``name``, if there is one). ``encoding`` is that of a file that is
    neither UTF-8 nor marked as UTF-16.
    """

    format: str | None = None
    template: str | None = None
    grid: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    skip_bad: bool = False
    key_column: str | None = None
    encoding: str | None = None

    def digest(self, defaults: RowDefaults) -> bytes:
        """A hash of all that decides which requests the bytes of a file become."""
        said = {
            "format": self.format,
            "template": self.template,
            "grid": [[name, list(values)] for name, values in self.grid.items()],
            "skip_bad": self.skip_bad,
            "key_column": self.key_column,
            "encoding": self.encoding,
        }
        return hashlib.sha256(orjson.dumps(said) + to_json(defaults.request)).digest()
