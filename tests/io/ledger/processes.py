"""Processes: starts the deeds of ``child`` in a process of their own, and hears what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def start(deed: str, path: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.io.ledger.child", deed, str(path), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(deed: str, path: Path, *arguments: str) -> list[list]:
    """What it said until its end, which must be a good one."""
    with start(deed, path, *arguments) as process:
        output, errors = process.communicate(timeout=50)
    assert process.returncode == 0, errors.decode()
    return said(output)


def said(output: bytes) -> list[list]:
    return [json.loads(line) for line in output.splitlines()]
