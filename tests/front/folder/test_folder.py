"""What a run folder shows: metadata, failures, the contact sheet and the summary."""

import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from cavendish.engine.ports import Tally
from cavendish.front.folder import LiveBooks, RunFacts, Summary, books, sheet, summarise, thumbs, write_books
from cavendish.front.folder.entries import failure_entry, line_of, metadata_entry
from cavendish.front.folder.live import drop_torn_line, redraw_every_s
from cavendish.front.folder.markup import element, escaped, fill, joined
from cavendish.front.folder.summary import duration, money
from cavendish.model.blob import Blob
from cavendish.model.call import GroundingNote, Source
from cavendish.model.fault import Charged, Fault, FaultKind
from cavendish.model.request import ImageRequest, Notice
from cavendish.model.result import Failure, Picture, Route, Slot
from tests.front.folder.page import HOSTILE, Page

ROUTE = Route("google", "banana", "banana-001")


def a_slot(number=0, prompt="a red kite", **fields):
    columns = fields.pop("columns", {})
    return Slot(f"f{number}.0", f"{number + 1:04d}", number, 0, ImageRequest.of(prompt, "banana", **fields), columns)


def a_picture(number=0, root=None, prompt="a red kite", columns=None, **fields):
    name = f"{number + 1:04d}-picture-1.png"
    data = b"\x89PNG"
    if root is not None:
        Pillow.new("RGB", (64, 32), (number % 256, 99, 0)).save(root / name)
        data = (root / name).read_bytes()
    blob = Blob(hashlib.sha256(data).hexdigest(), len(data), "image/png", name)
    known = {"slot": a_slot(number, prompt, columns=columns or {}, size="1K"), "route": ROUTE, "attempts": 1, **fields}
    return Picture(blob=blob, width=64, height=32, cost_nusd=67_000_000, **known)


def a_failure(number=0, kind=FaultKind.IMAGE_SAFETY, charged=Charged.YES, cost_nusd=0, **fields):
    return Failure(a_slot(number), Fault(kind, charged=charged, **fields), 3, cost_nusd, route=ROUTE)


def summary_of(outcomes, root, tally=None, **facts):
    return summarise(outcomes, tally or Tally(), RunFacts(root, **facts))


def draw(root, outcomes, **facts):
    return write_books(root, iter(outcomes), summary_of(outcomes, root, **facts))


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# --- lines ------------------------------------------------------------------------------------------------------------


def test_pictures_and_failures_are_lines_in_their_order(tmp_path):
    outcomes = [a_picture(0, tmp_path), a_failure(1), a_picture(2, tmp_path)]
    written = draw(tmp_path, outcomes)
    assert (written.pictures, written.failures, written.pages) == (2, 1, ("index.html",))
    assert [line["file_name"] for line in lines_of(tmp_path / "metadata.jsonl")] == [
        "0001-picture-1.png",
        "0003-picture-1.png",
    ]
    assert [line["key"] for line in lines_of(tmp_path / "failures.jsonl")] == ["0002"]


def test_a_line_says_all_that_is_known():
    note = GroundingNote(("kites",), (), (Source("https://x.example", "Kites"),), "<b>shown</b>")
    found = a_picture(
        attempts=2,
        text="Here",
        grounding=note,
        notices=(Notice("size_normalised", "1k was 1K"),),
        slot=a_slot(4, seed=7, size="1K", columns={"sku": 3}),
        cost_known=False,
    )
    line = json.loads(line_of(metadata_entry(found, simulated=True)))
    assert line["cost"] == 0.067
    assert line["cost_known"] is False
    assert (line["size"], line["aspect_ratio"], line["route"]) == ("1K", None, "google/banana")
    assert line["grounding"]["sources"] == [
        {"page": "https://x.example", "title": "Kites", "picture": "", "domain": ""}
    ]
    assert line["notices"] == [{"code": "size_normalised", "text": "1k was 1K"}]
    assert line["columns"] == {"sku": 3}
    assert line["simulated"] is True
    assert line["seed"] not in {None, 7}  # the second attempt was sent another


def test_all_lines_have_the_same_members():
    bare = metadata_entry(a_picture())
    full = metadata_entry(a_picture(text="x", grounding=GroundingNote(), columns={"a": 1}))
    assert list(bare) == list(full)


def test_a_failure_says_why_and_whether_it_was_billed():
    line = failure_entry(a_failure(reason="IMAGE_SAFETY", message="no", status=200, text="sorry", cost_nusd=5_000_000))
    assert {name: line[name] for name in ("class", "reason", "message", "charged", "text", "attempts", "cost")} == {
        "class": "image_safety",
        "reason": "IMAGE_SAFETY",
        "message": "no",
        "charged": "yes",
        "text": "sorry",
        "attempts": 3,
        "cost": 0.005,
    }
    assert failure_entry(Failure(a_slot(), Fault(FaultKind.BUDGET), 0))["route"] is None


@pytest.mark.parametrize("value", [2**70, "\ud800"])
def test_what_orjson_cannot_write_is_written_all_the_same(value):
    assert json.loads(line_of({"x": value})) == {"x": value}


# --- whole or not at all ----------------------------------------------------------------------------------------------


def test_a_drawing_that_fails_leaves_the_files_as_they_were(tmp_path):
    draw(tmp_path, [a_picture(0, tmp_path), a_failure(1)])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    def broken():
        yield a_picture(0, tmp_path)
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        write_books(tmp_path, broken(), summary_of([], tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_what_is_of_an_earlier_drawing_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(books, "PER_PAGE", 2)
    pictures = [a_picture(i, tmp_path) for i in range(5)]
    assert draw(tmp_path, [*pictures, a_failure(5)]).pages == ("index.html", "index-2.html", "index-3.html")
    (tmp_path / ".metadata.jsonl.77-8.tmp").write_text("half")
    (tmp_path / ".index-2.html.77-8.tmp").write_text("half")
    draw(tmp_path, pictures[:1])
    names = {path.name for path in tmp_path.iterdir()}
    assert not names & {"failures.jsonl", "index-2.html", "index-3.html"}
    assert not [name for name in names if name.endswith(".tmp")]


# --- the sheet --------------------------------------------------------------------------------------------------------


def test_text_is_only_text(tmp_path):
    note = GroundingNote(sources=(Source("javascript:alert(1)", HOSTILE), Source("https://x.example/\"'<", "ok")),
                         attribution="<script>alert(2)</script>")  # fmt: skip
    route = Route(HOSTILE, HOSTILE, HOSTILE)
    found = a_picture(0, tmp_path, HOSTILE, {HOSTILE: HOSTILE, "list": [1], "none": None}, text=HOSTILE,
                      grounding=note, notices=(Notice("x", HOSTILE),), route=route)  # fmt: skip
    failed = a_failure(1, message=HOSTILE, reason=HOSTILE, text=HOSTILE)
    draw(tmp_path, [found, failed], title=HOSTILE, left=1)
    page = Page(tmp_path / "index.html")
    assert page.tags.count("script") == 1
    assert page.tags.count("img") == 2  # the picture, and the one of the lightbox
    assert not [name for name in page.attributes if name.startswith("on")]
    assert not [link for link in page.links if link.startswith("javascript")]
    assert "https://x.example/\"'<" in page.links
    (frame,) = page.frames
    assert frame["srcdoc"].endswith("<script>alert(2)</script>")
    assert set(frame["sandbox"].split()) == {"allow-popups", "allow-popups-to-escape-sandbox"}
    assert page.words.count("<script>alert(1)</script>") >= 8


def test_what_was_searched_for_stands_with_the_picture(tmp_path):
    pages = tuple(Source(f"https://{n}.example", f"Page {n}", f"https://{n}.example/kite.jpg") for n in range(7))
    note = GroundingNote(
        ("red kites",), ("kites in flight",), (*pages, Source("", domain="last.example")), "<b>chips</b>"
    )
    draw(tmp_path, [a_picture(0, tmp_path, grounding=note), a_picture(1, tmp_path, grounding=GroundingNote())])
    page = Page(tmp_path / "index.html")
    assert [page.links.count(source.page) for source in pages] == [2] * 5 + [1] * 2
    assert all(page.links.count(source.picture) == 1 for source in pages)
    assert all(words in page.words for words in ("Searched for", "red kites", "kites in flight", "last.example"))
    assert [frame["srcdoc"].endswith("<b>chips</b>") for frame in page.frames] == [True]


def test_only_the_own_script_may_run(tmp_path):
    draw(tmp_path, [a_picture(0, tmp_path)])
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    code = re.search("<script>(.*)</script>", text, re.DOTALL)
    digest = re.search("script-src 'sha256-([^']+)'", text)
    assert code
    assert digest
    import base64

    assert base64.b64encode(hashlib.sha256(code[1].encode()).digest()).decode() == digest[1]
    assert "default-src 'none'" in text


def test_nothing_comes_from_elsewhere(tmp_path):
    draw(tmp_path, [a_picture(0, tmp_path), a_failure(1)])
    page = Page(tmp_path / "index.html")
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert all((tmp_path / image["src"]).is_file() for image in page.images)
    assert all(image["alt"] for image in page.images)


def test_cards_show_what_matters(tmp_path):
    found = a_picture(0, tmp_path, attempts=2)
    failed = a_failure(1, FaultKind.PROMPT_BLOCKED, Charged.NO, reason="SAFETY", message="blocked")
    draw(tmp_path, [found, failed], title="Kites", left=2)
    words = Page(tmp_path / "index.html").words
    for word in (
        "Kites",
        "2 attempts",
        "64 × 32",
        "$0.0670",
        "Prompt blocked",
        "SAFETY",
        "not billed",
        "cavendish resume",
    ):
        assert word in words
    assert "Simulated" not in words


def test_a_simulated_run_says_so_on_every_page(tmp_path, monkeypatch):
    monkeypatch.setattr(books, "PER_PAGE", 1)
    draw(tmp_path, [a_picture(0, tmp_path), a_picture(1, tmp_path)], simulated=True)
    for name in ("index.html", "index-2.html"):
        assert "Simulated: no provider was called" in Page(tmp_path / name).words
        assert "would have been billed" in Page(tmp_path / name).words


def test_pages_are_linked(tmp_path, monkeypatch):
    monkeypatch.setattr(books, "PER_PAGE", 2)
    outcomes = [a_picture(i, tmp_path) for i in range(5)]
    # One more than the summary knew of: it goes on the last page.
    summary = summary_of(outcomes[:4], tmp_path)
    assert write_books(tmp_path, outcomes, summary).pages == ("index.html", "index-2.html")
    first, last = Page(tmp_path / "index.html"), Page(tmp_path / "index-2.html")
    assert "index-2.html" in first.links
    assert "index.html" in last.links
    assert "page 2 of 2" in last.words
    assert len(last.images) == 3


def test_an_empty_run_has_a_sheet_too(tmp_path):
    assert draw(tmp_path, []).pages == ("index.html",)
    assert "Nothing here" in Page(tmp_path / "index.html").words


@given(st.text())
def test_markup_escapes_once(text):
    class Reader(HTMLParser):
        seen = ""

        def handle_data(self, data):
            self.seen += data

        def handle_starttag(self, tag, attrs):
            self.title = dict(attrs)["title"]

    clean = text.replace("\r", "")
    reader = Reader(convert_charrefs=True)
    reader.feed(element("b", joined((escaped(clean), "")), title=clean))
    reader.close()
    assert reader.seen == clean
    assert reader.title == clean


def test_every_placeholder_must_have_a_value():
    with pytest.raises(KeyError):
        fill("failure", label="x")


# --- thumbs -----------------------------------------------------------------------------------------------------------


def test_few_pictures_stand_for_themselves(tmp_path):
    draw(tmp_path, [a_picture(i, tmp_path) for i in range(books.FEW_PICTURES)])
    assert not (tmp_path / ".cavendish").exists()


def test_many_pictures_have_thumbs(tmp_path, monkeypatch):
    monkeypatch.setattr(books, "FEW_PICTURES", 1)
    outcomes = [a_picture(0, tmp_path), a_failure(1), a_picture(2, tmp_path)]
    draw(tmp_path, outcomes)
    sources = [image["src"] for image in Page(tmp_path / "index.html").images]
    assert [source.startswith(".cavendish/thumbs/") for source in sources] == [True, True]
    with Pillow.open(tmp_path / sources[0]) as thumb:
        assert (thumb.format, thumb.size) == ("JPEG", (64, 32))


def test_very_many_pictures_have_none(tmp_path, monkeypatch):
    monkeypatch.setattr(books, "FEW_PICTURES", 1)
    monkeypatch.setattr(books, "MANY_PICTURES", 2)
    draw(tmp_path, [a_picture(i, tmp_path) for i in range(3)])
    assert not (tmp_path / ".cavendish").exists()


@pytest.mark.parametrize(
    "mode, color, seen", [("RGBA", (0, 0, 0, 0), 255), ("LA", (0, 255), 0), ("L", 7, 7), ("P", 0, 0)]
)
def test_thumbs_of_any_mode_are_small_and_opaque(tmp_path, mode, color, seen):
    Pillow.new(mode, (2000, 1000), color).save(tmp_path / "a.png")
    picture = a_picture().slot
    blob = Blob("ab" * 32, 1, "image/png", "a.png")
    name = thumbs.Thumbs(tmp_path).ensure(Picture(picture, blob, 2000, 1000, ROUTE, 1, 0))
    with Pillow.open(tmp_path / name) as thumb:
        assert thumb.size == (thumbs.EDGE_PIXELS, thumbs.EDGE_PIXELS // 2)
        assert thumb.mode == "RGB"
        assert thumb.getpixel((0, 0)) == pytest.approx((seen, seen, seen), abs=3)


def test_a_thumb_is_made_once(tmp_path):
    picture = a_picture(0, tmp_path)
    name = thumbs.Thumbs(tmp_path).ensure(picture)
    (tmp_path / name).write_bytes(b"mine")
    thumbs.Thumbs(tmp_path).ensure(picture)
    assert (tmp_path / name).read_bytes() == b"mine"


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_a_picture_that_cannot_be_read_stands_for_itself(tmp_path, content):
    picture = a_picture(0, tmp_path)
    (tmp_path / picture.blob.ref).write_bytes(content)
    assert thumbs.Thumbs(tmp_path).ensure(picture) == picture.blob.ref


def test_a_bomb_stands_for_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 100)
    picture = a_picture(0, tmp_path)
    assert thumbs.Thumbs(tmp_path).ensure(picture) == picture.blob.ref


def test_a_huge_picture_is_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(thumbs, "MAX_PIXELS", 100)
    picture = a_picture(0, tmp_path)
    assert thumbs.Thumbs(tmp_path).ensure(picture) == picture.blob.ref


def test_work_is_done_in_order_with_a_bounded_lead(monkeypatch):
    taken, given_out = [], []
    for item, result in thumbs.in_order((taken.append(i) or i for i in range(100)), str):
        assert result == str(item)
        given_out.append(item)
        assert len(taken) - len(given_out) < thumbs.AHEAD
    assert given_out == list(range(100))


# --- while it runs ----------------------------------------------------------------------------------------------------


def test_live_books_grow(tmp_path):
    live = LiveBooks(tmp_path)
    live.add(a_picture(0))
    live.add(a_failure(1))
    assert not list(tmp_path.iterdir())
    assert live.flush() == 2
    assert live.flush() == 0
    live.add(a_picture(2))
    live.flush()
    assert [line["key"] for line in lines_of(tmp_path / "metadata.jsonl")] == ["0001", "0003"]
    assert [line["key"] for line in lines_of(tmp_path / "failures.jsonl")] == ["0002"]


@pytest.mark.parametrize("before, after", [(b"", b""), (b"a\n", b"a\n"), (b"a\nb", b"a\n"), (b"torn", b"")])
def test_a_torn_line_is_dropped(tmp_path, monkeypatch, before, after):
    monkeypatch.setattr("cavendish.front.folder.live.TAIL_BYTES", 2)
    path = tmp_path / "metadata.jsonl"
    path.write_bytes(before)
    drop_torn_line(path)
    assert path.read_bytes() == after


def test_live_books_go_on_behind_a_torn_line(tmp_path):
    (tmp_path / "metadata.jsonl").write_bytes(b'{"key":"0001"}\n{"key":"00')
    live = LiveBooks(tmp_path)
    live.add(a_picture(1))
    live.flush()
    assert [line["key"] for line in lines_of(tmp_path / "metadata.jsonl")] == ["0001", "0002"]


@pytest.mark.parametrize("total, every", [(1, 5.0), (2_000, 5.0), (2_001, None), (None, None)])
def test_small_runs_are_drawn_anew(total, every):
    assert redraw_every_s(total) == every


# --- the summary ------------------------------------------------------------------------------------------------------


def test_a_small_run_is_told_in_full(tmp_path):
    outcomes = [a_picture(0), a_failure(1, reason="IMAGE_OTHER", message="no\n luck", cost_nusd=67_000_000)]
    tally = Tally(billed_nusd=134_000_000, unknown_attempts=1, unknown_nusd=67_000_000, unpriced_attempts=2)
    text = summary_of(outcomes, tmp_path, tally, left=2, duration_s=30.0, skipped=1).text()
    assert text.splitlines() == [
        "1 delivered, 1 failed, 1 skipped, 2 left",
        f"  {tmp_path / '0001-picture-1.png'}",
        "  0002: image_safety (IMAGE_OTHER): no luck; 3 attempts, cost $0.0670",
        "billed $0.1340, and at most $0.0670 for 1 attempt of unknown fate; no price is known for 2 attempts",
        "30 s, 2.0 pictures a minute",
        f"see {tmp_path / 'index.html'}",
        "",
        f"hint: 2 pictures left; cavendish resume {tmp_path}",
    ]


def test_a_large_run_lists_only_failures(tmp_path):
    outcomes = [a_picture(i, notices=(Notice("x", "1k was 1K"),)) for i in range(2000)]
    outcomes += [a_failure(2000 + i, charged=Charged.UNKNOWN) for i in range(12)]
    lines = summary_of(outcomes, tmp_path).text().splitlines()
    assert lines[0] == "2,000 delivered, 12 failed, 0 skipped"
    assert lines[1] == "  2001: image_safety; 3 attempts, possibly billed"
    assert lines[11] == f"  and 2 more in {tmp_path / 'failures.jsonl'}"
    assert lines[12:] == ["billed $0.0000", "note: 1k was 1K (2,000 times)", f"see {tmp_path / 'index.html'}"]


def test_notices_are_told_once_and_bounded(tmp_path, monkeypatch):
    outcomes = [a_picture(i, notices=(Notice("x", f"note {i}"),)) for i in range(9)]
    assert "note: and 4 other notices in" in summary_of(outcomes, tmp_path).text()
    monkeypatch.setattr("cavendish.front.folder.summary.NOTICES_KEPT", 3)
    assert len(summary_of(outcomes, tmp_path).notices) == 3


def test_what_stopped_a_run_is_told(tmp_path):
    summary = summary_of([], tmp_path, left=1, stopped=Fault(FaultKind.BUDGET, "the budget of $1.00 is spent"))
    assert (
        summary.text().splitlines()[0]
        == "0 delivered, 0 failed, 0 skipped, 1 left; stopped: the budget of $1.00 is spent"
    )
    assert summary.to_json()["stopped"] == "budget"


def test_routes_are_told_when_there_are_several(tmp_path):
    other = Route("apiyi", "banana", "banana", "flat")
    text = summary_of([a_picture(0), a_picture(1, route=other)], tmp_path).text()
    assert "  google/banana: 1 picture, $0.0670\n  apiyi/banana:flat: 1 picture, $0.0670" in text
    draw(tmp_path, [a_picture(0, tmp_path), a_picture(1, tmp_path, route=other)])
    assert "apiyi/banana:flat: 1 picture, $0.0670" in Page(tmp_path / "index.html").words


@pytest.mark.parametrize(
    "prices, known, saved",
    [([134_000_000] * 2, True, 134_000_000), ([67_000_000] * 2, True, None), ([134_000_000, None], True, None),
     ([134_000_000] * 2, False, None)],
)  # fmt: skip
def test_what_was_saved_is_told_when_it_is_known(tmp_path, prices, known, saved):
    left = list(prices)
    outcomes = [a_picture(0), a_picture(1, cost_known=known)]
    summary = summary_of(outcomes, tmp_path, list_price=lambda _: left.pop(0))
    assert summary.saved_nusd == saved
    assert ("less than the list price" in summary.text()) == (saved is not None)


def test_pictures_of_before_are_not_this_runs(tmp_path):
    summary = summary_of([a_picture(i) for i in range(3)], tmp_path, kept=1, duration_s=60.0)
    assert summary.pictures_per_minute == 2.0
    assert summary.text().startswith("3 delivered (1 of them before), 0 failed")
    assert summary_of([a_picture(0)], tmp_path, kept=1, duration_s=60.0).pictures_per_minute is None


def test_the_folder_is_quoted_in_the_command_that_resumes(tmp_path):
    assert Summary(RunFacts(tmp_path / "my pictures", left=1)).resume == f"cavendish resume '{tmp_path}/my pictures'"
    assert Summary(RunFacts(tmp_path)).resume == ""


def test_json_holds_all_sums(tmp_path):
    outcomes = [a_picture(0, notices=(Notice("x", "n"),)), a_failure(1), a_failure(2, FaultKind.NO_IMAGE)]
    found = json.loads(
        json.dumps(summary_of(outcomes, tmp_path, Tally(billed_nusd=67_000_000), simulated=True).to_json())
    )
    assert (found["delivered"], found["failed"], found["billed"], found["simulated"]) == (1, 2, 0.067, True)
    assert found["failures"] == {"image_safety": 1, "no_image": 1}
    assert found["notices"] == [{"text": "n", "count": 1}]
    assert found["routes"] == {"google/banana": {"pictures": 1, "cost": 0.067}}


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.25, "0.2 s"),
        (42.4, "42 s"),
        (60, "1 min"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (18_500, "5 h 8 min"),
        (86_400, "24 h"),
        (99.4 * 3600, "99 h 24 min"),
        (100 * 3600, "4 d 4 h"),
        (10 * 86_400, "10 d"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_money_has_as_many_places_as_it_is_worth():
    assert (money(67_000_000), money(1_234_567_000_000)) == ("$0.0670", "$1,234.57")


def test_a_page_is_named():
    assert [sheet.page_name(n) for n in (1, 2)] == ["index.html", "index-2.html"]
