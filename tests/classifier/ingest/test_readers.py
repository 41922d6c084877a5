"""Which tickets are read from files, and which records are rejected and why."""

import csv
import gzip
import io
import json
import os
import time
import tracemalloc
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import chain, repeat
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.ingest.readers.formats import Format, sniff_format
from classifier.ingest.readers.text_lines import MAX_RECORD, UnreadableFile
from classifier.ingest.readers.ticket_records import MAX_RAW, RejectedRecord, TicketReader, TicketRecord
from classifier.text import LONGEST_TICKET
from tests.workbooks import workbook

CSV, JSON, LINES = TEXTUAL = Format.CSV, Format.JSON, Format.LINES


class Trickle(io.RawIOBase):
    """A stream that yields its pieces one by one, like a pipe, and cannot be rewound."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, size: int = -1) -> bytes:
        return next(self._pieces, b"")


def trickle(pieces: Iterator[bytes]) -> BinaryIO:
    return cast(BinaryIO, Trickle(pieces))


def outcome(data: bytes | str, format: Format, **options: Any) -> list[TicketRecord | RejectedRecord]:
    raw = data if isinstance(data, bytes) else data.encode()
    return list(TicketReader(io.BytesIO(raw), format=format, **options))


def texts(data: bytes | str, format: Format, **options: Any) -> list[str | None]:
    results = outcome(data, format, **options)
    assert [result for result in results if isinstance(result, RejectedRecord)] == []
    return [result.values["text"] for result in results if isinstance(result, TicketRecord)]


def values(data: bytes | str, format: Format, **options: Any) -> dict[str, str | None]:
    [row] = outcome(data, format, **options)
    assert isinstance(row, TicketRecord), row
    return row.values


def refusal(data: bytes | str, format: Format, **options: Any) -> RejectedRecord:
    [rejection] = outcome(data, format, **options)
    assert isinstance(rejection, RejectedRecord), rejection
    return rejection


def brief(results: list[TicketRecord | RejectedRecord]) -> list[tuple[int, str | None]]:
    """Line and text of each ticket, line and None of each rejection."""
    return [(result.number, result.values["text"] if isinstance(result, TicketRecord) else None) for result in results]


def as_csv(rows: list[list[str]], delimiter: str = ",") -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    return buffer.getvalue()


# Format detection


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("inbox.csv", CSV),
        ("INBOX.CSV", CSV),
        ("a/b/inbox.tsv", CSV),
        ("inbox.csv.gz", CSV),
        ("inbox.jsonl", JSON),
        ("inbox.ndjson.gz", JSON),
        ("inbox.json", JSON),
    ],
)
def test_the_format_is_detected_by_the_suffix(name: str, expected: Format) -> None:
    assert sniff_format(name, b"whatever stands inside") is expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"text": "hello"}\n', JSON),
        (b'\n  [{"text": "hello"}]', JSON),
        (b"id;Subject;Body\n1;a;b\n", CSV),
        (b'id,"text",created\n1,a,b\n', CSV),
        (b"text\nhello\n", CSV),
        ("\ufeffid,text\n".encode(), CSV),
        ("id\ttext\n".encode("utf-16"), CSV),
        (b"My SAML SSO stopped working\n", LINES),
        (b"Text, please. Nobody answers\n", LINES),
        (b"Message\n", LINES),
        (b'He said "hi, text\n', LINES),
        (b"", LINES),
        (b"PK\x03\x04 a spreadsheet", Format.SHEET),
    ],
)
def test_the_format_is_detected_by_the_content(head: bytes, expected: Format) -> None:
    assert sniff_format("-", head) is expected
    assert sniff_format("inbox.txt", head) is expected


def test_the_format_of_a_compressed_file_is_detected() -> None:
    whole = gzip.compress(b'{"text": "hello"}\n' + os.urandom(10_000))
    assert sniff_format("-", whole[:4_000]) is JSON


# Columns


def test_well_known_columns_are_mapped_in_any_case() -> None:
    data = as_csv(
        [
            ["ID", "Email", "Channel", "Lang", "Created_At", "Due", "Intent", "SENTIMENT", "Message"],
            [
                "7",
                "ana@example.org",
                "email",
                "en",
                "2026-01-05",
                "2026-01-06",
                "Billing",
                "Neutral",
                "Hello",
            ],
        ]
    )
    assert values(data, CSV) == {
        "text": "Hello",
        "external_id": "7",
        "customer": "ana@example.org",
        "channel": "email",
        "language": "en",
        "received_at": "2026-01-05",
        "due_at": "2026-01-06",
        "category": "Billing",
        "sentiment": "Neutral",
    }
    assert values('{"Ticket_ID": "7", "BODY": "Hello"}', JSON) == {"external_id": "7", "text": "Hello"}


def test_a_column_with_the_fields_own_name_comes_first() -> None:
    assert values("id,external_id,message,text\n1,A-1,no,yes\n", CSV) == {"external_id": "A-1", "text": "yes"}
    assert values('{"message": "no", "text": "yes", "Text": "no"}', JSON) == {"text": "yes"}


@pytest.mark.parametrize(
    ("data", "format"),
    [("Nr,Anliegen,text\n7,Hallo,nein\n", CSV), ('{"Nr": 7, "Anliegen": "Hallo", "text": "nein"}', JSON)],
)
def test_a_mapping_names_the_columns(data: str, format: Format) -> None:
    mapping = {"text": "Anliegen", "external_id": "NR"}
    assert values(data, format, mapping=mapping) == {"text": "Hallo", "external_id": "7"}


def test_a_mapping_to_nothing_leaves_the_field_out() -> None:
    assert values("text,date,\nHello,now,x\n", CSV, mapping={"received_at": ""}) == {"text": "Hello"}


def test_a_mapping_to_a_missing_column_lists_the_columns() -> None:
    with pytest.raises(UnreadableFile, match=r"'Betreff' \(for text\); the columns are 'id', 'body'"):
        outcome("id,body\n1,Hello\n", CSV, mapping={"text": "Betreff"})


def test_in_json_lines_a_missing_key_spoils_its_record_only() -> None:
    data = '{"note": "a"}\n{"id": 1}\n{"note": "b"}\n'
    first, second, third = outcome(data, JSON, mapping={"text": "note"})
    assert brief([first, third]) == [(1, "a"), (3, "b")]
    assert isinstance(second, RejectedRecord)
    assert second.reason == "No column is called 'note' (for text); the columns are 'id'."
    assert second.raw == '{"id": 1}\n'


def test_a_mapping_of_an_unknown_field_is_refused() -> None:
    with pytest.raises(UnreadableFile, match="Unknown field 'txt'; map one of 'text', "):
        outcome("id,body\n", CSV, mapping={"txt": "body"})


def test_a_table_without_a_text_column_lists_the_columns() -> None:
    with pytest.raises(UnreadableFile, match="map it to one of 'id', 'subject', 'remark'"):
        outcome("id,subject,remark\n1,a,b\n", CSV)


def test_an_object_without_a_text_lists_its_keys() -> None:
    rejection = refusal('{"id": 1, "remark\\ud800": "a"}', JSON)
    assert rejection.reason == r"No column is known to hold the text; map it to one of 'id', 'remark\ud800'."


def test_a_very_wide_table_does_not_make_a_very_long_message() -> None:
    with pytest.raises(UnreadableFile) as caught:
        outcome(",".join(f"column{at}" for at in range(5_000)), CSV)
    assert len(str(caught.value)) < 1_200


def test_repeated_columns_make_a_table_unreadable_only_if_they_are_needed() -> None:
    with pytest.raises(UnreadableFile, match="names 'id' more than once"):
        outcome("id,text,ID\n1,Hello,2\n", CSV)
    expected = {"external_id": "1", "text": "Hello"}
    assert values("id,text,,\n1,Hello,,\n", CSV) == expected
    assert values("Tag,id,tag,text,Tag\na,1,b,Hello,c\n", CSV) == expected
    assert values("id,text,ID\n1,Hello,2\n", CSV, mapping={"external_id": ""}) == {"text": "Hello"}


def test_a_header_of_very_many_columns_is_read_quickly() -> None:
    names = ",".join(f"column {number}" for number in range(40_000))
    begun = time.process_time()
    assert values(f"text,{names}\nHello\n", CSV) == {"text": "Hello"}
    assert time.process_time() - begun < 5


def test_a_row_that_repeats_the_header_is_left_out() -> None:
    assert brief(outcome("id,text\n1,one\nid,text\n2,two\n", CSV)) == [(2, "one"), (4, "two")]


@pytest.mark.parametrize(
    ("subject", "body", "text"),
    [
        ("Invoice", "It is wrong.", "Invoice\n\nIt is wrong."),
        ("", "It is wrong.", "It is wrong."),
        ("Invoice", " ", "Invoice"),
    ],
)
def test_the_subject_is_put_before_the_text(subject: str, body: str, text: str) -> None:
    assert values(as_csv([["id", "Title", "body"], ["1", subject, body]]), CSV) == {
        "external_id": "1",
        "text": text,
    }
    assert values(json.dumps({"subject": subject, "body": body}), JSON) == {"text": text}


def test_a_subject_mapped_to_the_text_is_not_repeated() -> None:
    assert values("id,subject\n1,Hello\n", CSV, mapping={"text": "subject"})["text"] == "Hello"


# Values


@pytest.mark.parametrize("blank", ["", "  ", "\t\u3000", "\n\r\n"])
def test_a_ticket_without_a_text_is_refused(blank: str) -> None:
    results = [
        refusal(as_csv([["id", "text"], ["1", blank]]), CSV),
        refusal(json.dumps({"id": 1, "text": blank}), JSON),
    ]
    assert {result.reason for result in results} == {"The text is empty: give the ticket a text."}


def test_a_null_text_is_an_empty_one() -> None:
    assert refusal('{"id": 1, "text": null}', JSON).reason.startswith("The text is empty")


@pytest.mark.parametrize(
    "text", ["x" * LONGEST_TICKET, 'say "hi"' * (LONGEST_TICKET // 8), "ж" * (LONGEST_TICKET // 2)]
)
def test_a_text_of_a_megabyte_is_read(text: str) -> None:
    assert texts(as_csv([["id", "text"], ["1", text]]), CSV) == [text]
    assert texts(json.dumps({"text": text}), JSON) == [text]
    assert texts(text, LINES) == [text]


def test_a_text_over_a_megabyte_is_refused_with_the_limit() -> None:
    text = "x" * (LONGEST_TICKET + 1)
    for rejection in (
        refusal(f"id,text\n1,{text}\n", CSV),
        refusal(json.dumps({"text": text}), JSON),
        refusal(text, LINES),
    ):
        assert rejection.reason == "The text has 1,048,577 characters: shorten it to 1,048,576."
        assert len(rejection.raw) == MAX_RAW


def test_values_are_stripped_and_empty_ones_are_none_but_the_text_stays_as_it_is() -> None:
    expected = {"external_id": "7", "customer": None, "text": "  Hello \t"}
    assert values('id,customer,text\n 7 ,  ,"  Hello \t"\n', CSV) == expected
    assert values('{"id": " 7 ", "customer": " ", "text": "  Hello \\t"}', JSON) == expected


def test_nul_characters_and_lone_surrogates_are_replaced() -> None:
    assert values("id,text\n\x001,a\0b\n", CSV) == {"external_id": "\ufffd1", "text": "a\ufffdb"}
    assert values('{"id": "\\u0000", "text": "a\\ud800b\\u0000 \\ud83d\\ude00"}', JSON) == {
        "external_id": "\ufffd",
        "text": "a\ufffdb\ufffd 😀",
    }
    assert texts("a\0b\n", LINES) == ["a\ufffdb"]
    for escape in ("\\ud800", "\\uDBFF", "\\udc00", "\\uDfFf", "\\u0000"):
        assert texts(f'{{"text": "a{escape}"}}', JSON) == ["a\ufffd"]


@pytest.mark.parametrize("number", ["7", "12345678901234567890123", "1.10", "1e5", "-0", "9" * 5_000])
def test_numbers_keep_their_digits_as_strings(number: str) -> None:
    external_id = values(f'{{"id": {number}, "text": "Hello"}}', JSON)["external_id"]
    assert external_id == number
    assert type(external_id) is str


@pytest.mark.parametrize("value", ["7", "true", '["Hello"]', '{"plain": "Hello"}', "NaN"])
def test_a_text_that_is_no_string_is_refused(value: str) -> None:
    assert refusal(f'{{"text": {value}}}', JSON).reason.startswith("The text is not a string")


@pytest.mark.parametrize("value", ['{"web": "example.org"}', '["ana@example.org"]', "true"])
def test_another_value_that_is_neither_string_nor_number_is_refused_unless_left_out(value: str) -> None:
    data = f'{{"text": "Hello", "from": {value}}}'
    assert refusal(data, JSON).reason.startswith("The customer is not a string")
    assert values(data, JSON, mapping={"customer": ""}) == {"text": "Hello"}


@pytest.mark.parametrize("value", ['{"id": 1, "name": "Ana", "email": "ana@example.org"}', '"ana@example.org"'])
def test_a_person_may_be_an_object_as_help_desks_write_it(value: str) -> None:
    data = f'{{"id": 7, "external_id": null, "requester": {value}, "via": {{"channel": "web"}}, "description": "Hi"}}'
    expected = {"external_id": "7", "customer": "ana@example.org", "channel": "web", "text": "Hi"}
    assert values(data, JSON) == expected


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<div>My <b>invoice</b>&nbsp;is wrong</div>", "My invoice is wrong"),
        ("Hello,<br>it is wrong.<br />Ann", "Hello,\nit is wrong.\nAnn"),
        ("Is <b> in 2 < 3 a tag?", "Is <b> in 2 < 3 a tag?"),
        ("<none> of it works", "<none> of it works"),
    ],
)
def test_html_becomes_text(body: str, text: str) -> None:
    assert texts(as_csv([["id", "text"], ["1", body]]), CSV) == [text]


# Exports of help desks, with the columns that they have

ZENDESK = "Id,Subject,Description,Requester,Requester email,Created at\n7,Help,Broken,Ann,ann@example.org,\n"
FRESHDESK = '"Ticket ID","Subject","Description","Created time","Email"\n7,Help,Broken,,ann@example.org\n'
JIRA = "Issue key,Issue id,Summary,Created,Sprint,Sprint,Description,Comment,Comment\n7,1,Help,,S,S,Broken,a,b\n"


@pytest.mark.parametrize(
    ("data", "customer"), [(ZENDESK, "ann@example.org"), (FRESHDESK, "ann@example.org"), (JIRA, None)]
)
def test_exports_of_help_desks_are_read_without_a_mapping(data: str, customer: str | None) -> None:
    read = values(data, CSV)
    assert (read["external_id"], read["text"], read.get("customer")) == ("7", "Help\n\nBroken", customer)
    assert read["received_at"] is None


def test_the_reader_says_which_columns_and_encoding_it_took() -> None:
    reader = TicketReader(io.BytesIO("Ticket ID;Status;Body\n7;Größe;Счёт\n".encode()), format=CSV)
    assert len(list(reader)) == 1
    assert (reader.columns, reader.encoding) == ({"external_id": "Ticket ID", "text": "Body"}, "utf-8")


# Lines


def test_each_line_that_is_not_blank_is_a_text() -> None:
    results = outcome("first\r\n\n  \t\n second, \u2028 still\nlast", LINES)
    assert brief(results) == [(1, "first"), (4, " second, \u2028 still"), (5, "last")]


@pytest.mark.parametrize("format", TEXTUAL)
@pytest.mark.parametrize("data", [b"", b"\n\r\n  \n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_empty_file_has_no_tickets(format: Format, data: bytes) -> None:
    assert outcome(data, format) == []


# CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected_from_the_header(delimiter: str) -> None:
    data = as_csv([["id", "text", "the, odd; one"], ["1", "a, b; c | d\te", "x"]], delimiter)
    assert values(data, CSV) == {"external_id": "1", "text": "a, b; c | d\te"}


def test_quoted_column_names_do_not_mislead_delimiter_detection() -> None:
    assert values('id;text;"a, b, c, d"\n1;Hello;x\n', CSV) == {"external_id": "1", "text": "Hello"}


def test_a_given_delimiter_is_taken() -> None:
    assert values("id^text\n1^Hello, you\n", CSV, delimiter="^")["text"] == "Hello, you"


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n"])
def test_an_impossible_delimiter_is_refused(delimiter: str) -> None:
    with pytest.raises(UnreadableFile, match="give one character"):
        outcome("id,text\n", CSV, delimiter=delimiter)


def test_numbers_are_the_lines_on_which_records_begin() -> None:
    data = '\nid,text\r\n1,"two\r\nlines"\r\n  \r\n2,one\r\n3\r\n4,last'
    assert brief(outcome(data, CSV)) == [(3, "two\r\nlines"), (6, "one"), (7, None), (8, "last")]


def test_a_header_alone_has_no_tickets() -> None:
    assert outcome("id,text\n", CSV) == []


def test_lines_may_end_as_on_old_macs() -> None:
    assert brief(outcome('id,text\r1,"a\rb"\r2,c\r', CSV)) == [(2, "a\rb"), (4, "c")]


def test_missing_cells_are_none_as_long_as_there_is_a_text() -> None:
    first, second = outcome("id,text,customer,channel\n1,Hello\n2\n", CSV)
    assert isinstance(first, TicketRecord)
    assert first.values == {"external_id": "1", "text": "Hello", "customer": None, "channel": None}
    assert second == RejectedRecord(number=3, reason="The text is empty: give the ticket a text.", raw="2\n")


def test_too_many_cells_are_refused_unless_they_are_empty() -> None:
    first, second = outcome("id,text\n1,Hello, you\n2,Hello,, \n", CSV)
    assert isinstance(first, RejectedRecord)
    assert first.reason == "The record has 3 cells, not 2: quote what holds a delimiter."
    assert first.raw == "1,Hello, you\n"
    assert brief([second]) == [(3, "Hello")]


def test_a_quote_that_is_never_closed_spoils_its_own_record_only() -> None:
    rows = [f"{number},Hello {number}" for number in range(1, 30_001)]
    rows[4] = '5,"Hello'
    results = outcome("\n".join(["id,text", *rows]), CSV)
    [broken] = [result for result in results if isinstance(result, RejectedRecord)]
    assert (broken.number, broken.raw) == (6, '5,"Hello\n')
    assert "close every quote" in broken.reason
    assert [row.values["external_id"] for row in results if isinstance(row, TicketRecord)] == [
        str(number) for number in range(1, 30_001) if number != 5
    ]


def test_an_open_quote_swallows_no_more_than_the_record_limit() -> None:
    ordinary = [f"{number},{'x' * 1_000}\n" for number in range(2 * MAX_RECORD // 1_000)]
    results = outcome("".join(["id,text\n", '0,"never closed\n', *ordinary]), CSV)
    assert isinstance(results[0], RejectedRecord)
    assert results[0].raw == '0,"never closed\n'
    assert len(results) == len(ordinary) + 1
    assert all(isinstance(result, TicketRecord) for result in results[1:])


def test_open_quotes_all_over_a_long_file_spoil_their_own_records_only() -> None:
    rows = [f"{number},{'x' * 10_000}\n" for number in range(2_500)]
    rows[::100] = ['0,"open\n'] * 25
    results = outcome("".join(["id,text\n", *rows]), CSV)
    broken = [result for result in results if isinstance(result, RejectedRecord)]
    assert [rejection.raw for rejection in broken] == ['0,"open\n'] * 25
    assert len(results) == 2_500


def test_two_tickets_whose_quotes_meet_are_not_merged() -> None:
    data = 'id,text\n1,"open\n2,"world"\n3,"two\nlines"\n'
    assert brief(outcome(data, CSV)) == [(2, None), (3, "world"), (4, "two\nlines")]


def test_reading_resumes_at_a_record_of_several_lines() -> None:
    data = 'id,text,customer\n1,"open,Ana\n2,"two\nlines",Ben\n'
    assert brief(outcome(data, CSV)) == [(2, None), (3, "two\nlines")]


def test_the_rest_of_a_record_that_was_cut_is_no_ticket() -> None:
    data = 'text,id\nHello,1\n"Dear all,\nplease help\n\nyours\nBen'
    first, second = outcome(data, CSV)
    assert brief([first]) == [(2, "Hello")]
    assert isinstance(second, RejectedRecord)
    assert (second.number, second.raw) == (3, '"Dear all,\nplease help\n\nyours\nBen')


@pytest.mark.parametrize("record", ['1,"He said "hi" twice"\n', '1,"He said \\"hi\\" twice"\n'])
def test_a_quote_that_is_not_doubled_spoils_its_own_record_only(record: str) -> None:
    first, second = outcome(f"id,text\n{record}2,Hello\n", CSV)
    assert isinstance(first, RejectedRecord)
    assert (first.number, first.raw) == (2, record)
    assert "double those inside" in first.reason
    assert brief([second]) == [(3, "Hello")]


def test_quotes_within_a_cell_without_quotes_stay() -> None:
    assert texts('id,text\n1,a 5" screen\n', CSV) == ['a 5" screen']


def test_a_file_full_of_broken_quotes_is_read_quickly() -> None:
    lines = ['a","b\n'] * 100_000  # each opens a quote that the next one closes and opens again, up to the end
    results = outcome("".join(["id,text\n", *lines]), CSV)
    assert all(isinstance(result, RejectedRecord) for result in results)
    numbers = [result.number for result in results]
    assert numbers == sorted(set(numbers))
    assert "to 100001" in cast(RejectedRecord, results[-1]).reason


def test_a_broken_header_makes_the_table_unreadable() -> None:
    with pytest.raises(UnreadableFile, match="first line, which names the columns, cannot be read"):
        outcome('id,"text\n1,Hello\n', CSV)


def test_the_csv_field_limit_of_the_process_is_never_lowered() -> None:
    before = csv.field_size_limit(10 * MAX_RECORD)
    try:
        outcome("id,text\n1,Hello\n", CSV)
        assert csv.field_size_limit() == 10 * MAX_RECORD
    finally:
        csv.field_size_limit(before)


# JSON lines


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            '{"text": "Hel',
            "The line is not JSON (Unterminated string starting at, at character 10): correct it.",
        ),
        ("Hello", "The line is not JSON (Expecting value, at character 1): correct it."),
        (
            '{"text": "a\tb"}',
            "The line is not JSON (Invalid control character at, at character 12): correct it.",
        ),
        ('"Hello"', "The line is not one JSON object: write one object, and nothing else, on each line."),
        (
            '{"text": "a"} {}',
            "The line is not one JSON object: write one object, and nothing else, on each line.",
        ),
        ('{"a":' * 100_000, "The JSON is nested too deeply: write one flat object on each line."),
    ],
)
def test_a_line_that_is_no_object_spoils_itself_only(line: str, reason: str) -> None:
    good = '{"text": "Hello"}'
    first, second, third = outcome(f"{good}\n{line}\n\n{good}\n", JSON)
    assert brief([first, third]) == [(1, "Hello"), (4, "Hello")]
    assert second == RejectedRecord(number=2, reason=reason, raw=f"{line}\n"[:MAX_RAW])


def test_a_file_cut_in_the_middle_keeps_what_came_before() -> None:
    whole = "".join(json.dumps({"text": f"Hello {number}"}) + "\n" for number in range(100))
    *rows, last = outcome(whole[:-9], JSON)
    assert brief(rows) == [(number + 1, f"Hello {number}") for number in range(99)]
    assert isinstance(last, RejectedRecord)
    assert (last.number, last.raw) == (100, '{"text": "He')


def test_strange_line_separators_do_not_part_a_line() -> None:
    assert texts('{"text": "a\u2028b\x85c"}\n', JSON) == ["a\u2028b\x85c"]


# Encodings


@pytest.mark.parametrize("format", TEXTUAL)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_the_encoding_is_detected(format: Format, encoding: str) -> None:
    body = {CSV: "id,text\n1,{}\n", JSON: '{{"text": "{}"}}\n', LINES: "{}\n"}[format]
    text = "Grüße – 50 €"
    assert texts(body.format(text).encode(encoding), format) == [text]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Счёт неверный, исправьте пожалуйста"),
        ("koi8-r", "Счёт неверный, исправьте пожалуйста"),
        ("gbk", "我的发票有误请尽快更正"),
        ("big5", "我的發票有誤請儘快更正"),
        ("shift_jis", "請求書が間違っています。訂正してください"),
        ("euc-kr", "청구서가 잘못되었습니다 수정해 주세요"),
        ("cp1250", "Faktura jest błędna, proszę o poprawienie"),
        ("cp1253", "Το τιμολόγιό μου είναι λάθος"),
        ("cp1255", "החשבונית שלי שגויה"),
        ("cp1256", "فاتورتي خاطئة يرجى التصحيح"),
        ("utf-16-le", "Die Rechnung für März ist falsch"),
    ],
)
@pytest.mark.parametrize("before", ["", "2,ordinary\n" * 100_000])
def test_the_encoding_of_any_script_is_detected(encoding: str, text: str, before: str) -> None:
    data = f'id,text\n{before}1,"{text}"\n'.encode(encoding)
    assert texts(data, CSV)[-1] == text


def test_big_endian_files_are_detected_by_their_mark() -> None:
    assert texts("\ufeffid,text\n1,Grüße\n".encode("utf-16-be"), CSV) == ["Grüße"]


@pytest.mark.parametrize("size", [5, 7, 64])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_chunk_boundaries_do_not_matter(encoding: str, size: int) -> None:
    expected = ["Grüße – 50 €", "naïve\r\nçok", "last é"]
    data = as_csv([["id", "text"], *(["1", text] for text in expected)]).encode(encoding)
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    rows = cast(list[TicketRecord], list(TicketReader(trickle(pieces), format=CSV)))
    assert [row.values["text"] for row in rows] == expected


def test_a_file_that_is_ascii_for_long_may_still_turn_out_as_windows_1252() -> None:
    data = "Hello\n" * 200_000 + "Grüße\n"
    assert texts(data.encode("cp1252"), LINES)[-1] == "Grüße"


def test_bytes_that_look_like_utf_8_do_not_hide_windows_1252() -> None:
    text = "Ã© is how déjà and été look when read wrongly"
    assert texts(text.encode("cp1252"), LINES) == [text]


def test_a_last_letter_of_windows_1252_is_not_taken_for_half_a_character() -> None:
    assert texts("un café".encode("cp1252"), LINES) == ["un café"]


@pytest.mark.parametrize("before", ["Grüße\n", "Grüße\n" * 100_000])
def test_broken_bytes_in_utf_8_spoil_their_record_only(before: str) -> None:
    data = before.encode() + b"caf\xe9\n" + "Ende über\n".encode()
    *_, broken, last = outcome(data, LINES)
    assert isinstance(broken, RejectedRecord)
    assert broken.reason == "Some bytes do not fit the encoding: name the right one, or save as UTF-8."
    assert broken.raw == "caf\\xe9\n"
    assert brief([last]) == [(broken.number + 1, "Ende über")]


def test_broken_bytes_in_a_cell_that_is_not_read_are_refused_as_well() -> None:
    first, second = outcome("id,text,note\n1,Grüße,".encode() + b"\xff\n" + "2,Öl,x\n".encode(), CSV)
    assert isinstance(first, RejectedRecord)
    assert brief([second]) == [(3, "Öl")]


def test_bytes_that_windows_1252_does_not_know_are_refused() -> None:
    first, second = outcome(b"un caf\xe9 d\xe9j\xe0 froid\n\xe9\x81\n", LINES)
    assert brief([first]) == [(1, "un café déjà froid")]
    assert isinstance(second, RejectedRecord)
    assert second.raw == "é\\x81\n"


def test_a_rejected_record_stays_within_the_limit_however_it_is_shown() -> None:
    assert len(refusal(b"\xff" * MAX_RAW, LINES, encoding="utf-8").raw) == MAX_RAW


def test_a_broken_end_of_utf_16_is_refused() -> None:
    first, second = outcome("one\ntwo".encode("utf-16") + b"x", LINES)
    assert brief([first]) == [(1, "one")]
    assert isinstance(second, RejectedRecord)


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "shift_jis", "utf-16-le", "utf-8"])
def test_a_given_encoding_is_taken(encoding: str) -> None:
    assert texts("id,text\n1,Привет\n".encode(encoding), CSV, encoding=encoding) == ["Привет"]


def test_a_given_utf_8_still_drops_the_mark() -> None:
    pieces = (bytes((byte,)) for byte in "\ufefftext\nHello\n".encode())
    assert brief(list(TicketReader(trickle(pieces), format=CSV, encoding="UTF-8"))) == [(2, "Hello")]


@pytest.mark.parametrize("encoding", ["utf-9", "rot13", "base64", "undefined", "idna", "a\0b", "\udcff"])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(UnreadableFile, match="Unknown encoding .*: try utf-8"):
        outcome("text\nHello\n", CSV, encoding=encoding)


@pytest.mark.parametrize(
    "head",
    [
        b"PK\x03\x04\x14\x00\x06\x00",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"%PDF-1.7\n",
        b"\x89PNG\r\n\x1a\n",
        b"BZh91AY&SY",
        b"PAR1\x15\x04",
        b"\n<?xml version='1.0'?><a/>",
        b"<!DOCTYPE html><html></html>",
        b"{\\rtf1\\ansi",
        b"SQLite format 3\0",
        gzip.compress(b"%PDF-1.7", mtime=0),
    ],
)
@pytest.mark.parametrize("format", Format)
def test_a_file_that_is_no_table_is_refused_with_the_way_out(format: Format, head: bytes) -> None:
    with pytest.raises(UnreadableFile, match="save it as CSV"):
        outcome(head, format)


# Spreadsheets


def test_a_spreadsheet_is_read_as_its_table() -> None:
    data = workbook(
        [["Ticket ID", "Created at", "Description", "Due"], [7, date(2026, 1, 5), "Größe 7\nzu klein", None]]
    )
    assert sniff_format("inbox.xlsx", data[:4_000]) is Format.SHEET
    expected = {"external_id": "7", "received_at": "2026-01-05", "text": "Größe 7\nzu klein", "due_at": None}
    assert values(data, Format.SHEET) == expected


def test_a_spreadsheet_without_rows_has_no_tickets() -> None:
    assert outcome(workbook([]), Format.SHEET) == outcome(workbook([["id", "text"]]), Format.SHEET) == []


# Compression


@pytest.mark.parametrize("format", TEXTUAL)
def test_compressed_files_are_read_through(format: Format) -> None:
    body = {CSV: "text\nHello\n", JSON: '{"text": "Hello"}\n', LINES: "Hello\n"}[format]
    assert texts(gzip.compress(body.encode()), format) == ["Hello"]


def test_a_file_of_several_compressed_parts_is_read_to_the_end() -> None:
    parts = [gzip.compress(b"one\ntw"), b"\0" * 100, gzip.compress(b"o\nthree\n"), b"\0" * 700_000]
    assert texts(b"".join(parts), LINES) == ["one", "two", "three"]


@pytest.mark.parametrize("format", TEXTUAL)
@pytest.mark.parametrize(
    ("end", "word"), [(None, "ends early"), (b"\xff" * 20, "damaged"), (b"no gzip at all", "damaged")]
)
def test_a_broken_compressed_file_gives_what_came_before(format: Format, end: bytes | None, word: str) -> None:
    lines = [os.urandom(20).hex() for _ in range(5_000)]
    body = {CSV: "id,text\n1,{}\n", JSON: '{{"text": "{}"}}\n', LINES: "{}\n"}[format]
    head, _, _ = body.partition("1,{}\n") if format is CSV else ("", "", "")
    whole = gzip.compress((head + "".join(body.removeprefix(head).format(line) for line in lines)).encode())
    data = whole[: len(whole) // 2] if end is None else whole + end
    *rows, last = outcome(data, format)
    assert isinstance(last, RejectedRecord)
    assert word in last.reason
    assert last.number == len(rows) + (2 if format is CSV else 1)
    assert [row.values["text"] for row in cast(list[TicketRecord], rows)] == lines[: len(rows)]
    assert len(rows) > 2_000 if end is None else len(rows) == 5_000


def test_the_record_at_which_a_compressed_file_breaks_off_is_kept_whole() -> None:
    text = 'id,text\n1,Hello\n2,"a long\n' + os.urandom(40_000).hex() + '"\n'
    rows = outcome(gzip.compress(text.encode())[:-10_000], CSV)
    assert brief(rows) == [(2, "Hello"), (3, None)]
    assert cast(RejectedRecord, rows[1]).raw == text[16 : 16 + MAX_RAW]


# Streams


def test_rows_come_while_the_pipe_is_still_open() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as pipe:
        rows = iter(TicketReader(stream, format=LINES))
        for text in ("Hello", "Grüße"):
            pipe.write(f"{text}\n".encode())
            assert brief([next(rows)])[0][1] == text


def test_the_stream_is_left_open() -> None:
    stream = io.BytesIO(b"Hello\n")
    assert len(list(TicketReader(stream, format=LINES))) == 1
    assert not stream.closed


def peak_memory(pieces: Iterator[bytes], format: Format) -> int:
    """The most bytes in use while reading; results are dropped."""
    tracemalloc.start()
    try:
        for _ in TicketReader(trickle(pieces), format=format):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("format", "head", "line"),
    [(CSV, b"id,text\n", b"1," + b"x" * 997 + b"\n"), (JSON, b"", b'{"text": "' + b"x" * 987 + b'"}\n')],
)
def test_long_files_take_little_memory(format: Format, head: bytes, line: bytes) -> None:
    assert peak_memory(chain((head,), repeat(line * 100, 400)), format) < 5_000_000


def test_compressed_files_that_unfold_hugely_take_little_memory() -> None:
    data = gzip.compress((b"x" * 999 + b"\n") * 40_000)
    assert peak_memory(iter((data,)), LINES) < 5_000_000


@pytest.mark.parametrize("head", [b"", b'text\n"'])
@pytest.mark.parametrize("format", TEXTUAL)
def test_a_line_without_an_end_takes_little_memory(format: Format, head: bytes) -> None:
    start = head or {CSV: b"text\n", JSON: b'{"text": "', LINES: b""}[format]
    assert peak_memory(chain((start,), repeat(b"x" * 100_000, 500)), format) < 25_000_000


def test_a_line_without_an_end_is_refused_and_the_next_one_read() -> None:
    pieces = chain((b'{"text": "',), repeat(b"x" * 100_000, 100), (b'"}\n{"text": "Hello"}\n',))
    first, second = TicketReader(trickle(pieces), format=JSON)
    assert isinstance(first, RejectedRecord)
    assert first.reason == "The line has more than 4,194,304 characters: shorten it."
    assert first.raw == '{"text": "' + "x" * (MAX_RAW - 10)
    assert brief([second]) == [(2, "Hello")]


# Arbitrary input


def cleaned(text: str) -> str:
    return text.replace("\0", "\ufffd")


TEXTS = st.lists(st.text().filter(lambda text: text.strip()))


@given(TEXTS, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_csv_survives_a_round_trip(expected: list[str], delimiter: str, encoding: str) -> None:
    data = as_csv([["id", "text"], *(["1", text] for text in expected)], delimiter)
    assert texts(data.encode(encoding), CSV) == [cleaned(text) for text in expected]


@given(TEXTS, st.booleans())
def test_json_lines_survive_a_round_trip(expected: list[str], ascii_only: bool) -> None:
    data = "".join(json.dumps({"text": text}, ensure_ascii=ascii_only) + "\n" for text in expected)
    assert texts(data, JSON) == [cleaned(text) for text in expected]


@given(TEXTS)
def test_plain_lines_survive_a_round_trip(expected: list[str]) -> None:
    lines = [" ".join(text.split()) for text in expected if text.strip("\ufeff").strip()]
    assert texts("\ufeff" + "\n".join(lines), LINES) == [cleaned(line) for line in lines]


NASTY = st.text(alphabet='",;\n\r {}[]:a1é\0\\').map(str.encode) | st.binary()
HEADS: Mapping[Format, list[bytes]] = {
    CSV: [b"", b"id,text\n", b"text;x\r\n", b"text\n"],
    JSON: [b"", b'{"text": "a"}\n{"text": "'],
    LINES: [b"", b"\xff\xfe", b"a\n"],
}


@given(NASTY, st.data(), st.sampled_from(TEXTUAL), st.booleans())
def test_any_bytes_give_tickets_or_rejections_with_reasons(
    tail: bytes, data: st.DataObject, format: Format, compressed: bool
) -> None:
    content = data.draw(st.sampled_from(HEADS[format])) + tail
    content = gzip.compress(content)[: -1 - len(tail) % 20] if compressed else content
    try:
        results = outcome(content, format)
    except UnreadableFile as error:
        str(error).encode()
        return
    numbers = [result.number for result in results]
    assert numbers == sorted(set(numbers))
    for result in results:
        strings = [result.reason, result.raw] if isinstance(result, RejectedRecord) else result.values.values()
        assert "\0" not in "".join(value.encode().decode() for value in strings if value)


@given(st.lists(st.sampled_from(['1,"', "2,a", '"', ",", 'b"', "", '3,"x"', "c,d,e", 'f","g']), max_size=12))
def test_no_line_of_a_table_is_lost(lines: list[str]) -> None:
    results = outcome("".join(f"{line}\n" for line in ["id,text", *lines]), CSV)
    contents = "".join(
        result.raw if isinstance(result, RejectedRecord) else "".join(value or "" for value in result.values.values())
        for result in results
    )
    for letter in "123abcdefgx":
        assert contents.count(letter) == "".join(lines).count(letter)
