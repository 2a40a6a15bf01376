"""Exports of consoles: what is read out of each, and what is refused with its line."""

from datetime import UTC, date, datetime

import pytest

from cavendish.errors import BatchInputError, RequestError
from cavendish.front.reconcile import export
from cavendish.front.reconcile.cells import moment, read_amount, read_quantity
from cavendish.front.reconcile.columns import read_columns
from cavendish.front.reconcile.export import ExportWish, read_export
from cavendish.model.bill import BillLine
from cavendish.model.money import nusd

DAY = date(2026, 11, 20)


@pytest.fixture
def read(tmp_path):
    def run(text, encoding="", **columns):
        path = tmp_path / "export.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_export(ExportWish(path, ("google",), encoding=encoding, columns=columns)).lines

    return run


GOOGLE = """\
Invoice number,5012345678

Billing account name,SKU description,Usage start date,Usage amount,Usage unit,Unrounded cost ($),Cost ($)
Mine,Gemini 3.1 Flash Image output,2026-11-20,1120,tokens,0.067200,0.07
Mine,Gemini 3.1 Flash Image input,2026-11-20,9,tokens,0.000005,0.00
Total,,,,,0.067205,0.07
"""

OPENAI = """\
start_time,end_time,start_time_iso,amount_value,amount_currency,line_item,project_id
1763596800,1763683200,2026-11-20T00:00:00+00:00,0.2,usd,"gpt-image-1.5, image output",proj_1
"""

OPENROUTER = """\
generation_id,created_at,cost_total,model_permaslug,tokens_prompt
gen-1,2026-11-20 12:30:00,0.0672345,google/gemini-3.1-flash-image,9
"""


def test_a_cost_table_of_google_cloud_is_read_below_its_address_and_above_its_sum(read):
    words = "Gemini 3.1 Flash Image output", "Gemini 3.1 Flash Image input"
    assert read(GOOGLE) == (
        BillLine(67_200_000, day=DAY, model=words[0], step_nusd=1000, place="line 4"),
        BillLine(5_000, day=DAY, model=words[1], step_nusd=1000, place="line 5"),
    )


def test_costs_of_openai_are_of_days(read):
    (line,) = read(OPENAI)
    assert (line.amount_nusd, line.day, line.at, line.model) == (
        nusd("0.2"),
        DAY,
        None,
        "gpt-image-1.5, image output",
    )


def test_the_activity_of_openrouter_names_each_call(read):
    (line,) = read(OPENROUTER)
    at = datetime(2026, 11, 20, 12, 30, tzinfo=UTC).timestamp()
    assert (line.id, line.at, line.day, line.amount_nusd) == ("gen-1", at, None, 67_234_500)


def test_columns_are_found_by_the_names_that_they_are_said_to_have(read):
    lines = read("When;Was kostet es;Was\n20 Nov 2026;0.10;x\n", date="When", amount="Was kostet es", model="Was")
    assert lines == (BillLine(nusd("0.1"), day=DAY, model="x", step_nusd=10_000_000, place="line 2"),)


def test_amounts_are_never_taken_for_rounded_to_more_than_a_cent(read):
    (line,) = read("date,amount\n2026-11-20,2\n")
    assert line.step_nusd == 10_000_000


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_byte_order_are_understood(read, encoding):
    assert len(read(OPENROUTER.encode(encoding))) == 1


def test_a_cell_that_is_empty_is_unknown_and_not_nothing(read):
    assert read("date,amount\n2026-11-20,\n")[0].amount_nusd is None


@pytest.mark.parametrize(
    "text, line, words",
    [
        ("date,amount\n2026-11-20,1\n2026-11-20,much\n", 3, "no amount of dollars: 'much'"),
        ("date,amount\n2026-11-20,nan\n", 2, "no amount of dollars"),
        ('date,amount\n2026-11-20,"0,067"\n', 2, "no amount of dollars"),
        ("date;amount\n2026-11-20;1,234\n", 2, "may be a decimal point"),
        ("date,amount\n2026-11-20,99999999999\n", 2, "more than a bill can be"),
        ("date,amount\nyesterday,1\n", 2, "no date: 'yesterday'"),
        ("date,amount\n,1\n", 2, "there is no date"),
        ("date,amount,currency\n2026-11-20,1,USD\n2026-11-21,1,EUR\n", 3, "amounts in EUR"),
        ("date,Cost (€)\n2026-11-20,1\n", 1, "amounts in EUR"),
        ("date,amount\n2026-11-20,¥1\n", 2, "amounts in JPY or CNY"),
        ('date,amount\n2026-11-20,"1\n', 2, "no CSV"),
        ("day,colour\n2026-11-20,red\n", None, "none names an amount"),
        ("", None, "none names an amount"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(read, text, line, words):
    with pytest.raises(BatchInputError) as error:
        read(text)
    assert words in error.value.message
    assert error.value.line == line


def test_a_wrong_encoding_is_named_with_its_line(read):
    with pytest.raises(BatchInputError, match="not utf-8") as error:
        read(b"date,amount\n2026-11-20,1\n\xe9t\xe9,1\n")
    assert error.value.line == 3
    assert len(read(b"date,amount,x\n2026-11-20,1,\xe9\n", encoding="cp1252")) == 1


def test_files_that_are_too_large_or_not_there_are_refused(read, monkeypatch, tmp_path):
    with pytest.raises(BatchInputError, match="No such file"):
        read_export(ExportWish(tmp_path / "none.csv", ()))
    monkeypatch.setattr(export, "MAX_LINES", 2)
    with pytest.raises(BatchInputError, match="more than 2 lines"):
        read("date,amount\n" + "2026-11-20,1\n" * 5)
    monkeypatch.setattr(export, "MAX_BYTES", 10)
    with pytest.raises(BatchInputError, match="more than 10"):
        read("date,amount\n2026-11-20,1\n")


def test_a_column_that_is_not_there_is_told_with_those_that_are(read):
    with pytest.raises(RequestError, match="no column 'Model name here' for the model") as error:
        read("date,amount,model\n2026-11-20,1,x\n", amount="amount", model="Model name here")
    assert "its columns: date, amount, model" in error.value.hints[0]


def test_columns_are_said_as_pairs():
    assert read_columns("date=Usage Date,amount=Cost ($)") == {"date": "Usage Date", "amount": "Cost ($)"}
    assert read_columns(None) == {}
    for wrong in ("date", "colour=Red", "date="):
        with pytest.raises(RequestError, match="is not KIND=COLUMN"):
            read_columns(wrong)


@pytest.mark.parametrize(
    "text, amount, places",
    [
        ("0.067", 67_000_000, 3),
        ("$1,234.56", 1_234_560_000_000, 2),
        ("US$ 3", 3_000_000_000, 0),
        ("0.0000000004", 0, 10),
        ("(0.10)", -100_000_000, 2),
        ("-0.1 USD", -100_000_000, 1),
        ("6.7e-2", 67_000_000, 3),
    ],
)
def test_amounts(text, amount, places):
    found = read_amount(text)
    assert (found.nusd, found.places) == (amount, places)


@pytest.mark.parametrize(
    "text, day",
    [("2026-11-20", DAY), ("20261120", DAY), ("11/20/2026", DAY), ("Nov 20, 2026", DAY), ("2026-11-20T00:00:00Z", DAY)],
)
def test_days(text, day):
    assert moment(text) == (day, None)


@pytest.mark.parametrize("text", ["2026-11-20T12:00:00Z", "2026-11-20 12:00:00 UTC", "1795176000", "1795176000000"])
def test_moments(text):
    assert moment(text) == (None, datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())


def test_quantities_count_pictures_and_calls_alone():
    assert [read_quantity("4"), read_quantity("4", "images"), read_quantity("1120", "tokens")] == [4, 4, None]
    assert [read_quantity(text) for text in ("", "0.5", "many", "nan")] == [None] * 4
