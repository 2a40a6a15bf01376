"""Split: how many pictures one call is asked for, where it can be asked for several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from ..catalog.cards import Limits
from ..catalog.resolve import Resolved
from ..model.request import Image, ImageRequest

USUAL_LATENCY_S = 12.5
"""Of a 1K picture: where the catalog has no figures for a model."""

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Several:
    """What asking for several pictures in one call is like on a route.

    ``most`` is how many one call may be asked for. ``serial``: they are drawn one after another, so single calls side
    by side are faster, unless ``requests_per_minute`` is what holds the calls back. ``with_references`` bounds pictures
    and references together (0: no such bound). ``latency_s`` is the time of one picture.
    """

    most: int = 1
    serial: bool = False
    requests_per_minute: int | None = None
    with_references: int = 0
    latency_s: float = USUAL_LATENCY_S

    @classmethod
    def of(cls, resolved: Resolved, limits: Limits) -> Self:
        """What the catalog says of a route; a call asks for no more than a minute's pictures, or it is never let in."""
        offer, card = resolved.offer, resolved.card
        latency = offer.latency.get(card.default_size)
        return cls(
            most=max(1, min(offer.pictures_per_call, limits.images_per_minute or offer.pictures_per_call)),
            serial=offer.several == "serial",
            requests_per_minute=limits.requests_per_minute,
            with_references=offer.pictures_and_references,
            latency_s=latency.p50_s if latency else USUAL_LATENCY_S,
        )

    def bound(self, request: ImageRequest) -> int:
        """How many pictures of this request one call may be asked for at all.

        One for a request with a seed: each of its pictures has a seed of its own, and a call has but one.
        """
        if request.seed is not None:
            return 1
        if not self.with_references:
            return self.most
        references = sum(isinstance(part, Image) for turn in request.turns for part in turn.parts)
        return max(1, min(self.most, self.with_references - references))

    def split(self, wanted: int, request: ImageRequest, waiting: int = 0) -> tuple[int, ...]:
        """The calls for ``wanted`` pictures of one request, by how many each is asked for; the largest first.

        ``waiting`` is how many pictures of any request the lane has to draw; at least ``wanted`` is taken.
        """
        if wanted < 1:
            return ()
        most = self.bound(request)
        if self.serial:
            most = min(range(1, most + 1), key=lambda each: (self._takes_s(max(waiting, wanted), each), each))
        return even(wanted, most)

    def _takes_s(self, pictures: int, each: int) -> float:
        """How long so many pictures take in calls of ``each``: the last call's start, and what it draws."""
        calls = -(-pictures // each)
        held_s = MINUTE_S * ((calls - 1) // self.requests_per_minute) if self.requests_per_minute else 0.0
        return held_s + each * self.latency_s


ALONE = Several()
"""One call, one picture."""


def even(wanted: int, most: int) -> tuple[int, ...]:
    """``wanted`` in as few parts of at most ``most`` as there can be, as even as they can be, the largest first."""
    parts = -(-wanted // most)
    small, larger = divmod(wanted, parts)
    return (small + 1,) * larger + (small,) * (parts - larger)
