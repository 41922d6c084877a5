"""Streams lines of text from the bytes of a file, in bounded memory. Pure."""

import codecs
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import BinaryIO

import chardet
from chardet import EncodingEra

from classifier.text import LONGEST_TICKET

MAX_RECORD = 4 * LONGEST_TICKET  # characters of one record: 1 MB of text in any script fits, even as \uXXXX escapes

_CHUNK = 256 * 1024
_SAMPLE = 64 * 1024  # bytes that an encoding is detected from
_GZIP = b"\x1f\x8b"
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the mark of UTF-16, so it comes first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_KINDS: Mapping[bytes, str] = {
    b"%PDF": "a PDF",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "a database",
    b"{\\rtf": "a text document (RTF)",
    b"<?xml": "XML",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<table": "a web page",
    b"<body": "a web page",
}
"""What a file is, by its first bytes in lower case, where it holds no lines of text or none that are a table."""
_MAIL = re.compile(
    rb"(?:From [^\r\n]+\r?\n)?(?:(?:Return-Path|Received|Delivered-To|From|To|Subject|Date|Message-ID|MIME-Version"
    rb"|X-[\w-]+|DKIM-Signature): [^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*){2}",
    re.IGNORECASE,
)
_LATIN = ("windows-1252", "windows-1250", "windows-1254", "windows-1257")
_SURE, _CLEARLY, _CLEARER = 0.3, 0.05, 1.3
"""The detector's confidence (0 to 1) from which it is believed; that from which another Latin alphabet is taken, and
how many times the confidence of Windows-1252 it has to be.
"""
UNDECODED = re.compile("[\udc00-\udcff]")  # one for each byte that does not fit the encoding
_NOT_ASCII = re.compile("[^\0-\x7f]")
_HIGH = re.compile(b"[\x80-\xff]")
_HIGH_RUN = re.compile(b"[\x80-\xff]{2,}")
_MARK = "ticketclf.mark"


class UnreadableFile(Exception):
    """The file can't be read. The message is for users and says what to do."""


class DamagedFile(Exception):
    """The file ends within the record `raw`, on line `number`."""

    number = 1
    raw = ""


def is_spreadsheet(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a workbook of Excel or OpenDocument, or an archive like it."""
    return head.startswith(_SPREADSHEETS)


class TextLines:
    """Iterates over the lines of a file with their ends, decompressed and decoded.

    `encoding` is what has been decoded with so far. Bytes that don't fit it become UNDECODED, NUL becomes U+FFFD.
    Raises UnreadableFile if the file isn't text, and DamagedFile where a compressed file ends early.
    """

    def __init__(self, stream: BinaryIO, encoding: str | None = None) -> None:
        self._stream, self._given = stream, encoding
        self.encoding = encoding or "utf-8"

    def __iter__(self) -> Iterator[str]:
        return split_lines(self.pieces())

    def pieces(self) -> Iterator[str]:
        """The text in pieces of any length. The encoding is detected at the first one that isn't ASCII."""
        chunks = _chunks(self._stream)
        decoder = _decoder(self._given or "ascii")
        detected = bool(self._given)
        ends = io.IncrementalNewlineDecoder(None, translate=False)  # keeps \r and \n in one chunk
        started = False
        for chunk in chunks:
            if not detected and not (chunk.isascii() and b"\0" not in chunk):
                if _ends_within_character(chunk):
                    chunk += next(chunks, b"")
                self.encoding, detected = detect_encoding(chunk), True
                decoder = _decoder(self.encoding)
            text = ends.decode(decoder.decode(chunk))
            if text and not started:
                text, started = text.removeprefix("\ufeff"), True
            yield text.replace("\0", "\ufffd")
        yield ends.decode(decoder.decode(b"", True), True)


def detect_encoding(sample: bytes) -> str:
    """The name of the encoding: by a byte-order mark, UTF-8 even if damaged, or else what the letters look like."""
    for mark, encoding in _BOMS:
        if sample.startswith(mark):
            return encoding
    text = sample.decode("utf-8", _MARK)
    broken = len(UNDECODED.findall(text))
    # Damaged UTF-8 still has more whole characters than broken bytes; other encodings have hardly any.
    if 2 * broken <= len(_NOT_ASCII.findall(text)) and 4 * sample.count(0) <= len(sample):
        return "utf-8"
    sample = _telling(sample)
    guess = chardet.detect(sample, encoding_era=EncodingEra.MODERN_WEB)
    if (guess["confidence"] or 0) >= _SURE or not _is_latin(sample):
        return guess["encoding"] or "cp1252"
    return _latin_encoding(sample)


def _is_latin(sample: bytes) -> bool:
    """Whether the letters beyond ASCII stand among others, as accents do, rather than in words of their own."""
    return 2 * sum(map(len, _HIGH_RUN.findall(sample))) <= len(_HIGH.findall(sample))


def _latin_encoding(sample: bytes) -> str:
    """Windows-1252, unless the letters are clearly rather those of another Latin alphabet."""
    guesses = chardet.detect_all(sample, ignore_threshold=True, include_encodings=_LATIN)
    confidences = {str(guess["encoding"]).lower(): guess["confidence"] or 0.0 for guess in guesses}
    best = max(confidences, key=confidences.__getitem__, default="")
    clear = confidences.get(best, 0) >= max(_CLEARLY, _CLEARER * confidences.get("windows-1252", 0))
    return best if clear else "cp1252"


def _telling(sample: bytes) -> bytes:
    """The part of the sample that is looked at: from the first line that isn't ASCII."""
    at = 0 if b"\0" in sample else next((match.start() for match in _HIGH.finditer(sample)), 0)
    return sample[sample.rfind(b"\n", 0, at) + 1 :][:_SAMPLE]


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    take = getattr(stream, "read1", stream.read)  # returns what a pipe holds, without waiting for more
    chunks = iter(lambda: bytes(take(_CHUNK)), b"")
    head = next(chunks, b"")
    if is_spreadsheet(head):
        raise UnreadableFile("The file is a spreadsheet or a zip archive: save it as CSV in UTF-8 first.")
    whole = chain((head,), chunks)
    if not head.startswith(_GZIP):
        return _text_only(whole)
    return _text_only(_gunzipped(whole))


def _text_only(chunks: Iterator[bytes]) -> Iterator[bytes]:
    head = next(chunks, b"")
    start = head[:64].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    kind = next((kind for mark, kind in _OTHER_KINDS.items() if start.startswith(mark.lower())), "")
    if kind or _MAIL.match(head):
        kind = kind or "an e-mail"
        raise UnreadableFile(f"The file is {kind}, not text: save it as CSV or JSON lines in UTF-8 first.")
    return chain((head,), chunks)


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


def _ends_within_character(chunk: bytes) -> bool:
    decoder = _decoder("utf-8")
    decoder.decode(chunk)
    return bool(decoder.getstate()[0])


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


def split_lines(texts: Iterable[str]) -> Iterator[str]:
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
