"""``cavendish edit``: pictures changed as the words say; everything else as ``cavendish generate`` has it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ...model.request import Use
from .borrow import borrowing
from .generate import generate


def edit(
    pictures: Annotated[
        list[str],
        typer.Argument(help="Path, URL, data URL, or - for stdin; the first of several is the one to change."),
    ],
    prompt: Annotated[str, typer.Argument(help="What to change; - reads it from stdin.")],
    mask: Annotated[
        str | None,
        typer.Option(metavar="PICTURE", help="Transparent where the first picture is to be drawn anew."),
    ] = None,
    image: list[str] | None = None,
    **options: Any,
) -> int:
    """Change a picture, or make one of several.

    Prints the path of each picture that came of it. Without any key the simulator answers, and says so.
    """
    masks = [f"{mask}:{Use.MASK.value}"] if mask is not None else []
    return generate(prompt, image=[*pictures, *(image or ()), *masks], **options)


edit.__signature__ = borrowing(edit, generate)
