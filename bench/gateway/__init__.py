"""Gateway: ours beside others, before the same upstream that costs next to nothing, in one run and in turns."""

from __future__ import annotations

from collections.abc import Collection

from ..report import Table


def bench(*, quick: bool, only: Collection[str] = ()) -> list[Table]:
    """``only``: keys of ``peers.GATEWAYS`` and of the sizes; the upstream itself is always asked."""
    # Not above: the upstream and the clients are started as modules of this package.
    from .rounds import FULL, QUICK, measure
    from .tables import tables

    return tables(measure(QUICK if quick else FULL, only))
