"""What was found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it stands in a few words, and the next step where it is not well."""

    level: Level
    about: str
    said: str
    to_do: str = ""

    def __str__(self) -> str:
        step = f" {self.to_do}" if self.to_do else ""
        return f"{self.level:4} {self.about}: {self.said}{step}"


def ok(about: str, said: str) -> Finding:
    return Finding(Level.OK, about, said)


def warn(about: str, said: str, to_do: str) -> Finding:
    return Finding(Level.WARN, about, said, to_do)


def fail(about: str, said: str, to_do: str) -> Finding:
    return Finding(Level.FAIL, about, said, to_do)
