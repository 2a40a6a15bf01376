"""Call and Reply: one exchange with a provider, before it is written for a wire and after it is read from one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .fault import Fault
from .request import Image, ImageRequest, JsonValue, Notice, Part, Text
from .usage import NOTHING_USED, Usage


@dataclass(frozen=True, slots=True)
class Ticket:
    """A provider's receipt for a job that is not finished: enough to ask for it again after a crash."""

    id: str
    url: str = ""
    data: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue], hash=False)


@dataclass(frozen=True, slots=True)
class Open:
    """Ask for pictures. ``request.model`` is the id as the endpoint spells it; ``request.n`` the count of this call."""

    request: ImageRequest
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask how a job is doing."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get a picture from the URL that a reply named."""

    url: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give a job up."""

    ticket: Ticket


Call = Open | Poll | Fetch | Cancel


@dataclass(frozen=True, slots=True)
class Source:
    """Where a grounded picture's facts came from. ``page`` is the page, ``picture`` the picture on it, if any."""

    page: str
    title: str = ""
    picture: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Support:
    """Which words of an answer rest on which sources.

    ``sources`` are indexes into the note's sources, ``scores`` the provider's confidence in each, where it tells one.
    ``start`` and ``end`` count bytes within the part of the answer with the index ``part``.
    """

    text: str
    sources: tuple[int, ...]
    start: int = 0
    end: int = 0
    part: int = 0
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class GroundingNote:
    """Queries and sources of a grounded answer; ``attribution`` is the HTML that the provider obliges users to show.

    ``supports`` say which of the answer's words rest on which sources.
    """

    web_queries: tuple[str, ...] = ()
    image_queries: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    attribution: str = ""
    supports: tuple[Support, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """An answer with at least one picture.

    ``parts`` is all that the model gave, in order; ``finals`` are the indexes of the pictures to deliver. The other
    pictures are drafts or thoughts. ``shortfall`` says why a call that was asked for several gave fewer. ``finish``
    is the provider's finish word. ``answered_by`` is the model that answered, as the provider spells it. ``tier`` is
    the class of service that it was given, ``standard`` and ``flex`` for instance, where the provider tells one.
    """

    parts: tuple[Part, ...]
    finals: tuple[int, ...]
    usage: Usage = NOTHING_USED
    finish: str = ""
    answered_by: str = ""
    response_id: str = ""
    grounding: GroundingNote | None = None
    shortfall: tuple[Fault, ...] = ()
    notices: tuple[Notice, ...] = ()
    tier: str = ""

    @property
    def pictures(self) -> tuple[Image, ...]:
        """The pictures to deliver."""
        return tuple(p for i in self.finals if isinstance(p := self.parts[i], Image))

    @property
    def extras(self) -> tuple[Part, ...]:
        """All else: drafts, thoughts and words."""
        return tuple(p for i, p in enumerate(self.parts) if i not in self.finals)

    @property
    def text(self) -> str:
        """What the model said aloud."""
        return "\n".join(p.text for p in self.parts if isinstance(p, Text) and not p.thought)


@dataclass(frozen=True, slots=True)
class Later:
    """Not finished: ask again with this ticket after so many seconds."""

    ticket: Ticket
    after_s: float
    usage: Usage = NOTHING_USED


Reply = Done | Later | Fault
