"""Detects the format of a file of tickets. Pure."""

import csv
import io
from enum import StrEnum

from classifier.ingest.readers.columns import InvalidRecord, ticket_columns
from classifier.ingest.readers.csv_records import sniff_delimiter
from classifier.ingest.readers.text_lines import DamagedFile, TextLines, UnreadableFile, is_spreadsheet


class Format(StrEnum):
    """The format of a file of tickets."""

    LINES = "lines"
    CSV = "csv"
    JSON = "json"
    SHEET = "sheet"


_SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".json": Format.JSON,
}


def sniff_format(name: str, head: bytes) -> Format:
    """Detect the format of a file by its first few thousand bytes and its suffix."""
    if is_spreadsheet(head):
        return Format.SHEET
    plain = name.lower().removesuffix(".gz")
    for suffix, format in _SUFFIXES.items():
        if plain.endswith(suffix):
            return format
    try:
        line = next((line for line in TextLines(io.BytesIO(head)) if not line.isspace()), "")
    except DamagedFile as cut:
        line = cut.raw
    except UnreadableFile:
        return Format.LINES
    if line.lstrip().startswith(("{", "[")):
        return Format.JSON
    return Format.CSV if _is_header(line) else Format.LINES


def _is_header(line: str) -> bool:
    try:
        names = next(csv.reader((line,), delimiter=sniff_delimiter(line), strict=True), [])
        ticket_columns(names, {})
    except (csv.Error, InvalidRecord):
        return False
    # "Text, please" is a sentence; a header has no spaces around its names.
    return names == ["text"] or (len(names) > 1 and all(name == name.strip() for name in names))
