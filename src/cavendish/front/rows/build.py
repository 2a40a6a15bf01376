"""Build: a record becomes a row, by a plan that is made once for each set of columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from ...errors import BatchInputError
from ...model.request import ImageRequest, JsonValue, Role, Text, Turn
from .columns import ROLES, Cell, Layout, layout_of, picture_names, plain_name
from .formats import Record
from .intake import Intake
from .options import RowDefaults, RowOptions
from .provider_lines import is_provider_line, read_provider_line
from .references import References
from .template import Piece, parse_template, render

MAX_PROMPT_CHARS = 131_072
"""As many as the longest context of an image model has tokens; also the longest cell that CSV may have."""
PLANS = 1024
"""Sets of columns to remember; a JSON file in which every row has others is read all the same, only slower."""
KEY_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One row of work. ``number`` counts rows from 0, ``line`` lines of the file from 1.

    ``columns`` are those that are no field of the request, for metadata.
    """

    number: int
    line: int
    key: str
    request: ImageRequest
    columns: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    @property
    def n(self) -> int:
        """How many pictures."""
        return self.request.n


_FIELDS = tuple(item.name for item in fields(ImageRequest))
"""In the order of the constructor, which starts with the turns."""


class Plan(NamedTuple):
    """How records with the same columns become rows. ``cells`` go by the place of the field in the constructor."""

    layout: Layout
    template: tuple[tuple[str, int], ...] | None
    names: tuple[str, ...]
    cells: tuple[tuple[int, int, Cell], ...]


class Builder:
    """Makes rows out of records."""

    def __init__(self, options: RowOptions, defaults: RowDefaults, references: References, intake: Intake) -> None:
        self._options = options
        self._defaults = defaults
        self._references = references
        self._intake = intake
        self._pieces = None if options.template is None else parse_template(options.template)
        self._grid_names = tuple(options.grid)
        self._combinations = tuple(itertools.product(*options.grid.values()))
        self._shared = defaults.references
        self._base: list[Any] = [getattr(defaults.request, name) for name in _FIELDS]
        self._plans: dict[tuple[str, ...], Plan] = {}

    @property
    def combinations(self) -> int:
        """How many rows each record makes."""
        return len(self._combinations)

    def rows(self, record: Record, number: int) -> list[Row | ValueError]:
        """The rows that a record makes, the first of them with this number; an error in place of a broken one."""
        made: list[Row | ValueError] = []
        for offset, combination in enumerate(self._combinations):
            try:
                made.append(self._row(number + offset, record, combination))
            except ValueError as error:
                made.append(error)
        return made

    def keys(self, record: Record) -> list[str]:
        """The keys of the rows that a whole record makes, without the rows; none where rows are numbered."""
        plan = self._plans.get(record.names)
        if plan is None:
            if is_provider_line(record.names):
                members = dict(zip(record.names, record.values, strict=True))
                return [str(members.get("custom_id", members.get("key")))]
            plan = self._plan(record.names)
        return [] if plan.layout.key is None else [_key(plan, record.values, combo) for combo in self._combinations]

    def keys_are_given(self, names: tuple[str, ...]) -> bool:
        """Whether rows with these columns have a key of their own, which may stand in the file twice."""
        plan = self._plans.get(names)
        return is_provider_line(names) if plan is None else plan.layout.key is not None

    def _row(self, number: int, record: Record, combination: tuple[str, ...]) -> Row:
        line, names, values = record
        plan = self._plans.get(names)
        if plan is None:
            if is_provider_line(names):
                return self._provider_row(number, record, combination)
            plan = self._plan(names)
        if combination:
            values = (*values, *combination)
        layout = plan.layout
        said = self._base.copy()
        for place, index, cell in plan.cells:
            value = values[index]
            if value is not None and value != "" and not (isinstance(value, str) and value.isspace()):
                said[place] = _read(cell.name, cell.read, value)
        pictures = self._shared
        if layout.references:
            pictures = (*pictures, *self._pictures(plan, values))
        said[0] = (Turn(Role.USER, (*pictures, Text(self._prompt(plan, values)))),)
        key = _numbered(number) if layout.key is None else _key(plan, values, combination)
        return Row(number, line, key, ImageRequest(*said), {name: values[i] for name, i in layout.carried})

    def _plan(self, names: tuple[str, ...]) -> Plan:
        both = [name for name in self._grid_names if name in names]
        if both:
            raise ValueError(f"--grid {both[0]}: the file has a column of that name")
        wanted = self._options.key_column
        if wanted and wanted not in names:
            raise ValueError(f"there is no column {wanted!r} for the keys; there are: {', '.join(names)}")
        columns = (*names, *self._grid_names)
        layout = layout_of(columns, wanted)
        if self._pieces is None and layout.prompt is None:
            raise ValueError(f"no column is the prompt; there are: {', '.join(columns)}")
        template = None if self._pieces is None else _placed(self._pieces, columns)
        cells = tuple((_FIELDS.index(cell.field), cell.at, cell) for cell in layout.cells)
        plan = Plan(layout, template, columns, cells)
        if len(self._plans) >= PLANS:
            self._plans.clear()
        self._plans[names] = plan
        return plan

    def _prompt(self, plan: Plan, values: Sequence[Any]) -> str:
        if plan.template is not None:
            prompt = _rendered(plan, plan.template, values)
        else:
            value = values[plan.layout.prompt or 0]
            if value is not None and not isinstance(value, str):
                raise ValueError(f"{plan.names[plan.layout.prompt or 0]}: expected some text, got {value!r:.40}")
            prompt = value or ""
        if not prompt or prompt.isspace():
            raise ValueError("the prompt is empty")
        if len(prompt) > MAX_PROMPT_CHARS:
            raise ValueError(f"the prompt has {len(prompt)} characters, more than {MAX_PROMPT_CHARS}")
        if "\0" in prompt:
            raise ValueError("the prompt has a NUL in it")
        return prompt

    def _pictures(self, plan: Plan, values: Sequence[Any]) -> Iterator[Any]:
        for index in plan.layout.references:
            value = values[index]
            if value is not None and value != "":
                role = ROLES.get(plain_name(plan.names[index]))
                for name in _read(plan.names[index], picture_names, value):
                    image = self._references.image(name)
                    yield image if role is None or image.use else replace(image, use=role)

    def _provider_row(self, number: int, record: Record, combination: tuple[str, ...]) -> Row:
        if combination or self._pieces is not None:
            raise ValueError("--grid and --prompt are for files with columns, not for a provider's batch file")
        key, request = read_provider_line(
            dict(zip(record.names, record.values, strict=True)), self._defaults.request, self._intake
        )
        if not isinstance(key, (str, int)) or not str(key).strip():
            raise ValueError("the key is missing")
        return Row(number, record.line, str(key), request)


def _numbered(number: int) -> str:
    return f"{number + 1:0{KEY_DIGITS}d}"


def _read(name: str, read: Any, value: Any) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{name}: expected {error}, got {value!r:.60}") from None


def _key(plan: Plan, values: Sequence[Any], combination: tuple[str, ...]) -> str:
    value = values[plan.layout.key or 0]
    key = "" if value is None or isinstance(value, (bool, list, dict)) else str(value).strip()
    if not key or "\0" in key:
        raise ValueError(f"{plan.names[plan.layout.key or 0]}: the key is missing")
    return "-".join((key, *combination)) if combination else key


def _placed(pieces: tuple[Piece, ...], columns: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    for _, column in pieces:
        if column is not None and column not in columns:
            raise ValueError(f"--prompt: there is no column {column!r}; there are: {', '.join(columns)}")
    return tuple((words, -1 if column is None else columns.index(column)) for words, column in pieces)


def _rendered(plan: Plan, template: tuple[tuple[str, int], ...], values: Sequence[Any]) -> str:
    try:
        return render(template, values)
    except ValueError as error:
        raise ValueError(f"{plan.names[int(error.args[0])]}: no value for the prompt's template") from None


def problem(origin: str, line: int, error: ValueError) -> BatchInputError:
    """The error of a row, with its place."""
    return BatchInputError(f"{origin}, line {line}: {error}", path=origin, line=line, hints=_hints(str(error)))


def _hints(message: str) -> tuple[str, ...]:
    if message.startswith("no column is the prompt"):
        return ("name a column prompt", 'or make the prompt out of columns: --prompt "a {animal} in {style}"')
    return ()
