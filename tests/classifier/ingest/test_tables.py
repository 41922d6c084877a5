"""Tables as other programs write them."""

import io

import pytest
from dateutil.parser import parse

from classifier.ingest.readers.formats import sniff_format
from classifier.ingest.readers.text_lines import UnreadableFile
from classifier.ingest.readers.ticket_records import TicketReader, TicketRecord
from tests.workbooks import workbook


def read(name: str, data: str | bytes) -> list[TicketRecord]:
    raw = data if isinstance(data, bytes) else data.encode()
    records = list(TicketReader(io.BytesIO(raw), format=sniff_format(name, raw)))
    assert all(isinstance(record, TicketRecord) for record in records), records
    return [record for record in records if isinstance(record, TicketRecord)]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", "sep=;\r\nid;text\r\n7;Hello, world\r\n"),
        ("a.csv", "SEP=\t\nid\ttext\n7\tHello, world\n"),
        ("a.tsv", 'id;text\n7;"Hello, world"\n'),
        ("a.csv", '"Export of tickets";;\n;;\nid;text;created\n7;Hello, world;\n'),
        ("a.csv", "id\ttext\r\n7\tHello, world\r\n".encode("utf-16")),
        ("a.csv", 'id,text\n7,"Hello, world"\n'.encode("utf-16-le")),
        (
            "a.xlsx",
            workbook([["Tickets of 2026", None], [None, None], ["Ticket ID", "Description"], [7, "Hello, world"]]),
        ),
    ],
)
def test_titles_and_marks_above_the_names_are_left_out(name: str, data: str | bytes) -> None:
    (record,) = read(name, data)
    assert (record.values["external_id"], record.values["text"]) == ("7", "Hello, world")


def test_a_table_with_one_named_column_has_no_title() -> None:
    assert [record.values["text"] for record in read("a.csv", "text,\nHello,\nWorld,\n")] == ["Hello", "World"]


def test_dates_of_a_workbook_are_written_out() -> None:
    moment = parse("2026-05-04 10:00")
    rows = read("a.xlsx", workbook([["id", "text", "created"], [1.0, "a", moment], [2, "b", moment.date()]]))
    assert [row.values["received_at"] for row in rows] == ["2026-05-04 10:00:00", "2026-05-04"]
    assert rows[0].values["external_id"] == "1"


NAMES = [
    "Ticket ID,Customer Email,Ticket Subject,Ticket Description,Date of Purchase",
    "Conversation ID,User email,Title,First message,Created At (UTC)",
    "number,caller_id,short_description,description,opened_at",
    "Nummer,Kunde,Titel,Nachricht,Erstellt am",
    "Numéro,Client,Objet,Message,Date de création",
    "Ticket#,From,Subject,Article Body,Created",
]


@pytest.mark.parametrize("names", NAMES)
def test_columns_of_many_exports_need_no_mapping(names: str) -> None:
    (record,) = read("a.csv", f"{names}\n7,kim@example.com,Broken,Hello,2026-05-04\n")
    values = record.values
    assert (values["external_id"], values["customer"], values["text"]) == ("7", "kim@example.com", "Broken\n\nHello")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.eml", b"Return-Path: <a@example.com>\r\nReceived: from x\r\n\tby y\r\nSubject: Hi\r\n\r\nHello\r\n"),
        ("a.mbox", b"From kim@example.com Mon May  4 10:00:00 2026\nSubject: Hi\nTo: help@example.com\n\nHello\n"),
        ("a.xls", b"<table><tr><td>id</td></tr></table>"),
    ],
)
def test_a_file_that_is_no_table_is_refused_by_its_beginning(name: str, data: bytes) -> None:
    with pytest.raises(UnreadableFile, match="an e-mail|a web page"):
        read(name, data)
