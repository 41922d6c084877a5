"""Reading datasets from elsewhere: what is read by which columns, what is refused and why, and that reading goes on."""

import contextlib
import gzip
import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.text import LONGEST_TICKET
from review.datasets.formats.registry import FORMATS
from review.datasets.reading import RecordReader, UnreadableDataset
from review.datasets.record import Record, Rejected
from tests.review.datasets.samples import elsewhere, exported, loaded, make
from tests.workbooks import workbook

pytestmark = pytest.mark.once

HI = elsewhere("Hi")


def json_lines(*objects: Any) -> bytes:
    return "\n".join(map(json.dumps, objects)).encode()


def plain(**values: Any) -> dict[str, Any]:
    return {"text": "Hi", "category": "Billing", "sentiment": "neutral", **values}


def packed(data: bytes) -> bytes:
    """Compressed, the same bytes at any time: the name of a test is made of them."""
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"text,category,sentiment\nHi,Billing,neutral\n"),
        ("a.csv", b"\xef\xbb\xbfText;Label;SENTIMENT;more\r\nHi; Billing ;neutral;x\r\n"),
        ("a.csv.gz", packed(b"text,category,sentiment\nHi,Billing,neutral\n")),
        ("upload", b"sentiment\tintent\tmessage\nneutral\tBilling\tHi\n"),
        ("a.csv", "text,category,sentiment\nHi,Billing,neutral\n".encode("utf-16")),
        ("a.jsonl", json_lines(plain(id=7, tags=["x"]))),
        ("a.json", json.dumps([plain()], indent=2).encode()),
        ("a.json", b"\xef\xbb\xbf" + json.dumps([plain()]).encode()),
        ("a.json", json.dumps([plain()]).encode("utf-16")),
        ("a.json.gz", packed(json.dumps([plain()]).encode())),
        ("a.jsonl.gz", packed(json_lines(plain()))),
    ],
)
def test_usual_columns_need_no_mapping(name: str, data: bytes) -> None:
    assert loaded(data, name) == [HI]


def test_other_columns_are_mapped() -> None:
    mapping = {"text": "Q", "category": "topic", "sentiment": "mood", "labelled_at": "when", "language": ""}
    row = {"Q": "Hi", "topic": "Billing", "mood": "neutral", "when": "2026-01-31T12:00:00+02:00", "language": "en"}
    expected = elsewhere("Hi", labelled_at="2026-01-31T10:00:00+00:00")
    assert loaded(json_lines(row), "a.jsonl", mapping) == [expected]
    table = ",".join(row) + "\n" + ",".join(row.values()) + "\n"
    assert loaded(table.encode(), "a.csv", mapping) == [expected]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"text,topic,mood\nHi,Billing,neutral\n"),
        ("a.jsonl", json_lines({"text": "Hi", "topic": "Billing", "mood": "neutral"})),
        ("a.json", json.dumps([{"text": "Hi", "topic": "Billing", "mood": "neutral"}]).encode()),
    ],
)
def test_a_file_without_labels_names_its_columns(name: str, data: bytes) -> None:
    with pytest.raises(UnreadableDataset) as refusal:
        loaded(data, name)
    assert str(refusal.value) == (
        "No column is known to hold the category or the sentiment; the columns are 'text', 'topic', 'mood'. "
        "Map it to one of them, as in category=COLUMN."
    )


def test_a_wrong_mapping_is_refused() -> None:
    with pytest.raises(UnreadableDataset, match="No column is called 'topics'"):
        loaded(json_lines(plain()), "a.jsonl", {"category": "topics"})
    with pytest.raises(UnreadableDataset, match="There is no field 'labels'"):
        loaded(json_lines(plain()), "a.jsonl", {"labels": "category"})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"text": ""}, "text is empty"),
        ({"text": " \n"}, "text is empty"),
        ({"text": 5}, "text should be a valid string"),
        ({"text": "x" * (LONGEST_TICKET + 1)}, "should have at most 1048576 characters"),
        ({"category": None, "sentiment": " "}, "category or the sentiment is empty"),
        ({"category": ["a", "b"]}, "category should be a valid string"),
        ({"category": True}, "category should be a valid string"),
        ({"sentiment": "x" * 1_001}, "sentiment should have at most 1000 characters"),
        ({"side": "validation"}, "side should match"),
        ({"people": "two"}, "people should be a valid integer"),
        ({"people": 1.5}, "people should be a valid integer"),
        ({"people": -1}, "people should be greater than"),
        ({"people": 10**400}, "people should be less than"),
        ({"share": 0}, "share should be"),
        ({"share": "1.1"}, "share should be"),
        ({"model_confidence": "inf"}, "model_confidence should be"),
        ({"model_confidence": -0.1}, "model_confidence should be"),
        ({"corrected": "maybe"}, "corrected should be a valid boolean"),
        ({"key": "abc"}, "key should match"),
        ({"labelled_at": "yesterday"}, "labelled_at should be a moment"),
        ({"labelled_at": "0001-01-01T00:00:00+05:00"}, "labelled_at should be a moment"),
        ({"language": 5}, "language should be a valid string"),
    ],
)
def test_a_bad_record_is_rejected_and_reading_goes_on(values: dict[str, Any], reason: str) -> None:
    first, rejected, last = loaded(json_lines(plain(), plain(**values), plain()), "a.jsonl")
    assert first == last == HI
    assert isinstance(rejected, Rejected)
    assert rejected.number == 2
    assert reason in rejected.reason
    assert len(rejected.reason) < 300


BROKEN = ["{", "[1]", '"text"', "{}", '{"text": "Hi"}', "null", "[" * 100_000, "\0", "x" * 4_200_000]
BROKEN.append('{"text": ' + "1" * 5_000 + "}")


@pytest.mark.parametrize("line", BROKEN, ids=lambda line: line[:9])
def test_a_broken_line_is_rejected_and_reading_goes_on(line: str) -> None:
    data = json.dumps(plain())
    first, rejected, last = loaded(f"{data}\n{line}\n{data}\n".encode(), "a.jsonl")
    assert first == last == HI
    assert isinstance(rejected, Rejected)
    assert rejected.number == 2


def test_a_broken_table_row_is_rejected_and_reading_goes_on() -> None:
    table = b'text,category,sentiment\nHi,Billing,neutral\n"Hi" x,Billing,neutral\nHi,Billing,neutral,more\nHi\n'
    table += "Größe,Ä,ö\n".encode() + b"H\xffi,Billing,neutral\n\nHi,Billing,neutral\n"
    read = loaded(table, "a.csv")
    assert [row.number for row in read if isinstance(row, Rejected)] == [2, 3, 4, 6]
    assert read[0] == read[-1] == HI


def test_characters_that_databases_cannot_store_are_replaced() -> None:
    [record] = loaded(b'{"text": "a\\u0000b\\ud800", "category": "Billing", "sentiment": "neutral"}', "a.jsonl")
    assert record == elsewhere("a\ufffdb\ufffd")


@pytest.mark.parametrize(
    ("values", "read_as"),
    [
        ({"corrected": "TRUE", "people": "2", "share": "0.5"}, {"corrected": True, "people": 2, "share": 0.5}),
        ({"corrected": "WAHR", "people": "2,0", "share": "0,5"}, {"corrected": True, "people": 2, "share": 0.5}),
        ({"corrected": "Falsch", "model_confidence": "97,5 %"}, {"corrected": False, "model_confidence": 0.975}),
        ({"corrected": "Falsch", "model_confidence": 1}, {"corrected": False, "model_confidence": 1.0}),
        ({"corrected": 1.0, "people": 2.0, "share": float("nan")}, {"corrected": True, "people": 2}),
        ({"category": ["Billing"], "sentiment": [["neutral", "calm"]]}, {"sentiment": "neutral > calm"}),
        ({"category": '["Billing"]', "sentiment": []}, {"sentiment": ""}),
        ({"category": "", "model_category": None}, {"category": ""}),
        (
            {"category": {"choices": ["Billing"]}, "sentiment": '{"taxonomy": [["neutral", "calm"]]}'},
            {"sentiment": "neutral > calm"},
        ),
        ({"category": '[{"choices": ["Billing"]}]', "corrected": "ja"}, {"corrected": True}),
        ({"category": " Billing ", "sentiment": 5, "side": "Test"}, {"sentiment": "5", "side": "benchmark"}),
        *(
            ({"labelled_at": moment}, {"labelled_at": "2026-01-31T00:00:00+00:00"})
            for moment in (
                *("2026-01-31", "20260131", "2026-01-31T02:00:00+02:00", "31.01.2026 00:00", "2026-01-31 00:00:00 UTC"),
                *(1769817600, "1769817600000", 1769817600.0),
                *(1769817600_000, 1769817600_000_000, 1769817600_000_000_000),
            )
        ),
    ],
)
def test_values_as_spreadsheets_and_data_frames_write_them_are_understood(
    values: dict[str, Any], read_as: dict[str, Any]
) -> None:
    [record] = loaded(json_lines(plain(**values)), "a.jsonl")
    assert record == HI._replace(**read_as)


def test_a_spreadsheet_is_read_as_its_table() -> None:
    rows: list[list[Any]] = [["Text", "Category", "Sentiment", "People"], ["Größe 7 fehlt", "Billing", "neutral", 2]]
    (record,) = loaded(workbook(rows), "labels.xlsx")
    assert isinstance(record, Record)
    assert (record.text, record.category, record.people) == ("Größe 7 fehlt", "Billing", 2)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.json", json.dumps({"rows": [plain()]}, indent=2).encode(), "one JSON document"),
        ("a.json", b'[{"text": "Hi"', "ends early"),
        ("a.json", json.dumps([plain()])[:-1].encode(), "ends early"),
        ("a.json", b"[", "ends early"),
        ("a.json", b'[{"text": "Hi"} {"text": "Ho"}]', "',' is expected before"),
        ("a.json", b"[" + b"[" * 100_000, "recursion"),
        ("a.json", b'[{"text": "' + b"x" * 9_000_000 + b'"}]', "more than 8,388,608 characters"),
        ("a.json.gz", packed(json.dumps([plain()] * 99).encode())[:-9], "ends early"),
        ("a.jsonl.gz", packed(json_lines(*[plain()] * 99))[:-9], "ends early"),
        ("a.csv.gz", packed(b"text,category,sentiment\nHi,Billing,neutral\n")[:-9], "ends early"),
        ("a.csv", b"text,text,category,sentiment\nHi,Hi,Billing,neutral\n", "more than once"),
        ("a.csv", b"Dear all,\nwhat is this?\n", "No column is known"),
        ("a.png", b"\x89PNG\r\n\x1a\n\x00\x00" * 20, ""),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4_000, "no spreadsheet that can be read"),
        ("a.db", b"SQLite format 3\0" + b"\0" * 4_000, "is a database"),
        ("a.bin", b"\0" * 4_000, "format is unknown"),
        ("a.csv.gz", packed(b"\x7fELF\x02\x01\x01" + b"\0" * 4_000), "format is unknown"),
    ],
)
def test_an_unreadable_file_is_refused_with_advice(name: str, data: bytes, message: str) -> None:
    with pytest.raises(UnreadableDataset) as refusal:
        loaded(data, name)
    assert message in str(refusal.value)


@pytest.mark.parametrize("format", FORMATS)
def test_the_stream_is_left_open(format: str) -> None:
    stream = io.BytesIO(exported([make()], format))
    assert len(list(RecordReader(stream, ""))) == 1
    assert not stream.closed


def test_a_pipe_is_refused() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(UnreadableDataset, match="rewound"):
        list(RecordReader(Pipe(b"x"), "a.csv"))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", ""])
def test_an_empty_file_holds_no_records(name: str) -> None:
    assert loaded(b"", name) == []
    assert loaded(b"[]", "") == []


@given(st.sampled_from(list(FORMATS)), st.data())
def test_damage_anywhere_is_rejected_or_refused(format: str, data: st.DataObject) -> None:
    whole = bytearray(exported([make(), make("=Größe", side="benchmark")], format))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(UnreadableDataset):
        rows = loaded(bytes(whole[:cut]), f"x{FORMATS[format].suffix}")
        assert all(isinstance(row, Record | Rejected) for row in rows)


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet", "labelstudio"])
def test_large_files_are_read_in_bounded_memory(format: str) -> None:
    data = exported([make(f"{number} " + "word " * 40_000) for number in range(150)], format)
    tracemalloc.start()
    try:
        assert sum(isinstance(row, Record) for row in RecordReader(io.BytesIO(data), "")) == 150
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def test_a_compressed_bomb_takes_no_memory() -> None:
    bomb = gzip.compress(b'{"text": "' + b"x" * 50_000_000 + b'"}\n' + json_lines(plain()), 1)
    tracemalloc.start()
    try:
        rejected, record = RecordReader(io.BytesIO(bomb), "a.jsonl")
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
    assert isinstance(rejected, Rejected)
    assert record == HI
