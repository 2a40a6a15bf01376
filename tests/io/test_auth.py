"""Access tokens for Google Cloud: one at a time, renewed in time, in no log, and every failure told for what it is."""

import asyncio
import logging
import subprocess
import sys

import pytest

from cavendish.errors import ConfigError
from cavendish.io.auth import GoogleTokens
from cavendish.model.fault import Charged, Fault, FaultKind, Scope
from cavendish.secret import Secret

from .google_login import ACCOUNT, PROJECT, TOKEN, TokenOffice, service_account


@pytest.fixture(autouse=True)
def _no_token_anywhere(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    yield
    out, err = capfd.readouterr()
    assert TOKEN not in caplog.text + out + err


@pytest.fixture
async def office():
    one = TokenOffice()
    async with one.server:
        yield one


@pytest.fixture
def login(office, tmp_path, monkeypatch):
    # Made in a thread elsewhere, in the loop here: the test's own file.
    path = service_account(tmp_path / "account.json", f"{office.server.url}/token")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return GoogleTokens()


async def test_a_token_is_fetched_once_for_all(login, office):
    tokens = await asyncio.gather(*(login.current() for _ in range(20)))
    assert tokens == [Secret(f"{TOKEN}-1")] * 20
    assert office.given == 1


async def test_it_tells_whose_login_it_is_and_not_the_token(login):
    assert (login.kind, login.project, repr(login)) == ("", "", "GoogleTokens('', project='')")
    await login.current()
    assert login.kind == f"oauth2.service_account {ACCOUNT}"
    assert login.project == PROJECT
    assert login.headers == {}
    assert TOKEN not in repr(login)


async def test_a_quota_project_goes_with_every_call(login, monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "payer")
    await login.find()
    assert login.quota_project == "payer"
    assert login.headers == {"x-goog-user-project": "payer"}


async def test_a_token_that_ends_soon_is_renewed_before(login, office):
    office.lasts_s = 120
    assert await login.current() == Secret(f"{TOKEN}-1")
    office.lasts_s = 3600
    assert await login.current() == Secret(f"{TOKEN}-2")
    assert await login.current() == Secret(f"{TOKEN}-2")


async def test_while_it_lasts_a_token_is_used_although_no_other_is_to_be_had(login, office):
    office.lasts_s = 120
    first = await login.current()
    office.refusal = (400, {"error": "invalid_grant", "error_description": "not now"})
    assert await login.current() == first
    assert office.given == 2


async def test_a_refused_token_is_fetched_anew(login, office):
    first = await login.current()
    assert isinstance(first, Secret)
    login.refused(Secret("another"))
    assert await login.current() == first
    login.refused(first)
    assert await login.current() == Secret(f"{TOKEN}-2")
    assert office.given == 2


async def test_a_login_that_was_taken_back_ends_the_key(login, office):
    office.refusal = (400, {"error": "invalid_grant", "error_description": "Account was deleted"})
    fault = await login.current()
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.charged, fault.scope) == (FaultKind.BAD_KEY, Charged.NO, Scope.KEY)
    assert "Account was deleted" in fault.message


async def test_an_office_that_is_down_is_asked_again_later(login, office, monkeypatch):
    monkeypatch.setattr("google.auth._exponential_backoff._DEFAULT_INITIAL_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)
    office.refusal = (503, {"error": "unavailable"})
    fault = await login.current()
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.charged, fault.scope) == (FaultKind.CONNECT, Charged.NO, Scope.CALL)
    office.refusal = None
    assert isinstance(await login.current(), Secret)


async def test_a_line_that_is_dead_is_a_line_that_is_dead(login, office):
    await login.find()
    login._credentials._token_uri = "http://127.0.0.1:1/token"
    fault = await login.current()
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.CONNECT


# --- no login --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, "{}", "not JSON", '{"type": "service_account"}'])
async def test_without_a_login_it_says_how_to_log_in(content, tmp_path, monkeypatch):
    path = tmp_path / "none.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(ConfigError, match="no login for Google Cloud") as caught:
        await GoogleTokens().find()
    assert "gcloud auth application-default login" in caught.value.hints[0]
    fault = await GoogleTokens().current()
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.BAD_KEY
    assert "gcloud" in fault.message


@pytest.mark.parametrize("name", ["google.auth", "requests"])
async def test_without_the_library_it_says_how_to_install_it(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match="google-auth") as caught:
        await GoogleTokens().find()
    assert caught.value.hints == ('install it with: pip install "cavendish[vertex]"',)


def test_nothing_is_imported_before_it_is_needed():
    code = "import sys, cavendish.front.build; print([m for m in sys.modules if m.startswith(('google', 'requests'))])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
