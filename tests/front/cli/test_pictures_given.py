"""``-i``: references with their roles from wherever they lie, checked against the model before anything is spent."""

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

MODEL = ("-m", "nano-banana-2.1")


def bytes_of(kind="PNG", orientation=None, size=(8, 4)):
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation or 1
    Image.new("RGB", size, "red").save(file, kind, **({"exif": exif} if orientation else {}))
    return file.getvalue()


@pytest.fixture
def pictures(sim):
    for name in ("vase.png", "anna.png", "look.png"):
        Path(name).write_bytes(bytes_of())
    return sim


def given(*names):
    return [word for name in names for word in ("-i", name)]


def sent(folder="out"):
    (request,) = json.loads(recipe(folder))["requests"]
    return [part for part in request["turns"][0]["parts"] if "text" not in part]


def recipe(folder):
    from cavendish.front.order import LEDGER, RECIPE
    from cavendish.io.ledger.reader import LedgerReader

    with LedgerReader.open(Path(folder) / LEDGER) as reader:
        return reader.get_meta(RECIPE) or ""


def test_each_has_its_role_and_its_place(pictures, cavendish):
    inline = f"data:image/png;base64,{base64.b64encode(bytes_of()).decode()}"
    names = [
        "vase.png:object",
        "anna.png:person",
        "look.png:style",
        "https://pictures.example/a.png",
        f"{inline}:object",
    ]
    ran = cavendish("generate", "a vase", *given(*names), *MODEL, "-o", "out", "--json")
    assert ran.code == 0, ran.err
    parts = sent()
    assert [part.get("use") for part in parts] == ["object", "person", "style", None, "object"]
    assert parts[3]["uri"] == "https://pictures.example/a.png"


def test_fourteen_go_and_fifteen_do_not(pictures, cavendish):
    fourteen = [*["vase.png:object"] * 10, *["anna.png:person"] * 4]
    assert cavendish("generate", "a vase", *given(*fourteen), *MODEL, "-o", "out").code == 0
    calls = pictures.calls
    ran = cavendish("generate", "a vase", *given(*fourteen, "look.png"), *MODEL, "-o", "more")
    assert (ran.code, "takes at most 14 reference pictures, got 15" in ran.err) == (2, True)
    assert pictures.calls == calls


@pytest.mark.parametrize(
    "names, model, said",
    [
        (["vase.png:object"] * 11, "nano-banana-2", "Nano Banana 2 takes at most 10 object references, got 11"),
        (["anna.png:person"] * 5, "nano-banana-2", "at most 4 person references, got 5"),
        (["vase.png:object"] * 7, "nano-banana-pro", "at most 6 object references, got 7"),
        (["look.png:style"] * 4, "nano-banana-pro", "at most 3 style references, got 4"),
        (["look.png:mask"], "nano-banana-2", "Nano Banana 2 takes no mask references, got 1"),
        (["look.png:hero"], "nano-banana-2", "there is no role 'hero'; there are: object, person, style, mask"),
        (["gone.png:style"], "nano-banana-2", "reference 1: picture gone.png: No such file"),
        (["vase.png", "notes.txt"], "nano-banana-2", "reference 2: notes.txt is no picture"),
        (["drawing.svg"], "nano-banana-2", "image/svg+xml, which Nano Banana 2 does not read"),
    ],
)
def test_what_the_model_does_not_take_is_told_before_anything_is_spent(pictures, cavendish, names, model, said):
    Path("notes.txt").write_text("words", encoding="utf-8")
    Path("drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    ran = cavendish("generate", "a vase", *given(*names), "-m", model, "-o", "out")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert pictures.calls == 0
    assert not Path("out").exists()


def test_a_phone_picture_is_turned_and_the_run_resumes(pictures, cavendish):
    Path("phone.jpg").write_bytes(bytes_of("JPEG", 6))
    dry = cavendish("generate", "a vase", "-i", "phone.jpg", *MODEL, "-o", "out", "--dry-run")
    assert (dry.code, Path("out").exists()) == (0, False)
    ran = cavendish("generate", "a vase", "-i", "phone.jpg", *MODEL, "-o", "out")
    assert (ran.code, ran.err.count("turned upright")) == (0, 1), ran.err
    (kept,) = Path("out/.cavendish/references").iterdir()
    with Image.open(kept) as picture:
        assert picture.size == (4, 8)
    Path("phone.jpg").unlink()
    calls = pictures.calls
    again = cavendish("resume", "out")
    assert (again.code, pictures.calls) == (0, calls), again.err
    strict = cavendish("generate", "a vase", "-i", str(kept), *MODEL, "-o", "strict", "--strict")
    assert strict.code == 0, strict.err


def test_rows_have_theirs(pictures, cavendish):
    Path("rows.csv").write_text(
        "prompt,image,style_image\na vase,vase.png;anna.png:person,look.png\na bowl,,look.png\n", encoding="utf-8"
    )
    ran = cavendish("batch", "rows.csv", *MODEL, "-o", "out", "--json")
    assert ran.code == 0, ran.err
    Path("rows.csv").write_text(
        "prompt,image\na vase,vase.png:object\na bowl," + ";".join(["vase.png:object"] * 11), encoding="utf-8"
    )
    ran = cavendish("batch", "rows.csv", *MODEL, "-o", "more")
    assert (ran.code, "rows.csv, line 3" in ran.err, "at most 10 object references" in ran.err) == (2, True, True)
