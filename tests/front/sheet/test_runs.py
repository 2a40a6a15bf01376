"""Runs with sheets: exactly the pictures that were asked for, the bill in the books, the rest drawn one by one."""

import asyncio
import hashlib
import json

import pytest
from PIL import Image

from cavendish import AsyncClient, RequestError
from cavendish.front.build import Setup
from cavendish.front.orders import order_again
from cavendish.io.sheet.press import Press
from cavendish.model.fault import FaultKind
from tests.front.conftest import in_flight

MODEL = "gemini-2.5-flash-image"
"""Its sheets are small: 1024 pixels a side."""

SHEET, ALONE = f"sim/{MODEL}:sheet-2x2", f"sim/{MODEL}"


async def draw(client, folder, prompt="a red kite", n=4, **options):
    return await client.generate(prompt, n=n, output=folder, **{"model": MODEL, "sheet": "2x2", **options})


def metadata(folder):
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def bill(server):
    return server.stats()["billed_nusd"]


async def test_two_sheets_make_eight_pictures(client, server, tmp_path):
    result = await draw(client, tmp_path, n=8)
    assert (len(result), result.asked, server.stats()["requests"]) == (8, 8, 2)
    lines = metadata(tmp_path)
    assert [line["route"] for line in lines] == [SHEET] * 8
    assert [line["cell"] for line in lines] == [1, 2, 3, 4, 1, 2, 3, 4]
    assert len({line["sha256"] for line in lines}) == 8
    assert {line["media_type"] for line in lines} == {"image/png"}
    assert result.billed_nusd == bill(server)
    assert sum(round(line["cost"] * 1e9) for line in lines) == bill(server)


async def test_the_sheet_is_kept_as_it_came_and_its_cells_are_cut_from_it(client, tmp_path):
    await draw(client, tmp_path)
    lines = metadata(tmp_path)
    (sheet,) = {line["sheet"] for line in lines}
    assert sheet.rsplit("-", 1)[1].startswith(hashlib.sha256((tmp_path / sheet).read_bytes()).hexdigest()[:12])
    with Image.open(tmp_path / sheet) as whole:
        assert whole.size == (1024, 1024)
    for line in lines:
        with Image.open(tmp_path / line["file_name"]) as cell:
            assert cell.size == (line["width"], line["height"])
            assert 480 <= min(cell.size) <= max(cell.size) <= 512
        assert [notice["code"] for notice in line["notices"]] == ["sheet_cell"]
    page = (tmp_path / "index.html").read_text()
    assert page.count(f'href="{sheet}"') == 4


@pytest.mark.parametrize(
    "flaw, cut", [("empty_cell", 3), ("missing_cell", 3), ("twin_cells", 3), ("no_grid", 0), ("uneven_grid", 0)]
)
async def test_cells_that_are_no_good_are_drawn_alone(client, server, tmp_path, flaw, cut):
    result = await draw(client, tmp_path, f"a red kite [sim:{flaw}]")
    routes = [line["route"] for line in metadata(tmp_path)]
    assert (len(result), routes.count(SHEET), routes.count(ALONE)) == (4, cut, 4 - cut)
    assert server.stats()["requests"] == 1 + 4 - cut
    assert result.billed_nusd == bill(server)
    assert not (tmp_path / "failures.jsonl").exists() or not (tmp_path / "failures.jsonl").read_text()


async def test_a_model_that_draws_no_grids_is_asked_for_two(client, server, tmp_path):
    result = await draw(client, tmp_path, "a red kite [sim:no_grid]", n=20)
    assert (len(result), server.stats()["requests"]) == (20, 2 + 20)
    assert result.billed_nusd == bill(server)


async def test_an_answer_without_a_picture_is_asked_for_again_as_a_sheet(client, server, tmp_path):
    result = await draw(client, tmp_path, "a red kite [sim:no_image,times=1]")
    assert ([line["route"] for line in metadata(tmp_path)], server.stats()["requests"]) == ([SHEET] * 4, 2)
    assert len(result) == 4


async def test_slots_of_a_sheet_that_met_a_hitch_come_back_together(client, server, tmp_path):
    result = await draw(client, tmp_path, "a red kite [sim:overloaded,times=2]")
    assert ([line["route"] for line in metadata(tmp_path)], server.stats()["requests"]) == ([SHEET] * 4, 3)
    assert result.billed_nusd == bill(server)


async def test_a_refusal_of_the_prompt_is_not_bought_again_and_again(client, server, tmp_path):
    result = await draw(client, tmp_path, "a red kite [sim:prompt_blocked]")
    assert (len(result), len(result.failures), server.stats()["requests"]) == (0, 4, 1)


async def test_what_does_not_fill_a_sheet_is_drawn_alone(client, server, tmp_path):
    await draw(client, tmp_path, n=9)
    assert [line["route"] for line in metadata(tmp_path)] == [SHEET] * 8 + [ALONE]
    assert server.stats()["requests"] == 3


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_few_calls_at_once_do_not_make_sheets_smaller(client, server, tmp_path, concurrency):
    await draw(client, tmp_path, n=12, concurrency=concurrency)
    assert server.stats()["requests"] == 3


async def test_the_same_again_buys_nothing_and_more_buys_the_rest(client, server, tmp_path):
    first = await draw(client, tmp_path, n=4)
    again = await draw(client, tmp_path, n=4)
    assert (server.stats()["requests"], [p.sha256 for p in again]) == (1, [p.sha256 for p in first])
    more = await draw(client, tmp_path, n=7)
    assert (server.stats()["requests"], len(more)) == (2, 7)
    assert [line["cell"] for line in metadata(tmp_path)] == [1, 2, 3, 4, 1, 2, 3]


async def test_a_run_is_resumed_with_sheets_as_it_was_begun(client, server, tmp_path):
    await draw(client, tmp_path, n=4)
    setup = await asyncio.to_thread(Setup, {"endpoints.sim.base_url": server.url})
    _, order = await asyncio.to_thread(order_again, setup, tmp_path, lambda recipe: recipe)
    assert (str(order.sheet), order.total, order.recipe["run"]["sheet"]) == ("2x2", 4, "2x2")


async def test_a_stopped_run_keeps_the_sheet_in_flight_and_goes_on_with_the_next(client, server, tmp_path):
    prompt = "a red kite [sim:latency=0.5]"
    drawing = asyncio.ensure_future(draw(client, tmp_path, prompt, n=12))
    await in_flight(server, 1)
    client.stop()
    stopped = await drawing
    assert (len(stopped), stopped.stopped.kind, server.stats()["requests"]) == (4, FaultKind.CANCELLED, 1)
    result = await draw(client, tmp_path, prompt, n=12)
    assert (len(result), server.stats()["requests"]) == (12, 3)
    assert {line["route"] for line in metadata(tmp_path)} == {SHEET}


async def test_references_go_along_with_a_sheet(client, server, tmp_path):
    look = Image.new("RGB", (64, 64), "teal")
    result = await draw(client, tmp_path, references=[look])
    assert ([picture.value.cell for picture in result], server.stats()["requests"]) == ([1, 2, 3, 4], 1)


async def test_the_keys_of_a_route_share_its_sheets(server, tmp_path):
    settings = {"endpoints.sim.base_url": server.url, "endpoints.sim.api_key": ["one", "two"]}
    async with AsyncClient(via="sim", settings=settings) as client:
        result = await draw(client, tmp_path, n=12)
    assert (len(result), server.stats()["requests"]) == (12, 3)
    assert {line["route"] for line in metadata(tmp_path)} == {SHEET}


class Died(BaseException):
    """The process ended here."""


@pytest.mark.parametrize("flaw", ["ok", "empty_cell"])
async def test_a_sheet_that_arrived_before_a_crash_is_cut_after_it(client, server, tmp_path, monkeypatch, flaw):
    with monkeypatch.context() as crash:

        async def dies(*_):
            raise Died

        crash.setattr(Press, "_cut", dies)
        with pytest.raises(Died):
            await draw(client, tmp_path, f"a red kite [sim:{flaw}]")
    result = await draw(client, tmp_path, f"a red kite [sim:{flaw}]")
    good = 4 if flaw == "ok" else 3
    assert (len(result), server.stats()["requests"]) == (4, 1 + 4 - good)
    assert [line["cell"] is not None for line in metadata(tmp_path)].count(True) == good
    assert result.billed_nusd == bill(server)


async def test_a_sheet_left_by_a_crash_is_cut_even_when_none_is_wanted_any_more(client, server, tmp_path, monkeypatch):
    with monkeypatch.context() as crash:

        async def dies(*_):
            raise Died

        crash.setattr(Press, "_cut", dies)
        with pytest.raises(Died):
            await draw(client, tmp_path)
    result = await draw(client, tmp_path, sheet=None, size="1K")
    assert (len(result), server.stats()["requests"]) == (4, 1)
    assert [line["cell"] for line in metadata(tmp_path)] == [1, 2, 3, 4]


async def test_rows_of_a_batch_have_sheets_of_their_own(client, server, tmp_path):
    rows = [{"prompt": "a kite", "n": 4}, {"prompt": "a gull", "n": 6}, {"prompt": "a crow", "n": 1}]
    summary = await client.batch(rows, output=tmp_path, model=MODEL, sheet="2x2")
    assert (summary.delivered, summary.failed, server.stats()["requests"]) == (11, 0, 4)
    routes = [(line["prompt"], line["route"]) for line in metadata(tmp_path)]
    assert routes == [("a kite", SHEET)] * 4 + [("a gull", SHEET)] * 6 + [("a crow", ALONE)]


async def test_a_cap_is_kept_and_what_it_leaves_room_for_is_drawn(client, server, tmp_path):
    result = await draw(client, tmp_path, n=12, max_cost=0.09)
    assert result.stopped is not None
    assert bill(server) == result.billed_nusd <= 90_000_000
    assert 4 <= len(result) < 12


@pytest.mark.parametrize(
    "options, why",
    [
        ({"sheet": "4x4"}, "would have 256x256 pixels"),
        ({"sheet": "four"}, "sheet must be a grid"),
        ({"n": 1}, "holds several pictures of one prompt, and one is asked for"),
        ({"seed": 7, "model": "nano-banana-2"}, "pictures with a seed have one each"),
        ({"mode": "batch", "model": "nano-banana-2"}, "drawn online, and --mode batch is for jobs"),
    ],
)
async def test_what_can_be_no_sheet_is_said_before_anything_is_bought(client, server, tmp_path, options, why):
    with pytest.raises(RequestError, match=why):
        await draw(client, tmp_path, **options)
    assert server.stats()["requests"] == 0


async def test_resolution_price_and_risk_are_said(client, tmp_path):
    result = await draw(client, tmp_path)
    notices = {notice.code: notice.text for notice in result.notices}
    assert "pictures of at most 512x512 pixels cut from 1024x1024" in notices["sheet"]
    assert "instead of $0.0388 for one drawn alone" in notices["sheet"]
    assert "is paid for and drawn again alone" in notices["sheet_risk"]


async def test_no_sheet_is_drawn_unless_asked_for(client, server, tmp_path):
    await client.generate("a red kite", n=4, output=tmp_path, model=MODEL)
    assert {line["cell"] for line in metadata(tmp_path)} == {None}
    assert server.stats()["requests"] == 4
