"""What every format has in common: what is written can be read back, always as the same bytes, in bounded memory."""

import hashlib
import json
import tracemalloc
from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given, settings

from review.datasets.formats.labels import json_fields
from review.datasets.formats.registry import FORMATS
from review.datasets.record import Record
from tests.review.datasets.samples import exported, lists_of_records, loaded, make, manifest_of

pytestmark = pytest.mark.once

WHOLE = [name for name in FORMATS if name != "openai"]


@pytest.mark.parametrize("format", WHOLE)
@given(lists_of_records())
def test_every_format_reads_back_the_records_it_wrote(format: str, records: list[Record]) -> None:
    assert loaded(exported(records, format), f"dataset{FORMATS[format].suffix}") == records


@pytest.mark.parametrize("format", WHOLE)
def test_the_format_is_detected_from_the_content(format: str) -> None:
    records = [make(), make("=1", side="benchmark")]
    assert loaded(exported(records, format), "upload") == records


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=10)
@given(lists_of_records())
def test_the_same_records_give_the_same_bytes(format: str, records: list[Record]) -> None:
    assert exported(records, format) == exported(records, format)


@pytest.mark.parametrize("format", FORMATS)
def test_order_and_number_survive_many_batches(format: str) -> None:
    records = [make(f"Ticket {number}") for number in range(11_000)]
    read = loaded(exported(records, format))
    assert [record.text for record in read if isinstance(record, Record)] == [record.text for record in records]


@pytest.mark.parametrize("format", FORMATS)
def test_large_texts_are_written_in_bounded_memory(format: str) -> None:
    def large() -> Iterator[Record]:
        for number in range(40):
            yield make(f"{number} " + "word " * 200_000)

    manifest = manifest_of([make()])
    tracemalloc.start()
    try:
        sizes = [len(chunk) for chunk in FORMATS[format].stream(large(), manifest)]
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
    assert sum(sizes) > 100_000


@pytest.mark.parametrize("format", FORMATS)
def test_the_first_bytes_come_before_the_last_records(format: str) -> None:
    asked = []

    def records() -> Iterator[Record]:
        for number in range(50_000):
            asked.append(number)
            yield make(f"Ticket {number}")

    first = list(islice(FORMATS[format].stream(records(), manifest_of([make()])), 2))
    assert first
    assert len(asked) <= 20_000


def test_json_lines_hold_the_fields_by_name() -> None:
    records = [make("a\u2028b"), make("ä", side="benchmark", model_confidence=0.5)]
    lines = exported(records, "jsonl").decode().split("\n")
    assert [json.loads(line) for line in lines[:-1]] == [json_fields(record) for record in records]
    assert lines[-1] == ""
    assert '"ä"' in lines[1]


def test_formats_are_registered_by_name() -> None:
    assert {name: format.name for name, format in FORMATS.items()} == {name: name for name in FORMATS}
    assert list(FORMATS) == ["jsonl", "csv", "parquet", "hf", "openai", "labelstudio", "spacy"]


def test_the_bytes_of_a_manifest_do_not_depend_on_the_order_of_counts() -> None:
    first = manifest_of([make()], sides={"training": 2, "benchmark": 1}, filters={"a": "1", "b": "2"})
    second = manifest_of([make()], sides={"benchmark": 1, "training": 2}, filters={"b": "2", "a": "1"})
    digests = [hashlib.sha256(manifest.as_json()).hexdigest() for manifest in (first, second)]
    assert digests[0] == digests[1]
    values = json.loads(first.as_json())
    assert list(values) == sorted(values)
    assert values["taxonomy"]["categories"][0] == {"name": "Billing", "description": "What is Billing"}
