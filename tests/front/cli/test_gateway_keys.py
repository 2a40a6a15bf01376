"""``cavendish keys`` and ``cavendish usage``: keys are shown once, and found again by name."""

import json
import os
from pathlib import Path

import pytest


@pytest.fixture
def create(cavendish):
    """Makes a key; its page, with the secret as ``key``."""

    def make(name="app", *options):
        ran = cavendish("keys", "create", name, *options, "--json")
        assert ran.code == 0, ran.err
        return json.loads(ran.out)

    return make


def test_a_key_is_on_stdout_alone(cavendish):
    ran = cavendish("keys", "create", "app")
    assert ran.code == 0
    assert ran.out.startswith("cvd_")
    assert len(ran.out.split()) == 1
    assert ran.out.strip() not in ran.err
    assert "shown this once" in ran.err


def test_a_key_without_a_name_is_called_by_its_id(cavendish):
    ran = cavendish("keys", "create", "--budget", "20", "--per", "month", "--rpm", "60", "--models", "nano-banana-*")
    assert ran.code == 0, ran.err
    (told,) = map(json.loads, cavendish("keys", "list", "--json").out.splitlines())
    assert told["name"] == told["id"]
    assert f"the key of {told['name']}" in ran.err
    assert cavendish("keys", "revoke", told["name"]).code == 0


def test_a_key_s_limits_are_kept(cavendish, create):
    options = ("--budget", "20", "--per", "month", "--rpm", "60", "--models", "nano-banana-*", "--role", "admin")
    create("app", *options, "--expires", "90d", "--routes", "google,apiyi", "--max-price", "0.15", "--max-n", "20")
    shown = json.loads(cavendish("keys", "show", "app", "--json").out)
    assert {
        name: shown[name] for name in ("budget", "per", "rpm", "models", "role", "routes", "max_price", "max_n")
    } == {
        "budget": 20.0,
        "per": "month",
        "rpm": 60,
        "models": ["nano-banana-*"],
        "role": "admin",
        "routes": ["google", "apiyi"],
        "max_price": 0.15,
        "max_n": 20,
    }
    assert (shown["spent"], shown["held"], shown["state"]) == (0.0, 0.0, "live")


def test_a_key_is_never_shown_again(cavendish, create):
    secret = create()["key"]
    for words in (("list",), ("list", "--json"), ("show", "app"), ("show", "app", "--json")):
        ran = cavendish("keys", *words)
        assert ran.code == 0
        assert secret not in ran.out + ran.err
        # What tells it from others.
        assert secret[:10] in ran.out


def test_a_key_is_in_no_file(create):
    secret = create()["key"].rpartition("_")[2].encode()
    written = [path for path in Path(os.environ["CAVENDISH_STATE"]).rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if secret in path.read_bytes()]


def test_a_name_is_taken_until_its_key_is_revoked(cavendish, create):
    create()
    ran = cavendish("keys", "create", "app")
    assert ran.code == 2
    assert "already" in ran.err
    assert "rotate app" in ran.err
    assert cavendish("keys", "revoke", "app").code == 0
    create()
    states = [json.loads(line)["state"] for line in cavendish("keys", "list", "--json").out.splitlines()]
    assert states == ["revoked", "live"]


def test_a_new_secret_is_another(cavendish, create):
    old = create()
    new = json.loads(cavendish("keys", "rotate", "app", "--grace", "1h", "--json").out)
    assert new["key"] != old["key"]
    assert new["id"] == old["id"]


@pytest.mark.parametrize(
    "words, said",
    [
        (("create", "app", "--budget", "much"), "an amount of dollars"),
        (("create", "app", "--budget", "0"), "above 0"),
        (("create", "app", "--per", "month"), "name a budget"),
        (("create", "app", "--budget", "1", "--per", "year"), "day, week, month, total"),
        (("create", "app", "--routes", "nowhere"), "no endpoint is named 'nowhere'"),
        (("create", "app", "--expires", "soon"), "such as 90d"),
        (("create", "app", "--rpm", "0"), "rpm must be a whole number"),
        (("create", "app", "--role", "king"), "user, admin"),
        (("create", ""), "a key's name"),
        (("show", "nobody"), "no key named 'nobody'"),
        (("revoke", "nobody"), "no key named 'nobody'"),
        (("rotate", "nobody"), "no key named 'nobody'"),
    ],
)
def test_what_cannot_be(cavendish, words, said):
    ran = cavendish("keys", *words)
    assert ran.code == 2
    assert said in ran.err
    assert ran.out == ""


def test_without_keys_the_list_says_so(cavendish):
    assert "serves this machine alone" in cavendish("keys", "list").err


def test_beyond_the_own_machine_serve_asks_for_a_key_first(cavendish):
    ran = cavendish("serve", "--host", "0.0.0.0", "--port", "0")
    assert ran.code == 2
    assert "0.0.0.0 can be reached from other machines" in ran.err
    assert "cavendish keys create" in ran.err


def test_use_of_nothing_is_a_table_with_a_total(cavendish):
    ran = cavendish("usage", "--by", "key,model")
    assert ran.code == 0
    assert ran.out.splitlines()[0].split() == ["key", "model", "requests", "pictures", "failed", "billed", "unknown"]
    assert ran.out.splitlines()[1].startswith("total")
    assert cavendish("usage", "--csv").out == "key,key_id,requests,pictures,failed,cost,unknown\n"
    assert json.loads(cavendish("usage", "--json").out)["data"] == []


def test_what_use_cannot_be_summed_by(cavendish):
    ran = cavendish("usage", "--by", "prompt")
    assert ran.code == 2
    assert "key, model, day, endpoint" in ran.err
