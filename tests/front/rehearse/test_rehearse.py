"""Rehearsals: hand-worked cases, the same play for the same seed, and a part that says what the whole would."""

from datetime import date
from pathlib import Path

import pytest

from cavendish.catalog.cards import Latency, Limits
from cavendish.catalog.load import load
from cavendish.engine.policy import Policy
from cavendish.front.rehearse.extend import Scale
from cavendish.front.rehearse.outlook import Spread
from cavendish.front.rehearse.play import Script, play, play_all
from cavendish.front.rehearse.rehearse import Manner, rehearse
from cavendish.front.rehearse.stage import Library, Way
from cavendish.model.request import ImageRequest
from cavendish.plan.expand import Ordinals, Wish, slots

MODEL, TODAY = "nano-banana-2", date(2026, 10, 1)
NOON = 1_795_200_000.0
CATALOG = load()
GUARD_S = 0.4
"""By so much the governor makes each minute longer."""


def way(limits=None, keys=1, mode="standard", endpoint="google"):
    return Way(CATALOG.resolve(MODEL, endpoint, TODAY, mode), limits or Limits(), keys)


def script(pictures, *ways, jobs=(), faultless=True, prompt="kite {}", **options):
    wishes = [Wish(n, f"{n}", ImageRequest.of(prompt.format(n), MODEL)) for n in range(pictures)]
    options = {"policy": Policy(), "wall_start": NOON, **options}
    every = tuple(slots(wishes, Ordinals()))
    return Script(Library(CATALOG, faultless), every, lambda _: ways, jobs_for=lambda _: jobs, **options)


def test_a_hundred_at_ten_a_minute_take_nine_minutes_and_one_latency():
    played = play(script(100, way(Limits(requests_per_minute=10))), 1)
    (traffic,) = played.traffic.values()
    assert traffic.starts[-1] == pytest.approx(9 * (60 + GUARD_S), abs=0.1)
    assert [sum(round(at / 60.4) == minute for at in traffic.starts) for minute in range(10)] == [10] * 10
    longest = max(CATALOG.resolve(MODEL, "google", TODAY).offer.latency["1K"].p90_s * 3, 40.0)
    assert 0 < played.seconds - traffic.starts[-1] < longest
    assert (played.delivered, played.failed, played.calls) == (100, 0, 100)
    assert not played.faults


def test_two_keys_take_half_the_time():
    played = play(script(100, way(Limits(requests_per_minute=10), keys=2)), 1)
    (traffic,) = played.traffic.values()
    assert traffic.starts[-1] == pytest.approx(4 * (60 + GUARD_S), abs=0.1)


def test_a_daily_quota_waits_for_midnight_at_the_provider():
    """18:40 UTC is 10:40 in California: the second day's pictures begin 13 hours and 20 minutes later."""
    played = play(script(15, way(Limits(requests_per_day=10))), 1)
    (traffic,) = played.traffic.values()
    assert [at < 60 for at in traffic.starts] == [True] * 10 + [False] * 5
    assert traffic.starts[10] == pytest.approx(13 * 3600 + 20 * 60, abs=901)


def test_a_batch_costs_half():
    alone = play(script(60, way(Limits(requests_per_minute=1000))), 1)
    jobs = play(script(60, way(), jobs=(way(mode="batch"),), deadline_s=90_000.0), 1)
    assert jobs.delivered == alone.delivered == 60
    assert jobs.cost_nusd == pytest.approx(alone.cost_nusd / 2, rel=0.02)
    assert alone.seconds < jobs.seconds < 86_400 + 3600


def test_jobs_that_are_late_are_drawn_online():
    played = play(script(20, way(), jobs=(way(mode="batch"),), deadline_s=60.0), 1)
    by_mode = {name.rpartition("(")[2].rstrip(")"): one.delivered for name, one in played.traffic.items()}
    assert by_mode == {"batch": 0, "standard": 20}
    assert played.seconds < 600


def test_faults_are_met_and_their_pictures_made_again():
    played = play(script(400, way(Limits(requests_per_minute=600)), faultless=False), 3)
    assert played.faults.total() == played.calls - played.delivered > 0
    assert played.again > 0
    assert played.delivered + played.failed == 400


def test_the_same_seed_gives_the_same_play_whatever_was_played_before():
    one = script(120, way(Limits(requests_per_minute=60)), faultless=False)
    first, second = play_all(one, (1, 2))
    again = play(script(120, way(Limits(requests_per_minute=60)), faultless=False), 2)
    assert second == again
    assert (first.seconds, first.billed_nusd) != (second.seconds, second.billed_nusd)


def test_processes_change_nothing():
    one = script(40, way(Limits(requests_per_minute=60)), faultless=False)
    assert play_all(one, (1, 2, 3), processes=2) == play_all(one, (1, 2, 3))


def test_a_cap_stops_a_play():
    played = play(script(50, way(), max_cost_nusd=500_000_000), 1)
    assert played.stop is not None
    assert played.left == 50 - played.delivered > 0
    assert played.cost_nusd <= 500_000_000


# --- several plays, and the whole from a part -----------------------------------------------------------------------


def order(pictures, via="google", **options):
    from cavendish.front.build import Setup
    from cavendish.front.orders import order_prompts
    from cavendish.front.recipes import RunWish
    from cavendish.front.routes import RouteWish

    setup = Setup()
    routes = setup.routes(RouteWish(via=(via,), keyless=True, **options))
    request = ImageRequest.of("a kite", MODEL, n=pictures)
    return routes, order_prompts(setup, routes, [request], RunWish(Path("unused")))


def test_an_outlook_tells_what_was_found():
    routes, asked = order(40, tier="tier1")
    found = rehearse(routes, asked, Manner(plays=3), NOON)
    plain = found.to_json()
    assert (plain["pictures"], plain["played"], plain["plays"]) == (40, 40, 3)
    assert plain["bound_by"] == "10 requests per minute"
    assert 180 < plain["seconds"]["p10"] <= plain["seconds"]["p50"] <= plain["seconds"]["p90"] < 420
    assert plain["cost"]["p50"] == pytest.approx(40 * 0.068, rel=0.2)
    assert plain["rate_limited"] == 0
    text = "\n".join(found.lines())
    assert "3 plays of all of it" in text
    assert "10 requests per minute" in text


def test_an_unknown_limit_is_named():
    routes, asked = order(5, via="apiyi")
    found = rehearse(routes, asked, Manner(plays=1), NOON)
    assert any("no limits are known" in note for note in found.notes)


@pytest.mark.parametrize("limits", [{"tier": "tier1"}, {"rpm": 60}, {"rpm": 600}])
def test_a_part_says_what_the_whole_would(limits):
    """Five times as many as were played: within eight parts in a hundred of a play of all. Windows of spend, of which a
    part fills few, are the hardest to tell.
    """
    count = 1500 if "tier" in limits else 800
    routes, asked = order(count, **limits)
    part = rehearse(routes, asked, Manner(plays=3, in_all=3 * count // 5), NOON)
    whole = rehearse(routes, asked, Manner(plays=3, in_all=None), NOON)
    assert (part.played, whole.played) == (count // 5, count)
    assert part.seconds.p50 == pytest.approx(whole.seconds.p50, rel=0.08)
    assert part.cost_nusd.p50 == pytest.approx(whole.cost_nusd.p50, rel=0.05)
    assert part.delivered.p50 == pytest.approx(whole.delivered.p50, rel=0.01)
    assert "the rest by the arithmetic" in next(part.lines())


def test_sums_grow_with_the_pictures_and_their_spread_with_the_root():
    grown = Scale(100, 400).grown([9.0, 11.0])
    assert grown == [38.0, 42.0]
    assert Scale(100, 100).grown([9.0, 11.0]) == [9.0, 11.0]


def test_a_spread_of_one_play_is_that_play():
    assert Spread.of([3.0]) == Spread(3.0, 3.0, 3.0)
    assert Spread.of([1.0, 2.0, 3.0]).p50 == 2.0


def test_latencies_follow_the_catalog():
    known = CATALOG.resolve(MODEL, "google", TODAY).offer.latency["1K"]
    assert isinstance(known, Latency)
    played = play(script(300, way(Limits(requests_per_minute=10_000)), policy=Policy(concurrency=300)), 1)
    (traffic,) = played.traffic.values()
    assert traffic.mean_s == pytest.approx(known.p50_s, rel=0.2)
