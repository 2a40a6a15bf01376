"""Thrift: what the C library keeps of freed memory: little, since pictures come and go by the megabyte."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from typing import Final

# Of malloc.h: fixed by the interface of the GNU C library.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8

_LARGE_BYTES: Final = 1 << 20
"""Above all pieces of pictures, which are used again and again and would otherwise be mapped anew each time."""


def keep_little() -> bool:
    """Have threads share one heap, and give back what is free at its end; whether that could be done.

    Each thread has a heap of its own else, and none of them shrinks. Who has set it otherwise is left alone.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        settings = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGE_BYTES), (_TRIM_THRESHOLD, _LARGE_BYTES))
        return all(mallopt(name, value) == 1 for name, value in settings)
    return False
