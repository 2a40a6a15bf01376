"""The package as it is installed: importable, typed, with the version and the command it promises."""

import importlib.metadata
import importlib.resources
import tomllib
from pathlib import Path

import cavendish

ROOT = Path(__file__).resolve().parents[1]


def test_it_can_be_imported_and_says_what_it_is():
    assert cavendish.__doc__


def test_it_is_typed():
    assert importlib.resources.files("cavendish").joinpath("py.typed").is_file()


def test_the_version_installed_is_the_one_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert importlib.metadata.version("cavendish") == project["version"]
