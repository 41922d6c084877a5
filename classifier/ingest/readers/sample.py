"""Samples of a file's first records, by which people choose what each column holds. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from classifier.ingest.readers.columns import InvalidRecord
from classifier.ingest.readers.text_lines import DamagedFile, UnreadableFile
from classifier.text import excerpt

ROWS, MOST_COLUMNS = 5, 200
_SEARCHED = 100  # records that may be unreadable before there is no sample
_LENGTH = 120


class Sample(NamedTuple):
    """The names of the columns, the first ROWS records with a cell for each, and the encoding ("" of binary files)."""

    names: list[str]
    rows: list[list[str]]
    encoding: str = ""


def take_sample(records: Iterable[Mapping[str, Any] | InvalidRecord]) -> Sample:
    """The sample of these records; cells are excerpts."""
    first = list(islice(_readable(records), ROWS))
    names = list(dict.fromkeys(name for record in first for name in record))[:MOST_COLUMNS]
    return Sample(names, [[_cell(record.get(name)) for name in names] for record in first])


def _readable(records: Iterable[Mapping[str, Any] | InvalidRecord]) -> Iterator[Mapping[str, Any]]:
    """Those among the first records that can be read, up to where the file is damaged."""
    is_first = True
    try:
        for record in islice(records, _SEARCHED):
            if not isinstance(record, InvalidRecord):
                is_first = False
                yield record
    except (UnreadableFile, DamagedFile):
        if is_first:
            raise


def _cell(value: Any) -> str:
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return "" if value is None else excerpt(str(value), _LENGTH)
