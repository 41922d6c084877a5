"""CSV: safe in spreadsheets, exact when read back, ready for data frames."""

import csv
import io

import pandas
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from classifier.ingest.readers.formulas import escape_formula, unescape_formula
from review.datasets.formats.labels import COLUMNS
from tests.review.datasets.samples import elsewhere, exported, loaded, make

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=1", "＝1+1", "＋1", "－1", "＠SUM(A1)", "'=1", "'''@x", "'＝1"],
)
def test_cells_that_a_spreadsheet_would_run_get_an_apostrophe(cell: str) -> None:
    assert escape_formula(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "1=1", "'", "'quoted'", " =1", "''", "It's"])
def test_cells_without_a_formula_stay_unchanged(cell: str) -> None:
    assert escape_formula(cell) == unescape_formula(cell) == cell


BEGINNINGS = "=+-@\t\r\n＝＋－＠"


@given(st.one_of(st.text(), st.text(f"'x; \"{BEGINNINGS}")))
@example("'=")
@example("a;=1+1")
@example('a; "=1"')
def test_escaping_can_be_undone_and_leaves_no_formula(cell: str) -> None:
    escaped = str(escape_formula(cell))
    assert unescape_formula(escaped) == cell
    assert not escaped.startswith(tuple(BEGINNINGS))
    parts = (part.lstrip(' "') for part in escaped.split(";")[1:])
    assert not [part for part in parts if part.startswith(tuple(BEGINNINGS))], "where semicolons are delimiters"


def test_no_exported_cell_begins_like_a_formula() -> None:
    record = make("=cmd|' /C calc'!A0", category="+A", sentiment="@b", source="－c", model_category="\n=d")
    cells = list(csv.reader(io.StringIO(exported([record], "csv").decode(), newline="")))[1]
    assert not [cell for cell in cells if cell.startswith(tuple(BEGINNINGS))]


def test_the_columns_are_the_fields_plus_those_for_training_tools() -> None:
    records = [make(category="Billing > Invoice"), make("b", side="benchmark", category='Ärger, "laut"')]
    table = pandas.read_csv(io.BytesIO(exported(records, "csv")), keep_default_na=False)
    assert list(table.columns) == list(COLUMNS)
    assert list(table["text"]) == [record.text for record in records]
    assert list(table["split"]) == ["train", "test"]
    assert list(table["category_id"]) == [1, 4]  # a category that is no longer in the taxonomy comes after it
    assert list(table["sentiment_id"]) == [1, 1]
    assert table["corrected"].dtype == bool


def test_apostrophes_in_other_peoples_files_are_kept() -> None:
    foreign = b"text,category,sentiment\r\n'=1,Billing,neutral\r\n"
    assert loaded(foreign, "x.csv") == [elsewhere("'=1")]


def test_an_export_saved_by_a_spreadsheet_is_read_back() -> None:
    records = [make("=1"), make("It's; late")]
    cells = csv.reader(io.StringIO(exported(records, "csv").decode(), newline=""))
    saved = io.StringIO(newline="")
    csv.writer(saved, delimiter=";").writerows(cells)
    assert loaded(saved.getvalue().encode("utf-8-sig"), "saved.csv") == records
