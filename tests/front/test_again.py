"""The same command again: what is there is kept, what is missing is made, nothing is bought twice."""

import pytest

from cavendish import AsyncClient, FolderError, RequestError
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


async def test_pictures_of_two_rows_with_the_same_bytes_and_name_are_two_files(rows, tmp_path):
    """A relay's placeholder, say: neither slot takes the other's file."""
    server = await start_server("fast", mode="tiny")
    async with AsyncClient(via="sim", settings={"endpoints.sim.base_url": server.url}) as client:
        path = rows("a kite [sim:duplicate]", "a kite! [sim:duplicate]")
        summary = await client.batch(path, output=tmp_path / "run")
        assert (summary.delivered, summary.failed) == (2, 0)
    await server.close()


async def test_a_callback_that_raises_loses_nothing(client, rows, tmp_path):
    def broken(_picture):
        raise RuntimeError("mine")

    path = rows(*(f"a kite {number} [sim:latency=0.2]" for number in range(6)))
    with pytest.raises(RuntimeError, match="mine"):
        await client.batch(path, output=tmp_path / "run", on_picture=broken, concurrency=3)
    made, summary = await buy(client, path, tmp_path / "run")
    assert (summary.delivered, summary.unknown_attempts) == (6, 0)
    assert made < 6


async def test_a_moved_folder_still_has_its_references(client, tmp_path):
    from PIL import Image

    look = Image.new("RGB", (9, 9), "red")
    first = await client.generate("the same in blue", n=2, output=tmp_path / "one", references=look, max_cost="0.05")
    assert first.stopped is not None
    (tmp_path / "one").rename(tmp_path / "two")
    again = await client.generate("the same in blue", n=2, output=tmp_path / "two", references=look)
    assert len(again) == 2
    assert not again.failures


async def test_a_repainted_reference_is_noticed(client, tmp_path):
    from PIL import Image

    path = tmp_path / "rows.csv"
    path.write_text("prompt,image\nthe same in blue,look.png\n")
    Image.new("RGB", (9, 9), "red").save(tmp_path / "look.png")
    assert (await buy(client, path, tmp_path / "run"))[0] == 1
    assert (await buy(client, path, tmp_path / "run"))[0] == 0
    Image.new("RGB", (9, 9), "green").save(tmp_path / "look.png")
    assert (await buy(client, path, tmp_path / "run"))[0] == 1


async def test_a_cap_is_refused_where_no_price_is_known(client, tmp_path):
    with pytest.raises(RequestError, match="no price is known"):
        await client.generate("a kite", model="sim/some-new-model", output=tmp_path, max_cost=1)


async def test_several_keys_share_the_work(rows, tmp_path):
    server = await start_server("fast", mode="tiny")
    settings = {"endpoints.google.api_key": "one,two,three", "endpoints.google.base_url": server.url}
    async with AsyncClient(via="google", settings=settings) as client:
        await client.generate("a kite", n=9, output=tmp_path)
    assert sorted(account["requests"] for account in server.stats()["keys"].values()) == [3, 3, 3]
    await server.close()


async def test_files_of_somebody_else_are_left_alone(client, tmp_path):
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(FolderError, match="index"):
        await client.generate("a kite", output=tmp_path)
    assert (tmp_path / "index.html").read_text() == "mine"
