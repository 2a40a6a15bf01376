"""``cavendish session``: conversations about pictures, kept on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options as o
from . import voice
from .borrow import borrowing
from .generate import generate, read_prompt
from .voice import Exit
from .voice import say as tell

if TYPE_CHECKING:
    from ..session.saying import Means, Said
    from ..session.store import SessionStore
    from ..session.turn import SessionTurn

session = typer.Typer(
    name="session",
    help="Conversations about pictures: each turn goes on from the one before it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="Name of the session, or the path of its folder.")]
Turn = Annotated[int | None, typer.Option(help="Turn to go on from; 0 begins anew. Else the last with a picture.")]


@session.callback()
def _root() -> None:
    """Conversations about pictures."""


@session.command()
def new(
    name: Annotated[str | None, typer.Argument(help="Its name, or a path; else one is made up.")] = None,
    model: o.Model = None,
    via: o.Via = None,
    mode: o.Mode = None,
    size: o.Size = None,
    aspect_ratio: o.Ratio = None,
    thinking: o.Thinking = None,
    include_thoughts: o.Thoughts = False,
    modalities: o.Modalities = None,
    grounding: o.Grounding = None,
    temperature: o.Temperature = None,
    system: o.System = None,
    as_json: o.Json = False,
) -> int:
    """Begin a session. What is said here holds for all its turns, unless a turn says otherwise.

    Prints the name, or the folder when a path was given.
    """
    from ..session.names import fresh_name, locate
    from ..session.store import begin

    given = name or fresh_name()
    said: dict[str, Any] = {
        "model": model,
        "size": size,
        "aspect_ratio": aspect_ratio,
        "thinking": thinking,
        "include_thoughts": include_thoughts,
        "modalities": modalities,
        "grounding": grounding,
        "seed": None,
        "temperature": temperature,
        "system": system,
    }
    fields = _fields(said)
    _check(fields, via, mode)
    places = {"via": list(o.words(via)) or None, "mode": mode}
    store = begin(locate(given), {name: value for name, value in {**fields, **places}.items() if value is not None})
    if as_json:
        voice.data({"name": store.root.name, "folder": str(store.root)})
    else:
        print(given)
    return Exit.ALL


def _fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """What was said about the pictures, as the fields of a request; ``None`` where nothing was."""
    names = ("model", "size", "aspect_ratio", "thinking", "seed", "temperature", "system")
    return {
        **{name: options[name] for name in names},
        "include_thoughts": options["include_thoughts"] or None,
        "modalities": list(o.upper_words(options["modalities"])) or None,
        "grounding": list(o.searches(options["grounding"])) or None,
    }


def _check(fields: Mapping[str, Any], via: str | None, mode: str | None) -> None:
    """What no turn could do is told now. Raises ``InputError``."""
    from ..asking import asked
    from ..build import Setup
    from ..routes import RouteWish

    routes = Setup().routes(RouteWish(o.words(via), mode=mode, keyless=True))
    routes.fitted(asked(routes, "a picture", fields))
    voice.notices(routes.notices.values())


@session.command()
def say(
    name: Name,
    prompt: Annotated[str, typer.Argument(help="What to draw or to change; - reads it from stdin.")],
    turn: Turn = None,
    image: list[str] | None = None,
    **options: Any,
) -> int:
    """One more turn. Prints the path of its picture.

    Said again after it was interrupted, it goes on and buys nothing twice. Without any key the simulator answers.
    """
    from ..session.names import locate
    from ..session.saying import Said
    from ..session.store import SessionStore

    words = read_prompt(prompt, image or [])
    store = SessionStore(locate(name))
    with store.hold(), tempfile.TemporaryDirectory(prefix="cavendish-") as scratch:
        kept = store.card().defaults
        fields = {name: kept.get(name) if value is None else value for name, value in _fields(options).items()}
        places = {"via": options["via"] or ",".join(kept.get("via", ())), "mode": options["mode"] or kept.get("mode")}
        said = Said(words, tuple(image or ()), turn, fields)
        return _say(store, said, {**options, **places}, Path(scratch))


def _say(store: SessionStore, said: Said, options: dict[str, Any], scratch: Path) -> int:
    from ..session.saying import begin, end, prepare
    from ..session.turn import SessionTurn
    from .work import Manner, work

    means = _means(options, said.words, scratch)
    prepared = prepare(store, said, means)
    manner = Manner(options["quiet"], yes=options["yes"], dry_run=options["dry_run"], json=options["as_json"])
    if manner.dry_run and prepared.order is not None:
        return work(means.setup, prepared.routes, prepared.order, manner)
    prepared = begin(store, prepared, means)
    if prepared.order is None:
        tell("this was said and bought before it was interrupted: nothing is bought again")
        _tell(SessionTurn.of(store, prepared.record), as_json=manner.json)
        return Exit.ALL if prepared.record.picture else Exit.NOTHING
    try:
        # What is printed on stdout is the turn, not the run.
        code = work(means.setup, prepared.routes, prepared.order, replace(manner, json=False))
    finally:
        record = end(store, prepared)
    _tell(SessionTurn.of(store, record), as_json=manner.json)
    return code


def _means(options: dict[str, Any], words: str, scratch: Path) -> Means:
    from ..session.saying import Means
    from .setting import RunFlags, setup_for

    names = ("via", "tier", "rpm", "mode", "concurrency", "max_cost", "timeout", "max_wait", "strict")
    flags = RunFlags(*(options[name] for name in names))
    setup = setup_for(flags)
    routes = flags.routes(keyless=options["dry_run"])
    return Means(setup, routes, lambda folder: flags.run(setup, folder, title=words), scratch)


def _tell(turn: SessionTurn, *, as_json: bool) -> None:
    """A turn that ended, or did not."""
    if as_json:
        voice.data(turn.to_json())
    elif turn.path is not None:
        print(turn.path)
    if turn.text and not as_json:
        tell(f"it said: {turn.text}")
    if turn.unfinished:
        tell("hint: say the same again to go on with it; nothing is bought twice")


say.__signature__ = borrowing(say, generate, without={"prompt", "n", "output", "open_sheet", "sheet"})


# --- looking at sessions ---------------------------------------------------------------------------------------------


@session.command()
def show(
    name: Name,
    turn: Annotated[int | None, typer.Option(help="One turn with all that is known of it.")] = None,
    as_json: o.Json = False,
) -> int:
    """The tree of turns: what was said, the pictures, cost and model. Makes no call and writes nothing."""
    from ..session.drawing import lines_of, told_of, turn_lines
    from ..session.names import locate
    from ..session.store import SessionStore
    from ..session.turn import SessionTurn

    store = SessionStore(locate(name))
    card, tree = store.card(), store.load()
    if turn is not None:
        one = SessionTurn.of(store, tree.find(turn))
        told, lines = one.to_json(), turn_lines(one)
    else:
        told, lines = told_of(store, card, tree), lines_of(store, card, tree)
    if as_json:
        voice.data(told)
    else:
        print("\n".join(lines))
    return Exit.ALL


@session.command()
def fork(
    name: Name,
    turn: Annotated[int, typer.Option(help="The last turn that both have.")],
    as_: Annotated[
        str | None, typer.Option("--as", metavar="NEW", help="Name of the new session, or its path.")
    ] = None,
    as_json: o.Json = False,
) -> int:
    """A new session that begins with a turn of another and those before it. Prints where it lies."""
    from ..session.names import fork_folder, locate
    from ..session.store import SessionStore

    store = SessionStore(locate(name))
    new = store.fork(turn, fork_folder(store.root, turn, as_))
    if as_json:
        voice.data({"name": new.root.name, "folder": str(new.root)})
    else:
        print(new.root)
    return Exit.ALL


@session.command("list")
def list_(
    folder: Annotated[Path | None, typer.Argument(help="Where to look; else where sessions with a name are.")] = None,
    as_json: o.Json = False,
) -> int:
    """All sessions, with their turns and what they cost."""
    from ..session.drawing import HEAD, sums_of
    from ..session.names import sessions_folder
    from ..session.store import stores_in

    sums = [sums_of(store) for store in stores_in(folder or sessions_folder())]
    if as_json:
        voice.data([one.to_json() for one in sums])
    else:
        voice.table(HEAD, [one.row() for one in sums])
    return Exit.ALL
