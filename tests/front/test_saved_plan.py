"""A plan in a file: whole, checked, and the same when it is read again."""

import json
from dataclasses import replace

import pytest

from cavendish.errors import FolderError
from cavendish.front.saved_plan import (
    SavedGroup,
    SavedOption,
    SavedPlan,
    SavedShare,
    read_plan,
    write_plan,
)

BATCH = SavedOption("google batch", "google", "m", "m-1", "batch", price_as_of="2026-09-08")
ONLINE = SavedOption("google", "google", "m", "m-1", "standard", "tier1", 10, "2026-09-08")
GROUP = SavedGroup("m 1K words=4 n=1", 5, (SavedShare(BATCH.id, 3, 34), SavedShare(ONLINE.id, 2, 67)))
PLAN = SavedPlan(
    made="2026-11-21T16:00:00Z",
    input_digest="ab",
    pictures=5,
    cost_nusd=3 * 34 + 2 * 67,
    bound_nusd=260,
    options=(BATCH, ONLINE),
    groups=(GROUP,),
    seconds=86_400.0,
    recipe={"command": "generate"},
)


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "deep" / "plan.json"
    write_plan(path, PLAN)
    assert read_plan(path) == PLAN
    assert [file.name for file in path.parent.iterdir()] == ["plan.json"]


def test_an_option_by_its_name():
    assert PLAN.option("google") is ONLINE


@pytest.mark.parametrize(
    "change, words",
    [
        ({"format": "other"}, "is no saved plan"),
        ({"version": 2}, "only 1 is known"),
        ({"cost_nusd": 235}, "its costs come to 236, not 235"),
        ({"pictures": 6}, "its groups come to 5, not 6"),
        ({"options": []}, "no option is called google"),
        ({"groups": None}, "broken"),
        ({"bound_nusd": "much"}, "broken"),
    ],
)
def test_a_file_that_was_written_in(tmp_path, change, words):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**PLAN.to_json(), **change}))
    with pytest.raises(FolderError, match=words):
        read_plan(path)


def test_shares_that_are_not_the_group(tmp_path):
    path = tmp_path / "plan.json"
    write_plan(path, replace(PLAN, groups=(replace(GROUP, pictures=6),), pictures=6))
    with pytest.raises(FolderError, match="come to 5, not 6"):
        read_plan(path)


def test_files_that_are_none(tmp_path):
    (tmp_path / "words").write_text("not JSON")
    (tmp_path / "list").write_text("[]")
    with pytest.raises(FolderError, match="not JSON"):
        read_plan(tmp_path / "words")
    with pytest.raises(FolderError, match="no saved plan"):
        read_plan(tmp_path / "list")
    with pytest.raises(FolderError, match="cannot read"):
        read_plan(tmp_path / "none")
    with pytest.raises(FolderError, match="cannot write"):
        write_plan(tmp_path, PLAN)
