"""The C library is told to keep little, unless the user has told it something else."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMAND = "from cavendish.front.gateway.operation.thrift import keep_little; print(keep_little())"


@pytest.mark.skipif(sys.platform != "linux", reason="the GNU C library's")
@pytest.mark.parametrize("settings", [{}, {"MALLOC_ARENA_MAX": "4"}])
def test_it_is_told_once_and_by_nobody_else(settings: dict[str, str]) -> None:
    told = subprocess.run([sys.executable, "-c", COMMAND], env=settings, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == str(not settings)
