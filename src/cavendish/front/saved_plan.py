"""Saved: a plan in a file, which a run can be made from on another day.

``input_digest`` says which pictures it is for, ``bound_nusd`` what a run made from it may spend at most: that is its
cap. ``recipe`` is the command as plain JSON (see ``front.recipes``), so the input need not be said again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson

from ..errors import FolderError
from ..model.request import JsonValue
from .folder.atomic import replacing

FORMAT = "cavendish-plan"
VERSION = 1

MAX_BYTES = 64_000_000
"""Far more than a plan of the longest input comes to: kinds are counted, not pictures."""


@dataclass(frozen=True, slots=True)
class SavedOption:
    """One way to have pictures drawn: a model at an endpoint in a mode, with the limits that were planned with.

    ``model`` is what a request's ``model`` has to be there, ``wire_model`` what was to be sent. ``tier`` and ``rpm``
    are those of the plan, ``None`` where neither was said. ``sheet`` is the grid where pictures are cut from sheets.
    """

    id: str
    endpoint: str
    model: str
    wire_model: str
    mode: str
    tier: str | None = None
    rpm: int | None = None
    price_as_of: str = ""
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class SavedShare:
    """So many pictures of a group by one option, at most at ``each_nusd``."""

    option: str
    pictures: int
    each_nusd: int


@dataclass(frozen=True, slots=True)
class SavedGroup:
    """Pictures of one kind (``plan.kinds.Kind.key``) and who draws them, in the order in which rows take from it."""

    key: str
    pictures: int
    shares: tuple[SavedShare, ...]


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan as it was chosen. Amounts in nano-dollars, durations in seconds; ``None`` where it was not known.

    ``cost_nusd`` is what the pictures come to, ``bound_nusd`` that with what is left for pictures to be tried again:
    the cap of a run made from it. ``seconds`` is the usual time, ``slow_seconds`` that with slow calls; both from the
    start of the run.
    """

    made: str
    input_digest: str
    pictures: int
    cost_nusd: int
    bound_nusd: int
    options: tuple[SavedOption, ...]
    groups: tuple[SavedGroup, ...]
    seconds: float | None = None
    slow_seconds: float | None = None
    deadline_s: float | None = None
    max_cost_nusd: int | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def option(self, name: str) -> SavedOption:
        """The option of that name."""
        return next(option for option in self.options if option.id == name)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}


def write_plan(path: Path, plan: SavedPlan) -> None:
    """Write the file, whole or not at all. Raises ``FolderError`` when it cannot be."""
    data = orjson.dumps(plan.to_json(), option=orjson.OPT_INDENT_2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(data + b"\n")
    except OSError as error:
        raise FolderError(f"cannot write {path}: {error.strerror}") from error


def read_plan(path: Path) -> SavedPlan:
    """Read the file. Raises ``FolderError`` for one that is no plan, or of a version that is not known."""
    try:
        with path.open("rb") as file:
            found: Any = orjson.loads(file.read(MAX_BYTES))
    except OSError as error:
        raise FolderError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise FolderError(f"{path} is no saved plan: it is not JSON") from error
    plain = cast("dict[str, Any]", found if isinstance(found, dict) else {})
    if plain.get("format") != FORMAT:
        raise FolderError(f"{path} is no saved plan", hints=("make one with: cavendish plan ... --save plan.json",))
    if plain.get("version") != VERSION:
        message = f"{path} is a plan of version {plain.get('version')!r}, and only {VERSION} is known"
        raise FolderError(message, hints=("plan anew with this version",))
    try:
        plan = of_plain(plain)
    except (KeyError, TypeError, ValueError) as error:
        raise FolderError(f"{path} is a broken plan: {error}") from error
    return plan


def of_plain(plain: Mapping[str, Any]) -> SavedPlan:
    """A plan from its JSON values. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for one that is broken."""
    plan = _plan(plain)
    _check(plan)
    return plan


def _plan(plain: Mapping[str, JsonValue]) -> SavedPlan:
    known: dict[str, Any] = {name: plain[name] for name in SavedPlan.__dataclass_fields__ if name in plain}
    known["options"] = tuple(SavedOption(**option) for option in plain["options"])
    known["groups"] = tuple(_group(group) for group in plain["groups"])
    return SavedPlan(**known)


def _group(plain: Mapping[str, JsonValue]) -> SavedGroup:
    return SavedGroup(plain["key"], plain["pictures"], tuple(SavedShare(**share) for share in plain["shares"]))


def _check(plan: SavedPlan) -> None:
    """The sums are right, or somebody wrote in it. Raises ``ValueError``."""
    names = {option.id for option in plan.options}
    shares = [share for group in plan.groups for share in group.shares]
    if stray := sorted({share.option for share in shares} - names):
        raise ValueError(f"no option is called {stray[0]}")
    for group in plan.groups:
        _must_be_equal(sum(share.pictures for share in group.shares), group.pictures, f"the shares of {group.key}")
    _must_be_equal(sum(group.pictures for group in plan.groups), plan.pictures, "its groups")
    _must_be_equal(sum(share.pictures * share.each_nusd for share in shares), plan.cost_nusd, "its costs")
    if min([plan.bound_nusd, *(min(share.pictures, share.each_nusd) for share in shares)]) < 0:
        raise ValueError("a number below zero")


def _must_be_equal(found: int, wanted: int, what: str) -> None:
    if found != wanted:
        raise ValueError(f"{what} come to {found}, not {wanted}")
