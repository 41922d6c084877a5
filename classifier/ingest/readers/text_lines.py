"""Streams lines of text from the bytes of a file, in bounded memory. Pure."""

import codecs
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from classifier.text import LONGEST_TICKET

MAX_RECORD = 4 * LONGEST_TICKET  # characters of one record: 1 MB of text in any script fits, even as \uXXXX escapes

_CHUNK = 256 * 1024
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the mark of UTF-16, so it comes first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UNDECODED = re.compile("[\udc00-\udcff]")  # one for each byte that does not fit the encoding
_NOT_ASCII = re.compile("[^\0-\x7f]")
_MARK = "ticketclf.mark"


class UnreadableFile(Exception):
    """The file can't be read. The message is for users and says what to do."""


class DamagedFile(Exception):
    """The file ends within the record `raw`, on line `number`."""

    number = 1
    raw = ""


def open_lines(stream: BinaryIO, encoding: str | None) -> Iterator[str]:
    """Yield the lines of a file with their ends, decompressed and decoded.

    Bytes that don't fit the encoding become UNDECODED, NUL becomes U+FFFD. Raises UnreadableFile if the file isn't
    text, and DamagedFile where a compressed file ends early.
    """
    return _lines(_texts(_chunks(stream), encoding))


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    take = getattr(stream, "read1", stream.read)  # returns what a pipe holds, without waiting for more
    chunks = iter(lambda: bytes(take(_CHUNK)), b"")
    head = next(chunks, b"")
    if head.startswith(_ZIP):
        raise UnreadableFile("The file is a spreadsheet or a zip archive: save it as CSV in UTF-8 first.")
    whole = chain((head,), chunks)
    return _gunzipped(whole) if head.startswith(_GZIP) else whole


def _gunzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unzip = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            while chunk := chunk.lstrip(b"\0") if unzip.eof else chunk:  # a member may end in padding
                if unzip.eof:
                    unzip = zlib.decompressobj(wbits=31)
                yield unzip.decompress(chunk, _CHUNK)
                chunk = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
        yield unzip.flush()
    except zlib.error as error:
        raise DamagedFile(f"The compressed file is damaged from here on ({error}): fetch it again.") from error
    if not unzip.eof:
        raise DamagedFile("The compressed file ends early, and what follows here is missing: fetch it again.")


def _texts(chunks: Iterator[bytes], encoding: str | None) -> Iterator[str]:
    """Decode chunks. The encoding is detected at the first chunk that isn't ASCII."""
    decoder = _decoder(encoding or "ascii")
    guessed = bool(encoding)
    ends = io.IncrementalNewlineDecoder(None, translate=False)  # keeps \r and \n in one chunk
    started = False
    for chunk in chunks:
        if not guessed and not chunk.isascii():
            if _ends_within_character(chunk):
                chunk += next(chunks, b"")
            decoder, guessed = _decoder(_guess_encoding(chunk)), True
        text = ends.decode(decoder.decode(chunk))
        if text and not started:
            text, started = text.removeprefix("\ufeff"), True
        yield text.replace("\0", "\ufffd")
    yield ends.decode(decoder.decode(b"", True), True)


def _ends_within_character(chunk: bytes) -> bool:
    decoder = _decoder("utf-8")
    decoder.decode(chunk)
    return bool(decoder.getstate()[0])


def _guess_encoding(sample: bytes) -> str:
    for mark, encoding in _BOMS:
        if sample.startswith(mark):
            return encoding
    text = sample.decode("utf-8", _MARK)
    broken = len(UNDECODED.findall(text))
    # Damaged UTF-8 still has more whole characters than broken bytes; Windows-1252 has hardly any.
    return "utf-8" if 2 * broken <= len(_NOT_ASCII.findall(text)) else "cp1252"


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        decoder = codecs.getincrementaldecoder(encoding)(_MARK)
        decoder.decode("a".encode(encoding))
    except (LookupError, ValueError) as error:
        raise UnreadableFile(f"Unknown encoding {encoding!r}: try utf-8, utf-16 or cp1252.") from error
    decoder.reset()
    return decoder


def _mark_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_MARK, _mark_bytes)


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Yield lines with their ends. A line over MAX_RECORD loses its middle but stays over the limit."""
    number, held, size = 1, list[str](), 0  # held: the pieces of a line whose end has not come yet
    try:
        for text in texts:
            lines = io.StringIO(text, newline="").readlines()
            piece = lines.pop() if lines and lines[-1][-1] not in "\r\n" else ""
            if lines:
                lines[0] = "".join((*held, lines[0]))
                held, size = [], 0
                yield from lines
                number += len(lines)
            if piece and size <= MAX_RECORD:
                held.append(piece)
                size += len(piece)
    except DamagedFile as cut:
        cut.number, cut.raw = number, "".join(held)
        raise
    if held:
        yield "".join(held)
