"""The routes to keys and to what they did."""

from __future__ import annotations

import re

from .doors.account import Account
from .jobs.desk import Desk
from .routing import Route

NAME = r"/v1/keys/(?P<name>[^/]{1,200})"


def key_routes(desk: Desk) -> tuple[Route, ...]:
    """All of them; who may go by which is the door's business."""
    account = Account(desk)
    return (
        Route(("GET", "HEAD"), re.compile(r"/v1/usage"), account.usage),
        Route(("GET", "HEAD"), re.compile(r"/v1/keys"), account.list),
        Route(("POST",), re.compile(r"/v1/keys"), account.create),
        Route(("GET", "HEAD"), re.compile(NAME), account.show),
        Route(("DELETE",), re.compile(NAME), account.revoke),
        Route(("POST",), re.compile(rf"{NAME}/rotate"), account.rotate),
    )
