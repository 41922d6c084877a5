"""A finding of `doctor`."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, and what to do if there is a problem."""

    level: Level
    check: str
    summary: str
    action: str = ""

    def __str__(self) -> str:
        step = f" {self.action}" if self.action else ""
        return f"{self.level:4} {self.check}: {self.summary}{step}"


def ok(check: str, summary: str) -> Finding:
    return Finding(Level.OK, check, summary)


def warn(check: str, summary: str, action: str) -> Finding:
    return Finding(Level.WARN, check, summary, action)


def fail(check: str, summary: str, action: str) -> Finding:
    return Finding(Level.FAIL, check, summary, action)
