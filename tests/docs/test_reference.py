"""The reference is what the code says, and nothing that a user can write or meet is missing from it."""

import ast
import re

import pytest
import typer

from cavendish import config
from cavendish.catalog.load import load
from cavendish.catalog.schema import read_tables
from cavendish.engine.policy import DEFAULT_REFILLS, PACED, SHUTTING, STOPPING, Policy
from cavendish.errors import ConfigError
from cavendish.front.cli.app import app
from cavendish.front.rows.columns import SYNONYMS
from cavendish.model.fault import FaultKind
from cavendish.sim import profile
from cavendish.sim.faults import Mishap
from scripts import reference
from tests.docs.pages import ROOT, text_of


@pytest.mark.parametrize("name", reference.PAGES)
def test_it_is_current(name):
    assert text_of(f"docs/reference/{name}") == reference.text_of(name), "make docs"


def test_a_check_fails_when_it_is_not(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "OUT", tmp_path)
    assert reference.main(["--check"]) == 1
    assert "cli.md is not current" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


def leaves(path, command):
    for name, child in getattr(command, "commands", {}).items():
        yield from leaves(f"{path} {name}", child)
    if not hasattr(command, "commands"):
        yield path, command


def test_every_command_and_option():
    text = text_of("docs/reference/cli.md")
    commands = dict(leaves("cavendish", typer.main.get_command(app)))
    assert len(commands) > 9
    for path, command in commands.items():
        section = text.split(f"\n## {path}\n")[1].split("\n## ")[0]
        for parameter in command.params:
            for word in parameter.opts:
                assert word in section, f"{path} {word}"


def test_every_setting():
    text = text_of("docs/reference/settings.md")
    for known in config.FIELDS:
        assert f"| `{known.name}` |" in text
    for name, card in load().endpoints.items():
        assert f"[endpoints.{name}]" in text
        for variables in config.variables_of(name, card).values():
            assert all(f"`{variable}`" in text for variable in variables)
    assert all(f"`{variable}`" in text for variable in config.SWITCHES)


def test_every_failure_class():
    text = text_of("docs/reference/errors.md")
    assert [kind for kind in FaultKind if f"| `{kind.value}` |" not in text] == []


def test_the_bounds_of_refills_are_those_of_the_policy():
    rows = re.findall(r"^\| (`.*?`) \| (.*?) \|", text_of("docs/concepts/refills.md"), re.MULTILINE)
    told = {FaultKind(name): bound for names, bound in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(told) == set(FaultKind)
    for kind, bound in told.items():
        if kind in PACED:
            assert bound == f"({Policy().paced_tries})"
        elif kind in SHUTTING | STOPPING:
            assert bound == "–"
        else:
            assert bound == str(DEFAULT_REFILLS.get(kind, 0)), kind
    assert f"at most {Policy().total_tries} tries" in text_of("docs/concepts/refills.md")


def notice_codes():
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Notice" and node.args:
                assert isinstance(node.args[0], ast.Constant), f"{file}: a notice's code is written out"
                yield node.args[0].value


def test_every_notice():
    codes = set(notice_codes())
    assert "size_normalised" in codes
    assert codes == set(reference.NOTICES)


def test_every_model():
    models, prices = text_of("docs/reference/models.md"), text_of("docs/reference/prices.md")
    for card in load().models.values():
        assert all(f"`{name}`" in models for name in (card.id, *card.aliases, *(known.id for known in card.ids)))
        assert f"| {card.name} |" in prices


PLACES = {
    '[models."MODEL"]': ("models", "m"),
    '[models."MODEL".ids."ID"]': ("models", "m", "ids", "x"),
    '[models."MODEL".sizes.SIZE]': ("models", "m", "sizes", "1K"),
    '[models."MODEL".references]': ("models", "m", "references"),
    '[models."MODEL".any_pixels]': ("models", "m", "any_pixels"),
    '[models."MODEL".tokens]': ("models", "m", "tokens"),
    '[models."MODEL".provenance.FIELD]': ("models", "m", "provenance", "x"),
    "[endpoints.NAME]": ("endpoints", "e"),
    '[offers."ENDPOINT/MODEL"]': ("offers", "e/m"),
    '[offers."ENDPOINT/MODEL".prices.MODE]': ("offers", "e/m", "prices", "x"),
    '[offers."ENDPOINT/MODEL".tiers.TIER]': ("offers", "e/m", "tiers", "x"),
    '[offers."ENDPOINT/MODEL".latency.SIZE]': ("offers", "e/m", "latency", "1K"),
    '[offers."ENDPOINT/MODEL".provenance.FIELD]': ("offers", "e/m", "provenance", "x"),
}


def keys_at(place):
    """The keys that a table of a catalog file may have, out of the error for one that it may not."""
    tables = {"?": 1}
    for name in reversed(place):
        tables = {name: tables}
    with pytest.raises(ConfigError) as caught:
        read_tables(tables, "file")
    (hint,) = caught.value.hints
    return hint.removeprefix("known: ").split(", ")


def test_every_key_of_a_catalog_file():
    sections = dict(part.split("\n", 1) for part in text_of("docs/reference/catalog.md").split("\n## ")[1:])
    assert set(sections) == {f"`{name}`" for name in PLACES}
    for name, place in PLACES.items():
        written = {line.split("`")[1] for line in sections[f"`{name}`"].splitlines() if line.startswith("| `")}
        assert written == set(keys_at(place)), name


def test_every_column():
    text = text_of("docs/guides/batch.md")
    for names in SYNONYMS.values():
        assert any(f"`{name}`" in text for name in names), names


def test_everything_the_simulator_can_do():
    text = text_of("docs/guides/simulator.md")
    for word in (*Mishap, *profile.names()):
        assert f"`{word}`" in text
