"""The examples of the documentation, run as a reader would: in order, in an empty folder, without a key."""

import shlex

import pytest
import typer

from cavendish import config
from cavendish.catalog.load import load
from cavendish.front.cli.app import app
from cavendish.sim.profile import load_profile
from cavendish.sim.systems import SYSTEMS
from scripts.provider_pages import PROVIDERS
from tests.docs.pages import GUIDES, PAGES, ROOT, blocks, name_of

RUN = (ROOT / "README.md", *GUIDES)
NEVER_END = {"sim", "serve"}
ENDS_WITH = {"[sim:image_safety]": 1, "--skip-bad": 3}
"""What else than 0 an example ends with, by a word in it."""


def commands(block):
    """The words of each command line of ours."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("cavendish "):
            yield shlex.split(line, comments=True)[1:]


def exit_code(words):
    return next((code for word, code in ENDS_WITH.items() if word in " ".join(words)), 0)


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_the_examples_run(page, sim, cavendish, serving, tmp_path):
    names = {"__name__": "__main__"}
    for block in blocks(page):
        if block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
        for words in commands(block) if block.language == "sh" else ():
            if words[0] == "serve":
                serving()
            if words[0] not in NEVER_END:
                ran = cavendish(*words)
                assert ran.code == exit_code(words), f"line {block.line}: {words}: {ran.err}"


def test_the_examples_were_found():
    found = [block.language for page in RUN for block in blocks(page)]
    assert found.count("sh") > 10
    assert found.count("python") > 7


def command_lines():
    for page in PAGES:
        for block in blocks(page):
            for words in commands(block):
                yield pytest.param(words, id=f"{name_of(page)}:{' '.join(words)[:40]}")


@pytest.mark.parametrize("words", list(command_lines()))
def test_the_command_lines_are_understood(words):
    command = typer.main.get_command(app)
    context = command.make_context("cavendish", list(words))
    while hasattr(command, "commands"):
        name, command, words = command.resolve_command(context, list(words))
        context = command.make_context(name, list(words), parent=context)
    assert context.params


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_settings_are_settings(page, tmp_path):
    for block in blocks(page):
        if block.language != "toml":
            continue
        file = tmp_path / (block.file or "config.toml")
        file.write_text(block.text, encoding="utf-8")
        if file.name == "config.toml":
            sources = config.read_sources({"CAVENDISH_CONFIG": str(file)}, tmp_path)
            settings = config.load(sources, load(sources.catalog).endpoints)
            assert any(setting.origin == str(file) for setting in settings) or sources.catalog
        else:
            assert load_profile(str(file)).name


# --- the pages of providers -------------------------------------------------------------------------------------------

PROVIDER_PAGES = tuple(sorted((ROOT / "docs" / "providers").glob("*.md")))


def at_the_simulator(url):
    """Variables that lead every endpoint to the simulator, with a key where one is needed."""
    places = {system.endpoint: url + system.prefix for system in SYSTEMS} | {"google": url}
    for endpoint, place in places.items():
        yield config.variables_of(endpoint, load().endpoints[endpoint])["base_url"][0], place
        yield config.variables_of(endpoint, load().endpoints[endpoint])["api_key"][0], "a-key-of-nobody"


@pytest.mark.parametrize("page", PROVIDER_PAGES, ids=name_of)
def test_the_examples_of_a_provider_run(page, sim, cavendish, monkeypatch):
    for variable, value in at_the_simulator(sim.url):
        monkeypatch.setenv(variable, value)
    for block in blocks(page):
        for words in commands(block) if block.language == "sh" else ():
            ran = cavendish(*words)
            assert ran.code == 0, f"line {block.line}: {words}: {ran.err}"


def test_every_provider_has_a_page_by_hand_and_a_generated_one():
    assert {page.stem for page in PROVIDER_PAGES} == set(PROVIDERS)
