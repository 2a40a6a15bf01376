"""The simulated provider's judgement: keys, models, requests, quotas, trouble, fortunes, and the bill."""

import io
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from PIL import Image as Pillow

from cavendish.model.call import Cancel, Done, Fetch, Open, Ticket
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn
from cavendish.sim.faults import BREAKDOWNS, REFUSALS, Line, Mishap
from cavendish.wire.message import WireResponse
from tests.sim.menus import WALL, simulator

K = FaultKind


def ask(sim, prompt="a red kite", *, model="thinker", key="good", now=0.0, header="", **fields) -> Any:
    return sim.handle(Open(ImageRequest.of(prompt, model, **fields)), key, now, WALL + now, header)


def fault_of(planned) -> Any:
    assert isinstance(planned.reply, Fault)
    return planned.reply


# --- before the model -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key, kind, status, words",
    [
        ("", K.FORBIDDEN, 403, "unregistered callers"),
        ("bad-key", K.BAD_KEY, 400, "API key not valid"),
        ("wrong", K.BAD_KEY, 400, "API key not valid"),
        ("expired-1", K.BAD_KEY, 400, "API key expired"),
        ("noquota", K.NO_QUOTA, 429, "limit: 0"),
    ],
)
def test_keys(key, kind, status, words):
    planned = ask(simulator()[0], key=key)
    fault = fault_of(planned)
    assert (fault.kind, fault.status) == (kind, status)
    assert words in fault.message
    assert planned.billed_nusd == 0


@pytest.mark.parametrize("model", ["unheard-of", "thinker-preview", "models/thinker-preview"])
def test_unknown_and_retired_models(model):
    fault = fault_of(ask(simulator()[0], model=model))
    assert (fault.kind, fault.status) == (K.MODEL_NOT_FOUND, 404)
    assert model.removeprefix("models/") in fault.message


def test_an_id_answers_until_the_day_it_retires():
    sim, _ = simulator()
    call = Open(ImageRequest.of("kite", "thinker-preview"))
    before = 1_782_345_599.0  # the last second of 2026-06-24, UTC
    assert isinstance(sim.handle(call, "good", 0.0, before).reply, Done)
    assert isinstance(sim.handle(call, "good", 1.0, before + 1).reply, Fault)


REFERENCE = Image(uri="https://example.org/a.jpg")


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"aspect_ratio": "4:5"}, "aspect_ratio must be one of '1:1' or '16:9'"),
        ({"size": "4K"}, "image_size must be one of '1K' or '2K'"),
        ({"size": "1k"}, "image_size"),
        ({"size": "1K", "model": "plain"}, "not supported by this model"),
        ({"n": 2}, "candidate_count"),
        ({"references": (REFERENCE,) * 3}, "at most 2 input images"),
        ({"header": "fault=gremlins"}, "not a word of the simulator"),
        ({"prompt": "kite [sim:gremlins]"}, "not a word of the simulator"),
    ],
)
def test_impossible_requests(fields, words):
    fault = fault_of(ask(simulator()[0], **fields))
    assert (fault.kind, fault.status) == (K.INVALID_REQUEST, 400)
    assert words in fault.message


def conversation(signature):
    turns = (
        Turn(Role.USER, (Text("a kite"),)),
        Turn(Role.MODEL, (Text("Here."), Image(uri="https://example.org/a.jpg", signature=signature))),
        Turn(Role.USER, (Text("now in blue"),)),
    )
    return Open(ImageRequest(turns, "thinker"))


def test_a_lost_signature_is_named_by_its_place():
    sim, _ = simulator()
    fault = fault_of(sim.handle(conversation(None), "good", 0.0, WALL))
    assert (fault.kind, fault.status) == (K.LOST_SIGNATURE, 400)
    assert "content position 2, part position 2" in fault.message
    assert isinstance(sim.handle(conversation("EjQK"), "good", 0.0, WALL).reply, Done)


def test_a_model_that_does_not_think_wants_no_signatures():
    call = conversation(None)
    sim, _ = simulator()
    assert isinstance(sim.handle(Open(replace(call.request, model="plain")), "good", 0.0, WALL).reply, Done)


def test_what_is_no_call_for_pictures_is_refused():
    assert fault_of(simulator()[0].handle(Cancel(Ticket("1")), "good", 0.0, WALL)).kind is K.INVALID_REQUEST
    unread = Fault(K.INVALID_REQUEST, "not JSON", status=400)
    assert simulator()[0].handle(unread, "good", 0.0, WALL).reply is unread


# --- quota ----------------------------------------------------------------------------------------------------------


def test_a_full_minute_is_told_with_the_true_wait():
    sim, _ = simulator(quota={"requests_per_minute": 2})
    assert [ask(sim, now=t).outcome for t in (0.0, 10.0, 20.0)] == ["ok", "ok", "rate_limited"]
    fault = fault_of(ask(sim, now=20.5))
    assert (fault.status, fault.limit, fault.limit_value) == (
        429,
        "GenerateRequestsPerMinutePerProjectPerModel",
        2,
    )
    assert fault.retry_after_s == pytest.approx(39.5, abs=0.002)
    assert "Please retry in 39.5" in fault.message
    assert ask(sim, now=20.5 + fault.retry_after_s).outcome == "ok"
    assert sim.stats(60.0, WALL)["rate_limited"] == 2


def test_refused_calls_take_no_place():
    sim, _ = simulator(quota={"requests_per_minute": 1})
    for now in range(59):
        ask(sim, now=float(now), key="bad")
        ask(sim, now=float(now), size="9K")
    assert ask(sim, now=59.0).outcome == "ok"
    assert ask(sim, now=59.5).outcome == "rate_limited"
    assert ask(sim, now=59.5, key="another").outcome == "ok"
    assert ask(sim, now=59.5, model="plain").outcome == "ok"


@pytest.mark.parametrize("counts, outcome", [(True, "rate_limited"), (False, "ok")])
def test_whether_failures_count_is_a_quirk(counts, outcome):
    sim, _ = simulator(quota={"requests_per_minute": 1}, quirks={"counts_failures": counts})
    assert ask(sim, header="overloaded").outcome == "overloaded"
    assert ask(sim, now=1.0).outcome == outcome


def test_a_full_day_is_told_apart_from_a_full_minute():
    sim, _ = simulator(quota={"requests_per_day": 1, "requests_per_minute": 1})
    ask(sim)
    fault = fault_of(ask(sim, now=1.0))
    assert fault.kind is K.DAY_QUOTA
    assert "PerDay" in fault.limit
    assert fault.retry_after_s > 60


def test_spend_stops_a_key_for_ten_minutes():
    sim, _ = simulator(quota={"spend_per_10_minutes_nusd": 60_000_000})
    first = ask(sim)
    assert first.billed_nusd > 60_000_000
    fault = fault_of(ask(sim, now=100.0, model="plain"))
    assert fault.kind is K.SPEND_LIMIT
    assert fault.retry_after_s == pytest.approx(500.0, abs=0.01)


# --- what the model gives -------------------------------------------------------------------------------------------


def decoded(shelf, blob):
    image = Pillow.open(io.BytesIO(b"".join(shelf.read(blob))))
    image.load()
    return image


@pytest.mark.parametrize(
    "fields, size",
    [({}, (64, 64)), ({"aspect_ratio": "16:9"}, (96, 54)), ({"size": "2K"}, (128, 128))],
)
def test_a_picture_of_the_right_size_and_type(fields, size):
    sim, shelf = simulator(mode="full")
    picture = ask(sim, **fields).reply.pictures[0]
    assert decoded(shelf, picture.blob).size == size
    assert picture.media_type == picture.blob.media_type == "image/jpeg"
    assert ask(sim, model="plain").reply.pictures[0].media_type == "image/png"


def test_pictures_differ_unless_a_seed_is_asked_for():
    sim, _ = simulator()

    def hashes(**fields):
        return {ask(sim, **fields).reply.pictures[0].blob.sha256 for _ in range(3)}

    assert len(hashes()) == 3
    assert len(hashes(seed=7)) == 1
    assert hashes(seed=7) != hashes(seed=8)
    free, _ = simulator(quirks={"same_seed_same_picture": False})
    assert len({ask(free, seed=7).reply.pictures[0].blob.sha256 for _ in range(3)}) == 3


def test_the_model_signs_its_parts():
    sim, _ = simulator()
    assert ask(sim).reply.pictures[0].signature
    assert ask(sim, model="plain").reply.pictures[0].signature is None


FREE = {Mishap.IMAGE_OTHER, Mishap.PROMPT_BLOCKED, Mishap.PROMPT_PROHIBITED}


@pytest.mark.parametrize("mishap", REFUSALS)
def test_refusals(mishap):
    planned = ask(simulator()[0], header=mishap.value)
    fault = fault_of(planned)
    assert (fault.kind, fault.reason, fault.status) == (REFUSALS[mishap].kind, REFUSALS[mishap].reason, 200)
    assert fault.usage.input_tokens > 0
    assert (planned.billed_nusd > 0) == (mishap not in FREE)


@pytest.mark.parametrize("mishap", BREAKDOWNS)
def test_breakdowns(mishap):
    planned = ask(simulator()[0], header=mishap.value)
    assert fault_of(planned).status == BREAKDOWNS[mishap].status
    assert planned.billed_nusd == 0


@pytest.mark.parametrize(
    "mishap, status, beginning",
    [
        (Mishap.HTML_502, 502, b"<html>"),
        (Mishap.EMPTY_200, 200, b""),
        (Mishap.NOT_JSON, 200, b'{"candidates"'),
        (Mishap.NO_CANDIDATES, 200, b""),
    ],
)
def test_broken_bodies(mishap, status, beginning):
    reply = ask(simulator()[0], header=mishap.value).reply
    assert isinstance(reply, WireResponse)
    assert reply.status == status
    assert reply.raw.startswith(beginning)


def test_drafts_are_pictures_before_the_last_and_are_billed():
    sim, _ = simulator()
    one, four = ask(sim, header="none"), ask(sim, header="drafts,pictures=4")
    done = four.reply
    assert [p.thought for p in done.parts] == [False] * 4
    assert done.finals == (3,)
    assert len({p.blob.sha256 for p in done.parts}) == 4
    assert done.usage.output_image_tokens == 4 * 1120
    assert four.billed_nusd - one.billed_nusd > 2.9 * 67_000_000
    assert all(2 <= len(ask(sim, header="drafts").reply.parts) <= 10 for _ in range(30))


def test_thoughts_are_marked_and_the_last_thought_is_the_picture():
    done = ask(simulator()[0], header="thoughts").reply
    assert [p.thought for p in done.parts] == [True, True, True, False]
    assert done.parts[2].blob == done.pictures[0].blob != done.parts[1].blob
    assert all(p.signature is None for p in done.parts[:3])


def test_a_signature_can_be_larger_than_its_picture():
    sim, shelf = simulator(mode="full")
    picture = ask(sim, header="big_signature").reply.pictures[0]
    assert picture.signature.size > picture.blob.size
    assert len(b"".join(shelf.read(picture.signature))) == picture.signature.size


def test_words_instead_of_a_picture_and_a_wrong_label():
    sim, shelf = simulator(mode="full")
    words = ask(sim, header="not_an_image").reply.pictures[0]
    assert b"only words" in b"".join(shelf.read(words.blob))
    wrong = ask(sim, header="wrong_type").reply.pictures[0]
    assert wrong.media_type == "image/webp"
    assert decoded(shelf, wrong.blob).format == "JPEG"


def test_a_duplicate_is_the_picture_before():
    sim, _ = simulator()
    first = ask(sim).reply.pictures[0].blob.sha256
    assert ask(sim, header="duplicate").reply.pictures[0].blob.sha256 == first
    assert ask(sim, "another prompt", header="duplicate").reply.pictures[0].blob.sha256 != first


def test_a_url_can_be_fetched():
    sim, shelf = simulator(mode="full")
    words = ask(sim, header="url").reply.text
    url = words.split()[-1]
    fetched: Any = sim.handle(Fetch(url), "good", 1.0, WALL).reply
    assert decoded(shelf, fetched.pictures[0].blob).size == (64, 64)
    gone: Any = sim.handle(Fetch(url + "x"), "good", 1.0, WALL).reply
    assert gone.status == 404


def test_realistic_file_sizes():
    sim, _ = simulator(mode="full", quirks={"picture_bytes": {"2K": 300_000}})
    assert ask(sim, size="2K").reply.pictures[0].blob.size == pytest.approx(300_000, abs=10)
    assert ask(sim, size="1K").reply.pictures[0].blob.size < 100_000
    assert ask(sim, header="bytes=200000").reply.pictures[0].blob.size == pytest.approx(200_000, abs=10)


def test_thoughts_and_grounding_when_asked_for():
    sim, _ = simulator()
    done = ask(sim, include_thoughts=True, thinking="high", grounding=("web", "image")).reply
    assert done.parts[0].thought
    assert done.usage.thought_tokens >= 700
    assert done.grounding.sources[0].picture
    assert done.usage.searches == 2
    assert ask(sim, thinking="minimal").reply.usage.thought_tokens == 0


def test_words_alone_when_only_words_are_asked_for():
    assert fault_of(ask(simulator()[0], modalities=("TEXT",))).kind is K.TEXT_ONLY


# --- the line, the wishes, chance -----------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [Line.DROPPED, Line.CUT, Line.RESET, Line.HANG, Line.TRICKLE])
def test_a_bad_line_is_billed_all_the_same(line):
    planned = ask(simulator()[0], header=f"fault={line.value},after=10")
    assert planned.line is line
    assert planned.after_bytes == 10
    assert planned.billed_nusd > 0


def test_a_refused_connection_is_not_billed_and_takes_no_quota():
    sim, _ = simulator(quota={"requests_per_minute": 1})
    assert ask(sim, header="refused").line is Line.REFUSED
    assert ask(sim, now=1.0).outcome == "ok"
    assert sim.books.accounts


def test_a_wish_can_hold_for_the_first_calls_only():
    sim, _ = simulator()
    outcomes = [ask(sim, "kite [sim:no_image,times=2]").outcome for _ in range(4)]
    assert outcomes == ["no_image", "no_image", "ok", "ok"]


def test_latency_can_be_asked_for():
    assert ask(simulator()[0], header="latency=0.25").latency_s == 0.25
    assert ask(simulator()[0], header="overloaded,latency=0.5").latency_s == 0.5


def test_more_thinking_takes_longer():
    usual, longer = ([ask(simulator(seed=s)[0], thinking=t).latency_s for s in range(5)] for t in ("minimal", "high"))
    assert [b / a for a, b in zip(usual, longer, strict=True)] == pytest.approx([1.6] * 5)


def test_the_same_seed_and_calls_behave_the_same():
    faults = {"no_image": 0.2, "drafts": 0.2, "cut": 0.1, "overloaded": 0.1}

    def play(seed):
        sim, _ = simulator(seed=seed, faults=faults, bursts={"mean_calm_s": 50.0, "mean_burst_s": 20.0})
        return [ask(sim, now=float(t)) for t in range(100)]

    assert play(1) == play(1)
    assert play(1) != play(2)


def test_rates_hold():
    sim, _ = simulator(faults={"no_image": 0.3})
    outcomes = [ask(sim, now=float(t)).outcome for t in range(2000)]
    assert 0.26 < outcomes.count("no_image") / 2000 < 0.34
    assert set(outcomes) == {"no_image", "ok"}


def test_trouble_comes_in_bursts():
    sim, _ = simulator(bursts={"mean_calm_s": 300.0, "mean_burst_s": 60.0})
    bad = [ask(sim, now=float(t)).outcome != "ok" for t in range(5000)]
    changes = sum(a != b for a, b in pairwise(bad))
    assert 0.05 < sum(bad) / 5000 < 0.35
    assert changes < 60, "one call in trouble says that the next is too"


# --- the bill -------------------------------------------------------------------------------------------------------


def test_the_bill_by_tokens():
    """10 tokens in, 1290 of the picture: 10 x 0.50 + 1290 x 60, in dollars per million."""
    planned = ask(simulator()[0], "x" * 36, model="plain")
    assert planned.reply.usage.input_tokens == 10
    assert planned.billed_nusd == 5_000 + 77_400_000


def test_the_bill_by_request():
    sim, _ = simulator(mode="tiny", quirks={"bills": frozenset({K.IMAGE_SAFETY})})
    sim.profile = replace(sim.profile, mode="per_request")
    assert ask(sim, size="2K").billed_nusd == ask(sim, header="drafts").billed_nusd == 55_000_000
    assert ask(sim, header="image_safety").billed_nusd == 55_000_000
    assert ask(sim, header="text_only").billed_nusd == 0


def test_the_books_agree_with_the_plans():
    sim, _ = simulator(faults={"no_image": 0.2, "text_only": 0.2, "dropped": 0.2}, quota={"requests_per_minute": 10})
    plans = [ask(sim, now=t * 5.0, key=f"key{t % 3}") for t in range(200)]
    stats = sim.stats(1000.0, WALL)
    assert stats["requests"] == 200 == sum(stats["refused"].values()) + sum(p.outcome == "ok" for p in plans)
    assert (
        stats["billed_nusd"]
        == sum(p.billed_nusd for p in plans)
        == sum(k["billed_nusd"] for k in stats["keys"].values())
    )
    assert len(stats["keys"]) == 3
    assert "key0" not in str(stats)
    assert len(stats["recent"]) == 24
    assert stats["max_starts_in_a_minute"] == 4
    sim.reset()
    assert sim.stats(1000.0, WALL)["requests"] == 0


def test_a_relay_speaks_its_own_errors():
    sim, _ = simulator(quota={"requests_per_minute": 1})
    sim.profile = replace(sim.profile, family="relay")

    def error(**fields):
        reply = ask(sim, **fields).reply
        return reply.status, reply.body["error"]["code"]

    assert error(key="bad") == (401, "invalid_api_key")
    assert error(key="noquota") == (403, "insufficient_user_quota")
    assert error(model="unheard-of") == (503, "model_not_found")
    assert error(header="overloaded") == (503, "bad_response_status_code")
    assert error() == (429, "rate_limit_exceeded")
    assert fault_of(ask(sim, now=99.0, header="no_image")).kind is K.NO_IMAGE
