"""Profiles as data."""

import pytest

from cavendish.catalog.cards import Latency
from cavendish.errors import ConfigError
from cavendish.model.fault import FaultKind
from cavendish.sim.faults import Mishap
from cavendish.sim.profile import load_profile, names, read_profile
from cavendish.sim.systems import SYSTEMS


def test_all_that_come_along_can_be_read():
    stages = {"demo", "fast", "google-tier1", "google-tier2", "google-tier3"}
    assert set(names()) == stages | {system.endpoint for system in SYSTEMS}
    for name in names():
        assert load_profile(name).name == name


@pytest.mark.parametrize("tier, rpm, usd", [(1, 10, 10), (2, 30, 50), (3, 60, 200)])
def test_google_tiers(tier, rpm, usd):
    quota = load_profile(f"google-tier{tier}").quota
    assert quota.requests_per_minute == quota.images_per_minute == rpm
    assert quota.spend_per_10_minutes_nusd == usd * 10**9


def test_fast_is_without_quota_and_faults():
    fast = load_profile("fast")
    assert fast.quota.requests_per_minute is None
    assert not fast.faults
    assert fast.bursts.mean_burst_s == 0
    assert fast.latency_of("4K").p90_s < 0.01


def test_a_profile_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        """
name = "mine"
family = "relay"
time_scale = 0.5
[quota]
algorithm = "fixed_window"
requests_per_minute = 7
[latency]
1K = [2, 4]
any = [6.0, 8.0]
[faults]
no_image = 0.5
[bursts]
mean_calm_s = 10.0
mean_burst_s = 1.0
kinds = ["deadline"]
[quirks]
bills = ["no_image"]
"""
    )
    mine = load_profile(str(path))
    assert mine.quota.requests_per_minute == 7
    assert mine.latency_of("1K") == Latency(1.0, 2.0)
    assert mine.latency_of("4K") == Latency(3.0, 4.0)
    assert mine.faults == {Mishap.NO_IMAGE: 0.5}
    assert mine.bursts.kinds == (Mishap.DEADLINE,)
    assert mine.quirks.bills == {FaultKind.NO_IMAGE}


@pytest.mark.parametrize(
    "data",
    [
        {"name": "x", "colour": "red"},
        {"name": "x", "moods": {}},
        {"name": "x", "family": "bank"},
        {"name": "x", "quota": {"algorithm": "leaky"}},
        {"name": "x", "quota": {"requests_per_minute": 0}},
        {"name": "x", "quota": {"rpm": 3}},
        {"name": "x", "latency": {"1K": [3.0, 2.0]}},
        {"name": "x", "latency": {"1K": [3.0]}},
        {"name": "x", "faults": {"gremlins": 0.1}},
        {"name": "x", "faults": {"no_image": 0.7, "cut": 0.7}},
        {"name": "x", "faults": {"no_image": -0.1}},
        {"name": "x", "quirks": {"bills": ["everything"]}},
    ],
)
def test_what_does_not_belong_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        read_profile(data)


def test_errors_name_the_profile_and_what_there_is(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_profile("google-tier9")
    assert "google-tier1" in caught.value.hints[0]
    path = tmp_path / "broken.toml"
    path.write_text("name = ")
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        load_profile(str(path))
