"""Reads the objects of JSON: one on each line, an array, or one object with a list of them, as help desks export. Pure.

What a list holds is numbered by its place, other objects by their line.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain, count
from typing import Any

from classifier.ingest.readers.columns import InvalidRecord, quoted_list
from classifier.ingest.readers.json_text import JsonText, Value
from classifier.ingest.readers.text_lines import MAX_RECORD, UNDECODED, UnreadableFile, split_lines

Records = Iterator[tuple[int, str, Mapping[str, Any] | InvalidRecord]]

_SPACE = "\ufeff \t\r\n"
_ENVELOPES = ("fields", "source", "attributes", "properties")  # Jira, Intercom, JSON:API, HubSpot
_NOT_DECODED = "Some bytes do not fit the encoding: name the right one, or save as UTF-8."
_LIST_FIRST = re.compile(
    r'\s*\{\s*(?:"[^"\\]{0,200}"\s*:\s*(?:"(?:[^"\\]|\\.){0,2000}"|[\w.+-]{1,40})\s*,\s*){0,50}"[^"\\]{0,200}"\s*:\s*\[\s*\{'
)
"""An object whose first value that is no string or number is a list of objects."""


class Number(str):
    """A JSON number as written, so that long IDs lose no digits."""

    __slots__ = ()


_JSON = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=Number)


def json_records(pieces: Iterator[str], is_record: Callable[[Collection[str]], bool]) -> Records:
    """Each object with its number, the line it is on or its place in the list, and how the file writes it.

    A file that is one object holds the records in a list; `is_record` says by the keys of an object whether it is one.
    Raises UnreadableFile if there is none, and DamagedFile where a list cannot be read on.
    """
    held: list[str] = []
    text = chain(held, pieces)
    head = _head(held, pieces, _first_line_ends)
    if head.lstrip(_SPACE).startswith("["):
        return _arrays(JsonText(text, _JSON))
    if len(head) <= MAX_RECORD and isinstance(first := _object(_first_line(head)), dict) and is_record(first):
        return _lines(text)
    head = _head(held, pieces, _second_line_begins)
    if _LIST_FIRST.match(head) if len(head) > MAX_RECORD else _is_document(head):
        return _listed(JsonText(text, _JSON), is_record)
    return _lines(text)


def _head(held: list[str], pieces: Iterator[str], is_enough: Callable[[str], bool]) -> str:
    """The text so far, and as many pieces more as are enough; all of them are held."""
    head = "".join(held)
    while len(head) <= MAX_RECORD and not is_enough(head) and (piece := next(pieces, "")):
        held.append(piece)
        head += piece
    return head


def _first_line_ends(head: str) -> bool:
    return "\n" in head.lstrip(_SPACE)


def _second_line_begins(head: str) -> bool:
    return bool(head.lstrip(_SPACE).partition("\n")[2].strip())


def _first_line(head: str) -> str:
    return head.strip(_SPACE).partition("\n")[0].rstrip()


def _is_document(head: str) -> bool:
    """Whether a file is one object with a list, rather than one object on each line."""
    first, below = _first_line(head), head.strip(_SPACE).partition("\n")[2].lstrip()[:1]
    try:
        record = _JSON.decode(first)
    except json.JSONDecodeError as error:
        opened = first.startswith("{") and error.pos >= len(first)
        return opened and (first.endswith("[") or below != "{")
    except RecursionError:
        return False
    return type(record) is dict and not below and any(map(_holds_objects, record.values()))


def _holds_objects(value: Any) -> bool:
    return type(value) is list and bool(value) and type(value[0]) is dict


def numbered_lines(lines: Iterable[str]) -> Iterator[tuple[int, str, str | InvalidRecord]]:
    """Each line that isn't blank, with its number and as it is."""
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_RECORD:
            yield number, line, InvalidRecord(f"The line has more than {MAX_RECORD:,} characters: shorten it.")
        elif not line.isascii() and UNDECODED.search(line):
            yield number, line, InvalidRecord(_NOT_DECODED)
        elif not line.isspace():
            yield number, line, line


def _lines(text: Iterable[str]) -> Records:
    for number, line, content in numbered_lines(split_lines(text)):
        yield number, line, content if isinstance(content, InvalidRecord) else _object(content)


def _object(line: str) -> Mapping[str, Any] | InvalidRecord:
    text = line.strip()
    try:
        record, end = _JSON.raw_decode(text)
    except json.JSONDecodeError as error:
        return InvalidRecord(f"The line is not JSON ({error.msg}, at character {error.pos + 1}): correct it.")
    except RecursionError:
        return InvalidRecord("The JSON is nested too deeply: write one flat object on each line.")
    if end != len(text) or type(record) is not dict:
        return InvalidRecord("The line is not one JSON object: write one object, and nothing else, on each line.")
    return _unwrapped(record)


def _arrays(text: JsonText) -> Records:
    """The items of an array, or of several below each other, as tools write the pages of a list."""
    numbers = count(1)
    while text.peek():
        for value in text.array():
            yield next(numbers), value.raw, _item(value)


def _item(value: Value) -> Mapping[str, Any] | InvalidRecord:
    if type(value.value) is not dict:
        return InvalidRecord("The item is not a JSON object: write an object for each ticket.")
    if not value.raw.isascii() and UNDECODED.search(value.raw):
        return InvalidRecord(_NOT_DECODED)
    return _unwrapped(value.value)


def _unwrapped(record: dict[str, Any]) -> dict[str, Any]:
    """The record with the values that some systems keep in an object of their own."""
    for key in _ENVELOPES:
        if isinstance(inner := record.get(key), dict):
            record = inner | record
    return record


def _listed(text: JsonText, is_record: Callable[[Collection[str]], bool]) -> Records:
    keys, chosen, numbers = list[str](), "", count(1)
    for key in text.object():
        keys.append(key)
        if is_record([key]):
            raise UnreadableFile("The file is one JSON object with a text: write it on one line, or in an array.")
        if text.peek() != "[":
            text.skip()
            continue
        values = text.array()
        first = next(values, None)
        if first and isinstance(item := _item(first), dict) and is_record(item):
            if chosen:
                reason = f"Only {chosen!r} is read; the list {key!r} has texts too: save it to a file of its own."
                yield next(numbers), first.raw, InvalidRecord(reason)
            else:
                chosen = key
                for value in chain((first,), values):
                    yield next(numbers), value.raw, _item(value)
        for _value in values:
            pass
    if not chosen:
        raise UnreadableFile(f"None of the keys {quoted_list(keys)} holds a list of objects with a text.")
