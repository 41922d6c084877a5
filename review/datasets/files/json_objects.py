"""Read rows from JSON lines or from one JSON array of objects. Pure.

Objects in the format of OpenAI, Label Studio or spaCy are converted; any others are rows as they are.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from classifier.ingest.readers.columns import InvalidRecord
from classifier.ingest.readers.json_text import JsonText
from classifier.ingest.readers.text_lines import MAX_RECORD, UNDECODED, DamagedFile, TextLines
from review.datasets.files.errors import UnreadableDataset
from review.datasets.formats import labelstudio, openai_chat, spacy_textcat

_NOT_DECODED = "Some bytes do not fit the encoding: name the right one, or save as UTF-8."
_decoder = json.JSONDecoder()


def lines(text: TextLines) -> Iterator[Mapping[str, Any] | InvalidRecord]:
    """Yield the objects of JSON lines. Raises UnreadableFile, and UnreadableDataset for a single document."""
    started = False
    try:
        for line in text:
            if line.isspace():
                continue
            if not started and line.strip() == "{":
                raise UnreadableDataset("The file is one JSON document: write one object per line, or an array.")
            started = True
            yield _line(line)
    except DamagedFile as cut:
        raise UnreadableDataset(str(cut)) from cut


def _line(line: str) -> Mapping[str, Any] | InvalidRecord:
    if len(line) > MAX_RECORD:
        return InvalidRecord(f"The line has more than {MAX_RECORD:,} characters: shorten it.")
    if not line.isascii() and UNDECODED.search(line):
        return InvalidRecord(_NOT_DECODED)
    try:
        return _row(_decoder.decode(line))
    except json.JSONDecodeError as error:
        return InvalidRecord(f"The line is not JSON ({error.msg}, at character {error.pos + 1}): correct it.")
    except (ValueError, RecursionError) as error:
        return InvalidRecord(f"The JSON cannot be read ({error}): write one flat object on each line.")


def array(text: TextLines) -> Iterator[Mapping[str, Any] | InvalidRecord]:
    """Yield the objects of a JSON array one at a time. Raises UnreadableDataset if it is truncated or invalid."""
    try:
        for value in JsonText(text.pieces()).array():
            yield InvalidRecord(_NOT_DECODED) if UNDECODED.search(value.raw) else _row(value.value)
    except DamagedFile as cut:
        raise UnreadableDataset(str(cut)) from cut


def _row(item: Any) -> Mapping[str, Any] | InvalidRecord:
    if type(item) is not dict:
        return InvalidRecord("The record is not a JSON object: write one object per record.")
    try:
        if isinstance(item.get("messages"), list):
            return openai_chat.parse_row(item)
        if isinstance(item.get("cats"), dict):
            return spacy_textcat.parse_row(item)
        if isinstance(item.get("data"), dict) and ("annotations" in item or "predictions" in item):
            return labelstudio.parse_row(item)
    except InvalidRecord as refusal:
        return refusal
    return item
