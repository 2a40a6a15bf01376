"""What the pages point at is there: pages, headings, files, make targets."""

import re

import pytest

from tests.docs.pages import PAGES, ROOT, name_of, text_of, without_blocks

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page):
    """The names that a host of Markdown gives to its headings."""
    for heading in re.findall(r"^#+ (.+)$", without_blocks(page), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_links_lead_somewhere(page):
    for link in LINK.findall(without_blocks(page)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in set(anchors(target)), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)) <= targets


PATH = re.compile(r"[a-z_]+(?:/[a-z_]+)*(?:\.(?:py|toml|md)|/)?")


def paths(text):
    """Words in backticks, and in the first diagram, that can only be paths."""
    said = re.findall(r"`([^`\n]+)`", text)
    diagram = text.split("```")[1]
    said += [word.rstrip(",") for word in diagram.split() if "/" in word.strip("/\\")]
    return [word for word in said if PATH.fullmatch(word) and re.search(r"[/.]", word)]


def test_the_paths_of_the_architecture_exist():
    found = paths(text_of("ARCHITECTURE.md"))
    assert len(found) > 30
    for path in found:
        places = [
            root / f"{path.rstrip('/')}{ending}" for root in (ROOT, ROOT / "src/cavendish") for ending in ("", ".py")
        ]
        assert any(place.exists() for place in places), path


def test_every_package_is_in_the_architecture():
    packages = {path.parent.name for path in (ROOT / "src/cavendish").glob("*/__init__.py")}
    assert packages == set(re.findall(r"^\| `(\w+)` \| ", text_of("ARCHITECTURE.md"), re.MULTILINE)) & packages
