"""Recompute certificates from exported evidence alone. Pure."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from classifier.models.epoch import drawn_number
from review.certification.bounds import most_overlooked
from review.certification.sequential_test import DrawBatch, SequentialTest, fully_audited_from

Line = Mapping[str, Any]
Row = tuple[float, float, float, float, bool, bool, bool]


class InvalidEvidence(Exception):
    """A line is not exported evidence, or contradicts itself; the message gives its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """A certificate as granted, and as recomputed. `holds` is whether the draws up to the grant certify its threshold
    or a lower one. `passed` counts the tickets that its epoch has auto-accepted without an audit, and at most
    `most_wrong` of them are wrong, except with probability `risk`.
    """

    certificate: int
    ledger: int
    threshold: float
    audits: int
    errors: int
    counted_audits: int
    counted_errors: int
    holds: bool
    passed: int
    most_wrong: int
    risk: float

    @property
    def agrees(self) -> bool:
        return self.holds and (self.audits, self.errors) == (self.counted_audits, self.counted_errors)


@dataclass(slots=True, kw_only=True)
class _Evidence:
    """What the lines of one ledger come to, with no more of each draw than the test needs."""

    terms: Line
    carried: list[tuple[float, bool, bool]] = field(default_factory=list)
    draws: list[tuple[int, Row, str]] = field(default_factory=list)
    """The key, the row of the test, and when its audit was answered, if it was."""
    passed: list[tuple[float, bool, bool]] = field(default_factory=list)
    """Of each auto-accepted ticket: its audit probability, whether it was audited, and whether that found it wrong."""
    certificates: list[Line] = field(default_factory=list)

    def read(self, line: Line) -> None:
        """Raises KeyError for an unknown kind or a missing value, and ValueError for a draw that was not random."""
        match line["kind"]:
            case "carried":
                self.carried.append((line["value"], line["wrong"], line["repeat"]))
            case "draw":
                _check_draw(self.terms["seed"], line)
                row = draw_row(line)
                self.draws.append((line["draw"], row, line["judged_at"] or ""))
                if line["certified_threshold"] is not None and line["value"] >= line["certified_threshold"]:
                    self.passed.append((line["share"], line["audited"], line["audited"] and row[5]))
            case "certificate":
                self.certificates.append(line)
            case kind:
                raise KeyError(kind)


def recount(lines: Iterable[Line]) -> Iterator[Recount]:
    """Recompute every certificate, in order. Raises InvalidEvidence."""
    for evidence in _by_ledger(lines):
        yield from _recount(evidence)


def _by_ledger(lines: Iterable[Line]) -> list[_Evidence]:
    by_ledger: dict[int, _Evidence] = {}
    for number, line in enumerate(lines, 1):
        try:
            if line["kind"] == "ledger":
                _check_seed(line)
                by_ledger[line["ledger"]] = _Evidence(terms=line)
            else:
                by_ledger[line["ledger"]].read(line)
        except (KeyError, TypeError) as error:
            raise InvalidEvidence(f"Line {number} does not belong to a ledger on an earlier line: {error}.") from error
        except ValueError as error:
            raise InvalidEvidence(f"Line {number}: {error}") from error
    return list(by_ledger.values())


def _check_seed(terms: Line) -> None:
    seed = terms["seed"]
    if seed is not None and hashlib.sha256(seed.encode()).hexdigest() != terms["seed_sha256"]:
        raise ValueError("the seed is not the one that was committed to.")


def _check_draw(seed: str | None, draw: Line) -> None:
    """The seed of an epoch that has not ended is not known, nor the ticket as long as people label it blind."""
    if seed is not None and draw["ticket"] is not None and draw["number"] != drawn_number(seed, str(draw["ticket"])):
        raise ValueError(f"draw {draw['draw']} has another number than its seed gives.")
    if draw["audited"] != (draw["number"] < draw["share"]):
        raise ValueError(f"draw {draw['draw']} was audited, or not, against its number.")


def _recount(evidence: _Evidence) -> Iterator[Recount]:
    """Certificates are in the order in which they were granted, so each continues the test of the one before."""
    terms, counted = evidence.terms, 0
    test = SequentialTest.start(terms["grid"], terms["error"], terms["risk"])
    test.add(DrawBatch.carried(evidence.carried))
    columns = np.array(evidence.passed, np.float64).reshape(-1, 3).T
    share, audited, found = columns[0], columns[1].astype(bool), columns[2].astype(bool)
    most_wrong = min(int(most_overlooked(share, found, terms["target_risk"])), int((~audited).sum()))
    for certificate in evidence.certificates:
        fresh = [row for pk, row, _at in evidence.draws[counted:] if pk <= certificate["until"]]
        test.add(DrawBatch.from_rows(fresh))
        counted += len(fresh)
        yield _compare(evidence, certificate, test, counted, most_wrong)


def _compare(evidence: _Evidence, certificate: Line, test: SequentialTest, counted: int, most_wrong: int) -> Recount:
    least, granted_at = certificate["threshold"], str(certificate["granted_at"])
    # Both times are ISO 8601 in UTC.
    answered = [row for _pk, row, at in evidence.draws[:counted] if "" < at <= granted_at]
    wrong = [row[5] for row in answered if row[4] and row[0] >= least]
    wrong += [is_wrong for value, is_wrong, _repeat in evidence.carried if value >= least]
    return Recount(
        certificate=certificate["certificate"],
        ledger=evidence.terms["ledger"],
        threshold=least,
        audits=certificate["audits"],
        errors=certificate["errors"],
        counted_audits=len(wrong),
        counted_errors=sum(wrong),
        holds=test.threshold is not None and test.threshold <= least,
        passed=sum(not audited for _share, audited, _found in evidence.passed),
        most_wrong=most_wrong,
        risk=evidence.terms["target_risk"],
    )


def draw_row(draw: Line) -> Row:
    """A draw as a row of the test; an unanswered audit counts as wrong."""
    return (
        draw["value"],
        draw["share"],
        draw["floor"],
        fully_audited_from(draw["audits_from"], draw["certified_threshold"]),
        draw["audited"],
        draw["wrong"] is not False,
        draw["repeat"],
    )
