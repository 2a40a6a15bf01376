"""The files to deploy with say nothing that the command does not understand."""

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer.main

from cavendish.catalog.load import load
from cavendish.config import variables_of
from cavendish.front.cli.app import app
from cavendish.front.gateway.app import DEFAULT_PORT

DEPLOY = Path(__file__).parents[3] / "deploy"


def found(pattern: str, file: str) -> list[str]:
    return re.findall(pattern, (DEPLOY / file).read_text("utf-8"), re.MULTILINE)


def command_lines() -> list[str]:
    unit = found(r"^ExecStart=\S+/cavendish (.+)$", "cavendish.service")
    image = found(r"^CMD \[(.+)\]$", "Containerfile")
    composed = found(r"command: \[(serve.+)\]$", "compose.yaml")
    return [*unit, *(line.replace(",", " ").replace('"', "") for line in (*image, *composed))]


@pytest.mark.parametrize("line", command_lines())
def test_the_command_lines_are_understood(line: str) -> None:
    command = typer.main.get_command(app)
    name, *flags = shlex.split(line)
    serve = command.get_command(command.make_context("cavendish", [name]), name)
    assert serve.make_context(name, flags).params["as_json"] is False


def test_all_of_them_were_found() -> None:
    assert len(command_lines()) == 4


def test_they_are_stopped_no_sooner_than_they_are_done() -> None:
    (grace,) = map(int, found(r"--grace (\d+)", "cavendish.service"))
    (unit,) = map(int, found(r"TimeoutStopSec=(\d+)", "cavendish.service"))
    (composed,) = map(int, found(r"stop_grace_period: (\d+)s", "compose.yaml"))
    (linger,) = set(map(int, found(r'--linger, "(\d+)"', "compose.yaml")))
    (interval,) = map(int, found(r"health_interval (\d+)s", "Caddyfile"))
    assert linger > 2 * interval
    assert unit > grace == 60
    assert composed > grace + linger


def test_the_environment_is_of_settings_that_there_are() -> None:
    known = {
        variable
        for name, card in load().endpoints.items()
        for variables in variables_of(name, card).values()
        for variable in variables
    }
    said = set(found(r"^    (CAVENDISH_\w+):", "compose.yaml"))
    assert said == {"CAVENDISH_STATE", "CAVENDISH_GOOGLE_API_KEY"}
    assert said - {"CAVENDISH_STATE"} <= known


def test_the_image_has_all_that_it_is_built_from_and_the_extras_exist() -> None:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))["project"]
    (extras,) = found(r"install --no-cache-dir '\.\[(.+)\]'", "Containerfile")
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()
    copied = " ".join(found(r"^COPY (?!--from)(.+) \./", "Containerfile")).split()
    assert {"pyproject.toml", project["readme"], "src"} <= set(copied)
    assert all((DEPLOY.parent / name).exists() for name in copied)


def test_what_is_reached_inside_is_reached_by_the_same_port() -> None:
    ports = {
        *found(r"^EXPOSE (\d+)", "Containerfile"),
        *found(r"127\.0\.0\.1:(\d+)/readyz", "Containerfile"),
        *found(r"(?:one|two):(\d+)", "Caddyfile"),
        *found(r'"127\.0\.0\.1:\d+:(\d+)"', "compose.yaml"),
    }
    assert ports == {str(DEFAULT_PORT)}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_is_one(tmp_path: Path) -> None:
    unit = (DEPLOY / "cavendish.service").read_text("utf-8")
    here = tmp_path / "cavendish.service"
    # Neither the program nor its user is on this machine.
    here.write_text(unit.replace("/opt/cavendish/bin/cavendish", "/bin/true").replace("User=cavendish", "User=daemon"))
    ran = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
