"""Real processes over one book, some of them killed: together they never pass the cap, and in the end reach it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.io.spend.buyer import CAPS, PRICE, bills
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["file", "server"])
def state(request, tmp_path):
    """Where the book is."""
    return tmp_path / "state" if request.param == "file" else request.getfixturevalue("postgres_url")


def begin(address, till, dies_after):
    words = [sys.executable, "-m", "tests.io.spend.buyer", str(address), till.name, str(till), str(dies_after)]
    return subprocess.Popen(words, cwd=ROOT)


def ended(processes):
    return [process.wait(timeout=50) for process in processes]


def test_processes_together_spend_all_of_a_cap_and_no_more(tmp_path, state):
    tills = [tmp_path / f"till-{number}" for number in range(3)]
    assert ended([begin(state, till, 0) for till in tills]) == [0, 0, 0]
    assert sum(bills(till) for till in tills) * PRICE == CAPS[0].nusd


@pytest.mark.timeout(150)
def test_processes_that_are_killed_do_not_pass_it_either(tmp_path, state):
    tills = [tmp_path / f"till-{number}" for number in range(3)]
    for dies_after in (3, 8):
        codes = ended([begin(state, till, dies_after) for till in tills])
        assert any(code < 0 for code in codes)
        assert sum(bills(till) for till in tills) * PRICE <= CAPS[0].nusd
    assert ended([begin(state, till, 0) for till in tills]) == [0, 0, 0]
    # Each was taken up again, so what the dead ones held was theirs no more.
    assert sum(bills(till) for till in tills) * PRICE == CAPS[0].nusd
