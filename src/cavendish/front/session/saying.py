"""Saying: one more turn of a session, from what was said to what is bought, and what was bought to the record.

All of it blocks, and holds while the session is held.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...catalog.fit import insist
from ...errors import FolderError, InputError, RequestError
from ...io.blobs.claim import card_of
from ...io.ledger.reader import LedgerReader
from ...model.identity import digest
from ...model.request import Image, ImageRequest
from ...model.result import Route
from ..asking import asked
from ..build import Setup
from ..order import LEDGER, Order
from ..orders import order_prompts
from ..recipes import RunWish
from ..references import read_references
from ..routes import SIMULATOR, Routes, RouteWish, dialect_of
from .carry import Carried, Target, carry
from .record import TurnRecord
from .store import SessionStore
from .tree import Tree


@dataclass(frozen=True, slots=True)
class Said:
    """What the user says: words, pictures, the turn to go on from, and fields of the request that are not ``None``."""

    words: str
    references: Any = ()
    turn: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Means:
    """How a turn is bought. ``run`` makes the wish for a run folder; pictures that are no files wait in ``scratch``."""

    setup: Setup
    wish: RouteWish
    run: Callable[[Path], RunWish]
    scratch: Path


@dataclass(frozen=True, slots=True)
class Prepared:
    """A turn that can be bought, and the turns before it. Without an order it was bought before, and is complete."""

    record: TurnRecord
    past: tuple[TurnRecord, ...]
    routes: Routes
    order: Order | None


def prepare(store: SessionStore, said: Said, means: Means) -> Prepared:
    """The next turn, checked against its model; nothing of it is written yet. Raises ``InputError``.

    The same words again, after a turn that has no answer yet, are that turn.
    """
    tree = store.load()
    routes = means.setup.routes(_where(means, said, tree))
    _same_world(store, tree, routes)
    images = tuple(_standing(image, means.scratch) for image in read_references(said.references, means.scratch))
    parent = tree.to_follow(said.turn)
    request = _request(routes, said, images, tree, parent)
    for record in reversed(tree.unfinished):
        if record.parent == parent and digest(request) == digest(record.request):
            if again := _taken_up(store, tree, means, routes, record.having(request=request)):
                return again
            break
    else:
        # What was bought for other words is a turn to go on from.
        if [settle(store, record, routes) for record in tree.unfinished]:
            tree = store.load()
            parent = tree.to_follow(said.turn)
            request = _request(routes, said, images, tree, parent)
    record = TurnRecord(tree.last + 1, parent, time.time(), request, simulated=routes.simulated)
    return _prepared(store, tree, means, routes, record)


def _where(means: Means, said: Said, tree: Tree) -> RouteWish:
    """Where to ask: when nothing was said of it, a model is asked where it drew the turn before."""
    parent, setup = tree.to_follow(said.turn), means.setup
    before = tree.records[parent] if parent is not None else None
    if means.wish.via or setup.settings.endpoint.value or before is None or before.route is None:
        return means.wish
    place, model = before.route.endpoint, said.fields.get("model")
    same = not model or ("/" not in model and setup.catalog.find(model) is setup.catalog.find(before.request.model))
    # A key may be gone, or the file that told of the endpoint; then the model is asked where it is to be had.
    if not same or place == SIMULATOR or place not in setup.catalog.endpoints:
        return means.wish
    usable = setup.settings.endpoints[place].keys.value or not setup.catalog.endpoints[place].needs_key
    return replace(means.wish, via=(place,)) if usable else means.wish


def _taken_up(store: SessionStore, tree: Tree, means: Means, routes: Routes, record: TurnRecord) -> Prepared | None:
    """A turn that was begun before; ``None`` when it was begun in another way, as it is with another endpoint."""
    known = settle(store, record, routes)
    if known.reply is not None:
        return Prepared(known, (), routes, None)
    prepared = _prepared(store, tree, means, routes, record)
    card = card_of(store.run_folder(record.number))
    same = card is None or (prepared.order is not None and card.settings == prepared.order.digest)
    return prepared if same else None


def _same_world(store: SessionStore, tree: Tree, routes: Routes) -> None:
    """Simulated turns and real ones never follow each other. Raises ``FolderError``."""
    if any(record.simulated != routes.simulated for record in tree.records.values()):
        kind = "real" if routes.simulated else "simulated"
        raise FolderError(f"{store.root} holds {kind} turns", hints=("begin another session for the others",))


def _standing(image: Image, folder: Path) -> Image:
    """The picture with an absolute place: what is kept in the run folder is named from there."""
    if image.blob is None or Path(image.blob.ref).is_absolute():
        return image
    return replace(image, blob=replace(image.blob, ref=str(folder.absolute() / image.blob.ref)))


def _request(routes: Routes, said: Said, references: tuple[Image, ...], tree: Tree, parent: int | None) -> ImageRequest:
    """This turn's request by itself. What neither it nor the session names, the turn before it does."""
    before = tree.records[parent].request.model if parent is not None else None
    fields = {**said.fields, "model": said.fields.get("model") or before}
    request = asked(routes, said.words, fields, references)
    if request.n != 1 or "," in request.model:
        hint = "for another picture say the same again from the same turn: --turn"
        raise RequestError("a turn has one picture, of one model", field="n", hints=(hint,))
    return request


def _prepared(store: SessionStore, tree: Tree, means: Means, routes: Routes, record: TurnRecord) -> Prepared:
    past = tuple(store.placed(turn) for turn in tree.chain(record.parent))
    carried = _carried(routes, past, record)
    if routes.wish.strict:
        insist(carried.notices)
    routes.note(carried.notices)
    order = _order(store, means, routes, record, carried)
    return Prepared(record.having(notices=carried.notices), past, routes, order)


def _carried(routes: Routes, past: tuple[TurnRecord, ...], record: TurnRecord) -> Carried:
    targets = [Target.of(resolved, dialect_of(resolved)) for resolved in routes.resolve(record.request.model)]
    return carry(past, record.request, Target.common(targets))


def _order(store: SessionStore, means: Means, routes: Routes, record: TurnRecord, carried: Carried) -> Order:
    return order_prompts(means.setup, routes, (carried.request,), means.run(store.run_folder(record.number)))


# --- on the books ----------------------------------------------------------------------------------------------------


def begin(store: SessionStore, prepared: Prepared, means: Means) -> Prepared:
    """Write the turn down without an answer, before anything is bought; its pictures are the session's from then on."""
    if prepared.order is None:
        return prepared
    written = replace(prepared, record=store.write(prepared.record))
    try:
        carried = _carried(prepared.routes, prepared.past, store.placed(written.record))
        return replace(written, order=_order(store, means, prepared.routes, written.record, carried))
    except InputError:
        end(store, written)
        raise


def end(store: SessionStore, prepared: Prepared) -> TurnRecord:
    """Write down what came of a turn; one for which nothing was begun is taken back."""
    record = prepared.record
    if prepared.order is None:
        return record
    if not (store.run_folder(record.number) / LEDGER).is_file():
        store.take_back(record.number)
        return record
    return settle(store, record, prepared.routes)


def settle(store: SessionStore, record: TurnRecord, routes: Routes) -> TurnRecord:
    """The turn with what its run folder knows came of it, written down; itself as long as nothing did."""
    folder = store.run_folder(record.number)
    if not (folder / LEDGER).is_file():
        return record
    with LedgerReader.open(folder / LEDGER) as reader:
        outcome = next(reader.outcomes(), None)
    if outcome is None:
        return record
    return store.write(record.with_outcome(outcome, _format(routes, record, outcome.route)), folder)


def _format(routes: Routes, record: TurnRecord, route: Route | None) -> str:
    """The wire format that an answer came in."""
    found = (one for one in routes.resolve(record.request.model) if one.route == route)
    if resolved := next(found, None):
        return dialect_of(resolved).name
    card = routes.catalog.endpoints.get(route.endpoint) if route else None
    return card.dialect if card else ""
