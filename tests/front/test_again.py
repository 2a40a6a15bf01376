"""The same command again: what is there is kept, what is missing is made, nothing is bought twice."""

import pytest

from cavendish import AsyncClient
from cavendish.sim.server import start_server


@pytest.fixture
async def client():
    server = await start_server("fast")
    async with AsyncClient(via="sim", settings={"endpoints.sim.base_url": server.url}) as client:
        yield client
    await server.close()


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.csv"

    def write(*prompts: str):
        path.write_text("prompt\n" + "\n".join(prompts) + "\n")
        return path

    return write


async def buy(client, path, folder, n=1):
    """How many pictures were made now, and how many the folder has."""
    made = []
    summary = await client.batch(path, output=folder, n=n, on_picture=made.append)
    return summary.delivered - summary.facts.kept, summary


async def test_the_same_rows_again_buy_nothing(client, rows, tmp_path):
    path = rows("a dog", "a dog", "a cat", "a dog")
    assert (await buy(client, path, tmp_path / "run", n=2))[0] == 8
    for _ in range(3):
        made, summary = await buy(client, path, tmp_path / "run", n=2)
        assert (made, summary.delivered, summary.facts.left) == (0, 8, 0)


async def test_a_changed_prompt_buys_its_row_only(client, rows, tmp_path):
    await buy(client, rows("a dog", "a cat", "a cow"), tmp_path / "run")
    made, summary = await buy(client, rows("a dog", "a red cat", "a cow"), tmp_path / "run")
    assert (made, summary.delivered) == (1, 3)
    lines = (tmp_path / "run" / "metadata.jsonl").read_text().splitlines()
    assert ["a red cat" in line for line in lines] == [False, True, False]


async def test_rows_in_another_order_buy_nothing_and_are_listed_in_it(client, rows, tmp_path):
    await buy(client, rows("a dog", "a cat", "a dog"), tmp_path / "run")
    made, summary = await buy(client, rows("a cat", "a dog", "a dog"), tmp_path / "run")
    assert (made, summary.delivered) == (0, 3)
    lines = (tmp_path / "run" / "metadata.jsonl").read_text().splitlines()
    assert ["a cat" in line for line in lines] == [True, False, False]


async def test_a_row_that_was_taken_away_is_counted_no_more_and_comes_back_for_nothing(client, rows, tmp_path):
    await buy(client, rows("a dog", "a cat", "a dog"), tmp_path / "run")
    made, summary = await buy(client, rows("a dog"), tmp_path / "run")
    assert (made, summary.delivered) == (0, 1)
    made, summary = await buy(client, rows("a dog", "a cat", "a dog"), tmp_path / "run")
    assert (made, summary.delivered) == (0, 3)


async def test_more_pictures_of_one_prompt_keep_those_that_are_there(client, tmp_path):
    first = await client.generate("a kite", n=2, output=tmp_path)
    more = await client.generate("a kite", n=3, output=tmp_path)
    fewer = await client.generate("a kite", n=1, output=tmp_path)
    assert [p.sha256 for p in more][:2] == [p.sha256 for p in first]
    assert [p.sha256 for p in fewer] == [first[0].sha256]
    assert more.cost == fewer.cost
