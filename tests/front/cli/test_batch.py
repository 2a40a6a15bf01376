"""``cavendish batch``, ``resume`` and ``status``: rows in, a folder out, as often as it takes."""

import io
import json
from pathlib import Path

import pytest


def rows_of(folder):
    return [json.loads(line) for line in (Path(folder) / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]


def write(name, text, encoding="utf-8"):
    Path(name).write_text(text, encoding=encoding)
    return name


def test_columns_become_fields_and_metadata(sim, cavendish):
    write("p.csv", "id,prompt,size,n,shelf\nkite,a red kite,1K,2,A\nfox,a fox,2K,,B\n")
    ran = cavendish("batch", "p.csv", "-o", "run", "-m", "nano-banana-2")
    assert (ran.code, ran.out) == (0, "")
    assert "3 delivered" in ran.err
    assert [(row["key"], row["size"], row["columns"]["shelf"]) for row in rows_of("run")] == [
        ("kite", "1K", "A"),
        ("kite", "1K", "A"),
        ("fox", "2K", "B"),
    ]


@pytest.mark.parametrize(
    "name,text",
    [
        ("p.tsv", "prompt\tn\na kite\t1\n"),
        ("p.jsonl", '{"prompt": "a kite"}\n'),
        ("p.json", '[{"prompt": "a kite"}]'),
        ("p.txt", "a kite\n"),
        ("bom.csv", "\ufeffprompt\na kite\n"),
    ],
)
def test_formats(sim, cavendish, name, text):
    ran = cavendish("batch", write(name, text), "-o", "run", "--json", "-q")
    assert (ran.code, ran.json["delivered"]) == (0, 1)
    assert rows_of("run")[0]["prompt"] == "a kite"


def test_parquet(sim, cavendish):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"prompt": ["a kite", "a fox"]}), "p.parquet")
    assert cavendish("batch", "p.parquet", "-o", "run").code == 0
    assert [row["prompt"] for row in rows_of("run")] == ["a kite", "a fox"]


def test_a_template_and_a_grid(sim, cavendish):
    write("p.csv", "animal\ndog\ncat\n")
    ran = cavendish("batch", "p.csv", "--prompt", "a {animal} in {style}", "--grid", "style=ink,oil", "-o", "run")
    assert ran.code == 0
    assert [row["prompt"] for row in rows_of("run")] == ["a dog in ink", "a dog in oil", "a cat in ink", "a cat in oil"]


def test_lines_of_providers_batch_files(sim, cavendish):
    openai = {
        "custom_id": "one",
        "method": "POST",
        "url": "/v1/images/generations",
        "body": {"model": "nano-banana-2", "prompt": "a kite", "n": 2, "size": "1024x1024"},
    }
    chat = {
        "custom_id": "two",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "nano-banana-2",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "a fox"}]}],
        },
    }
    write("openai.jsonl", f"{json.dumps(openai)}\n{json.dumps(chat)}\n")
    assert cavendish("batch", "openai.jsonl", "-o", "openai").code == 0
    assert [(row["key"], row["prompt"], row["size"]) for row in rows_of("openai")] == [
        ("one", "a kite", "1K"),
        ("one", "a kite", "1K"),
        ("two", "a fox", None),
    ]
    gemini = {"key": "g", "request": {"contents": [{"parts": [{"text": "a bee"}]}],
                                      "generationConfig": {"imageConfig": {"aspectRatio": "16:9"}}}}  # fmt: skip
    write("gemini.jsonl", json.dumps(gemini) + "\n")
    assert cavendish("batch", "gemini.jsonl", "-o", "gemini", "-m", "nano-banana-2").code == 0
    assert [(row["key"], row["prompt"], row["aspect_ratio"]) for row in rows_of("gemini")] == [("g", "a bee", "16:9")]


def test_what_failed_is_told_and_a_mended_row_is_bought_alone(sim, cavendish):
    write("p.csv", "prompt\na kite\na face [sim:prohibited]\na fox\n")
    ran = cavendish("batch", "p.csv", "-o", "run")
    assert ran.code == 3
    assert "2 delivered, 1 failed" in ran.err
    assert "prohibited" in ran.err
    failed = [json.loads(line) for line in Path("run/failures.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["key"], line["class"]) for line in failed] == [("0002", "prohibited")]
    before = sim.calls
    write("p.csv", "prompt\na kite\na stone\na fox\n")
    again = cavendish("batch", "p.csv", "-o", "run")
    assert (again.code, sim.calls - before) == (0, 1)
    assert not Path("run/failures.jsonl").exists()


def test_resume_and_status(sim, cavendish):
    write("p.csv", "prompt\n" + "".join(f"picture {i}\n" for i in range(8)))
    poor = cavendish("batch", "p.csv", "-o", "run", "--max-cost", "0.15", "-p", 1)
    assert poor.code == 4
    before = sim.calls
    status = cavendish("status", "run", "--json")
    assert status.code == 0
    assert status.json["delivered"] + status.json["left"] == 8
    assert 0 < status.json["left"] < 8
    assert "left" in cavendish("status", "run").out
    assert sim.calls == before
    done = cavendish("resume", "run", "--max-cost", 5, "--json")
    assert (done.code, done.json["delivered"], done.json["left"]) == (0, 8, 0)
    assert sim.calls - before == status.json["left"]


def test_a_batch_from_stdin_can_be_resumed(sim, cavendish, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a kite\na fox\n"), encoding="utf-8"))
    poor = cavendish("batch", "-", "-o", "run", "--max-cost", "0.05", "-p", 1)
    assert poor.code == 4
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b""), encoding="utf-8"))
    assert cavendish("resume", "run", "--max-cost", 1).code == 0
    assert [row["prompt"] for row in rows_of("run")] == ["a kite", "a fox"]


@pytest.mark.parametrize("flags", [("--batch-deadline", "6h"), ("--batch-only",)])
def test_bounds_of_jobs_are_no_use_where_none_are_made(sim, cavendish, flags):
    write("p.csv", "prompt\na kite\n")
    ran = cavendish("batch", "p.csv", "-o", "run", *flags)
    assert (ran.code, sim.calls) == (2, 0)
    assert f"{flags[0]} is for jobs" in ran.err
    assert "add --mode batch" in ran.err


def test_skip_bad_runs_the_others_and_is_not_all(sim, cavendish):
    write("p.csv", "prompt,n\na kite,1\na fox,many\na bee,1\n")
    stopped = cavendish("batch", "p.csv", "-o", "run")
    assert (stopped.code, "line 3" in stopped.err, sim.calls) == (2, True, 0)
    ran = cavendish("batch", "p.csv", "-o", "run", "--skip-bad")
    assert ran.code == 3
    assert "2 delivered, 0 failed, 1 skipped" in ran.err
    assert "note: skipped: p.csv, line 3" in ran.err
    again = cavendish("batch", "p.csv", "-o", "run", "--skip-bad")
    assert (again.code, "1 skipped" in again.err) == (3, True)
    assert cavendish("status", "run", "--json").json["skipped"] == 1


BAD = {
    "a broken row": ("prompt,n\na kite,1\na fox,-2\n", (), "line 3"),
    "an empty prompt": ("prompt,n\na kite,1\n,1\n", (), "line 3"),
    "a size of one row": ("prompt,size\na kite,1K\na fox,9K\n", (), "line 3"),
    "keys twice": ("key,prompt\na,a kite\na,a fox\n", (), "line 3"),
    "no prompt column": ("animal\ndog\n", (), "--prompt"),
    "no such column": ("animal\ndog\n", ("--prompt", "a {beast}"), "beast"),
    "no rows": ("prompt\n", (), "no rows"),
    "a grid without values": ("prompt\na kite\n", ("--grid", "style="), "--grid"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_told_before_anything_is_bought(sim, cavendish, case):
    text, flags, words = BAD[case]
    ran = cavendish("batch", write("p.csv", text), "-o", "run", *flags)
    assert ran.code == 2
    assert words in ran.err
    assert sim.calls == 0


def test_a_wrong_encoding_names_the_byte_and_the_way_out(sim, cavendish):
    write("p.csv", "prompt\na café\n", encoding="latin-1")
    ran = cavendish("batch", "p.csv", "-o", "run")
    assert ran.code == 2
    assert "--encoding" in ran.err
    assert cavendish("batch", "p.csv", "-o", "run", "--encoding", "latin-1").code == 0
    assert rows_of("run")[0]["prompt"] == "a café"


@pytest.mark.parametrize("arguments", [("batch", "none.csv"), ("resume", "none"), ("status", "none"), ("resume", ".")])
def test_nothing_there(sim, cavendish, arguments):
    ran = cavendish(*arguments)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
