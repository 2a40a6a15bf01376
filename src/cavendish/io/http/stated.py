"""Stated: what a relay says in a header that a call cost, as part of the answer's usage."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ...model.call import Done, Reply
from ...model.fault import Fault
from ...model.money import nusd
from ...wire.message import WireResponse

COST_HEADER: Final = "cost_header"
"""The option of an endpoint that names such a header, in dollars (LiteLLM: ``x-litellm-response-cost``)."""

MOST_USD: Final = 1_000.0
"""No call costs more: whatever says so means something else."""


def with_stated_cost(reply: Reply, response: WireResponse | None, header: object) -> Reply:
    """The reply with the cost that the header states, unless its body states one itself."""
    if response is None or not isinstance(header, str) or not isinstance(reply, Done | Fault):
        return reply
    cost_nusd = _amount(response.headers.get(header) or "")
    if cost_nusd is None or reply.usage.cost_nusd is not None:
        return reply
    return replace(reply, usage=replace(reply.usage, cost_nusd=cost_nusd))


def _amount(text: str) -> int | None:
    try:
        amount = float(text)
        return nusd(text.strip()) if 0 <= amount <= MOST_USD else None
    except ValueError:
        return None
