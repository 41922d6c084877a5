"""Parse and validate the values of records. Pure."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from classifier.ingest.readers.columns import InvalidRecord, quoted_list
from classifier.ingest.readers.ticket_records import COLUMNS
from classifier.text import LONGEST_TICKET, storable
from review.datasets.record import Record

REQUIRED = ("text", "category", "sentiment")
LONGEST_STRING = 1_000
"""Characters of any field but the text."""

_USUAL: Mapping[str, tuple[str, ...]] = {field: COLUMNS.get(field, (field,)) for field in Record._fields}
_MOST_PEOPLE = 2**31 - 1
_KEY = re.compile("[0-9a-f]{64}")
_SIDES = {"training": "training", "benchmark": "benchmark", "train": "training", "test": "benchmark"}
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class NoColumn(InvalidRecord):
    """A required or mapped column is missing."""


def match_columns(names: Iterable[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """The column of each field: the mapped one, or one with a usual name in any case. Mapping to "" omits a field.

    Raises NoColumn, which lists the columns, if a mapped or required one is missing.
    """
    names = list(names)
    by_name = {name.casefold(): name for name in reversed(names)} | {name: name for name in names}
    columns: dict[str, str] = {}
    for field, usual in _USUAL.items():
        wanted = mapping.get(field)
        candidates = usual if wanted is None else (wanted, wanted.casefold())
        column = next((by_name[name] for name in candidates if name in by_name), None)
        if wanted and column is None:
            raise NoColumn(f"No column is called {wanted!r} (for {field}); the columns are {quoted_list(names)}.")
        if column is not None and wanted != "":
            columns[field] = column
    if missing := [field for field in REQUIRED if field not in columns]:
        raise NoColumn(
            f"No column is known to hold the {' or the '.join(missing)}; the columns are {quoted_list(names)}. "
            f"Map {'each' if len(missing) > 1 else 'it'} to one of them, as in {missing[0]}=COLUMN."
        )
    return columns


def parse_record(values: Mapping[str, Any]) -> Record:
    """The record with these values by field; None, "" and NaN count as missing.

    Labels are stripped, and strings lose characters that databases cannot store. The key defaults to the digest of the
    text; a given one is kept, since the text may have been masked later. Raises InvalidRecord.
    """
    parsed = {
        field: _PARSERS[field](field, value)
        for field, value in values.items()
        if value is not None and value != "" and value == value  # excludes NaN, the missing value of data frames
    }
    for field in REQUIRED:
        if field not in parsed:
            raise InvalidRecord(f"The {field} is empty: fill it in, or leave the record out.")
    if "key" not in parsed:
        parsed["key"] = hashlib.sha256(parsed["text"].encode()).hexdigest()
    return Record(**parsed)


def _text(field: str, value: Any) -> str:
    if type(value) is not str:
        raise _invalid(field, value, "a string")
    if value.isspace():
        raise InvalidRecord("The text is empty: fill it in, or leave the record out.")
    if len(value) > LONGEST_TICKET:
        raise InvalidRecord(f"The text has {len(value):,} characters: shorten it to {LONGEST_TICKET:,}.")
    return storable(value)


def _string(field: str, value: Any) -> str:
    if type(value) is not str:
        raise _invalid(field, value, "a string")
    if len(value) > LONGEST_STRING:
        raise InvalidRecord(f"The {field} has {len(value):,} characters: shorten it to {LONGEST_STRING:,}.")
    return storable(value)


def _label(field: str, value: Any) -> str:
    label = _string(field, str(value) if type(value) is int else value).strip()
    if not label:
        raise InvalidRecord(f"The {field} is empty: fill it in, or leave the record out.")
    return label


def _key(field: str, value: Any) -> str:
    if type(value) is not str or not _KEY.fullmatch(value):
        raise _invalid(field, value, "a SHA-256 of 64 hexadecimal digits")
    return value


def _side(field: str, value: Any) -> str:
    if type(value) is not str or value.strip().casefold() not in _SIDES:
        raise _invalid(field, value, '"training" or "benchmark"')
    return _SIDES[value.strip().casefold()]


def _flag(field: str, value: Any) -> bool:
    flag = value if type(value) is bool else _FLAGS.get(str(value).strip().casefold())
    if flag is None:
        raise _invalid(field, value, "true or false")
    return flag


def _count(field: str, value: Any) -> int:
    number = _number(field, value)
    if not (0 <= number <= _MOST_PEOPLE and number == int(number)):
        raise _invalid(field, value, "a whole number")
    return int(number)


def _share(field: str, value: Any) -> float:
    number = _number(field, value)
    if not 0 < number <= 1:
        raise _invalid(field, value, "a number above 0, up to 1")
    return number


def _confidence(field: str, value: Any) -> float:
    number = _number(field, value)
    if not 0 <= number <= 1:
        raise _invalid(field, value, "a number from 0 to 1")
    return number


def _number(field: str, value: Any) -> float:
    try:
        return float(value if type(value) in (int, float, str) else "")
    except (ValueError, OverflowError):
        raise _invalid(field, value, "a number") from None


def _moment(field: str, value: Any) -> str:
    """The time in UTC, which is assumed without a time zone; unchanged if it is written in UTC."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(_string(field, value).strip())
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC).isoformat()
        return value if type(value) is str and not moment.utcoffset() else moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise _invalid(field, value, "a moment such as 2026-01-31T12:00:00+00:00") from None


def _invalid(field: str, value: Any, expected: str) -> InvalidRecord:
    shown = repr(value[:60] if isinstance(value, str | bytes) else value)[:80]
    return InvalidRecord(f"The {field} is not {expected} ({shown}): correct it, or map {field} to another column.")


_PARSERS: Mapping[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(Record._fields, _string),
    "key": _key,
    "text": _text,
    "category": _label,
    "sentiment": _label,
    "side": _side,
    "corrected": _flag,
    "people": _count,
    "share": _share,
    "labelled_at": _moment,
    "model_confidence": _confidence,
}
