"""A new host on a known format costs one TOML file: nothing else is written to draw pictures there."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

KEY = "a-key-that-must-not-be-seen"
BEARER = ("Authorization", "Bearer ")
BANANA, PREVIEW = "gemini-3.1-flash-image", "google/gemini-3.1-flash-image-preview"


class Host(NamedTuple):
    """What is to be known of a host: its format and options, how it takes the key, one model, and how it is asked.

    ``place`` is where the simulator has the format; to the host's own file it is a part of the address.
    """

    dialect: str
    place: str
    auth: tuple[str, str]
    model: str
    wire_id: str
    options: str = "{}"
    shape: str = "words"
    per_call: int = 1

    def file(self, url: str) -> str:
        return f"""
[endpoints.newcomer]
title = "A host that nobody has heard of"
dialect = "{self.dialect}"
base_url = "{url}{self.place}"
auth_header = "{self.auth[0]}"
auth_prefix = "{self.auth[1]}"
key_env = ["NEWCOMER_API_KEY"]
options = {self.options}
default_mode = "standard"

[offers."newcomer/{self.model}"]
wire_id = "{self.wire_id}"
shape = "{self.shape}"
pictures_per_call = {self.per_call}

[offers."newcomer/{self.model}".prices.standard]
per_request = 0.01
source = "its page of prices"
as_of = 2026-11-21
"""


GEMINI = Host("gemini", "", ("x-goog-api-key", ""), "gemini-nano-banana-2.1", "gemini-nano-banana-2.1")
HOSTS = [
    GEMINI,
    Host("openai_images", "/openai/v1", BEARER, "gpt-image-2", "gpt-image-2", shape="pixels", per_call=4),
    Host("openai_chat", "/openrouter/api/v1", BEARER, BANANA, PREVIEW, "{ modalities = true }"),
    Host("ark", "/ark/api/v3", BEARER, "seedream-4.5", "seedream-4-5-251128", shape="word_or_pixels"),
    Host("bfl", "/bfl", ("x-key", ""), "flux-1.1-pro", "flux-pro-1.1", "{ poll_s = 0.01 }", "pixels"),
    Host("fal", "/fal", ("Authorization", "Key "), "flux-1.1-pro", "fal-ai/flux-pro/v1.1", "{ poll_s = 0.01 }",
         "pixels", 4),
]  # fmt: skip


@pytest.fixture
def newcomer(sim, monkeypatch, tmp_path):
    """Writes the one file for a host, whose place a simulator takes."""
    monkeypatch.setenv("NEWCOMER_API_KEY", KEY)
    monkeypatch.setenv("CAVENDISH_CONFIG", str(tmp_path / "config.toml"))

    def add(host: Host) -> None:
        Path("newcomer.toml").write_text(host.file(sim.url), encoding="utf-8")
        Path("config.toml").write_text('catalog = ["newcomer.toml"]\n', encoding="utf-8")

    return add


@pytest.mark.parametrize("host", HOSTS, ids=[host.dialect for host in HOSTS])
def test_one_file_is_all_that_a_new_host_costs(newcomer, cavendish, host):
    newcomer(host)
    ran = cavendish(
        "generate", "a kite", "-n", 3, "-m", host.model, "--via", "newcomer", "--aspect-ratio", "16:9", "-o", "out",
        "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert (ran.json["delivered"], ran.json["simulated"]) == (3, False)
    assert {entry["route"] for entry in ran.json["pictures"]} == {f"newcomer/{host.model}"}
    lines = Path("out/metadata.jsonl").read_text(encoding="utf-8").splitlines()
    assert all((Path("out") / json.loads(line)["file_name"]).is_file() for line in lines)
    assert KEY not in ran.out + ran.err + "".join(lines)


def test_it_is_among_the_models_and_has_its_price(newcomer, cavendish):
    newcomer(GEMINI)
    models = cavendish("models", "--via", "newcomer", "--json").json
    assert [(row["endpoint"], row["model"]) for row in models] == [("newcomer", "gemini-nano-banana-2.1")]
    price = cavendish("price", "nano-banana-2.1", "--via", "newcomer", "--size", "2K", "--json").json
    assert [(row["list_nusd"], row["flat"]) for row in price] == [(10_000_000, True)]


# --- a server of one's own --------------------------------------------------------------------------------------------


def test_a_server_of_ones_own_needs_no_key_and_takes_any_model(sim, cavendish, monkeypatch):
    monkeypatch.setenv("LOCAL_IMAGES_BASE_URL", f"{sim.url}/local/v1")
    ran = cavendish(
        "generate", "a kite", "-n", 2, "-m", "stable-diffusion-3.5", "--via", "local", "--max-cost", "0.01", "--strict",
        "-o", "out", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert (ran.json["delivered"], ran.json["billed"]) == (2, 0)
    assert {entry["route"] for entry in ran.json["pictures"]} == {"local/stable-diffusion-3.5"}
    named = cavendish("generate", "a fox", "-m", "local/sdxl", "-o", "fox", "--json")
    assert (named.code, named.json["simulated"]) == (0, False)


def test_a_server_of_ones_own_has_no_usual_model(sim, cavendish, monkeypatch):
    monkeypatch.setenv("LOCAL_IMAGES_BASE_URL", f"{sim.url}/local/v1")
    ran = cavendish("generate", "a kite", "--via", "local", "-o", "out")
    assert (ran.code, "-m MODEL" in ran.err) == (2, True)


# --- one key, and no model named --------------------------------------------------------------------------------------

USUAL = [
    ("OPENAI_API_KEY", "OPENAI_BASE_URL", "/openai/v1", "openai/gpt-image-2"),
    ("BYTEPLUS_API_KEY", "BYTEPLUS_BASE_URL", "/ark/api/v3", "byteplus/seedream-4.5"),
    ("BFL_API_KEY", "BFL_BASE_URL", "/bfl", "bfl/flux-2-pro"),
    ("FAL_KEY", "FAL_BASE_URL", "/fal", "fal/gemini-3.1-flash-image"),
]


@pytest.mark.parametrize("key,address,place,route", USUAL)
def test_whoever_has_one_key_need_not_name_a_model(sim, cavendish, monkeypatch, key, address, place, route):
    monkeypatch.setenv(key, KEY)
    monkeypatch.setenv(address, sim.url + place)
    ran = cavendish("generate", "a kite", "-o", "out", "--json")
    assert ran.code == 0, ran.err
    assert [entry["route"] for entry in ran.json["pictures"]] == [route]


def test_a_quality_has_its_price_and_a_format_its_bytes(sim, cavendish, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{sim.url}/openai/v1")
    asked = ("a kite", "-m", "gpt-image-2", "--size", "1K")
    plan = cavendish("plan", *asked, "--quality", "low", "--json").json
    assert plan["cost"] == pytest.approx(0.006, abs=0.0005)
    ran = cavendish("generate", *asked, "--quality", "low", "--output-format", "jpg", "-o", "out", "--json")
    assert ran.code == 0, ran.err
    assert "output format jpg is spelled jpeg" in ran.err
    assert [Path(entry["file_name"]).suffix for entry in ran.json["pictures"]] == [".jpg"]
    wrong = cavendish("generate", *asked, "--quality", "ultra", "-o", "out")
    assert (wrong.code, "low, medium, high, auto" in wrong.err) == (2, True)
    assert cavendish("generate", *asked, "--output-format", "bmp", "-o", "out").code == 2


def test_an_unknown_price_stops_a_run_that_has_a_bound(sim, cavendish, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_BASE_URL", f"{sim.url}/openrouter/api/v1")
    asked = ("generate", "a kite", "-m", "nano-banana-2", "--via", "openrouter", "-o", "out")
    bounded = cavendish(*asked, "--max-cost", "5")
    assert bounded.code != 0
    assert "price" in bounded.err
    assert sim.calls == 0
    assert cavendish(*asked, "--json").json["delivered"] == 1


def test_doctor_asks_for_a_list_where_there_is_one(sim, cavendish, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{sim.url}/openai/v1")
    monkeypatch.setenv("BFL_API_KEY", KEY)
    ran = cavendish("doctor")
    assert ran.code == 0, ran.out
    assert re.search(r"openai +ok .* of the catalog's: gpt-image-2", ran.out)
    assert re.search(r"bfl +- .*lists no models, so the key is tried by the first picture", ran.out)
    assert re.search(r"local +- +needs no key", ran.out)
    assert KEY not in ran.out + ran.err
