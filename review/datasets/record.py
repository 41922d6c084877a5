"""The record (one labelled ticket) and the manifest of a dataset. Pure."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, TypeAdapter

from classifier.text import LONGEST_TICKET, storable

LONGEST_STRING = 1_000
"""Characters of any field but the text."""

_SIDES = {"train": "training", "test": "benchmark"}
_SPREADSHEET_FLAGS = {
    **dict.fromkeys(("wahr", "vrai", "verdadero", "vero", "waar", "verdadeiro", "prawda"), "true"),
    **dict.fromkeys(("falsch", "faux", "falso", "onwaar", "fałsz"), "false"),
}
"""How spreadsheets in other languages save true and false."""


def _word(value: Any) -> str:
    return str(value).strip().casefold()


def _without_decimal_comma(value: Any) -> Any:
    return value.replace(",", ".") if isinstance(value, str) and value.count(",") == 1 else value


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def _label_name(value: Any) -> Any:
    return storable(str(value).strip()) if type(value) in (str, int) else value


def _moment(value: Any) -> datetime:
    """ISO 8601, else a number of seconds, or of their thousandths, millionths or billionths as data frames write."""
    if isinstance(value, str):
        with suppress(ValueError):
            return datetime.fromisoformat(value.strip())
    if isinstance(value, int | float) and 1e14 < abs(value) < 1e20:
        value = value / 1e6 if abs(value) > 1e17 else value / 1e3
    return _DATETIME.validate_python(value)


def _in_utc(value: Any) -> str:
    """The moment in UTC, which is assumed without a time zone."""
    moment = _moment(value)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except OverflowError as error:
        raise ValueError("should be in the years 1 to 9999") from error


_DATETIME = TypeAdapter(datetime)
_String = Annotated[str, Field(max_length=LONGEST_STRING), BeforeValidator(_storable)]
_Label = Annotated[str, Field(max_length=LONGEST_STRING), BeforeValidator(_label_name)]
_Float = Annotated[float, BeforeValidator(_without_decimal_comma)]
_Flag = Annotated[bool, BeforeValidator(lambda flag: _SPREADSHEET_FLAGS.get(_word(flag), flag))]
_Side = Annotated[
    str,
    Field(pattern="^(training|benchmark|)$"),
    BeforeValidator(lambda side: _SIDES.get(_word(side), _word(side))),
]


class Record(NamedTuple):
    """A labelled ticket in every format; the fields are in the order of the columns.

    `key` is the hexadecimal SHA-256 of the text. Labels are full names ("parent > child"). `side` is "benchmark" or
    "training", or empty if a file does not say. `people` is how many gave this label independently. `share` is the
    probability with which the text was chosen for labelling. `labelled_at` is ISO 8601 in UTC. Without an earlier
    prediction, `model_category` and `model_sentiment` are empty and `model_confidence` is None.
    """

    key: Annotated[str, Field(pattern="^([0-9a-f]{64}|)$")]
    text: Annotated[str, Field(max_length=LONGEST_TICKET), BeforeValidator(_storable)]
    category: _Label
    sentiment: _Label
    side: _Side = ""
    origin: _String = "import"
    corrected: _Flag = False
    people: Annotated[int, BeforeValidator(_without_decimal_comma), Field(ge=0, le=32_767)] = 1
    share: Annotated[_Float, Field(gt=0, le=1)] = 1.0
    language: _String = ""
    source: _String = ""
    labelled_at: Annotated[str, BeforeValidator(_in_utc)] = ""
    model_category: _String = ""
    model_sentiment: _String = ""
    model_confidence: Annotated[_Float, Field(ge=0, le=1)] | None = None


class Rejected(NamedTuple):
    """A rejected record: its number in the file, from 1, and the reason."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class LabelInfo:
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The provenance of a dataset. Its only time is the snapshot's, so that repeated exports are identical."""

    snapshot: str
    """The snapshot's SHA-256."""
    created_at: str
    records: int
    """Records in the file; the counts by kind sum up to it."""
    sides: Mapping[str, int]
    categories: Mapping[str, int]
    """Records by the category's full name."""
    sentiments: Mapping[str, int]
    taxonomy: Mapping[str, tuple[LabelInfo, ...]]
    """The "categories" and the "sentiments" available to reviewers."""
    contract: str
    """The digest of the contract that the chat format uses."""
    system_prompt: str
    filters: Mapping[str, str] = field(default_factory=dict)
    erased: int = 0
    """Records left out because their tickets were erased."""
    masked: bool = False
    licence: str = ""

    def as_json(self) -> bytes:
        """JSON with sorted keys: the same bytes for the same manifest."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, indent=2).encode() + b"\n"
