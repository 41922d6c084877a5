"""Reads taxonomies from CSV, JSON and YAML files and from pasted lines, in bounded time and memory."""

import io
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from django.utils.translation import gettext as _

from classifier.ingest.readers.columns import InvalidRecord, match_columns
from classifier.ingest.readers.formulas import unescape_formula
from classifier.ingest.readers.tables import csv_table
from classifier.ingest.readers.text_lines import UNDECODED, DamagedFile, TextLines, UnreadableFile
from classifier.taxonomy.files import documents
from classifier.taxonomy.files.entries import EntryList, LabelEntry, Path, UnusableFile

LARGEST_FILE = 1024**2
"""Bytes."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "label", "category", "option", "value", "title"),
    "axis": ("axis", "kind"),
    "description": ("description", "meaning"),
    "examples": ("examples", "example"),
    "merge_into": ("merge_into",),
    "retired": ("retired",),
}
"""The columns of a CSV file by field of a label; case, spaces, dots and dashes don't matter."""

_BULLET = re.compile(r"[-*•·–]\s+")


def read(content: bytes, name: str) -> list[LabelEntry]:
    """The labels of a file, whose extension says what it is; without one it has lines. Raises UnusableFile."""
    if len(content) > LARGEST_FILE:
        raise UnusableFile(_("The file is larger than 1 MB."))
    suffix = name.lower().rpartition(".")[2] if "." in name else "txt"
    readers: dict[str, Callable[[str], list[LabelEntry]]] = {
        **dict.fromkeys(("csv", "tsv"), _read_table),
        **dict.fromkeys(("yaml", "yml"), partial(_read_document, documents.parse_yaml)),
        "json": partial(_read_document, documents.parse_json),
        "txt": read_lines,
    }
    if suffix not in readers:
        raise UnusableFile(_("Name the file .csv, .yaml, .json or .txt, by what it is."))
    try:
        text = "".join(TextLines(io.BytesIO(content)))
    except (UnreadableFile, DamagedFile) as error:
        raise UnusableFile(str(error)) from error
    if UNDECODED.search(text):
        raise UnusableFile(_("The file is not text that can be read; save it as UTF-8."))
    return readers[suffix](text)


def read_lines(text: str, axis: str = "") -> list[LabelEntry]:
    """The labels of lines such as “Billing > Refunds: money back”. Raises UnusableFile."""
    entries = EntryList()
    for number, line in enumerate(text.splitlines(), start=1):
        label = _BULLET.sub("", line.strip(), count=1)
        if label and not label.startswith("#"):
            name, _colon, description = label.removesuffix(":").partition(": ")
            entries.add(_("Line %d") % number, {"name": name, "description": description, "axis": axis})
    return entries.finished()


def read_options(options: Iterable[Path], axis: str = "") -> list[LabelEntry]:
    """The labels of a drop-down field's options, each with those above it. Raises UnusableFile."""
    entries = EntryList()
    for number, option in enumerate(options, start=1):
        # The sign that separates a category from its parent.
        path = tuple(name.replace(">", "›") for name in option)
        entries.add(_("Option %d") % number, {"path": path, "axis": axis})
    return entries.finished()


def _read_table(text: str) -> list[LabelEntry]:
    entries = EntryList()
    try:
        table = csv_table(iter(text.splitlines(keepends=True)))
        columns = match_columns(table.names, {}, COLUMNS)
    except (UnreadableFile, InvalidRecord) as error:
        raise UnusableFile(str(error)) from error
    if "name" not in columns:
        raise UnusableFile(_("The first line must name the columns; one of them is “name”."))
    for number, _raw, cells in table.records:
        place = _("Line %d") % number
        if isinstance(cells, InvalidRecord):
            entries.reject(place, str(cells))
        else:
            row = dict(zip(table.names, cells, strict=False))
            entries.add(place, {field: unescape_formula(row[column]) for field, column in columns.items()})
    return entries.finished()


def _read_document(parse: documents.Parser, text: str) -> list[LabelEntry]:
    entries = EntryList()
    documents.collect(parse(text), entries)
    return entries.finished()
