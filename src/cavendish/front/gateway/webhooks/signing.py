"""Signing: the headers of a message, so that its receiver knows who sent it, and when.

Standard Webhooks 1.0.0 (standardwebhooks.com): the signature is over id, time and body, and its version is ``v1``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

PREFIX: Final = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


def secret_of(words: str) -> bytes | None:
    """The bytes of a secret as it is written, ``None`` for what is none."""
    try:
        found = base64.b64decode(words.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if words.startswith(PREFIX) and LEAST_BYTES <= len(found) <= MOST_BYTES else None


def signed(message_id: str, at: float, body: bytes, secret: bytes) -> dict[str, str]:
    """The headers of one try to deliver a message. Each try has a time of its own."""
    moment = str(int(at))
    what = b".".join((message_id.encode(), moment.encode(), body))
    signature = base64.b64encode(hmac.new(secret, what, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": moment, "webhook-signature": f"v1,{signature}"}
