"""Placing: an endpoint's address and options with the user's project and location in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ..catalog.cards import EndpointCard
from ..catalog.schema import PLACES
from ..config import EndpointSettings, variables_of
from ..errors import ConfigError

_OPEN = re.compile(r"\{(project|location)\}")


def placed(card: EndpointCard, own: EndpointSettings, project: str = "") -> EndpointCard:
    """The endpoint where this user meets it: the user's address, or the card's, with nothing left open.

    ``project`` is the one that the login belongs to, for who names none. Raises ``ConfigError`` naming what is missing
    and where to set it.
    """
    words = {**card.place_default, **({"project": project} if project else {}), **places(own)}
    rule = card.base_url_at.get(words.get("location", ""), card.base_url)
    return replace(
        card,
        base_url=_filled(own.base_url.value or rule, card, words),
        options={
            name: _filled(value, card, words) if isinstance(value, str) else value
            for name, value in card.options.items()
        },
    )


def places(own: EndpointSettings) -> dict[str, str]:
    """What the user said of the endpoint's place."""
    said = {"project": own.project.value, "location": own.location.value}
    return {name: value for name, value in said.items() if value}


def _filled(text: str, card: EndpointCard, words: Mapping[str, str]) -> str:
    for name in _OPEN.findall(text):
        if name not in words:
            raise ConfigError(f"{card.name} needs a {name}, and none is set", hints=(_where(card, name),))
    return _OPEN.sub(lambda match: words[match[1]], text)


def _where(card: EndpointCard, name: str) -> str:
    assert name in PLACES
    variables = variables_of(card.name, card).get(name, ())
    return f"set {' or '.join(variables[::-1])}, or {name} under [endpoints.{card.name}] in your configuration file"
