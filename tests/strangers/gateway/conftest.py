"""One gateway for each file of tests."""

from collections.abc import Iterator

import pytest

from tests.strangers.gateway.served import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("gateway")) as found:
        yield found
