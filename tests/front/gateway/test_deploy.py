"""The files to deploy with say nothing that the command does not understand."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from cavendish.front.cli.app import app

DEPLOY = Path(__file__).parents[3] / "deploy"


def found(pattern: str, file: str) -> list[str]:
    return re.findall(pattern, (DEPLOY / file).read_text("utf-8"), re.MULTILINE)


def command_lines() -> list[str]:
    unit = found(r"^ExecStart=\S+/cavendish (.+)$", "cavendish.service")
    image = found(r"^CMD \[(.+)\]$", "Containerfile")
    composed = found(r"command: \[(serve.+)\]$", "compose.yaml")
    return [*unit, *(line.replace(",", " ") for line in (*image, *composed))]


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
    assert min(unit, composed) > grace == 60
