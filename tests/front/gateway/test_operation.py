"""What those who run a gateway see: probes, numbers, a journal; and how it ends."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest_asyncio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cavendish.front.gateway import traces
from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.operation.guard import GuardRules
from cavendish.front.gateway.operation.journal import Journal
from cavendish.front.gateway.operation.numbers import Numbers
from cavendish.io.state.port import StateError
from cavendish.sim.server import SimServer
from tests.front.gateway.conftest import Opener

KITE = {"model": "nano-banana-2", "prompt": "a red kite", "n": 2}


@pytest_asyncio.fixture
async def line() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def draw(line: aiohttp.ClientSession, gateway: Gateway, **headers: str) -> aiohttp.ClientResponse:
    async with line.post(f"{gateway.url}/v1/images/generations", json=KITE, headers=headers) as answer:
        await answer.read()
        return answer


async def test_a_line_for_each_request_without_pictures_keys_and_prompts(open_gateway: Opener, line) -> None:
    lines: list[bytes] = []
    gateway = await open_gateway(journal=Journal(lines.append))
    await draw(line, gateway, Authorization="Bearer a-very-secret-key", **{"x-request-id": "mine-1"})
    await (await line.get(f"{gateway.url}/v1/nothing?key=another-secret")).read()
    first, second = (orjson.loads(one) for one in lines)
    assert {name: first[name] for name in ("id", "status", "door", "n", "pictures", "method", "path")} == {
        "id": "mine-1",
        "status": 200,
        "door": "openai_images",
        "n": 2,
        "pictures": 2,
        "method": "POST",
        "path": "/v1/images/generations",
    }
    assert first["model"] == "gemini-3.1-flash-image"
    assert first["ms"] >= 0
    assert "cost_usd" in first
    assert second["status"] == 404
    told = b"".join(lines)
    assert not any(word in told for word in (b"secret", b"kite", b"b64_json"))
    assert max(map(len, lines)) < 1000


async def test_prompts_are_told_when_asked_for(open_gateway: Opener, line) -> None:
    lines: list[bytes] = []
    gateway = await open_gateway(journal=Journal(lines.append, prompts=True))
    await draw(line, gateway)
    assert orjson.loads(lines[0])["prompt"] == "a red kite"


async def test_a_request_has_a_name_in_and_out(gateway: Gateway, line) -> None:
    heads = (await draw(line, gateway, **{"x-request-id": "abc-1"})).headers
    assert (heads["x-request-id"], heads["Server"]) == ("abc-1", "cavendish")
    for hostile in ("a b", "x" * 200, "<script>", ""):
        name = (await draw(line, gateway, **{"x-request-id": hostile})).headers["x-request-id"]
        assert name
        assert name != hostile


async def test_the_probes(gateway: Gateway, line, monkeypatch) -> None:
    async with line.get(f"{gateway.url}/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok")
    async with line.get(f"{gateway.url}/readyz") as answer:
        told = await answer.json()
        assert (answer.status, told) == (200, {"ready": True, "books": True, "folder": True, "draining": False})

    async def away(*_: object, **__: object) -> None:
        raise StateError("away")

    assert gateway._desk is not None
    monkeypatch.setattr(gateway._desk.books, "read", away)
    async with line.get(f"{gateway.url}/readyz") as answer:
        assert (answer.status, (await answer.json())["books"]) == (503, False)


async def test_the_numbers(gateway: Gateway, line) -> None:
    await draw(line, gateway)
    await draw(line, gateway)
    await (await line.get(f"{gateway.url}/v1/nothing")).read()
    async with line.get(f"{gateway.url}/metrics") as answer:
        told = dict(row.rsplit(" ", 1) for row in (await answer.text()).splitlines() if not row.startswith("#"))
    assert told['cavendish_requests_total{door="openai_images",status="200"}'] == "2"
    assert told['cavendish_requests_total{door="other",status="404"}'] == "1"
    assert told['cavendish_pictures_total{door="openai_images"}'] == "4"
    assert told['cavendish_request_seconds_count{door="openai_images"}'] == "2"
    assert told['cavendish_request_seconds_bucket{door="openai_images",le="+Inf"}'] == "2"
    assert told["cavendish_requests_at_work"] == "0"


def test_a_number_is_told_to_its_last_digit_and_each_has_its_help() -> None:
    """What is rounded seems to stand still, and then to leap."""
    numbers = Numbers()
    numbers.count("cavendish_pictures_total", 12_345_678, door="openai_images")
    numbers.count("cavendish_cost_usd_total", 98_765.4321, door="openai_images")
    numbers.took(3.25, door="openai_images")
    text = numbers.text({"cavendish_store_free_bytes": 123_456_789_012.0})
    assert 'cavendish_pictures_total{door="openai_images"} 12345678\n' in text
    assert 'cavendish_cost_usd_total{door="openai_images"} 98765.4321\n' in text
    assert "cavendish_store_free_bytes 123456789012\n" in text
    names = {row.split()[2] for row in text.splitlines() if row.startswith("# TYPE")}
    assert names == {row.split()[2] for row in text.splitlines() if row.startswith("# HELP")}
    assert all(len(row.split()) > 3 for row in text.splitlines() if row.startswith("# HELP"))


async def test_while_it_drains_nothing_new_is_taken(open_gateway: Opener, line, upstream: SimServer) -> None:
    gateway = await open_gateway()
    await gateway.drain()
    async with line.get(f"{gateway.url}/readyz") as answer:
        assert (answer.status, (await answer.json())["draining"]) == (503, True)
    answer = await draw(line, gateway)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert (await line.get(f"{gateway.url}/healthz")).status == 200
    assert upstream.sim.stats(0.0, 0.0)["requests"] == 0


async def test_a_balancer_hears_of_the_end_before_requests_are_refused(open_gateway: Opener, line) -> None:
    gateway = await open_gateway(linger_s=60.0)
    ending = asyncio.ensure_future(gateway.drain())
    await asyncio.sleep(0)
    async with line.get(f"{gateway.url}/readyz") as answer:
        assert (answer.status, (await answer.json())["draining"]) == (503, True)
    assert (await draw(line, gateway)).status == 200
    ending.cancel()
    await asyncio.gather(ending, return_exceptions=True)


async def test_no_page_of_a_browser_may_ask_unless_it_is_named(open_gateway: Opener, line) -> None:
    asks = {"Origin": "https://app.test", "Access-Control-Request-Method": "POST"}
    gateway = await open_gateway()
    async with line.options(f"{gateway.url}/v1/images/generations", headers=asks) as answer:
        assert answer.status == 405
        assert "Access-Control-Allow-Origin" not in answer.headers
    await gateway.close()
    gateway = await open_gateway(guard=GuardRules(origins=("https://app.test",)))
    async with line.options(f"{gateway.url}/v1/images/generations", headers=asks) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.test"
    drawn = await draw(line, gateway, Origin="https://app.test")
    assert drawn.status == 200
    assert drawn.headers["Access-Control-Allow-Origin"] == "https://app.test"
    assert {"x-cavendish-notices", "retry-after"} <= set(drawn.headers["Access-Control-Expose-Headers"].split(", "))
    other = await draw(line, gateway, Origin="https://other.test")
    assert other.status == 403
    assert "Access-Control-Allow-Origin" not in other.headers


async def test_for_pages_of_anybody_a_gateway_needs_keys(open_gateway: Opener, line) -> None:
    gateway = await open_gateway(guard=GuardRules(origins=("*",)))
    assert (await draw(line, gateway, Origin="https://app.test")).status == 403


async def test_spans_where_somebody_listens(gateway: Gateway, line, monkeypatch) -> None:
    heard = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(heard))
    monkeypatch.setattr(traces.trace, "get_tracer_provider", lambda: provider)
    above = "4bf92f3577b34da6a3ce929d0e0e4736"
    await draw(line, gateway, traceparent=f"00-{above}-00f067aa0ba902b7-01")
    spans = {span.name: span for span in heard.get_finished_spans()}
    request = spans.pop("POST gateway")
    assert request.context.trace_id == int(above, 16)
    assert request.attributes is not None
    assert (request.attributes["http.response.status_code"], request.attributes["cavendish.pictures"]) == (200, 2)
    assert [name.startswith("call ") for name in spans] == [True]
    (call,) = spans.values()
    assert call.parent is not None
    assert call.parent.span_id == request.context.span_id
    assert call.start_time < call.end_time
    assert "kite" not in "".join(span.to_json() for span in (request, call))


async def test_a_book_that_is_away_is_told_as_such(gateway: Gateway, line, monkeypatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StateError("postgresql://host: away")

    assert gateway._desk is not None
    with monkeypatch.context() as broken:
        broken.setattr(gateway._desk.books, "write", away)
        answer = await draw(line, gateway)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
