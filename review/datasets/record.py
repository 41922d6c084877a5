"""The record (one labelled ticket) and the manifest of a dataset. Pure."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from classifier.ingest.moments import parse_moment
from classifier.text import LONGEST_TICKET, storable

LONGEST_STRING, LONGEST_LIST = 1_000, 5_000
"""Characters of any field but the text, and of a list of names."""

_LEVELS = " > "
_SIDES = {"train": "training", "test": "benchmark"}
_SPREADSHEET_FLAGS = {
    **dict.fromkeys(
        ("wahr", "ja", "vrai", "oui", "verdadero", "sí", "vero", "sì", "waar", "verdadeiro", "sim", "prawda", "tak"),
        "true",
    ),
    **dict.fromkeys(("falsch", "nein", "faux", "non", "falso", "onwaar", "nee", "não", "fałsz", "nie"), "false"),
}
"""How spreadsheets and people in other languages write true and false."""


def _word(value: Any) -> str:
    return str(value).strip().casefold()


def _without_decimal_comma(value: Any) -> Any:
    return value.replace(",", ".") if isinstance(value, str) and value.count(",") == 1 else value


def _share(value: Any) -> Any:
    """Per cent as a share."""
    text = str(value).strip()
    return float(text[:-1]) / 100 if re.fullmatch(r"\d{1,3}(\.\d+)? ?%", text) else value


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def _one_label(value: Any) -> Any:
    """Tools that allow several labels give a list of one, and for a nested label the list of its names from the top."""
    if isinstance(value, str) and value.startswith(("[", "{")):
        with suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        (value,) = value
    if isinstance(value, dict):  # Label Studio's short form
        value = value.get("choices", value.get("taxonomy"))
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
        if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
            value = _LEVELS.join(value)
    return storable(str(value).strip()) if type(value) in (str, int) else value


def _one_per_line(value: Any) -> Any:
    """Data frames and JSON may have a list."""
    names = value if isinstance(value, list) and all(isinstance(name, str) for name in value) else [value]
    return storable("\n".join(names)) if isinstance(names[0] if names else "", str) else value


def _in_utc(value: Any) -> str:
    """The moment in UTC, which is assumed without a time zone."""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if text.isdecimal():
        text = text[:13]  # data frames also write millionths and billionths of seconds since 1970
    moment = parse_moment(text, UTC)
    if moment is None:
        raise ValueError("should be a moment such as 2026-01-31T12:00:00+00:00")
    return moment.isoformat()


def _answers(value: Any) -> Any:
    """An object, perhaps as JSON; answers that are missing are left out."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    if not isinstance(value, dict):
        return value
    return {str(key): _decoded_list(answer) for key, answer in value.items() if answer not in (None, "", [])}


def _decoded_list(answer: Any) -> Any:
    """A list that a table has as JSON; tools that allow several answers give a list of one."""
    if isinstance(answer, str) and answer.startswith("["):
        with suppress(ValueError):
            answer = json.loads(answer)
    return answer[0] if isinstance(answer, list) and len(answer) == 1 else answer


_String = Annotated[str, Field(max_length=LONGEST_STRING), BeforeValidator(_storable)]
_Label = Annotated[str, Field(max_length=LONGEST_STRING), BeforeValidator(_one_label)]
_Float = Annotated[float, BeforeValidator(_share), BeforeValidator(_without_decimal_comma)]
_Flag = Annotated[bool, BeforeValidator(lambda flag: _SPREADSHEET_FLAGS.get(_word(flag), flag))]
_Side = Annotated[
    str,
    Field(pattern="^(training|benchmark|)$"),
    BeforeValidator(lambda side: _SIDES.get(_word(side), _word(side))),
]


class Record(NamedTuple):
    """A labelled ticket in every format; the fields are in the order of the columns.

    `key` is the hexadecimal SHA-256 of the text. Labels are full names ("parent > child"); one of category and
    sentiment may be empty. `side` is "benchmark" or
    "training", or empty if a file does not say. `people` is how many gave this label independently. `share` is the
    probability with which the text was chosen for labelling. `labelled_at` is ISO 8601 in UTC. Without an earlier
    prediction, `model_category` and `model_sentiment` are empty and `model_confidence` is None. `further_categories`
    has full names, one per line. `attributes` are the answers by the attribute's key: an option's name, a list of them,
    true or false, or a text.
    """

    key: Annotated[str, Field(pattern="^([0-9a-f]{64}|)$")]
    text: Annotated[str, Field(max_length=LONGEST_TICKET), BeforeValidator(_storable)]
    category: _Label = ""
    sentiment: _Label = ""
    side: _Side = ""
    origin: _String = "import"
    corrected: _Flag = False
    people: Annotated[int, BeforeValidator(_without_decimal_comma), Field(ge=0, le=32_767)] = 1
    share: Annotated[_Float, Field(gt=0, le=1)] = 1.0
    language: _String = ""
    source: _String = ""
    labelled_at: Annotated[str, BeforeValidator(_in_utc)] = ""
    model_category: _Label = ""
    model_sentiment: _Label = ""
    model_confidence: Annotated[_Float, Field(ge=0, le=1)] | None = None
    further_categories: Annotated[str, Field(max_length=LONGEST_LIST), BeforeValidator(_one_per_line)] = ""
    attributes: Annotated[dict[str, Any], BeforeValidator(_answers)] = {}


class Rejected(NamedTuple):
    """A rejected record: its number in the file, from 1, and the reason."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class LabelInfo:
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeInfo:
    """An attribute; `options` are names, `kind` is "one_of", "yes_no", "several_of" or "text"."""

    key: str
    name: str
    kind: str
    description: str = ""
    options: tuple[str, ...] = ()
    pattern: str = ""
    asked: bool = True
    """Whether the contract asks models about it."""


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
    attributes: tuple[AttributeInfo, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    erased: int = 0
    """Records left out because their tickets were erased."""
    masked: bool = False
    licence: str = ""

    def as_json(self) -> bytes:
        """JSON with sorted keys: the same bytes for the same manifest. Attributes are left out if there are none."""
        values = asdict(self)
        if not self.attributes:
            del values["attributes"]
        return json.dumps(values, ensure_ascii=False, sort_keys=True, indent=2).encode() + b"\n"
