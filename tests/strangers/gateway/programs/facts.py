"""What a program found, printed as one JSON object at its end."""

import hashlib
import json
import os
import sys
import traceback

GATEWAY = os.environ["GATEWAY"]
KEY = os.environ["GATEWAY_KEY"]
PROMPT = "a red kite over the moor"

FACTS = {}
STARTS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


def fact(name):
    """Notes what the function returns, or the error that it raises."""

    def noted(find):
        try:
            FACTS[name] = find()
        except Exception as error:
            if os.environ.get("VERBOSE"):
                traceback.print_exc()
            status = getattr(error, "status_code", None) or getattr(error, "code", None)
            FACTS[name] = {"error": type(error).__name__, "status": status}

    return noted


def kind(data):
    return next((named for start, named in STARTS.items() if data.startswith(start)), "none")


def pictures(found):
    """The types of pictures by their bytes, and how many are different: ["image/png", 4, 4]."""
    kinds = " ".join(sorted({kind(data) for data in found}))
    return [kinds, len(found), len({hashlib.sha256(data).digest() for data in found})]


def tell():
    json.dump(FACTS, sys.stdout)
