"""The benchmarks run, and give a number for each peer that is installed. What the numbers are is not tested."""

import importlib
import math

import pytest

from bench import __main__ as command
from bench import report
from bench.measure import Peer, PeerFailed, PeerMissing, in_turn, medians, run_peer

# Those that start a whole SDK or a command line several times.
SLOW = {"throughput", "reply", "flood", "gateway", "hundred", "shared", "retry", "startup", "million"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in command.NAMES]
)
@pytest.mark.timeout(180)
def test_a_benchmark_gives_a_number_for_each_peer(name):
    for table in importlib.import_module(f"bench.{name}").bench(quick=True):
        assert table.rows
        assert len({len(row) for row in (table.columns, *table.rows)}) == 1
        for peer, figures in table.figures.items():
            numbers = [number for number in figures.values() if not math.isnan(number)]
            assert numbers, peer
            assert all(number >= 0 for number in numbers), (peer, figures)
            assert any(number > 0 for number in numbers), peer
        assert table.to_markdown().count("|---") == 1


def test_medians_are_of_each_figure():
    assert medians([{"a": 1.0, "b": 5.0}, {"a": 3.0, "b": 4.0}, {"a": 2.0, "b": 9.0}]) == {"a": 2.0, "b": 5.0}


def test_peers_take_turns_and_one_that_is_missing_is_left_out():
    order = []

    def once(peer, folder):
        assert folder.is_dir()
        order.append(peer.name)
        if peer.name == "missing":
            raise PeerMissing("not here")
        return {"wall_s": float(len(order))}

    found = in_turn([Peer("ours", "", {}), Peer("missing", "", {}), Peer("theirs", "", {})], 2, once)
    assert order == ["ours", "missing", "theirs", "ours", "theirs"]
    assert found == {"ours": {"wall_s": 2.5}, "theirs": {"wall_s": 4.0}}


def test_a_peer_that_breaks_is_told_with_what_it_said(tmp_path):
    with pytest.raises(PeerFailed, match=r"(?s)no function of this name: .*nobody"):
        run_peer("reply", Peer("no function of this name", "nobody", {}), tmp_path)


def test_tables_replace_their_own_place_and_no_words(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "RESULTS.md")
    report.RESULTS.write_text("before\n\n<!-- begin one -->\nold\n<!-- end one -->\nafter \\1\n", encoding="utf-8")
    table = report.Table("title", ("", "s"), [("ours", "1")], {}, (report.Budget("fast", "1 s", met=False),))
    for _ in range(2):
        report.record("one", [table], "make bench")
        report.record("two", [table], "make bench")
    text = report.RESULTS.read_text(encoding="utf-8")
    assert "old" not in text
    assert text.startswith("before\n")
    assert "after \\1\n" in text
    assert (text.count("| ours | 1 |"), text.count("## two"), text.count("- **missed**: fast; found 1 s")) == (2, 1, 2)
