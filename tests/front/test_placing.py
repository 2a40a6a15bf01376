"""Where an endpoint is: the addresses of Google's locations, what may fill them, and what is missing."""

import pytest

from cavendish import config
from cavendish.catalog.load import load
from cavendish.errors import ConfigError
from cavendish.front.placing import placed
from cavendish.front.routes import speaks
from cavendish.model.call import Open
from cavendish.model.request import ImageRequest

CATALOG = load()
PROJECT = {"GOOGLE_CLOUD_PROJECT": "acme"}


def found(environ, tmp_path, name="vertex", project=""):
    settings = config.load(config.read_sources(environ, tmp_path), CATALOG.endpoints)
    return placed(CATALOG.endpoints[name], settings.endpoints[name], project)


@pytest.mark.parametrize(
    "location,host",
    [
        (None, "aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_each_location_has_its_address(location, host, tmp_path):
    there = found({**PROJECT, **({"GOOGLE_CLOUD_LOCATION": location} if location else {})}, tmp_path)
    assert there.base_url == f"https://{host}"
    path = speaks(there).write_call(Open(ImageRequest.of("a kite", "m"))).path
    place = f"projects/acme/locations/{location or 'global'}/publishers/google"
    assert path == f"/v1beta1/{place}/models/m:generateContent"


def test_express_needs_no_place(tmp_path):
    there = found({}, tmp_path, "vertex-express")
    assert there == CATALOG.endpoints["vertex-express"]
    path = speaks(there).write_call(Open(ImageRequest.of("a kite", "m"), stream=True)).path
    assert path == "/v1beta1/publishers/google/models/m:streamGenerateContent"


def test_the_project_is_the_users_else_that_of_the_login(tmp_path):
    own = {"CAVENDISH_VERTEX_PROJECT": "own", **PROJECT}
    for environ, expected in ((own, "own"), (PROJECT, "acme"), ({}, "of-login")):
        assert f"/{expected}/" in str(found(environ, tmp_path, project="of-login").options["place"])


def test_what_is_missing_is_named_with_the_place_to_set_it(tmp_path):
    with pytest.raises(ConfigError, match="vertex needs a project") as caught:
        found({}, tmp_path)
    assert caught.value.hints == (
        (
            "set GOOGLE_CLOUD_PROJECT or CAVENDISH_VERTEX_PROJECT, "
            "or project under [endpoints.vertex] in your configuration file"
        ),
    )


def test_the_users_own_address_wins(tmp_path):
    environ = {**PROJECT, "GOOGLE_VERTEX_BASE_URL": "http://127.0.0.1:9", "GOOGLE_CLOUD_LOCATION": "eu"}
    there = found(environ, tmp_path)
    assert there.base_url == "http://127.0.0.1:9"
    assert there.options["place"] == "projects/acme/locations/eu/publishers/google"


@pytest.mark.parametrize("location", ["evil.example/", "a.b", "us:443", "us@x", "US", "-us", "a" * 64, "eu\n/x"])
def test_a_location_cannot_lead_a_token_elsewhere(location, tmp_path):
    with pytest.raises(ConfigError, match="GOOGLE_CLOUD_LOCATION: expected a location"):
        found({**PROJECT, "GOOGLE_CLOUD_LOCATION": location}, tmp_path)


@pytest.mark.parametrize("project", ["a/b", "..", "a?b", "Acme", "a b"])
def test_a_project_is_a_project(project, tmp_path):
    with pytest.raises(ConfigError, match="GOOGLE_CLOUD_PROJECT: expected the id or number of a project"):
        found({"GOOGLE_CLOUD_PROJECT": project}, tmp_path)


@pytest.mark.parametrize("name", ["project", "location"])
def test_a_folders_own_file_cannot_send_prompts_to_another_project(name, tmp_path):
    (tmp_path / "cavendish.toml").write_text(f'[endpoints.vertex]\n{name} = "theirs"\n')
    with pytest.raises(ConfigError, match="may not say where keys are sent"):
        found(PROJECT, tmp_path)


def test_an_endpoint_without_places_stays_as_it_is(tmp_path):
    assert found({}, tmp_path, "google") == CATALOG.endpoints["google"]
    assert not {"project", "location"} & set(config.variables_of("google", CATALOG.endpoints["google"]))
