"""Reads the records of a CSV file, even one with broken quotes. Pure."""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from classifier.ingest.readers.columns import InvalidRecord
from classifier.ingest.readers.text_lines import MAX_RECORD, DamagedFile

_REREADINGS = 4  # times over that a file may be read again after broken quotes: hostile ones must end


class CsvRecords:
    """Yield each record and the line it begins on. Broken quotes spoil only their own record."""

    def __init__(self, lines: Iterator[str], delimiter: str, number: int) -> None:
        self.width = 0  # cells of the header, once it is known
        self._lines = lines
        self._delimiter = delimiter
        self._number = number
        self._held: list[str] = []  # the lines of the record being read
        self._again: deque[str] = deque()  # lines a broken record had swallowed
        self._done = self._reread = 0  # characters
        # The limit is process-wide, so it is only raised: another thread may be reading too.
        csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_RECORD))

    def __iter__(self) -> Iterator[tuple[int, str, list[str] | InvalidRecord]]:
        held = self._held
        done = False
        while not done:
            try:
                for cells in self._parsed(self._fed()):
                    raw = "".join(held)
                    if cells and not raw.isspace():
                        yield self._number, raw, cells
                    self._done += len(raw)
                    self._number += len(held)
                    held.clear()
                done = True
            except csv.Error as error:
                raw = "".join(self._give_back())
                yield self._number, raw, self._refusal(error)
                self._number += len(held)
                held.clear()
            except DamagedFile as cut:
                cut.number, cut.raw = self._number, "".join(held) + cut.raw
                raise

    def _parsed(self, lines: Iterable[str]) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self._delimiter, strict=True)

    def _fed(self) -> Iterator[str]:
        size = 0
        for line in chain(iter(self._next_again, None), self._lines):
            size = size + len(line) if self._held else len(line)
            self._held.append(line)
            if size > MAX_RECORD:
                raise csv.Error("too long")
            yield line

    def _next_again(self) -> str | None:
        return self._again.popleft() if self._again else None

    def _refusal(self, error: csv.Error) -> InvalidRecord:
        last = self._number + len(self._held) - 1
        lines = f"line {last}" if last == self._number else f"lines {self._number} to {last}"
        cure = f"close every quote, double those inside a quoted cell, keep to {MAX_RECORD:,} characters"
        return InvalidRecord(f"No record can be made of {lines} ({error}): {cure}.")

    def _give_back(self) -> list[str]:
        """The lines of the broken record. Lines from the next possible start of a record are read again."""
        held = self._held
        self._reread += sum(map(len, held))
        if self._reread <= _REREADINGS * (self._done + MAX_RECORD):
            end = next((at for at in range(1, len(held)) if self._begins_record(held[at])), len(held))
            self._again.extendleft(reversed(held[end:]))
            del held[end:]
        return held

    def _begins_record(self, line: str) -> bool:
        try:
            return [len(cells) for cells in self._parsed((line,))] == [self.width]
        except csv.Error:
            return True  # it opens a quote, as the first line of a longer record does


def sniff_delimiter(line: str) -> str:
    """Detect the delimiter from the header line."""
    unquoted = re.sub('"[^"]*"', "", line)
    return max(",;\t|", key=unquoted.count)
