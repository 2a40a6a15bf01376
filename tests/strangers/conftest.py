"""A server that strangers and we ask, one for each file of tests."""

import pytest

from tests.strangers.line import listening


@pytest.fixture(scope="module")
def listener():
    with listening() as found:
        yield found


@pytest.fixture
def line(listener):
    listener.seen.clear()
    return listener
