"""The real parts, fitted together: certificates and proxies of the environment hold for every call."""

import asyncio
import base64
import io
import json

import pytest
from PIL import Image

from cavendish import AsyncClient, ConfigError
from cavendish.front.build import Setup, Workshop
from cavendish.model.fault import Charged, FaultKind
from tests.io.http.server import Server, self_signed, whole
from tests.io.http.tunnel import Proxy

MODEL = "nano-banana-2"
KEY = "a-key-of-this-test"


async def drawing(writer, heard):
    file = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(file, "PNG")
    part = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(file.getvalue()).decode()}}
    answer = {"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}
    await whole(json.dumps(answer).encode())(writer, heard)


@pytest.fixture
async def google(tmp_path, monkeypatch):
    """A server with a certificate of its own, in place of Google's."""
    context, certificate = await asyncio.to_thread(self_signed, tmp_path)
    async with Server(drawing, tls=context) as server:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"https://localhost:{server.port}")
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        yield server, certificate


async def draw(tmp_path, **options):
    async with AsyncClient(settings={"refills.connect": 0, **options}) as client:
        return await client.generate("a kite", model=MODEL, output=tmp_path / "run")


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
async def test_a_certificate_that_the_environment_vouches_for_is_trusted(google, monkeypatch, tmp_path, variable):
    server, certificate = google
    monkeypatch.setenv(variable, str(certificate))
    assert len(await draw(tmp_path)) == 1
    assert server.heard[0].headers["x-goog-api-key"] == KEY


async def test_a_certificate_that_nobody_vouches_for_is_not(google, tmp_path):
    server, _ = google
    result = await draw(tmp_path)
    (failure,) = result.failures
    assert (failure.kind, failure.charged) == (FaultKind.CONNECT, Charged.NO)
    assert "self-signed certificate" in failure.message
    assert server.heard == []
    assert result.cost == result.unknown_cost == 0


async def test_a_folder_of_certificates_is_one_of_their_kind(google, tmp_path):
    _, certificate = google
    result = await draw(tmp_path, ca_bundle=str(certificate.parent))
    # Without the links that openssl makes by hash, none of them is found: no trust, and no crash.
    assert result.failures[0].kind is FaultKind.CONNECT


@pytest.mark.parametrize(
    "content, words", [(None, "a file that exists"), (b"", "no certificate"), (b"words", "no certificate")]
)
async def test_a_bundle_that_is_none_is_an_error_that_names_it(monkeypatch, tmp_path, content, words):
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    client = AsyncClient()
    with pytest.raises(ConfigError, match=words) as caught:
        await client.open()
    assert "bundle.pem" in caught.value.message
    assert "SSL_CERT_FILE" in caught.value.message
    await client.close()


# --- proxies ----------------------------------------------------------------------------------------------------------


async def test_a_call_goes_through_the_proxy_of_the_environment_and_the_key_unseen(google, monkeypatch, tmp_path):
    server, certificate = google
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with Proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"https://api.localhost:{server.port}")
        assert len(await draw(tmp_path)) == 1
    assert [heard.method for heard in proxy.heard] == ["CONNECT"]
    assert KEY.encode() not in proxy.seen
    assert len(server.heard) == 1


async def test_the_simulator_of_this_machine_is_not_asked_through_a_proxy(monkeypatch, tmp_path):
    async with Proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with AsyncClient() as client:
            result = await client.generate("a kite [sim:none,latency=0]", output=tmp_path)
        assert (len(result), proxy.heard) == (1, [])


# --- the workshop -----------------------------------------------------------------------------------------------------


async def test_a_workshop_that_is_not_open_makes_no_provider():
    workshop = Workshop(await asyncio.to_thread(Setup))
    card = workshop.setup.catalog.endpoints["google"]
    with pytest.raises(AssertionError, match="not open"):
        workshop.provider(card, None, None)
