"""Borrow: one command's options for another, so that the two can never differ in them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any


def borrowing(own: Callable[..., int], other: Callable[..., int], without: Collection[str] = ()) -> inspect.Signature:
    """The signature of ``own`` with its ``**options`` replaced by those of ``other`` that it has not itself.

    Options that ``own`` has without describing them are taken from ``other``, too, in their place there.
    """
    mine = [p for p in inspect.signature(own, eval_str=True).parameters.values() if p.kind is not p.VAR_KEYWORD]
    described = [p for p in mine if _is_described(p)]
    known = {p.name for p in described} | set(without)
    theirs = [p for name, p in inspect.signature(other, eval_str=True).parameters.items() if name not in known]
    return inspect.Signature([*described, *theirs])


def _is_described(parameter: inspect.Parameter) -> bool:
    """Whether its annotation says what it means on a command line."""
    annotation: Any = parameter.annotation
    return bool(getattr(annotation, "__metadata__", ()))
