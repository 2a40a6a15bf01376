"""Who waits: whose turn it is, how long a request waits, and what it is told when that is too long."""

import time
from collections.abc import Sequence

import openai
import pytest
from google import genai
from google.genai import errors, types
from hypothesis import given
from hypothesis import strategies as st

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.jobs.desk import DeskRules
from cavendish.front.gateway.jobs.waiting import LONGEST_S, begun_within, in_turn, max_wait_s
from cavendish.front.gateway.jobs.watching import Watching
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import ImageRequest
from cavendish.model.result import Slot
from tests.front.gateway.conftest import Opener
from tests.front.gateway.keyring import make_key

MODEL = "nano-banana-2"

# Of Google's client and aiohttp's among themselves.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


async def draw(gateway: Gateway, prompt: str, key: str = "any", **headers: str) -> dict[str, str]:
    """The headers of the answer."""
    async with openai.AsyncOpenAI(api_key=key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        raw = await client.images.with_raw_response.generate(
            model=MODEL, prompt=prompt, extra_headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
    return dict(raw.headers)


async def test_who_will_not_wait_is_told_when_to_come_back(
    open_gateway: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAVENDISH_SIM_RPM", "1")
    gateway = await open_gateway()
    await draw(gateway, "one")
    began = time.monotonic()
    with pytest.raises(openai.RateLimitError) as caught:
        await draw(gateway, "two", x_cavendish_max_wait="0.2")
    # The quota is renewed a minute after the first request, and not sooner.
    assert time.monotonic() - began < 30
    assert 20 < int(caught.value.response.headers["retry-after"]) <= 65
    assert caught.value.code == "rate_limit_exceeded"


async def test_google_s_client_is_told_too(open_gateway: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAVENDISH_SIM_RPM", "1")
    gateway = await open_gateway(rules=DeskRules(max_wait_s=0.2))
    await draw(gateway, "one")
    client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=gateway.url)).aio
    with pytest.raises(errors.ClientError) as caught:
        await client.models.generate_content(model=MODEL, contents="two")
    await client.aclose()
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert "RetryInfo" in str(caught.value.details)


@pytest.mark.parametrize("again", [{}, {"x_stainless_retry_count": "1"}, {"Idempotency_Key": "mine"}])
async def test_who_was_turned_away_asks_anew(
    open_gateway: Opener, monkeypatch: pytest.MonkeyPatch, again: dict[str, str]
) -> None:
    monkeypatch.setenv("CAVENDISH_SIM_RPM", "1")
    gateway = await open_gateway()
    await draw(gateway, "one")
    with pytest.raises(openai.RateLimitError):
        await draw(gateway, "two", x_cavendish_max_wait="0.1", **again)
    await gateway.close()
    monkeypatch.setenv("CAVENDISH_SIM_RPM", "10000")
    monkeypatch.delenv("CAVENDISH_SIM_BASE_URL")
    other = await open_gateway()
    assert "x-cavendish-replayed" not in await draw(other, "two", **again)


async def test_each_key_is_a_run_of_its_own_to_the_quota(open_gateway: Opener) -> None:
    gateway = await open_gateway()
    one, other = await make_key("one"), await make_key("other")
    await draw(gateway, "a kite", one)
    await draw(gateway, "a kite", other)
    await draw(gateway, "a fox", one)
    desk = gateway._desk
    assert desk is not None
    quotas = [lanes[0].quota for lanes in desk._lanes.values()]
    assert len(quotas) == len(set(map(id, quotas))) == 2


# --- laws -------------------------------------------------------------------------------------------------------------

waiting = st.lists(st.sampled_from("abc"), min_size=1, max_size=30).map(
    lambda callers: [(caller, f"{number:03}") for number, caller in enumerate(callers)]
)


@given(waiting)
def test_every_job_has_a_place_of_its_own(line: Sequence[tuple[str, str]]) -> None:
    assert sorted(in_turn(line)) == sorted(job for _, job in line)


@given(waiting)
def test_nobody_has_two_turns_more_than_who_still_waits(line: Sequence[tuple[str, str]]) -> None:
    callers = {job: caller for caller, job in line}
    order = [callers[job] for job in in_turn(line)]
    for place in range(len(order)):
        had, left = order[:place], order[place:]
        for caller in set(left):
            assert max(had.count(other) for other in "abc") <= had.count(caller) + 1


@given(waiting)
def test_of_one_caller_s_jobs_the_older_comes_first(line: Sequence[tuple[str, str]]) -> None:
    for caller in "abc":
        own = [in_turn(line).index(job) for whose, job in line if whose == caller]
        assert own == sorted(own)


@pytest.mark.parametrize(
    "said, meant",
    [("5", 5.0), ("0", 0.0), ("1e9", LONGEST_S), ("-1", None), ("soon", None), ("nan", None), ("", None)],
)
def test_how_long_a_client_would_wait(said: str, meant: float | None) -> None:
    assert max_wait_s({"x-cavendish-max-wait": said}) == meant


# --- patience ---------------------------------------------------------------------------------------------------------


class Stopped:
    """An engine as far as it can be stopped."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def stop(self, fault: Fault) -> None:
        self.faults.append(fault)


async def test_who_cannot_begin_in_time_is_told_at_once() -> None:
    engine, watching = Stopped(), Watching()
    with begun_within(30.0, engine, watching):
        watching.waiting("the minute is full", 29.0)
        assert engine.faults == []
        watching.waiting("the minute is full", 31.0)
    (fault,) = engine.faults
    assert fault.kind is FaultKind.RATE_LIMITED
    assert fault.retry_after_s == pytest.approx(31.0, abs=1.0)
    watching.waiting("nobody looks any more", 99.0)
    assert len(engine.faults) == 1


async def test_who_has_begun_may_wait_for_the_rest() -> None:
    engine, watching = Stopped(), Watching()
    slot = Slot("a.0", "a", 0, 0, ImageRequest.of("a kite", model=MODEL))
    with begun_within(30.0, engine, watching):
        watching.slot_started(slot, None)
        watching.waiting("the minute is full", 31.0)
    assert engine.faults == []
