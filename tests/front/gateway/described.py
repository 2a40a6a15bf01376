"""The gateway's own description as Schemathesis reads it: operations, requests that it makes, and its checks."""

import re
from dataclasses import dataclass
from typing import Any

import requests
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks

from tests.front.gateway.served import MODEL, Served

SECRET = "sk-a-very-secret-key"
KEYS: tuple[dict[str, dict[str, str]], ...] = (
    {},
    {"headers": {"Authorization": f"Bearer {SECRET}"}},
    {"headers": {"x-goog-api-key": SECRET}},
    {"params": {"key": SECRET}},
)
"""The ways to send a key."""

_CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
_TOLERANT = re.compile(r"/upload/.*|.*:countTokens|.*/input_tokens")
"""Bodies that are read as far as they can be."""

_VERSIONS = re.compile(r"/v1(?:beta1|beta|alpha)/")


@dataclass(frozen=True)
class Described:
    served: Served
    session: requests.Session
    operations: tuple[Any, ...]
    known: dict[str, str]

    def send(self, case: Any, key: dict[str, dict[str, str]]) -> Any:
        """Send a request, most often about something that is there."""
        self._about_what_is_there(case)
        return case.call(session=self.session, timeout=60, **key)

    def check(self, case: Any, answer: Any) -> None:
        """An answer as it is described, and with nothing in it that is nobody's business."""
        case.validate_response(answer, checks=[*_CHECKS, *self._rejections(case, answer)])
        said = f"{answer.headers}{answer.content[:10_000]!r}"
        for secret in (SECRET, str(self.served.folder), "Traceback", "site-packages"):
            assert secret not in said, (secret, said[:500])

    def _about_what_is_there(self, case: Any) -> None:
        path: str = case.operation.path
        held = case.path_parameters
        if held and "model" in held:
            held["model"] = MODEL
        for place, known in self.known.items():
            if held and path.startswith(place):
                held.update({name: known for name in held if name in {"id", "name"}})
        case.body = body = _at_home(case.body)
        if isinstance(body, dict) and isinstance(body.get("model"), str) and "{model}" not in path:
            body["model"] = MODEL

    def _rejections(self, case: Any, answer: Any) -> list[Any]:
        """Where a body was made that should not be taken: whether it was not."""
        body = case.meta.components.get(ParameterLocation.BODY)
        wrong = body is not None and body.mode is GenerationMode.NEGATIVE and case.media_type == "application/json"
        return [checks.negative_data_rejection] if wrong and not _TOLERANT.fullmatch(case.operation.path) else []


def _at_home(value: Any) -> Any:
    """The body with addresses that lead nowhere: a name that somebody made up is asked of nobody."""
    if isinstance(value, dict):
        return {name: _at_home(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_at_home(entry) for entry in value]
    is_address = isinstance(value, str) and value.strip().lower().startswith(("http:", "https:"))
    return "http://127.0.0.1:1/x.png" if is_address else value


def described(served: Served, session: requests.Session) -> Described:
    """What Schemathesis makes of the description. It holds each path of several versions once."""
    schema = schemathesis.openapi.from_dict(served.document)
    schema.config.update(base_url=served.gateway.url)
    schema.validate()
    seen: dict[tuple[str, str], Any] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        path = _VERSIONS.sub("/v1/", operation.path).replace("tunedModels", "models").removeprefix("/download")
        if operation.method != "head":
            seen.setdefault((operation.method, path), operation)
    return Described(served, session, tuple(seen.values()), _made(served.gateway.url, session))


def _made(url: str, session: requests.Session) -> dict[str, str]:
    """Something to ask about at paths that name it: a job, a response, a file and a batch."""
    asked = {"model": MODEL, "prompt": "a kite"}
    job = session.post(f"{url}/v1/jobs", json=asked).json()["id"]
    response = session.post(f"{url}/v1/responses", json={"model": MODEL, "input": "a kite"}).json()["id"]
    form: Any = {"file": ("a.jsonl", b"{}\n"), "purpose": (None, "batch")}
    file = session.post(f"{url}/v1/files", files=form).json()["id"].removeprefix("file-")
    wish = {"input_file_id": f"file-{file}", "endpoint": "/v1/responses", "completion_window": "24h"}
    batch = session.post(f"{url}/v1/batches", json=wish).json()["id"].removeprefix("batch_")
    return {
        "/v1/jobs/": job,
        "/v1/responses/": response,
        "/v1/files/file-": file,
        "/v1beta/files/": file,
        "/v1/batches/batch_": batch,
    }
