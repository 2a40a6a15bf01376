"""A request as it crossed the line, in plain facts by their places; and where the facts of two requests differ."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any

import pybase64

Facts = Mapping[str, Any]

MEANT = ("content-type", "x-goog-api-key", "authorization", "x-server-timeout")
"""Headers that a provider acts upon. The others say who the client is."""

BASE64 = frozenset({"data", "thoughtSignature", "bytesBase64Encoded", "b64_json"})


@dataclass(frozen=True)
class Seen:
    """One request, its body as bytes."""

    method: str
    path: str
    body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Their names in lower case."""


def facts_of(seen: Seen) -> Facts:
    """All that a provider goes by, pictures as the hash of their bytes."""
    facts: dict[str, Any] = {"method": seen.method, "path": seen.path}
    facts |= {f"query.{name}": value for name, value in seen.query.items()}
    content_type = seen.headers.get("content-type", "")
    facts |= {f"header.{name}": seen.headers[name].partition(";")[0] for name in MEANT if name in seen.headers}
    if content_type.startswith("multipart/"):
        return facts | dict(_form(seen.body, content_type))
    return facts | dict(flat(json.loads(seen.body))) if seen.body else facts


def flat(body: Any, picture: Callable[[bytes], str] | None = None) -> Iterator[tuple[str, Any]]:
    """The leaves of a JSON body, by their places. Names in camel case, since Google takes either; base64 as bytes."""
    return _leaves(body, "body", picture or hashed)


def hashed(data: bytes) -> str:
    """Bytes in a word."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _leaves(value: Any, at: str, picture: Callable[[bytes], str]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, entry in value.items():
            yield from _leaves(entry, f"{at}.{_camel(name)}", picture)
    elif isinstance(value, list) and value:
        for i, entry in enumerate(value):
            yield from _leaves(entry, f"{at}[{i}]", picture)
    else:
        yield at, _leaf(value, at.rpartition(".")[2], picture)


def _leaf(value: Any, name: str, picture: Callable[[bytes], str]) -> Any:
    if not isinstance(value, str):
        return value
    if name in BASE64 and not value.startswith("<"):
        return picture(decoded(value))
    start, comma, rest = value.partition(";base64,")
    return f"{start}{comma}{picture(decoded(rest))}" if comma and not rest.startswith("<") else value


def decoded(words: str) -> bytes:
    """Base64 in either alphabet, with or without its padding: strangers send both."""
    return pybase64.b64decode(words.translate(str.maketrans("-_", "+/")) + "=" * (-len(words) % 4), validate=True)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _form(body: bytes, content_type: str) -> Iterator[tuple[str, Any]]:
    """Fields by their names, those of one name in their order."""
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=policy.HTTP)
    seen: dict[str, int] = {}
    for part in message.iter_parts():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        assert isinstance(content, bytes)
        at = f"form.{name}[{seen.setdefault(str(name), 0)}]"
        seen[str(name)] += 1
        if part.get_filename() is None:
            yield at, content.decode()
        else:
            yield from ((at, hashed(content)), (f"{at}.type", part.get_content_type()))
            yield f"{at}.filename", part.get_filename()


# --- differences -----------------------------------------------------------------------------------------------------

NOTHING = "(nothing)"


@dataclass(frozen=True)
class Allowed:
    """A difference that is meant: at which places, what stands there on either side, and why. Patterns match wholly."""

    place: str
    theirs: str
    ours: str
    why: str

    def covers(self, difference: tuple[str, str, str]) -> bool:
        """Whether it is this one."""
        patterns = (self.place, self.theirs, self.ours)
        return all(re.fullmatch(p, said, re.DOTALL) for p, said in zip(patterns, difference, strict=True))


def differences(theirs: Facts, ours: Facts) -> list[tuple[str, str, str]]:
    """Where they differ: the place, what the stranger says there, what we say there."""
    places = dict.fromkeys((*theirs, *ours))
    found = ((place, _said(theirs, place), _said(ours, place)) for place in places)
    return [entry for entry in found if entry[1] != entry[2]]


def _said(facts: Facts, place: str) -> str:
    # 40.0 and 40 are one number.
    value = facts.get(place, NOTHING)
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
