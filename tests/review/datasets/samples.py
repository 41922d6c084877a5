"""Records of every kind, and the manifest that goes with them."""

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any

from hypothesis import strategies as st

from classifier.contract.prompt import contract_for
from classifier.contract.types import Contract, Option
from review.datasets.formats.registry import FORMATS
from review.datasets.reading import RecordReader
from review.datasets.record import LabelInfo, Manifest, Record, Rejected

CATEGORIES = ("Billing", "Billing > Invoice", "=SUM(A1)", "'-5 %", 'Ärger, "laut"')
SENTIMENTS = ("negative", "neutral", "positive", "@all")

_characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_odd = st.sampled_from(["=1+1", "'=1", "''@x", "'hello", "\t-", "\r\n", "a\rb", '"', ",\n", "\x85\u2028", "\ufeff"])
texts = st.one_of(st.text(_characters, min_size=1, max_size=80), st.builds("".join, st.lists(_odd, min_size=1))).filter(
    lambda text: not text.isspace()
)
_shares = st.floats(0, 1, exclude_min=True)
_moments = st.one_of(st.just(""), st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat()))


def key_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make(text: str = "Where is my parcel?", **values: Any) -> Record:
    """A record as an export writes it, which says on which side it stands."""
    known = {"key": key_of(text), "text": text, "category": "Billing", "sentiment": "neutral", "side": "training"}
    return Record(**{**known, **values})


def elsewhere(text: str = "Where is my parcel?", **values: Any) -> Record:
    """A record as a file from elsewhere has it, which says no side."""
    return make(text, **{"side": "", **values})


@st.composite
def lists_of_records(draw: st.DrawFn, min_size: int = 0) -> list[Record]:
    """Records in the order of an export."""
    guessed: st.SearchStrategy[dict[str, Any]] = st.one_of(
        st.just({}),
        st.fixed_dictionaries(
            {
                "model_category": st.sampled_from(CATEGORIES),
                "model_sentiment": st.sampled_from(SENTIMENTS),
                "model_confidence": st.one_of(st.none(), st.floats(0, 1)),
            }
        ),
    )
    record = st.builds(
        lambda text, guess, **values: make(text, **values, **guess),
        texts,
        guessed,
        category=st.sampled_from(CATEGORIES),
        sentiment=st.sampled_from(SENTIMENTS),
        side=st.sampled_from(["training", "benchmark"]),
        origin=st.sampled_from(["import", "adjudicated", "+1"]),
        corrected=st.booleans(),
        people=st.integers(0, 9),
        share=_shares,
        language=st.sampled_from(["", "en", "zh-Hant"]),
        source=st.one_of(st.just(""), texts),
        labelled_at=_moments,
    )
    records = draw(st.lists(record, min_size=min_size, max_size=6))
    return sorted(records, key=lambda record: record.side, reverse=True)


def options(names: Iterable[str]) -> list[Option]:
    return [Option(name=name, description=f"What is {name}") for name in names]


CONTRACT: Contract = contract_for(options(CATEGORIES), options(SENTIMENTS))


def manifest_of(records: Sequence[Record], **values: Any) -> Manifest:
    """What an export says of these records; the last category is no longer in the taxonomy."""
    counted: dict[str, Mapping[str, int]] = {
        name: dict(Counter(getattr(record, field) for record in records))
        for name, field in (("sides", "side"), ("categories", "category"), ("sentiments", "sentiment"))
    }
    taxonomy = {
        "categories": tuple(LabelInfo(name, f"What is {name}") for name in CATEGORIES[:-1]),
        "sentiments": tuple(LabelInfo(name) for name in SENTIMENTS),
    }
    known: dict[str, Any] = {
        "snapshot": "5" * 64,
        "created_at": "2026-01-31T12:00:00+00:00",
        "records": len(records),
        "taxonomy": taxonomy,
        "contract": CONTRACT.digest,
        "system_prompt": CONTRACT.system_prompt,
    }
    return Manifest(**{**known, **counted, **values})


def exported(records: Sequence[Record], format: str, **values: Any) -> bytes:
    return b"".join(FORMATS[format].stream(iter(records), manifest_of(records, **values)))


def loaded(data: bytes, name: str = "", mapping: Mapping[str, str] = {}) -> list[Record | Rejected]:
    return list(RecordReader(io.BytesIO(data), name, mapping))
