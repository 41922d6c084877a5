"""Match columns to the record's fields, and parse and validate the values of records. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from classifier.ingest.readers.columns import InvalidRecord, quoted_list
from classifier.ingest.readers.ticket_records import COLUMNS
from classifier.text import LONGEST_TICKET, storable
from review.datasets.record import Record

REQUIRED = ("text", "category", "sentiment")
LONGEST_STRING = 1_000
"""Characters of any field but the text."""

_USUAL: Mapping[str, tuple[str, ...]] = {field: COLUMNS.get(field, (field,)) for field in Record._fields}
_SIDES = {"train": "training", "test": "benchmark"}
_SPREADSHEET_FLAGS = {
    **dict.fromkeys(("wahr", "vrai", "verdadero", "vero", "waar", "verdadeiro", "prawda"), "true"),
    **dict.fromkeys(("falsch", "faux", "falso", "onwaar", "fałsz"), "false"),
}
"""How spreadsheets in other languages save true and false."""


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


def _word(value: Any) -> str:
    return str(value).strip().casefold()


def _without_decimal_comma(value: Any) -> Any:
    return value.replace(",", ".") if isinstance(value, str) and value.count(",") == 1 else value


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def _label_name(value: Any) -> Any:
    return storable(str(value).strip()) if type(value) in (str, int) else value


def _moment(value: Any) -> Any:
    """ISO 8601, else a number of seconds, or of their thousandths, millionths or billionths as data frames write."""
    if isinstance(value, str):
        with suppress(ValueError):
            return datetime.fromisoformat(value.strip())
    if isinstance(value, int | float) and 1e14 < abs(value) < 1e20:
        return value / 1e6 if abs(value) > 1e17 else value / 1e3
    return value


def _in_utc(moment: datetime) -> str:
    """The time in UTC, which is assumed without a time zone."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except OverflowError as error:
        raise ValueError("should be in the years 1 to 9999") from error


_String = Annotated[str, Field(max_length=LONGEST_STRING), BeforeValidator(_storable)]
_Label = Annotated[str, Field(max_length=LONGEST_STRING), BeforeValidator(_label_name)]
_Float = Annotated[float, BeforeValidator(_without_decimal_comma)]


class _Values(TypedDict, total=False):
    """The values of a record as files give them."""

    key: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    text: Annotated[str, Field(max_length=LONGEST_TICKET), BeforeValidator(_storable)]
    category: _Label
    sentiment: _Label
    side: Annotated[
        Literal["training", "benchmark"], BeforeValidator(lambda side: _SIDES.get(_word(side), _word(side)))
    ]
    origin: _String
    corrected: Annotated[bool, BeforeValidator(lambda flag: _SPREADSHEET_FLAGS.get(_word(flag), flag))]
    people: Annotated[int, BeforeValidator(_without_decimal_comma), Field(ge=0, le=32_767)]
    share: Annotated[_Float, Field(gt=0, le=1)]
    language: _String
    source: _String
    labelled_at: Annotated[datetime, BeforeValidator(_moment), AfterValidator(_in_utc)]
    model_category: _String
    model_sentiment: _String
    model_confidence: Annotated[_Float, Field(ge=0, le=1)]


_VALUES = TypeAdapter(_Values)
_SUBJECT = re.compile("^(Input|String|Value error,) ")


def parse_record(values: Mapping[str, Any]) -> Record:
    """The record with these values by field; None, blank strings and NaN count as missing.

    Labels are stripped, and strings lose characters that databases cannot store. The key defaults to the digest of the
    text; a given one is kept, since the text may have been masked later. Raises InvalidRecord.
    """
    try:
        parsed: Any = _VALUES.validate_python({name: value for name, value in values.items() if not _is_missing(value)})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field, shown = first["loc"][0], repr(first["input"])[:60]
        wrong = f"{field} {_SUBJECT.sub('', first['msg'])} ({shown})"
        raise InvalidRecord(f"The {wrong}: correct it, or map {field} to another column.") from error
    for field in REQUIRED:
        if field not in parsed:
            raise InvalidRecord(f"The {field} is empty: fill it in, or leave the record out.")
    parsed.setdefault("key", hashlib.sha256(parsed["text"].encode()).hexdigest())
    return Record(**parsed)


def _is_missing(value: Any) -> bool:
    # NaN, which differs from itself, is the missing value of data frames.
    return value is None or value != value or (isinstance(value, str) and not value.strip())
