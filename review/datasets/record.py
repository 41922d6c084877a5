"""A dataset's records (one labelled ticket each) and its manifest. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Record(NamedTuple):
    """A labelled ticket as every format writes it, its fields in the order of the columns.

    `key` is the SHA-256 of the text in hexadecimal digits; labels go by their full names ("parent > child"); `side` is
    "benchmark" or "training", or empty where a file does not say; `origin` tells where the label comes from; `people`
    is how many gave this label independently; `share` is the probability with which the text was chosen for labelling;
    `labelled_at` is ISO 8601 in UTC. What the model had said before people did is empty (and its confidence None) where
    it was not asked.
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
    """What a reader could not make a record of: the number of the record in its file, from 1, and why."""

    number: int
    reason: str


class LabelInfo(NamedTuple):
    """A label of the taxonomy as the manifest tells it."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Where a dataset comes from. It names no moment but the snapshot's own, so that exports stay the same from one
    erasure to the next.
    """

    snapshot: str
    """The SHA-256 that names the snapshot."""
    created_at: str
    records: int
    """How many the file has; what counts them by kind counts the same."""
    sides: Mapping[str, int]
    categories: Mapping[str, int]
    """How many records each category has, by full name; likewise `sentiments`."""
    sentiments: Mapping[str, int]
    taxonomy: tuple[tuple[LabelInfo, ...], tuple[LabelInfo, ...]]
    """The categories and the sentiments that could be chosen."""
    contract: str
    """The digest of the contract whose messages the chat format writes."""
    system_prompt: str
    filters: Mapping[str, str] = field(default_factory=dict)
    erased: int = 0
    """Records of the snapshot that are left out, since their tickets have been erased."""
    masked: bool = False
    licence: str = ""
