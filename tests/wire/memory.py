"""A blob store in memory, and JSON with its blobs put back: what the tests of ``wire`` share."""

import hashlib
import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

import pybase64
from hypothesis import strategies as st

from cavendish.model.blob import Blob
from cavendish.wire.message import Spilled

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(64)) + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(40)) + b"\x00\x00\x00\x00IEND\xaeB`\x82"


@dataclass
class Writer:
    store: "Store"
    parts: list[bytes] = field(default_factory=list)
    state: str = "open"

    def write(self, data: bytes) -> None:
        assert self.state == "open"
        assert type(data) is bytes
        if self.store.room is not None and sum(map(len, self.parts)) + len(data) > self.store.room:
            raise OSError(28, "No space left on device")
        self.store.widest = max(self.store.widest, len(data))
        self.parts.append(data)

    def finish(self, media_type: str) -> Blob:
        assert self.state == "open"
        self.state = "finished"
        data = b"".join(self.parts)
        blob = Blob(hashlib.sha256(data).hexdigest(), len(data), media_type)
        self.store.data[blob.sha256] = data
        return blob

    def abort(self) -> None:
        assert self.state == "open"
        self.state = "aborted"


@dataclass
class Store:
    """``room``: how many bytes fit into a blob before the disk is full."""

    room: int | None = None
    writers: list[Writer] = field(default_factory=list)
    data: dict[str, bytes] = field(default_factory=dict)
    widest: int = 0

    def new_blob(self) -> Writer:
        self.writers.append(Writer(self))
        return self.writers[-1]

    def blob(self, data: bytes, media_type: str = "image/png") -> Blob:
        writer = self.new_blob()
        writer.write(data)
        return writer.finish(media_type)

    def states(self) -> list[str]:
        return [writer.state for writer in self.writers]

    def text(self, value) -> Any:
        """The value with each ``Spilled`` as the string it stands for."""
        if isinstance(value, Spilled):
            pieces = (
                p if isinstance(p, str) else pybase64.b64encode(self.data[p.sha256]).decode() for p in value.pieces
            )
            return "".join(pieces)
        if isinstance(value, dict):
            return {key: self.text(entry) for key, entry in value.items()}
        return [self.text(entry) for entry in value] if isinstance(value, list) else value

    def stands_for(self, spilled: Spilled, words: str) -> bool:
        """Whether it is these words, base64 in any alphabet and padding."""
        spelled = ""
        for piece in spilled.pieces:
            if isinstance(piece, str):
                spelled += re.escape(piece)
            else:
                chars = len(pybase64.b64encode(self.data[piece.sha256]).rstrip(b"="))
                spelled += rf"([A-Za-z0-9+/_-]{{{chars}}})={{0,2}}"
        match = re.fullmatch(spelled, words, re.DOTALL)
        return match is not None and all(
            decoded(run) == self.data[blob.sha256] for run, blob in zip(match.groups(), spilled.blobs, strict=True)
        )


def decoded(run: str) -> bytes:
    return pybase64.b64decode(run.translate(str.maketrans("-_", "+/")) + "=" * (-len(run) % 4), validate=True)


def chunked(body: bytes, cuts) -> list[bytes]:
    """The body in pieces, cut at these places and, should they be few, nowhere else."""
    places = sorted({min(cut, len(body)) for cut in cuts})
    return [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]


def escaped(value, dice: random.Random, density: float) -> bytes:
    """JSON as a stranger may write it: any spelling of any character, spaces anywhere between signs."""
    space = dice.choice(("", " ", "\n\t"))

    def character(c: str) -> str:
        code = ord(c)
        if c in '"\\' or code < 0x20 or dice.random() < density:
            short = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\n": "\\n", "\t": "\\t", "\b": "\\b"}.get(c)
            if short and dice.random() < 0.5:
                return short
            units = c.encode("utf-16-be", "surrogatepass").hex()
            units = units.upper() if dice.random() < 0.5 else units
            return "".join("\\u" + units[i : i + 4] for i in range(0, len(units), 4))
        return c

    def write(v) -> str:
        if isinstance(v, str):
            return '"' + "".join(map(character, v)) + '"'
        if isinstance(v, dict):
            return "{" + space + ("," + space).join(f"{write(k)}{space}:{space}{write(e)}" for k, e in v.items()) + "}"
        if isinstance(v, list):
            return "[" + ("," + space).join(map(write, v)) + space + "]"
        return json.dumps(v)

    return write(value).encode("utf-8", "surrogatepass")


def _base64(data: bytes, urlsafe: bool, padded: bool) -> str:
    words = (pybase64.urlsafe_b64encode if urlsafe else pybase64.b64encode)(data).decode()
    return words if padded else words.rstrip("=")


contents = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda head, seed, n: head + random.Random(seed).randbytes(n),
        st.sampled_from([b"", JPEG, PNG]),
        st.integers(0, 9),
        st.integers(0, 700),
    ),
)
base64s = st.builds(_base64, contents, st.booleans(), st.booleans())
uris = st.builds("data:image/{};base64,{}".format, st.sampled_from(["png", "jpeg"]), base64s)
markdown = st.builds("{}![image]({}){}".format, st.text(max_size=5), uris, st.text(max_size=20))
nearly = st.builds(
    lambda a, b, c: a + b + c, base64s, st.sampled_from(["=", " ", "-+", "A", "é", "\n", ".", "\\"]), base64s
)
strings = st.one_of(st.text(max_size=60), base64s, uris, markdown, nearly, st.lists(markdown, max_size=3).map("".join))
names = st.one_of(
    st.sampled_from(["data", "b64_json", "bytesBase64Encoded", "url", "text", "data "]), st.text(max_size=9), base64s
)
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), strings)
values = st.recursive(
    plain, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)), max_leaves=8
)
