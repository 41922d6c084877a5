"""Read rows from JSON lines or from one JSON array of objects. Pure.

Objects in the format of OpenAI, Label Studio or spaCy are converted; any others are rows as they are.
"""

import codecs
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any, BinaryIO

from classifier.ingest.readers.columns import InvalidRecord
from classifier.ingest.readers.text_lines import MAX_RECORD, UNDECODED, DamagedFile, TextLines
from review.datasets.files.errors import UnreadableDataset
from review.datasets.formats import labelstudio, openai_chat, spacy_textcat

_CHUNK = 256 * 1024
_MOST_CHARACTERS = 2 * MAX_RECORD
_SPACE = "\ufeff \t\r\n"
_decoder = json.JSONDecoder()


def lines(stream: BinaryIO) -> Iterator[Mapping[str, Any] | InvalidRecord]:
    """Yield the objects of JSON lines. Raises UnreadableFile, and UnreadableDataset for a single document."""
    started = False
    try:
        for line in TextLines(stream):
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
        return InvalidRecord("Some bytes do not fit the encoding: save the file as UTF-8.")
    try:
        return _row(_decoder.decode(line))
    except json.JSONDecodeError as error:
        return InvalidRecord(f"The line is not JSON ({error.msg}, at character {error.pos + 1}): correct it.")
    except (ValueError, RecursionError) as error:
        return InvalidRecord(f"The JSON cannot be read ({error}): write one flat object on each line.")


def array(stream: IO[bytes], encoding: str) -> Iterator[Mapping[str, Any] | InvalidRecord]:
    """Yield the objects of a JSON array one at a time. Raises UnreadableDataset if it is truncated or invalid."""
    text = _Text(_texts(stream, encoding))
    text.take("[")
    if text.peek() == "]":
        return
    yield text.item()
    while text.peek() != "]":
        text.take(",")
        yield text.item()


class _Text:
    """Parses a text that arrives in pieces, holding no more than the current value needs."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._held, self._at = "", 0

    def peek(self) -> str:
        """The next non-space character; "" at the end."""
        while True:
            while self._at < len(self._held) and self._held[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._read_more():
                return ""

    def take(self, expected: str) -> None:
        """Consume this character. Raises UnreadableDataset if another one comes next."""
        if (character := self.peek()) != expected:
            raise _broken(f"{expected!r} is expected before {self._excerpt(self._at)}" if character else "")
        self._at += 1

    def item(self) -> Mapping[str, Any] | InvalidRecord:
        """Read one value as a row. Raises UnreadableDataset if it is invalid."""
        self.peek()
        while True:
            try:
                item, self._at = _decoder.raw_decode(self._held, self._at)
                return _row(item)
            except json.JSONDecodeError as error:
                if len(self._held) - self._at > _MOST_CHARACTERS:
                    raise UnreadableDataset(
                        f"An object of the array has more than {_MOST_CHARACTERS:,} characters, or is not JSON "
                        f"({error.msg}, before {self._excerpt(error.pos)}): write one object on each line instead."
                    ) from error
                if not self._read_more():
                    raise _broken(f"{error.msg}, before {self._excerpt(error.pos)}") from error
            except (ValueError, RecursionError) as error:
                raise _broken(str(error)) from error

    def _read_more(self) -> bool:
        piece = next(self._pieces, "")
        self._held, self._at = self._held[self._at :] + piece, 0
        return bool(piece)

    def _excerpt(self, at: int) -> str:
        return repr(self._held[at : at + 40]) if at < len(self._held) else "its end"


def _broken(reason: str) -> UnreadableDataset:
    detail = f" ({reason})" if reason else ""
    return UnreadableDataset(f"The array ends early or is not valid JSON{detail}: export it again.")


def _texts(stream: IO[bytes], encoding: str) -> Iterator[str]:
    """Decoded chunks, none empty."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := stream.read(_CHUNK):
            if text := decoder.decode(chunk):
                yield text
        yield decoder.decode(b"", True)
    except UnicodeDecodeError as error:
        raise UnreadableDataset(f"The file is not {encoding} all through: save it as UTF-8.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableDataset(f"The compressed file is damaged ({error}): fetch it again.") from error


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
