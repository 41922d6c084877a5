"""Match columns to the record's fields, and make records of values. Pure."""

import hashlib
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from classifier.ingest.readers import columns as readers_columns
from classifier.ingest.readers.columns import COLUMNS, InvalidRecord, quoted_list
from review.datasets.record import Record

_USUAL: Mapping[str, tuple[str, ...]] = {field: COLUMNS.get(field, (field,)) for field in Record._fields} | {
    "text": (*COLUMNS["text"], "data")
}
LABEL_COLUMNS = frozenset(name for names in _USUAL.values() for name in names)
"""Usual names of columns, in lower case."""


class NoColumn(InvalidRecord):
    """A required or mapped column is missing."""


def match_columns(names: Iterable[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """The column of each field: the mapped one, or one with a usual name in any case. Mapping to "" omits a field.

    Raises NoColumn, which lists the columns, if a mapped or required one is missing.
    """
    names = list(names)
    try:
        columns = readers_columns.match_columns(names, mapping, _USUAL)
    except InvalidRecord as error:
        raise NoColumn(str(error)) from error
    if missing := _missing(columns):
        raise NoColumn(
            f"No column is known to hold the {missing}; the columns are {quoted_list(names)}. "
            f"Map it to one of them, as in {missing.split()[0]}=COLUMN."
        )
    return columns


def usual_columns(names: Iterable[str]) -> dict[str, str]:
    """The column of each field that has one with a usual name."""
    return readers_columns.match_columns(names, {}, _USUAL)


def _missing(given: Container[str]) -> str:
    """What a record needs beside what is given: a text, and at least one label."""
    if "text" not in given:
        return "text"
    return "" if "category" in given or "sentiment" in given else "category or the sentiment"


_RECORD = TypeAdapter(Record)
_SUBJECT = re.compile("^(Input|String|Value error,) ")


def parse_record(values: Mapping[str, Any]) -> Record:
    """The record with these values by field; None, blank strings and NaN count as missing.

    Labels are stripped, and strings lose characters that databases cannot store. The key defaults to the digest of the
    text; a given one is kept, since the text may have been masked later. Raises InvalidRecord.
    """
    given = {field: value for field, value in values.items() if not _is_missing(value)}
    if missing := _missing(given):
        raise InvalidRecord(f"The {missing} is empty: fill it in, or leave the record out.")
    try:
        record = _RECORD.validate_python({"key": ""} | given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name, shown = first["loc"][0], repr(first["input"])[:60]
        wrong = f"{name} {_SUBJECT.sub('', first['msg'])} ({shown})"
        raise InvalidRecord(f"The {wrong}: correct it, or map {name} to another column.") from error
    return record if record.key else record._replace(key=hashlib.sha256(record.text.encode()).hexdigest())


def _is_missing(value: Any) -> bool:
    # NaN, which differs from itself, is the missing value of data frames.
    return value is None or value == [] or value != value or (isinstance(value, str) and not value.strip())
