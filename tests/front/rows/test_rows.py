"""Rows: what batch files become, and what is said about broken ones."""

import io
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from cavendish.errors import BatchInputError, RequestError
from cavendish.front.rows import Intake, RowDefaults, RowOptions, open_rows, parse_grid, source
from cavendish.front.rows.intake import Origin
from cavendish.front.rows.seen import Seen
from cavendish.model.call import Open, Poll, Ticket
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import Image, ImageRequest, Use
from cavendish.wire.message import Spilled

DEFAULTS = RowDefaults(ImageRequest((), "banana", n=2, size="1K"))


@pytest.fixture
def rows(tmp_path):
    def read(name, content, intake=None, defaults=DEFAULTS, **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_rows(path, defaults, RowOptions(**options), intake)

    return read


def told(found):
    return [(row.number, row.line, row.key, row.request.prompt, row.n) for row in found]


# --- formats ----------------------------------------------------------------------------------------------------------

TWO = [(0, 2, "a", "a kite, red", 3), (1, 3, "b", "a fox", 2)]


@pytest.mark.parametrize(
    "name, content",
    [
        ("t.csv", 'key,prompt,n\na,"a kite, red",3\nb,a fox,\n'),
        ("t.csv", b'\xef\xbb\xbfkey,prompt,n\r\na,"a kite, red",3\r\nb,a fox,'),
        ("t.csv", 'key,prompt,n\na,"a kite, red",3\nb,a fox,\n'.encode("utf-16")),
        ("t.csv", 'key;prompt;n\na;"a kite, red";3\nb;a fox;\n'),
        ("t.csv", 'key\tprompt\tn\na\t"a kite, red"\t3\nb\ta fox\t\n'),
        ("t.tsv", 'key\tprompt\tn\na\t"a kite, red"\t3\nb\ta fox\t\n'),
        ("t.csv", 'ID,Caption,Count\na,"a kite, red",3.0\nb,a fox,\n'),
        ("t.jsonl", '\n{"key":"a","prompt":"a kite, red","n":3}\n{"prompt":"a fox","key":"b","n":null}\n'),
        ("t.ndjson", b'\xef\xbb\xbf\n{"id":"a","text":"a kite, red","count":"3"}\n{"caption":"a fox","name":"b"}'),
        ("t.jsonl", '\n{"key":"a","prompt":"a kite, red","n":3}\n{"prompt":"a fox","key":"b"}\n'.encode("utf-16")),
        ("t.json", '[\n {"key":"a","prompt":"a kite, red","n":3},\n {"key":"b","prompt":"a fox"}]\n'),
    ],
)
def test_the_same_rows_out_of_any_format(rows, name, content):
    found = rows(name, content)
    assert told(found) == TWO
    assert told(found) == TWO  # any number of times
    assert found.total() == 2


def test_text_is_a_prompt_a_line(rows):
    found = rows("t.txt", "a kite\r\n\n  \n # a fox, {really}\n")
    assert told(found) == [(0, 1, "0001", "a kite", 2), (1, 4, "0002", " # a fox, {really}", 2)]
    assert found.total() == 2


def test_a_json_string_is_a_prompt(rows):
    assert [row.request.prompt for row in rows("t.jsonl", '"a kite"\n"a fox"')] == ["a kite", "a fox"]


def test_line_ends_inside_quotes_count_as_lines(rows):
    found = rows("t.csv", 'prompt\n"two\nlines"\n\nthird\n')
    assert [(row.line, row.request.prompt) for row in found] == [(2, "two\nlines"), (5, "third")]
    assert [row.number for row in found] == [0, 1]


def test_parquet(tmp_path, rows):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"key": ["a", "b"], "prompt": ["a kite, red", "a fox"], "n": [3, None]})
    parquet.write_table(table, tmp_path / "t.parquet")
    found = open_rows(tmp_path / "t.parquet", DEFAULTS)
    assert [row[2:] for row in told(found)] == [row[2:] for row in TWO]
    assert found.total() == 2
    with pytest.raises(BatchInputError, match="not a Parquet file"):
        rows("u.parquet", "PAR?")


def test_parquet_without_pyarrow_says_what_to_install(rows, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(BatchInputError, match="needs pyarrow") as caught:
        rows("t.parquet", "PAR1")
    assert "cavendish[parquet]" in caught.value.hints[0]


def test_another_encoding_can_be_named(rows):
    (row,) = rows("t.csv", "prompt\nun café\n".encode("latin-1"), encoding="latin-1")
    assert row.request.prompt == "un café"


@pytest.mark.parametrize(
    "content, format_, prompts",
    [
        ("a kite\na fox\n", None, ["a kite", "a fox"]),
        ('{"prompt":"x"}', None, ["x"]),
        ('["y"]', None, ["y"]),
        ("prompt\nz\n", "csv", ["z"]),
    ],
)
@pytest.mark.parametrize("spooled", [True, False])
def test_standard_input_can_be_read_twice(tmp_path, content, format_, prompts, spooled):
    intake = Intake(io.BytesIO(content.encode()), tmp_path / "spool" if spooled else None)
    found = open_rows("-", DEFAULTS, RowOptions(format=format_), intake)
    assert [row.request.prompt for row in found] == prompts
    assert [row.request.prompt for row in found] == prompts


def test_standard_input_has_a_limit_without_a_file(monkeypatch):
    monkeypatch.setattr("cavendish.front.rows.intake.MEMORY_BYTES", 3)
    with pytest.raises(BatchInputError, match="more than 3 bytes"):
        open_rows("-", DEFAULTS, None, Intake(io.BytesIO(b"abcd")))
    with pytest.raises(BatchInputError, match="cannot be read here"):
        open_rows("-", DEFAULTS)


# --- columns ----------------------------------------------------------------------------------------------------------


def test_columns_are_fields(rows):
    line = {
        "prompt": "p", "imageSize": 512, "AR": "16:9", "seed": "7", "thinking level": "HIGH", "system": "s",
        "modalities": "image,text", "grounding": True, "temperature": "0.5", "quality": "High", "model": "pro",
        "Output-Format": "PNG",
    }  # fmt: skip
    (row,) = rows("t.jsonl", json.dumps(line))
    assert row.request == ImageRequest.of(
        "p", "pro", n=2, size="512", aspect_ratio="16:9", seed=7, thinking="high", system="s",
        modalities=("IMAGE", "TEXT"), grounding=("web",), temperature=0.5, quality="high", output_format="png",
    )  # fmt: skip


@pytest.mark.parametrize(
    "value, grounding",
    [("web;image", ("web", "image")), ("Both", ("web", "image")), ("no", ()), (["image"], ("image",))],
)
def test_grounding(rows, value, grounding):
    (row,) = rows("t.jsonl", json.dumps({"prompt": "p", "grounding": value}))
    assert row.request.grounding == grounding


def test_what_is_no_field_is_carried_and_told(rows):
    found = rows("t.csv", "prompt,caption,animal,notes\np,c,fox,\n", template="a {animal}")
    (row,) = found
    assert row.columns == {"caption": "c", "animal": "fox", "notes": ""}
    assert [(notice.code, notice.text) for notice in found.notices] == [
        ("columns_carried", "columns that only go into the metadata: caption, notes")
    ]


def test_what_is_a_field_is_not_carried_too(rows):
    found = rows("t.csv", "key,prompt,size,aspect_ratio,image,n\na,p,2K,16:9,,2\n")
    assert [row.columns for row in found] == [{}]
    assert found.notices == ()


def test_the_key_column_can_be_chosen(rows):
    content = "prompt,name,sku\na,x,1\nb,x,2\n"
    assert [row.key for row in rows("t.csv", content, key_column="sku")] == ["1", "2"]
    assert [row.key for row in rows("t.csv", content, key_column="")] == ["0001", "0002"]
    with pytest.raises(BatchInputError, match="no column 'nr' for the keys; there are: prompt, name, sku"):
        rows("t.csv", content, key_column="nr")


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "pics" / "look.png"
    path.parent.mkdir()
    Pillow.new("RGB", (2, 2)).save(path)
    return path


def test_references_are_relative_to_the_file(rows, picture):
    found = rows("t.csv", "prompt,image,reference\np,pics/look.png:style ; https://x.example/a.png,pics/look.png\n")
    (row,) = found
    first, second, third = row.request.references
    assert first.use is Use.STYLE
    assert first.blob is not None
    assert (first.blob.media_type, first.blob.size, first.blob.ref) == (
        "image/png",
        picture.stat().st_size,
        str(picture),
    )
    assert second == Image(uri="https://x.example/a.png")
    assert third.blob == first.blob
    assert third.use is None


def test_references_may_be_a_list(rows, picture):
    for value in (["pics/look.png", "pics/look.png:person"], '["pics/look.png", "pics/look.png:person"]'):
        (row,) = rows("t.jsonl", json.dumps({"prompt": "p", "images": value}))
        assert [image.use for image in row.request.references] == [None, Use.PERSON]


def test_shared_references_come_first(rows, picture):
    shared = Image(uri="gs://bucket/a.png")
    defaults = RowDefaults(ImageRequest.of("", "banana", (shared,)))
    (row,) = rows("t.csv", "prompt,image\np,pics/look.png\n", defaults=defaults)
    assert row.request.references[0] == shared
    assert len(row.request.references) == 2
    assert row.request.prompt == "p"


class Store:
    """Keeps blobs in memory."""

    def __init__(self):
        self.kept = []

    def __call__(self):
        from hashlib import sha256

        from cavendish.model.blob import Blob

        store, data = self, bytearray()

        class Writer:
            def write(self, more):
                data.extend(more)

            def finish(self, media_type):
                store.kept.append(bytes(data))
                return Blob(sha256(data).hexdigest(), len(data), media_type, "x")

            def abort(self):
                data.clear()

        return Writer()


def test_a_column_can_give_its_pictures_a_role(rows, picture):
    (row,) = rows(
        "t.csv",
        "prompt,image,Style Image,person_images,mask\n"
        "p,pics/look.png,pics/look.png,pics/look.png;pics/look.png:object,pics/look.png\n",
    )
    uses = [image.use for image in row.request.references]
    assert uses == [None, Use.STYLE, Use.PERSON, Use.OBJECT, Use.MASK]
    assert not row.columns


def data_uri(path):
    from base64 import b64encode

    return "data:image/png;base64," + b64encode(path.read_bytes()).decode()


def test_a_data_uri_is_kept_as_a_blob(rows, picture):
    store = Store()
    list(rows("t.jsonl", json.dumps({"prompt": "p", "image": data_uri(picture)}), Intake(new_blob=store)))
    assert set(store.kept) == {picture.read_bytes()}


@pytest.mark.parametrize(
    "name, message",
    [
        ("none.png", "picture none.png: No such file"),
        ("t.jsonl", "t.jsonl is no picture"),
        ("data:image/png;base64,AAAA", "no picture in base64"),
        ("data:image/png,x", "no picture in base64"),
        ("URI", "cannot be kept here"),
        (7, "image: expected names of pictures"),
    ],
)
def test_a_picture_that_is_none(rows, picture, name, message):
    with pytest.raises(BatchInputError, match=rf"line 1: .*{message}"):
        rows("t.jsonl", json.dumps({"prompt": "p", "image": data_uri(picture) if name == "URI" else name}))


# --- templates and grids ----------------------------------------------------------------------------------------------


def test_a_template_makes_prompts_out_of_columns(rows):
    found = rows("t.csv", "animal,prompt\nfox,running\n", template="a {animal} {prompt} in {{braces}}")
    assert [row.request.prompt for row in found] == ["a fox running in {braces}"]


@pytest.mark.parametrize(
    "template, error, message",
    [
        ("a {beast}", BatchInputError, "no column 'beast'; there are: animal"),
        ("a {animal!r}", RequestError, "a column's name in braces"),
        ("a {animal:>9}", RequestError, "a column's name in braces"),
        ("a {}", RequestError, "a column's name in braces"),
        ("a {animal", RequestError, "expected '}'"),
        ("a {animal.__class__}", BatchInputError, "no column 'animal.__class__'"),
    ],
)
def test_a_broken_template(rows, template, error, message):
    with pytest.raises(error, match=message):
        rows("t.csv", "animal\nfox\n", template=template)


def test_a_template_needs_a_value(rows):
    with pytest.raises(BatchInputError, match="line 1: animal: no value"):
        rows("t.jsonl", '{"animal":null}', template="a {animal}")


def test_a_grid_takes_each_row_with_every_combination(rows):
    grid = parse_grid(['style=oil,"pen, ink"', "size=1K,2K"])
    found = rows("t.csv", "key,animal\na,fox\nb,owl\n", template="{animal}, {style}", grid=grid)
    assert [(row.number, row.key, row.request.prompt, row.request.size) for row in found][:5] == [
        (0, "a-oil-1K", "fox, oil", "1K"),
        (1, "a-oil-2K", "fox, oil", "2K"),
        (2, "a-pen, ink-1K", "fox, pen, ink", "1K"),
        (3, "a-pen, ink-2K", "fox, pen, ink", "2K"),
        (4, "b-oil-1K", "owl, oil", "1K"),
    ]
    assert found.total() == 8
    assert [row.number for row in found.skip(3)] == [3, 4, 5, 6, 7]
    assert {row.columns["style"] for row in found} == {"oil", "pen, ink"}


@pytest.mark.parametrize("text", ["style", "=a", "style=", "style=a,,b", "style=a,a"])
def test_a_broken_grid(text):
    with pytest.raises(RequestError, match="--grid"):
        parse_grid([text])


def test_a_grid_has_a_limit_and_no_column_twice(rows):
    many = tuple(str(i) for i in range(1000))
    with pytest.raises(RequestError, match="makes 1,000,000 of each row"):
        rows("t.txt", "p", grid={"a": many, "b": many})
    with pytest.raises(RequestError, match="given twice"):
        parse_grid(["a=1", "a=2"])
    with pytest.raises(BatchInputError, match="--grid a: the file has a column of that name"):
        rows("t.csv", "prompt,a\np,1\n", grid={"a": ("1",)})


# --- what is broken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, content, line, message",
    [
        ("t.csv", "", None, "is empty"),
        ("t.csv", "prompt\n", None, "has no rows"),
        ("t.csv", "\n\n", 1, "has no header"),
        ("t.csv", "prompt,\na,b\n", 1, "column 2 has no name"),
        ("t.csv", "prompt,prompt\na,b\n", 1, "two columns are named 'prompt'"),
        ("t.csv", "animal,style\na,b\n", 2, "no column is the prompt; there are: animal, style"),
        ("t.csv", "prompt,n\na,1,2\n", 2, "3 cells where the header has 2"),
        ("t.csv", "prompt,n\na\n", 2, "1 cells where the header has 2"),
        ("t.csv", 'prompt\n"a"b\n', 2, "broken quoting"),
        ("t.csv", 'prompt\nx\n"a\n\n\n', 3, "broken quoting"),
        ("t.csv", f"prompt\n{'x' * 140_000}\n", 2, "over-long cell"),
        ("t.csv", "prompt,n\na,none\n", 2, "n: expected a whole number from 1 to 10000, got 'none'"),
        ("t.csv", "prompt,n\na,0\n", 2, "n: expected a whole number"),
        ("t.csv", "prompt,n\na,-1\n", 2, "n: expected a whole number"),
        ("t.csv", "prompt,n\na,1000000\n", 2, "n: expected a whole number"),
        ("t.csv", "prompt,n\na,1.5\n", 2, "n: expected a whole number"),
        ("t.csv", "prompt,seed\na,x\n", 2, "seed: expected a whole number, got 'x'"),
        ("t.csv", "prompt,temperature\na,nan\n", 2, "temperature: expected a number"),
        ("t.csv", "prompt,n\nok,1\n  ,2\n", 3, "the prompt is empty"),
        ("t.csv", "prompt,key\na, \n", 2, "key: the key is missing"),
        ("t.csv", "prompt\ncafé\n".encode("latin-1"), 2, "byte 10 .0xe9. is not UTF-8"),
        ("t.txt", b"ok\n\xff\n", 2, "byte 3 .0xff. is not UTF-8"),
        ("t.jsonl", b'{"prompt":"ok"}\n{"prompt":"\xe9"}\n', 2, "byte 27 .0xe9. is not UTF-8"),
        ("t.csv", b"prompt\na\0b\n", 2, "NUL at byte 8"),
        ("t.csv", "prompt\nx\n".encode("utf-16-le"), 1, "NUL at byte 1"),
        ("t.jsonl", '{"prompt":"a\\u0000"}', 1, "the prompt has a NUL"),
        ("t.jsonl", '{"prompt":"ok"}\n{"prompt":}\n', 2, "broken JSON: .* at column"),
        ("t.jsonl", "[1]", 1, "expected a JSON object, got .1."),
        ("t.jsonl", '{"prompt":7}', 1, "prompt: expected some text, got 7"),
        ("t.jsonl", '{"prompt":"a","n":true}', 1, "n: expected a whole number"),
        ("t.jsonl", '{"prompt":"a","size":["1K"]}', 1, "size: expected some text"),
        ("t.jsonl", '{"prompt":"a","modalities":"SOUND"}', 1, "modalities: expected TEXT, IMAGE or both"),
        ("t.jsonl", '{"prompt":"a","grounding":"books"}', 1, "grounding: expected web, image or both"),
        ("t.jsonl", '{"prompt":"a","image":"[\\"x"}', 1, "image: expected a list of names, as JSON"),
        ("t.json", '{"prompt":"a"}', 1, "expected a JSON array"),
        ("t.json", '[{"prompt":"a"}\n{"prompt":"b"}]', 2, "expected a comma"),
        ("t.json", '[{"prompt":"a"},\n{"prompt":\n]', 3, "broken JSON"),
        ("t.json", '[{"prompt":"a"}', 1, "expected a comma or the end"),
        ("t.json", "[]", None, "has no rows"),
        ("t.png", "x", None, "what format is .png"),
        ("rows", "x", None, "a file without an ending"),
    ],
)
def test_what_is_broken_is_named_with_its_line(rows, name, content, line, message):
    with pytest.raises(BatchInputError, match=message) as caught:
        rows(name, content)
    assert caught.value.line == line
    assert name in caught.value.path


def test_a_prompt_has_a_limit(rows):
    with pytest.raises(BatchInputError, match="140000 characters"):
        rows("t.txt", "x" * 140_000)


def test_a_line_has_a_limit(rows, monkeypatch):
    monkeypatch.setattr("cavendish.front.rows.formats.MAX_LINE_BYTES", 8)
    with pytest.raises(BatchInputError, match="longer than 8 bytes"):
        rows("t.txt", "x" * 9)


def test_files_that_are_none(tmp_path):
    with pytest.raises(BatchInputError, match="there is no file"):
        open_rows(tmp_path / "none.csv", DEFAULTS)
    with pytest.raises(BatchInputError, match="is a folder"):
        open_rows(tmp_path, DEFAULTS)


@pytest.mark.parametrize(
    "options, message", [({"format": "xlsx"}, "there are csv, tsv"), ({"encoding": "klingon"}, "no such")]
)
def test_options_that_are_none(rows, options, message):
    with pytest.raises(BatchInputError, match=message):
        rows("t.csv", "prompt\na\n", **options)


def test_a_key_that_stands_twice_names_both_lines(rows):
    with pytest.raises(BatchInputError, match=r"line 4: the key 'a' stands in line 2 already") as caught:
        rows("t.csv", "key,prompt\na,x\nb,x\na,y\n")
    assert caught.value.line == 4


def test_the_first_mistakes_are_told_together(rows):
    with pytest.raises(BatchInputError, match="line 2") as caught:
        rows("t.csv", "prompt,n\n" + "a,0\n" * 30)
    assert [hint for hint in caught.value.hints if "line 21:" in hint]
    assert caught.value.hints[-2:] == ("and 10 more", "--skip-bad runs the rows that are whole")


def test_broken_rows_can_be_passed_over(rows):
    found = rows("t.csv", 'key,prompt,n\na,x,1\nb,,1\nc,"y"z,1\nd,z,1,1\na,w,1\ne,v,1\n', skip_bad=True)
    assert [(row.number, row.key) for row in found] == [(0, "a"), (5, "e")]
    assert [error.line for error in found.problems.kept] == [3, 4, 5, 6]
    assert found.problems.count == 4
    assert found.total() == 6
    assert [row.number for row in found.skip(1)] == [5]


def test_the_problems_that_are_kept_are_bounded(rows, monkeypatch):
    monkeypatch.setattr(source, "KEPT_PROBLEMS", 3)
    found = rows("t.jsonl", "{}\n" * 9 + '"x"', skip_bad=True)
    assert len(list(found)) == 1
    assert (found.problems.count, len(found.problems.kept)) == (9, 3)


def test_a_long_file_is_checked_as_it_is_read(rows, monkeypatch):
    monkeypatch.setattr(source, "CHECKED_ROWS", 2)
    reading = iter(rows("t.txt", "a\nb\nc\n" + "x" * 140_000))
    assert [next(reading).key for _ in range(3)] == ["0001", "0002", "0003"]
    with pytest.raises(BatchInputError, match="line 4"):
        next(reading)


# --- going on ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 12), st.integers(1, 3))
def test_skipping_gives_the_same_rows(tmp_path_factory, start, values):
    path = tmp_path_factory.mktemp("rows") / "t.txt"
    path.write_text("\n".join(f"p{i}" for i in range(4)), encoding="utf-8")
    options = RowOptions(grid={"style": tuple("abc"[:values])}, template="{prompt} {style}")
    found = open_rows(path, DEFAULTS, options)
    assert list(found.skip(start)) == list(found)[start:]


def test_the_fingerprint_follows_bytes_and_options(rows):
    content = "prompt\na\n"
    first = rows("t.csv", content).fingerprint()
    assert rows("t.csv", content).fingerprint() == first
    others = [
        rows("t.csv", content + "b\n").fingerprint(),
        rows("t.csv", content, template="{prompt}!").fingerprint(),
        rows("t.csv", content, grid={"x": ("1",)}).fingerprint(),
        rows("t.csv", content, skip_bad=True).fingerprint(),
        rows("t.csv", content, format="txt").fingerprint(),
        rows("t.csv", content, defaults=RowDefaults(ImageRequest((), "other"))).fingerprint(),
    ]
    assert len({first, *others}) == 1 + len(others)


# --- providers' own batch files ---------------------------------------------------------------------------------------


def reader_of(seen, n=1, size=None):
    def read_call(wire):
        seen.append(wire)
        return Open(ImageRequest.of("read", wire.path, n=n, size=size))

    return read_call


def test_openai_lines_go_to_the_dialect_of_their_url(rows):
    images, chat = [], []
    lines = [
        {"custom_id": "a", "method": "POST", "url": "/v1/images/generations", "body": {"prompt": "p", "n": 3}},
        {"custom_id": "b", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": []}},
    ]
    intake = Intake(read_calls={"openai_images": reader_of(images, n=3), "openai_chat": reader_of(chat)})
    found = list(rows("t.jsonl", b"\n".join(map(orjson.dumps, lines)), intake))
    assert [(row.key, row.n, row.request.size) for row in found] == [("a", 3, "1K"), ("b", 2, "1K")]
    assert images[0].body == {"prompt": "p", "n": 3}
    assert chat[0].path == "/v1/chat/completions"


def test_gemini_lines_go_to_gemini_with_pictures_set_aside(rows, picture):
    seen, store = [], Store()
    part = {"inlineData": {"mimeType": "image/png", "data": data_uri(picture).partition(",")[2]}}
    line = {"key": "a", "request": {"model": "models/pro", "contents": [{"parts": [part]}]}}
    intake = Intake(read_calls={"gemini": reader_of(seen, size="4K")}, new_blob=store)
    (row,) = rows("t.jsonl", orjson.dumps(line), intake)
    assert (row.key, row.n, row.request.size) == ("a", 2, "4K")
    assert seen[0].path == "/v1beta/models/pro:generateContent"
    assert isinstance(seen[0].body["contents"][0]["parts"][0]["inlineData"]["data"], Spilled)
    assert store.kept[0] == picture.read_bytes()


def refuse(_wire):
    return Fault(FaultKind.INVALID_REQUEST, "no contents")


def poll(_wire):
    return Poll(Ticket("t"))


GEMINI = {"key": "a", "request": {"contents": []}}


@pytest.mark.parametrize(
    "line, read_call, message",
    [
        (GEMINI, None, "the format gemini cannot be read here"),
        (GEMINI, refuse, "line 1: no contents"),
        (GEMINI, poll, "asks for no picture"),
        ({"key": "a", "request": "x"}, refuse, "request: expected a JSON object"),
        ({"key": "a", "request": {"data": "AAAA"}}, refuse, "cannot be kept here"),
        ({"key": None, "request": {}}, reader_of([]), "the key is missing"),
        ({"custom_id": "a", "url": "/v1/embeddings", "body": {}}, refuse, "url /v1/embeddings"),
        ({"custom_id": "a", "url": 7, "body": {}}, refuse, "url: expected some text"),
    ],
)
def test_broken_provider_lines(rows, line, read_call, message):
    intake = Intake(read_calls={"gemini": read_call} if read_call else {})
    with pytest.raises(BatchInputError, match=message):
        rows("t.jsonl", orjson.dumps(line), intake)


def test_provider_lines_take_no_grid_and_have_keys(rows):
    intake = Intake(read_calls={"gemini": reader_of([])})
    with pytest.raises(BatchInputError, match="--grid and --prompt are for files with columns"):
        rows("t.jsonl", orjson.dumps(GEMINI), intake, grid={"a": ("1", "2")})
    with pytest.raises(BatchInputError, match="the key 'a' stands in line 1 already"):
        rows("t.jsonl", orjson.dumps(GEMINI) + b"\n" + orjson.dumps(GEMINI), intake)


# --- parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skip_bad", [True, False])
@pytest.mark.parametrize("line", ["a,w\n", "a-1,v\n"])
def test_a_key_that_was_skipped_is_known_all_the_same(rows, monkeypatch, skip_bad, line):
    monkeypatch.setattr(source, "CHECKED_ROWS", 2)
    found = rows("t.csv", "key,prompt\na,x\nb,y\n" + line, skip_bad=skip_bad).skip(2)
    if line.startswith("a-1"):
        assert [row.key for row in found] == ["a-1"]
    elif skip_bad:
        assert list(found) == []
    else:
        with pytest.raises(BatchInputError, match="stands in line 2 already"):
            list(found)


def test_a_provider_line_that_was_skipped_is_known_all_the_same(rows, monkeypatch):
    monkeypatch.setattr(source, "CHECKED_ROWS", 1)
    content = orjson.dumps(GEMINI) + b"\n" + orjson.dumps(GEMINI)
    with pytest.raises(BatchInputError, match="stands in line 1 already"):
        list(rows("t.jsonl", content, Intake(read_calls={"gemini": reader_of([])})).skip(1))


@given(st.lists(st.text(max_size=3)))
def test_seen_is_a_set(keys):
    seen, plain = Seen(), set()
    for key in keys:
        assert seen.add(key) == (key in plain)
        plain.add(key)


def test_seen_grows():
    seen = Seen()
    keys = [f"row-{i}" for i in range(5000)]
    assert not [key for key in keys if seen.add(key)]
    assert all(seen.add(key) for key in keys)


@given(st.lists(st.dictionaries(st.sampled_from(["prompt", "x"]), st.text(min_size=1).filter(str.strip)), max_size=6))
def test_a_json_array_reads_as_json_does(tmp_path_factory, values):
    from cavendish.front.rows import formats

    found = list(
        formats.READERS["json"].records(
            Origin("t", tmp_path_factory.getbasetemp(), None, json.dumps(values, indent=1).encode()), None
        )
    )
    assert [
        dict(zip(record.names, record.values, strict=True)) for record in found if isinstance(record, formats.Record)
    ] == values


def test_a_json_array_is_read_in_pieces(rows, monkeypatch):
    monkeypatch.setattr("cavendish.front.rows.formats.ARRAY_CHUNK", 5)
    found = rows("t.json", json.dumps([{"prompt": f"picture number {i}"} for i in range(20)], indent=2))
    assert [row.line for row in found] == list(range(2, 62, 3))
