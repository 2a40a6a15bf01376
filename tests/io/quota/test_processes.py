"""Real processes that share a quota, and one that is killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import postgres_server, postgres_url  # noqa: F401

SIXTY = {"requests_per_minute": 60}
GREEDY = Path(__file__).with_name("greedy.py")


def start(address, limits, **how):
    command = [sys.executable, str(GREEDY), str(address), json.dumps(limits), json.dumps(how)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def starts(processes) -> list[float]:
    """When calls left, of all processes, in order."""
    moments = []
    for process in processes:
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        moments += map(float, out.split())
    return sorted(moments)


def busiest(moments: list[float], span_s: float = 60.0) -> int:
    """The most in any half-open stretch of so long."""
    return max(sum(at <= other < at + span_s for other in moments[i:]) for i, at in enumerate(moments))


def test_eight_processes_take_together_what_one_may(tmp_path):
    # Who is to wait for long knows that all is used.
    assert len(starts([start(tmp_path, SIXTY, patience=20.0) for _ in range(8)])) == 60


def test_on_a_server_too(postgres_url):  # noqa: F811
    assert len(starts([start(postgres_url, SIXTY, patience=20.0) for _ in range(4)])) == 60


def test_what_a_killed_process_held_comes_back_at_once(tmp_path):
    doomed = start(tmp_path, {"in_flight": 4})
    assert doomed.stdout is not None
    for _ in range(4):
        doomed.stdout.readline()
    os.kill(doomed.pid, signal.SIGKILL)
    doomed.communicate()
    # Ended by itself: it got what the other had.
    assert len(starts([start(tmp_path, {"in_flight": 4}, starts=4)])) == 4


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_sixty_a_minute_to_the_last_one(tmp_path):
    moments = starts([start(tmp_path, SIXTY, seconds=185.0, latency=5.0) for _ in range(8)])
    assert busiest(moments) <= 60
    # Three minutes, and the burst at the beginning of a fourth.
    assert len(moments) == 240
