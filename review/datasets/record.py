"""The record (one labelled ticket) and the manifest of a dataset. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import NamedTuple


class Record(NamedTuple):
    """A labelled ticket in every format; the fields are in the order of the columns.

    `key` is the hexadecimal SHA-256 of the text. Labels are full names ("parent > child"). `side` is "benchmark" or
    "training", or empty if a file does not say. `people` is how many gave this label independently. `share` is the
    probability with which the text was chosen for labelling. `labelled_at` is ISO 8601 in UTC. Without an earlier
    prediction, `model_category` and `model_sentiment` are empty and `model_confidence` is None.
    """

    key: str
    text: str
    category: str
    sentiment: str
    side: str = ""
    origin: str = "import"
    corrected: bool = False
    people: int = 1
    share: float = 1.0
    language: str = ""
    source: str = ""
    labelled_at: str = ""
    model_category: str = ""
    model_sentiment: str = ""
    model_confidence: float | None = None


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
