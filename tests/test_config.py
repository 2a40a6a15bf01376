"""Settings: who wins, what is refused, what is never shown."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.catalog.cards import EndpointCard
from cavendish.config import BUILT_IN, load, read_sources, user_file
from cavendish.errors import ConfigError
from cavendish.model.fault import FaultKind
from cavendish.secret import Secret

ENDPOINTS = {
    "google": EndpointCard(
        "google",
        "Google",
        "gemini",
        "https://images.example/v1",
        "x-goog-api-key",
        key_env=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        base_url_env=("GOOGLE_GEMINI_BASE_URL",),
    ),
    "apiyi": EndpointCard(
        "apiyi", "apiyi", "gemini", "https://relay.example", "Authorization", key_env=("APIYI_API_KEY",)
    ),
}


@pytest.fixture
def settings(tmp_path):
    def read(user="", project="", env=(), flags=None, mode=0o600):
        own, here = tmp_path / "config.toml", tmp_path / "here"
        here.mkdir(exist_ok=True)
        own.write_text(user, encoding="utf-8")
        own.chmod(mode)
        (here / "cavendish.toml").write_text(project, encoding="utf-8")
        sources = read_sources({"CAVENDISH_CONFIG": str(own), **dict(env)}, here)
        return load(sources, ENDPOINTS, flags)

    return read


# --- who wins ---------------------------------------------------------------------------------------------------------


def test_what_nobody_set_is_built_in(settings):
    found = settings()
    assert found.timeout_s.value == 300.0
    assert {setting.origin for setting in found} == {BUILT_IN}


def test_each_source_wins_over_the_one_before(settings, tmp_path):
    user, project = 'size = "1K"', 'size = "2K"'
    env, flags = {"CAVENDISH_SIZE": "4K"}, {"size": "512"}
    steps = [
        (settings(user), "1K", str(tmp_path / "config.toml")),
        (settings(user, project), "2K", str(tmp_path / "here" / "cavendish.toml")),
        (settings(user, project, env), "4K", "$CAVENDISH_SIZE"),
        (settings(user, project, env, flags), "512", "--size"),
        (settings(user, project, env, {"size": None}), "4K", "$CAVENDISH_SIZE"),
    ]
    for found, value, origin in steps:
        assert (found.size.value, found.size.origin) == (value, origin)


@pytest.mark.parametrize(
    "env, key, origin",
    [
        ({"GEMINI_API_KEY": "a"}, "a", "$GEMINI_API_KEY"),
        ({"GEMINI_API_KEY": "a", "GOOGLE_API_KEY": "b"}, "b", "$GOOGLE_API_KEY"),
        ({"GEMINI_API_KEY": "a", "GOOGLE_API_KEY": ""}, "a", "$GEMINI_API_KEY"),
        ({"GOOGLE_API_KEY": "b", "CAVENDISH_GOOGLE_API_KEY": "c"}, "c", "$CAVENDISH_GOOGLE_API_KEY"),
    ],
)
def test_the_key_of_an_endpoint_comes_from_its_variables(settings, env, key, origin):
    keys = settings(env=env).endpoints["google"].keys
    assert [secret.reveal() for secret in keys.value] == [key]
    assert keys.origin == origin


def test_an_endpoint_can_have_several_keys(settings):
    assert [k.reveal() for k in settings(env={"APIYI_API_KEY": " a, b,a,"}).endpoints["apiyi"].keys.value] == ["a", "b"]
    assert len(settings('[endpoints.google]\napi_key = ["a", "b"]').endpoints["google"].keys.value) == 2
    assert settings().endpoints["google"].keys.value == ()


@pytest.mark.parametrize("name", ["GOOGLE_GEMINI_BASE_URL", "CAVENDISH_GOOGLE_BASE_URL"])
def test_an_address_comes_from_the_environment(settings, name):
    assert settings(env={name: "http://127.0.0.1:8080/"}).endpoints["google"].base_url.value == "http://127.0.0.1:8080"


def test_values_are_typed(settings, tmp_path):
    found = settings(
        'timeout = 12\nconcurrency = 8\nmax_cost = "$0.50"\naspect_ratio = "16:9"\noutput = "~/pics"\n'
        '[endpoints.google]\ntier = "tier_2"\nrpm = 500\n[refills]\nno_image = 4\nduplicate = 0',
        env={"NO_COLOR": "1"},
    )
    assert (found.timeout_s.value, found.concurrency.value, found.max_cost_nusd.value) == (12.0, 8, 500_000_000)
    assert found.output.value is not None
    assert found.output.value.is_absolute()
    assert found.no_color.value is True
    assert (found.endpoints["google"].tier.value, found.endpoints["google"].rpm.value) == ("tier_2", 500)
    assert {kind: bound.value for kind, bound in found.refills.items()} == {
        FaultKind.NO_IMAGE: 4,
        FaultKind.DUPLICATE: 0,
    }
    assert found.aspect_ratio.value == "16:9"


def test_the_certificate_file_must_exist(settings, tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    assert settings(env={"REQUESTS_CA_BUNDLE": str(bundle)}).ca_bundle.value == bundle
    with pytest.raises(ConfigError, match=r"\$SSL_CERT_FILE: expected a file that exists"):
        settings(env={"SSL_CERT_FILE": str(tmp_path / "none.pem")})


def test_without_a_name_the_users_file_is_where_the_system_wants_it(tmp_path):
    path = user_file({})
    assert path.name == "config.toml"
    assert "cavendish" in path.parts


# --- the catalog ------------------------------------------------------------------------------------------------------


def test_catalog_tables_are_handed_on(settings, tmp_path):
    (tmp_path / "more.toml").write_text('[models.mine]\nname = "Mine"', encoding="utf-8")
    found = settings(
        'catalog = ["more.toml"]\n[offers."google/mine"]\nwire_id = "m"\n'
        '[endpoints.google]\nrpm = 5\nbase_url = "https://mine.example"\ntitle = "Mine"'
    )
    more, own = found.catalog
    assert more.tables == {"models": {"mine": {"name": "Mine"}}}
    assert own.tables == {
        "offers": {"google/mine": {"wire_id": "m"}},
        "endpoints": {"google": {"title": "Mine", "base_url": "https://mine.example"}},
    }
    assert found.endpoints["google"].rpm.value == 5


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user, message, hint",
    [
        ("sise = 1", "config.toml: unknown key 'sise'", "did you mean size"),
        ("[endpoints.gogle]\nrpm = 1", "unknown key 'gogle'", "did you mean google"),
        ("[refills]\nno_imag = 1", r"\[refills\]: unknown key 'no_imag'", "did you mean no_image"),
        ("[refills]\nno_image = -1", r"\[refills\] no_image: expected a whole number from 0", ""),
        ("[refills]\nno_image = true", r"\[refills\] no_image: expected a whole number from 0", ""),
        ("[refills]\nno_image = [0]", r"\[refills\] no_image: expected a whole number from 0", ""),
        ("timeout = 0", "timeout: expected a number of seconds", ""),
        ("timeout = true", "timeout: expected a number of seconds", ""),
        ('timeout = "soon"', "timeout: expected a number of seconds.*got 'soon'", ""),
        ("timeout = []", "timeout: expected a number of seconds", ""),
        ("concurrency = 1.5", "concurrency: expected a whole number", ""),
        ("concurrency = true", "concurrency: expected a whole number", ""),
        ("max_cost = -1", "max_cost: expected an amount of dollars", ""),
        ("max_cost = true", "max_cost: expected an amount of dollars", ""),
        ('aspect_ratio = "wide"', "aspect_ratio: expected a ratio", ""),
        ("model = 3", "model: expected some text, got 3", ""),
        ("refills = 3", "refills: expected a table", ""),
        ("catalog = 3", "catalog: expected a list of files", ""),
        ('catalog = ["none.toml"]', "none.toml: No such file", ""),
        ('[endpoints.google]\nbase_url = "images.example"', "base_url: expected an address", ""),
        ("size = ", "config.toml: Invalid value", ""),
    ],
)
def test_what_is_wrong_is_named(settings, user, message, hint):
    with pytest.raises(ConfigError, match=message) as caught:
        settings(user)
    assert hint in " ".join(caught.value.hints)


def test_a_named_file_must_be_there(tmp_path):
    with pytest.raises(ConfigError, match=r"\$CAVENDISH_CONFIG names .*none"):
        read_sources({"CAVENDISH_CONFIG": str(tmp_path / "none")}, tmp_path)


def test_a_file_must_be_utf8(tmp_path):
    (tmp_path / "cavendish.toml").write_bytes(b'size = "\xe9"')
    with pytest.raises(ConfigError, match="not UTF-8 at byte 8"):
        read_sources({}, tmp_path)


def test_an_unknown_flag_is_an_error(settings):
    with pytest.raises(ConfigError, match=r"--colour: unknown key"):
        settings(flags={"colour": "red"})


def test_a_variable_of_ours_that_means_nothing_is_told(settings):
    (notice,) = settings(env={"CAVENDISH_TIMOUT": "3"}).notices
    assert notice.code == "unknown_variable"
    assert "did you mean CAVENDISH_TIMEOUT" in notice.text


# --- a folder of somebody else ----------------------------------------------------------------------------------------

ELSEWHERE = [
    '[endpoints.google]\nbase_url = "https://thief.example"',
    '[endpoints.google]\nauth_header = "x"',
    '[endpoints.thief]\nkey_env = ["GOOGLE_API_KEY"]',
    'catalog = ["thief.toml"]',
    'ca_bundle = "thief.pem"',
]


@pytest.mark.parametrize("project", ELSEWHERE)
def test_a_folder_cannot_send_keys_elsewhere(settings, project):
    with pytest.raises(ConfigError, match="may not say where keys are sent"):
        settings(project=project, env={"GOOGLE_API_KEY": "k"})


def test_a_folder_can_be_trusted(settings):
    found = settings(project=ELSEWHERE[0], env={"CAVENDISH_TRUST_PROJECT": "1"})
    assert found.endpoints["google"].base_url.value == "https://thief.example"
    with pytest.raises(ConfigError):
        settings(project=ELSEWHERE[0], env={"CAVENDISH_TRUST_PROJECT": "0"})


def test_a_folder_may_say_the_rest(settings):
    assert settings(project="[endpoints.google]\nrpm = 3").endpoints["google"].rpm.value == 3


@pytest.mark.parametrize("table", ["models.mine", 'offers."google/mine"'])
def test_a_folder_may_not_say_what_pictures_cost_or_are_called(settings, table):
    with pytest.raises(ConfigError, match="a folder's own file"):
        settings(project=f'[{table}]\nname = "x"')


# --- keys are never shown ---------------------------------------------------------------------------------------------

KEY = "AIza-very-secret-0123456789"


@given(st.text(min_size=5))
def test_a_secret_shows_only_a_fingerprint(value):
    secret = Secret(value)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!s:>9}",
        f"{secret:>9}",
        str([secret]),
        secret.fingerprint,
    ]
    assert not [text for text in shown if value in text]
    assert len(secret.fingerprint) == 5
    assert secret.reveal() == value
    assert secret == Secret(value) != value
    assert hash(secret) == hash(Secret(value))


def test_a_secret_is_not_pickled():
    for copier in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="not pickled"):
            copier(Secret(KEY))


def test_no_setting_shows_a_key(settings, tmp_path):
    found = settings(f'[endpoints.apiyi]\napi_key = "{KEY}"', env={"GOOGLE_API_KEY": KEY})
    assert KEY not in repr(found)
    assert KEY not in "".join(f"{setting.value} {setting.origin}" for setting in found)
    assert KEY not in repr(
        read_sources({"CAVENDISH_CONFIG": str(tmp_path / "config.toml"), "GOOGLE_API_KEY": KEY}, tmp_path)
    )


@pytest.mark.parametrize(
    "user, env",
    [
        ("", {"GOOGLE_API_KEY": f"{KEY} {KEY}"}),
        ("", {"GOOGLE_API_KEY": f"{KEY}é"}),
        (f"[endpoints.google]\napi_key = [['{KEY}']]", {}),
        (f'[endpoints.google]\nbase_url = "https://{KEY}@x.example"', {}),
        (f'[endpoints.google]\nbase_url = "https://x.example?key={KEY}"', {}),
        ('[endpoints.google]\napi_key = ","', {}),
    ],
)
def test_no_error_shows_a_key(settings, user, env):
    with pytest.raises(ConfigError) as caught:
        settings(user, env=env)
    assert KEY not in f"{caught.value!r} {caught.value} {caught.value.hints} {caught.value.__cause__!r}"


def test_a_key_that_others_can_read_is_told(settings):
    user = '[endpoints.google]\napi_key = "k"'
    assert [notice.code for notice in settings(user, mode=0o644).notices] == ["config_readable"]
    assert settings(user).notices == ()
    assert settings("size = '1K'", mode=0o644).notices == ()


# --- what runs share --------------------------------------------------------------------------------------------------


def test_the_state_is_in_the_user_s_own_folder_unless_told(settings, tmp_path):
    assert settings().state.origin == BUILT_IN
    assert settings(user='state = "shared"').state_address == tmp_path / "shared"


def test_a_server_s_address_is_a_secret(settings):
    url = "postgresql://me:hunter2@db.example/pictures"
    found = settings(env={"CAVENDISH_STATE": url})
    assert found.state_address == url
    assert "hunter2" not in repr(found)
    with pytest.raises(ConfigError, match="expected a folder, or an address") as caught:
        settings(env={"CAVENDISH_STATE": "mysql://me:hunter2@db.example/pictures"})
    assert "hunter2" not in str(caught.value)


def test_a_folder_s_own_file_may_not_move_the_state(settings):
    with pytest.raises(ConfigError, match="state"):
        settings(project='state = "postgresql://elsewhere.example/x"')


def test_caps_are_amounts_of_dollars(settings):
    found = settings(user='max_cost_per_day = 5\n[endpoints.apiyi]\nmax_cost_per_month = "12.50"')
    assert found.max_cost_per_day_nusd.value == 5_000_000_000
    assert found.endpoints["apiyi"].max_cost_per_month_nusd.value == 12_500_000_000
    assert found.endpoints["google"].max_cost_per_month_nusd.value is None
    assert "max_cost_per_month" in {setting.name.rpartition(".")[2] for setting in found if setting.value is not None}
