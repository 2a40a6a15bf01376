"""Turns to be kept, made up."""

import hashlib

from cavendish.front.session.record import TurnRecord
from cavendish.model.blob import Blob
from cavendish.model.call import Done
from cavendish.model.request import Image, ImageRequest, Text
from cavendish.model.result import Route

ROUTE = Route("google", "gemini-3.1-flash-image", "gemini-3.1-flash-image")


def file_in(folder, name, data, media_type="image/jpeg"):
    """A blob whose bytes are in a file."""
    (folder / name).write_bytes(data)
    return Blob(hashlib.sha256(data).hexdigest(), len(data), media_type, str(folder / name))


def asked(number, parent=None, words="a kite", references=()):
    return TurnRecord(number, parent, 1.0, ImageRequest.of(words, "nano-banana-2", references))


def answered(folder, number, parent=None, words="a kite", **changes):
    """A turn whose answer is: a thought, words, a draft, and the picture with a large signature; more words."""
    picture = file_in(folder, f"{number}.jpg", b"picture %d" % number)
    draft = file_in(folder, f"{number}-draft.jpg", b"draft %d" % number)
    large = file_in(folder, f"{number}.sig", b"large %d" % number, "application/octet-stream")
    parts = (
        Text("Planning.", thought=True),
        Text("Here:", signature=f"c2ln{number:04d}"),
        Image(blob=draft, media_type="image/jpeg", signature="ZHJhZnQ="),
        Image(blob=picture, media_type="image/jpeg", signature=large),
        Text("Do you like it?"),
    )
    record = asked(number, parent, words)
    filled = {"reply": Done(parts, finals=(3,)), "route": ROUTE, "dialect": "gemini", "size": (8, 8), **changes}
    return record.having(**filled)
