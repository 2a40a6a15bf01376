"""Ask for N pictures from Python, get N outcomes: over real HTTP, into real folders."""

import asyncio
import io
import json
import os

import pytest
from PIL import Image

from cavendish import AsyncClient, FolderError, InputError, RequestError, ShortfallError
from cavendish.model.fault import Charged, FaultKind

from .conftest import in_flight

MODEL = "nano-banana-2"


def calls(server) -> int:
    return server.stats()["requests"]


# --- pictures ---------------------------------------------------------------------------------------------------------


async def test_four_are_asked_for_and_four_come_in_the_order_of_their_slots(client, server, tmp_path):
    result = await client.generate("a red kite", n=4, output=tmp_path / "run")
    assert (result.asked, len(result), len(result.failures), calls(server)) == (4, 4, 0, 4)
    assert [picture.value.slot.ordinal for picture in result] == [0, 1, 2, 3]
    assert len({picture.sha256 for picture in result}) == 4
    assert result.stopped is None
    assert result.simulated
    assert result.raise_for_shortfall() is result
    assert result.billed_nusd == server.stats()["billed_nusd"] > 0
    assert "4 of 4 pictures" in repr(result)


@pytest.mark.parametrize("size, ratio, pixels", [("512", "1:1", (512, 512)), ("2K", "16:9", (2752, 1536))])
async def test_a_picture_is_its_bytes_its_file_and_its_size(client, tmp_path, size, ratio, pixels):
    result = await client.generate("a kite", model=MODEL, size=size, aspect_ratio=ratio, output=tmp_path / "run")
    (picture,) = result
    data = await asyncio.to_thread(lambda: picture.bytes)
    assert picture.path.parent == tmp_path / "run"
    assert picture.path.read_bytes() == data
    with Image.open(io.BytesIO(data)) as seen:
        assert seen.size == (picture.width, picture.height) == pixels
        assert f"image/{(seen.format or '').lower()}" == picture.media_type
    assert (await asyncio.to_thread(picture.image)).size == pixels
    assert (picture.prompt, picture.attempts, picture.cost_known) == ("a kite", 1, True)
    shown = await asyncio.to_thread(picture._repr_mimebundle_)
    assert shown[picture.media_type] == data


async def test_a_picture_is_saved_byte_for_byte_under_a_name_or_in_a_folder(client, tmp_path):
    (picture,) = await client.generate("a kite", output=tmp_path / "run")
    named = await asyncio.to_thread(picture.save, tmp_path / "new" / "kite.png")
    kept = await asyncio.to_thread(picture.save, tmp_path / "new")
    assert named.read_bytes() == kept.read_bytes() == picture.path.read_bytes()
    assert (named.name, kept) == ("kite.png", tmp_path / "new" / picture.path.name)


async def test_without_a_folder_one_is_made_below_the_user_s_data(client, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    results = [await client.generate("a kite") for _ in range(2)]
    folders = {result.folder for result in results}
    assert len(folders) == 2
    assert all(folder.is_relative_to(tmp_path / "cavendish" / "runs") for folder in folders)


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, kind, bought",
    [
        ("prohibited", FaultKind.PROHIBITED, 1),
        ("prompt_prohibited", FaultKind.PROMPT_BLOCKED, 1),
        ("image_recitation", FaultKind.PROHIBITED, 1),
        ("image_safety", FaultKind.IMAGE_SAFETY, 2),
        ("text_only", FaultKind.TEXT_ONLY, 5),
        ("no_image", FaultKind.NO_IMAGE, 5),
        ("not_an_image", FaultKind.NOT_AN_IMAGE, 3),
    ],
)
async def test_a_refusal_is_asked_again_as_often_as_its_kind_deserves_and_told(
    client, server, tmp_path, fault, kind, bought
):
    result = await client.generate(f"a kite [sim:{fault}]", output=tmp_path)
    (failure,) = result.failures
    assert (len(result), result.asked, failure.kind, failure.attempts) == (0, 1, kind, bought)
    assert calls(server) == bought
    assert (failure.prompt, failure.fault.kind) == (f"a kite [sim:{fault}]", kind)
    assert result.stopped is None
    with pytest.raises(ShortfallError, match="0 of 1 pictures came") as caught:
        result.raise_for_shortfall()
    assert caught.value.result is result


@pytest.mark.parametrize("fault", ["text_only", "no_image", "image_safety", "empty_200", "duplicate"])
async def test_a_slot_that_stayed_empty_is_filled_by_another_call(client, server, tmp_path, fault):
    result = await client.generate(f"a kite [sim:{fault},times=1]", n=2, output=tmp_path, concurrency=1)
    assert (len(result), len(result.failures)) == (2, 0)
    assert calls(server) == 2 + (fault != "duplicate")
    assert sum(picture.attempts for picture in result) == calls(server)


async def test_what_the_model_said_instead_is_told(client, tmp_path):
    (failure,) = (await client.generate("a kite [sim:text_only]", output=tmp_path)).failures
    assert "I have not drawn it" in failure.fault.text
    (failure,) = (await client.generate("a kite [sim:image_safety]", output=tmp_path / "2")).failures
    assert (failure.reason, failure.charged) == ("IMAGE_SAFETY", Charged.YES)
    assert "withheld" in failure.message


async def test_what_refusals_cost_is_what_the_provider_billed(client, server, tmp_path):
    result = await client.generate("a kite [sim:image_safety]", n=3, output=tmp_path)
    assert result.billed_nusd == server.stats()["billed_nusd"] > 0
    assert sum(failure.cost for failure in result.failures) == pytest.approx(result.cost)


# --- streams ----------------------------------------------------------------------------------------------------------


async def test_a_stream_gives_each_picture_while_others_are_still_being_made(client, server, tmp_path):
    stream = client.stream("a kite", n=3, output=tmp_path, concurrency=1)
    with pytest.raises(RuntimeError, match="when all pictures have been taken"):
        _ = stream.result
    seen, called = [], []
    async for picture in stream:
        seen.append(picture.sha256)
        called.append(calls(server))
        assert picture.path.exists()
    assert called[0] < 3
    assert sorted(seen) == sorted(picture.sha256 for picture in stream.result)
    assert [picture async for picture in stream] == []


async def test_a_stream_that_is_closed_buys_no_more_and_can_be_completed(client, server, tmp_path):
    stream = client.stream("a kite", n=50, output=tmp_path, concurrency=2)
    async for _ in stream:
        break
    await stream.aclose()
    bought = calls(server)
    assert bought < 50
    kept = len(stream.result)
    assert (stream.result.asked, kept) == (50, bought)
    assert stream.result.stopped.kind is FaultKind.CANCELLED
    assert {failure.kind for failure in stream.result.failures} == {FaultKind.CANCELLED}
    result = await client.generate("a kite", n=50, output=tmp_path)
    assert (len(result), calls(server)) == (50, 50)


async def test_a_stream_closed_before_its_first_picture_buys_nothing(client, server, tmp_path):
    stream = client.stream("a kite", n=50, output=tmp_path)
    first = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    await stream.aclose()
    assert calls(server) == 0
    with pytest.raises(StopAsyncIteration):
        await first


async def test_a_stream_closed_before_it_began_never_begins(client, server, tmp_path):
    stream = client.stream("a kite", n=2, output=tmp_path)
    await stream.aclose()
    assert [picture async for picture in stream] == []
    assert calls(server) == 0


async def test_what_was_left_in_the_middle_ends_with_the_client(server, tmp_path):
    before = asyncio.all_tasks()
    async with AsyncClient(via="sim", settings={"endpoints.sim.base_url": server.url}) as client:
        stream = client.stream("a kite", n=50, output=tmp_path, concurrency=1)
        async for _ in stream:
            break
    bought = calls(server)
    assert bought < 50
    await asyncio.sleep(0.1)
    assert calls(server) == bought
    left = [task for task in asyncio.all_tasks() - before if "/aiohttp/" not in repr(task)]
    assert left == []


async def test_a_call_that_is_cancelled_cancels_what_is_in_flight(client, server, tmp_path):
    before = asyncio.all_tasks()
    task = asyncio.create_task(client.generate("a kite [sim:latency=30]", n=4, output=tmp_path, concurrency=2))
    await in_flight(server, 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = [task for task in asyncio.all_tasks() - before if "cavendish/front" in repr(task)]
    assert left == []
    result = await client.generate("a kite [sim:latency=30]", n=4, output=tmp_path, max_cost=0)
    assert result.unknown_cost > 0


def test_a_client_stays_in_its_event_loop(far_server, tmp_path):
    client = AsyncClient(via="sim", settings={"endpoints.sim.base_url": far_server.url})
    with asyncio.Runner() as runner:
        assert len(runner.run(client.generate("a kite", output=tmp_path))) == 1
        with pytest.raises(RuntimeError, match="opened in another event loop"):
            asyncio.run(client.generate("a kite", n=2, output=tmp_path))
        runner.run(client.close())
    # Closed, it may begin anew.
    with asyncio.Runner() as runner:
        assert len(runner.run(client.generate("a kite", n=2, output=tmp_path))) == 2
        runner.run(client.close())


async def test_a_stream_may_be_a_context(client, server, tmp_path):
    async with client.stream("a kite", n=50, output=tmp_path, concurrency=1) as stream:
        await anext(stream)
    assert calls(server) == len(stream.result) < 50


async def test_two_calls_at_once_share_one_simulator_when_there_is_no_key(tmp_path):
    async with AsyncClient() as client:
        results = await asyncio.gather(
            *(client.generate(f"{n} [sim:none,latency=0]", output=tmp_path / n) for n in "abc")
        )
        workshop = await client.open()
        assert [len(result) for result in results] == [1, 1, 1]
        assert calls(workshop._simulator) == 3
    assert all(result.simulated for result in results)


async def test_two_calls_at_once_in_one_folder_are_refused_not_mixed(client, server, tmp_path):
    results = await asyncio.gather(
        *(client.generate("a kite", n=2, output=tmp_path) for _ in range(2)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, FolderError)]
    assert len(refused) == 1
    assert "works on" in refused[0].message
    assert calls(server) == 2


# --- what can be asked for --------------------------------------------------------------------------------------------


async def test_a_spelling_is_put_right_and_told(client, tmp_path):
    result = await client.generate("a kite", model=MODEL, size="512px", aspect_ratio="16x9", output=tmp_path)
    assert (result[0].width, result[0].height) == (688, 384)
    told = {notice.code: notice.text for notice in result.notices}
    assert told["size_normalised"] == "size 512px is spelled 512"
    assert "16:9" in told["ratio_normalised"]


async def test_a_field_that_the_model_ignores_is_left_out_and_told(client, tmp_path):
    result = await client.generate("a kite", model="nano-banana-2.1", seed=7, output=tmp_path)
    assert [notice.field for notice in result.notices] == ["seed"]


async def test_strict_is_an_error_where_there_would_be_a_notice(client, server, tmp_path):
    for fields in ({"size": "512px", "model": MODEL}, {"seed": 7, "model": "nano-banana-2.1"}):
        with pytest.raises(RequestError, match=r"\(strict\)"):
            await client.generate("a kite", strict=True, output=tmp_path, **fields)
    assert calls(server) == 0
    result = await client.generate("a kite", model="nano-banana-2.1", size="2K", strict=True, output=tmp_path)
    assert (len(result), result.notices) == (1, ())


async def test_seeds_make_each_picture_of_a_request_another_one(client, tmp_path):
    result = await client.generate("a kite", model=MODEL, seed=7, n=3, output=tmp_path)
    assert len({picture.sha256 for picture in result}) == 3
    again = await client.generate("a kite", model=MODEL, seed=7, n=3, output=tmp_path)
    assert [picture.sha256 for picture in again] == [picture.sha256 for picture in result]


async def test_thinking_is_asked_for_and_paid(client, tmp_path):
    little = await client.generate("a kite", model=MODEL, thinking="minimal", output=tmp_path / "1")
    much = await client.generate("a kite", model=MODEL, thinking="High", include_thoughts=True, output=tmp_path / "2")
    assert little[0].value.usage.thought_tokens == 0
    assert much[0].value.usage.thought_tokens > 0
    assert much.cost > little.cost
    assert "thinking High is spelled high" in {notice.text for notice in much.notices}


@pytest.mark.parametrize(
    "fields, field, words",
    [
        ({"n": 0}, "n", "at least 1"),
        ({"n": -1}, "n", "at least 1"),
        ({"n": 10**9}, "n", "10,000"),
        ({"n": "4"}, "n", "whole number"),
        ({"n": 2.5}, "n", "whole number"),
        ({"n": True}, "n", "whole number"),
        ({"prompt": ""}, "prompt", "empty"),
        ({"prompt": " \n "}, "prompt", "empty"),
        ({"prompt": None}, "prompt", "text"),
        ({"prompt": "x" * 2_000_000}, "prompt", "bytes"),
        ({"size": "8K"}, "size", "512, 1K, 2K, 4K"),
        ({"size": "1000x10"}, "size", "512, 1K, 2K, 4K"),
        ({"aspect_ratio": "7:5"}, "aspect_ratio", "21:9"),
        ({"aspect_ratio": 1.5}, "aspect_ratio", "text"),
        ({"thinking": "deep"}, "thinking", "minimal, high"),
        ({"thinking": True}, "thinking", "text"),
        ({"seed": "seven"}, "seed", "whole number"),
        ({"temperature": "hot"}, "temperature", "number"),
        ({"modalities": ("TEXT",)}, "modalities", "IMAGE"),
        ({"grounding": "web"}, "grounding", "list"),
        ({"grounding": ["books"]}, "grounding", "web, image"),
        ({"colour": "red"}, "colour", "no field is named colour"),
        ({"turns": ()}, "turns", "no field is named turns"),
        ({"model": "dall-e-9"}, "model", "no model is named"),
        ({"references": ["missing.png"]}, "references", "missing.png"),
    ],
)
async def test_what_cannot_be_is_an_error_that_says_what_can_before_anything_is_bought(
    client, server, tmp_path, fields, field, words
):
    asked = {"prompt": "a kite", "model": MODEL, "output": tmp_path / "run", **fields}
    with pytest.raises(RequestError) as caught:
        await client.generate(asked.pop("prompt"), **asked)
    error = caught.value
    assert error.field == field
    assert words in " ".join((error.message, *error.hints, ", ".join(error.allowed)))
    assert calls(server) == 0
    assert not (tmp_path / "run" / "metadata.jsonl").exists()


async def test_a_size_may_be_a_number(client, tmp_path):
    result = await client.generate("a kite", model=MODEL, size=2048, output=tmp_path)
    assert result[0].width == 2048
    assert "size 2048 is spelled 2K" in {notice.text for notice in result.notices}


async def test_more_references_than_the_model_reads(client, server, tmp_path):
    picture = tmp_path / "look.png"
    Image.new("RGB", (2, 2)).save(picture)
    with pytest.raises(RequestError, match="at most 14 reference pictures, got 15"):
        await client.generate("a kite", model=MODEL, references=[picture] * 15, output=tmp_path / "run")
    assert calls(server) == 0


@pytest.mark.parametrize(
    "options, name",
    [
        ({"max_cost": "much"}, "max_cost"),
        ({"max_cost": -1}, "max_cost"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "soon"}, "timeout"),
        ({"concurrency": -1}, "concurrency"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": "many"}, "concurrency"),
        ({"rpm": 0}, "rpm"),
        ({"via": 7}, "via"),
        ({"tier": 3}, "tier"),
    ],
)
async def test_an_option_that_cannot_be_is_an_error(server, client, tmp_path, options, name):
    with pytest.raises(RequestError) as caught:
        await client.generate("a kite", output=tmp_path, **options)
    assert caught.value.field == name
    assert name in caught.value.message
    with pytest.raises(RequestError, match=name):
        AsyncClient(**options)
    assert calls(server) == 0


async def test_options_of_a_call_go_before_those_of_the_client(server, tmp_path):
    settings = {"endpoints.sim.base_url": server.url}
    async with AsyncClient(via="sim", model=MODEL, max_cost=0, settings=settings) as client:
        stopped = await client.generate("a kite", output=tmp_path)
        whole = await client.generate("a kite", output=tmp_path, max_cost=1)
    assert (len(stopped), stopped.stopped.kind) == (0, FaultKind.BUDGET)
    assert whole[0].route == "sim/gemini-3.1-flash-image"


async def test_a_cap_stops_the_run_below_it_and_a_higher_one_completes_it(client, server, tmp_path):
    first = await client.generate("a kite", model=MODEL, n=10, max_cost="0.30", output=tmp_path, concurrency=2)
    assert first.stopped.kind is FaultKind.BUDGET
    assert 0 < len(first) < 10
    assert first.asked == 10
    assert first.cost <= 0.30
    whole = await client.generate("a kite", model=MODEL, n=10, max_cost=2, output=tmp_path)
    assert (len(whole), whole.stopped, calls(server)) == (10, None, 10)


# --- folders ----------------------------------------------------------------------------------------------------------


async def test_the_same_call_in_the_same_folder_buys_nothing_twice(client, server, tmp_path):
    first = await client.generate("a kite", n=3, output=tmp_path)
    again = await client.generate("a kite", n=3, output=tmp_path)
    assert [picture.sha256 for picture in again] == [picture.sha256 for picture in first]
    assert calls(server) == 3
    assert again.cost == first.cost


async def test_a_refusal_for_good_is_not_bought_again_by_the_same_call(client, server, tmp_path):
    for _ in range(2):
        result = await client.generate("a kite [sim:prohibited]", n=2, output=tmp_path)
        assert [failure.kind for failure in result.failures] == [FaultKind.PROHIBITED] * 2
    assert calls(server) == 2


async def test_a_folder_of_another_run_is_refused(client, server, tmp_path):
    await client.generate("a kite", output=tmp_path)
    with pytest.raises(FolderError, match="belongs to another run"):
        await client.generate("a cat", output=tmp_path)
    assert calls(server) == 1


async def test_a_folder_that_is_none_is_refused(client, server, tmp_path):
    file = tmp_path / "run"
    file.write_text("mine")
    for output in (file, file / "below"):
        with pytest.raises(FolderError):
            await client.generate("a kite", output=output)
    assert (calls(server), file.read_text()) == (0, "mine")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
async def test_a_folder_that_cannot_be_written_to_is_refused(client, server, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(FolderError, match="cannot be written to"):
            await client.generate("a kite", output=tmp_path)
    finally:
        tmp_path.chmod(0o700)
    assert calls(server) == 0


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("prompt,n,size\na dog,2,512\na cat [sim:prohibited],1,\na cow,1,1K\n")
    return path


async def test_a_batch_of_a_csv_file(client, server, rows, tmp_path):
    seen = []
    summary = await client.batch(rows, output=tmp_path / "run", model=MODEL, on_picture=seen.append)
    assert (summary.delivered, summary.failed, calls(server)) == (3, 1, 4)
    assert sorted((picture.prompt, picture.width) for picture in seen) == [
        ("a cow", 1024),
        ("a dog", 512),
        ("a dog", 512),
    ]
    lines = [json.loads(line) for line in (tmp_path / "run" / "metadata.jsonl").read_text().splitlines()]
    assert len(lines) == 3
    assert {name["file_name"] for name in lines} == {picture.path.name for picture in seen}


async def test_a_template_and_a_grid_make_the_prompts(client, tmp_path):
    path = tmp_path / "animals.csv"
    path.write_text("animal\ndog\ncat\n")
    seen = []
    await client.batch(
        path,
        output=tmp_path / "run",
        template="a {animal} in {style}",
        grid={"style": ["ink", "oil"]},
        on_picture=lambda picture: seen.append(picture.prompt),
    )
    assert sorted(seen) == ["a cat in ink", "a cat in oil", "a dog in ink", "a dog in oil"]


async def test_a_broken_row_is_named_before_anything_is_bought_or_left_out_when_told(client, server, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("prompt,size\na dog,1K\na cat,9K\n")
    with pytest.raises(InputError, match="line 3") as caught:
        await client.batch(path, output=tmp_path / "run", model=MODEL)
    assert "512, 1K, 2K, 4K" in " ".join(caught.value.hints)
    assert calls(server) == 0
    summary = await client.batch(path, output=tmp_path / "run2", model=MODEL, skip_bad=True)
    assert (summary.delivered, summary.facts.skipped) == (1, 1)


async def test_an_on_picture_that_breaks_ends_the_batch_with_its_error_and_nothing_is_lost(
    client, server, rows, tmp_path
):
    def on_picture(picture):
        raise KeyError(picture.prompt)

    with pytest.raises(KeyError):
        await client.batch(rows, output=tmp_path / "run", model=MODEL, concurrency=1, on_picture=on_picture)
    bought = server.stats()["pictures"]
    assert bought < 3
    summary = await client.batch(rows, output=tmp_path / "run", model=MODEL)
    assert (summary.delivered, server.stats()["pictures"]) == (3, 3)


async def test_a_batch_ends_when_its_client_is_closed(server, tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text("".join(f"a kite {number}\n" for number in range(200)))
    client = AsyncClient(via="sim", concurrency=1, settings={"endpoints.sim.base_url": server.url})
    begun = asyncio.Event()
    batch = asyncio.create_task(client.batch(path, output=tmp_path / "run", on_picture=lambda _: begun.set()))
    await begun.wait()
    await client.close()
    summary = await batch
    assert summary.delivered == calls(server) < 200
    assert summary.facts.stopped.kind is FaultKind.CANCELLED
    assert summary.facts.left == 200 - summary.delivered


async def test_a_batch_of_a_list_of_prompts_can_be_completed_too(client, server, tmp_path):
    prompts = ["a dog", "a cat", "a cow, with\nhorns"]
    seen = []
    summary = await client.batch(prompts, output=tmp_path, n=2, on_picture=lambda p: seen.append(p.prompt))
    assert (summary.delivered, calls(server), sorted(seen)) == (6, 6, sorted(prompts * 2))
    summary = await client.batch([*prompts[:2], "a goat"], output=tmp_path, n=2)
    assert (summary.delivered, calls(server)) == (6, 8)


async def test_a_batch_of_dicts_may_use_all_columns(client, server, tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "look.png")
    rows = [
        {"animal": "dog", "size": "512", "references": [tmp_path / "look.png"]},
        {"animal": "cat", "n": 2, "key": "tom"},
    ]
    seen = []
    await client.batch(iter(rows), output=tmp_path / "run", model=MODEL, template="a {animal}", on_picture=seen.append)
    shown = sorted((p.prompt, p.width, len(p.value.slot.request.references)) for p in seen)
    assert shown == [("a cat", 1024, 0), ("a cat", 1024, 0), ("a dog", 512, 1)]
    assert "tom" in {picture.key for picture in seen}


@pytest.mark.parametrize(
    "rows, words",
    [
        ([], "the list of rows is empty"),
        (["a dog", ""], "line 2"),
        ([{7: "a dog"}], "line 1: Dict key must be str"),
        (["a dog", 7], "the list of rows, line 2: a int is neither"),
        ([{"prompt": b"x"}], "not JSON serializable: bytes"),
        ([{"prompt": "a dog", "size": "9K"}], "line 1"),
    ],
)
async def test_a_row_that_is_none_is_named(client, server, tmp_path, rows, words):
    with pytest.raises(InputError, match=words):
        await client.batch(rows, output=tmp_path)
    assert calls(server) == 0


async def test_references_of_a_batch_go_along_with_every_row(client, tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "look.png")
    seen = []
    await client.batch(
        ["a dog", "a cat"], output=tmp_path / "run", references=tmp_path / "look.png", on_picture=seen.append
    )
    assert [len(picture.value.slot.request.references) for picture in seen] == [1, 1]
