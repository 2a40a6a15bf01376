"""The application: every command by its name, and how an error becomes a message and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from ...errors import CavendishError
from . import voice
from .batch import batch, resume
from .doctor import doctor
from .edit import edit
from .generate import generate
from .keys import keys
from .lists import models, price
from .plan import plan
from .quota import quota
from .reconcile import reconcile
from .serve import serve
from .session import session
from .settings import config
from .sim import sim
from .spend import spend
from .status import status
from .usage import usage

SOME_HELP = "Ask for N images, get N images."

app = typer.Typer(
    name="cavendish",
    help=SOME_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"cavendish {version('cavendish')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ask for N images, get N images."""


for command in (generate, edit, batch, resume, status, plan, models, price, reconcile, doctor, spend, quota):
    app.command()(command)
app.add_typer(config)
app.add_typer(session)
app.add_typer(keys)
app.command()(usage)
app.command()(sim)
app.command()(serve)


def run(arguments: Sequence[str] | None) -> int:
    """Run one command; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal or a pipe has no letters for is spelled out.
            stream.reconfigure(errors="backslashreplace")
    try:
        code: Any = app(
            args=None if arguments is None else list(arguments), prog_name="cavendish", standalone_mode=False
        )
    except CavendishError as problem:
        voice.error(problem)
        return voice.exit_code_of(problem)
    except (typer.Abort, KeyboardInterrupt):
        voice.say("interrupted")
        return voice.Exit.INTERRUPTED
    except typer.TyperException as problem:
        return _misused(problem)
    except BrokenPipeError:
        # Whoever read the output has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return voice.Exit.NOTHING
    except OSError as problem:
        voice.say(f"error: {problem.filename or 'the system'}: {problem.strerror or problem}")
        voice.say()
        voice.say("hint: what arrived is kept; cavendish resume goes on with a run folder")
        return voice.Exit.NOTHING
    return code if isinstance(code, int) else voice.Exit.ALL


def _misused(problem: typer.TyperException) -> int:
    """A command line that cannot be understood."""
    context: Any = getattr(problem, "ctx", None)
    if type(problem).__name__ == "NoArgsIsHelpError":
        voice.say(context.get_help())
        return voice.Exit.USAGE
    formatted: Any = getattr(problem, "format_message", lambda: str(problem))
    voice.say(f"error: {formatted().rstrip('.')}")
    voice.say()
    voice.say(f"hint: {context.command_path if context else 'cavendish'} --help")
    return voice.Exit.USAGE
