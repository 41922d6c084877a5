"""Which tickets are read from JSON arrays, and from objects with a list of them."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any, cast

import pytest

from classifier.ingest.readers.formats import Format
from classifier.ingest.readers.text_lines import UnreadableFile
from classifier.ingest.readers.ticket_records import RejectedRecord, TicketReader, TicketRecord

TICKETS = [{"id": 7, "body": "Hello"}, {"id": 8, "body": "Grüße"}]
ZENDESK = {"count": 2, "next_page": None, "users": [{"id": 1, "name": "Ana"}], "tickets": TICKETS, "meta": {"a": [1]}}


def read(data: str | bytes, **options: Any) -> list[TicketRecord | RejectedRecord]:
    raw = data if isinstance(data, bytes) else data.encode()
    return list(TicketReader(io.BytesIO(raw), format=Format.JSON, **options))


def brief(records: list[TicketRecord | RejectedRecord]) -> list[tuple[int, str | None]]:
    return [(record.number, record.values["text"] if isinstance(record, TicketRecord) else None) for record in records]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(TICKETS),
        "\ufeff\n" + json.dumps(TICKETS, indent=2),
        json.dumps(TICKETS[:1]) + "\n" + json.dumps(TICKETS[1:]),
        json.dumps(ZENDESK),
        json.dumps(ZENDESK) + "\n",
        json.dumps(ZENDESK, indent=4),
        json.dumps({"tickets": TICKETS, "users": []}, indent=None, separators=(",", ":")),
        '{"tickets": [\n' + ",\n".join(map(json.dumps, TICKETS)) + "\n]}",
        gzip.compress(json.dumps(ZENDESK).encode()),
        json.dumps(TICKETS, indent=2, ensure_ascii=False).encode("utf-16"),
    ],
)
def test_tickets_in_a_list_are_read_like_those_on_lines(data: str | bytes) -> None:
    assert brief(read(data)) == [(1, "Hello"), (2, "Grüße")]
    assert [cast(TicketRecord, record).values["external_id"] for record in read(data)] == ["7", "8"]


@pytest.mark.parametrize(
    "exported",
    [
        {"issues": [{"key": "A-1", "fields": {"summary": "Broken", "description": "Hello"}}]},
        {"conversations": [{"id": "A-1", "source": {"id": "9", "subject": "Broken", "body": "<p>Hello</p>"}}]},
        {"data": [{"id": "A-1", "type": "ticket", "attributes": {"title": "Broken", "body": "Hello"}}]},
    ],
)
def test_values_in_an_object_of_their_own_are_found(exported: dict[str, Any]) -> None:
    (record,) = read(json.dumps(exported))
    assert isinstance(record, TicketRecord)
    assert (record.values["external_id"], record.values["text"]) == ("A-1", "Broken\n\nHello")


def test_the_list_is_the_one_with_the_mapped_column() -> None:
    exported = {"comments": [{"body": "Internal"}], "cases": [{"note": "Hello"}]}
    assert brief(read(json.dumps(exported), mapping={"text": "note"})) == [(1, "Hello")]


def test_a_second_list_of_texts_is_rejected_rather_than_left_out_in_silence() -> None:
    first, second = read(json.dumps({"tickets": TICKETS[:1], "comments": [{"body": "Hi"}, {"body": "Ho"}]}))
    assert brief([first]) == [(1, "Hello")]
    assert isinstance(second, RejectedRecord)
    assert second.reason.startswith("Only 'tickets' is read; the list 'comments' has texts too")


def test_lines_whose_objects_hold_lists_are_still_lines() -> None:
    line = json.dumps({"comments": [{"body": "no"}], "text": "yes"})
    assert brief(read(line)) == [(1, "yes")]
    assert brief(read(f"{line}\n{line}")) == [(1, "yes"), (2, "yes")]
    without_text = json.dumps({"id": 1, "comments": [{"body": "no"}]})
    assert brief(read(f"{without_text}\n{line}")) == [(1, None), (2, "yes")]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("7", "The item is not a JSON object"),
        ('{"text": ""}', "The text is empty"),
        ('{"text": "\xff"}', "Some bytes do not fit the encoding"),
    ],
)
def test_a_bad_item_spoils_itself_only(item: str, reason: str) -> None:
    first, second, third = read(f'[{{"text": "a"}}, {item}, {{"text": "b"}}]'.encode("latin-1"), encoding="utf-8")
    assert brief([first, third]) == [(1, "a"), (3, "b")]
    assert isinstance(second, RejectedRecord)
    assert second.reason.startswith(reason)


@pytest.mark.parametrize(
    "rest",
    ["", ',{"text": ', ' {"text": "c"}]', ",]", "] x", ',{"text": "' + "x" * 9_000_000 + '"}]', "," + "[" * 100_000],
)
def test_what_comes_before_the_damage_is_kept(rest: str) -> None:
    first, last = read('[{"text": "a"}' + rest)
    assert brief([first, last]) == [(1, "a"), (2, None)]
    assert "ends early or is not valid" in cast(RejectedRecord, last).reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (json.dumps({"count": 0, "tickets": []}, indent=1), r"None of the keys 'count', 'tickets' holds a list"),
        (json.dumps({"id": 1, "text": "Hello"}, indent=1), "one JSON object with a text"),
    ],
)
def test_an_object_without_a_list_of_tickets_is_refused(data: str, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read(data)


@pytest.mark.parametrize("head", [b'[{"text": "a"}', b'{"count": 5, "tickets": [{"text": "a"}'])
def test_a_long_list_takes_little_memory(head: bytes) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, pieces: Iterator[bytes]) -> None:
            self._pieces = pieces

        def read(self, size: int = -1) -> bytes:
            return next(self._pieces, b"")

    items = (b',{"text": "' + b"x" * 987 + b'"}') * 100
    tracemalloc.start()
    try:
        pipe = cast(Any, Pipe(chain((head,), repeat(items, 200))))
        records = sum(1 for _record in TicketReader(pipe, format=Format.JSON))
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()
    assert records == 20_002
