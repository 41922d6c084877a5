"""Recompute certificates from exported evidence alone. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from review.certification.sequential_test import DrawBatch, SequentialTest, fully_audited_from

Line = Mapping[str, Any]


class InvalidEvidence(Exception):
    """A line is not exported evidence; the message gives its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """A certificate as granted, and as recomputed. `holds` is whether the draws up to the grant certify its threshold
    or a lower one.
    """

    certificate: int
    ledger: int
    threshold: float
    audits: int
    errors: int
    counted_audits: int
    counted_errors: int
    holds: bool

    @property
    def agrees(self) -> bool:
        return self.holds and (self.audits, self.errors) == (self.counted_audits, self.counted_errors)


@dataclass(slots=True, kw_only=True)
class _Evidence:
    """The lines of one ledger."""

    terms: Line
    carried: list[Line] = field(default_factory=list)
    draws: list[Line] = field(default_factory=list)
    certificates: list[Line] = field(default_factory=list)

    def rows(self, kind: str) -> list[Line]:
        """The list for lines of this kind. Raises KeyError for an unknown kind."""
        return {"carried": self.carried, "draw": self.draws, "certificate": self.certificates}[kind]


def recount(lines: Iterable[Line]) -> Iterator[Recount]:
    """Recompute every certificate, in order. Raises InvalidEvidence."""
    for evidence in _by_ledger(lines):
        for certificate in evidence.certificates:
            yield _recount_certificate(evidence, certificate)


def _by_ledger(lines: Iterable[Line]) -> list[_Evidence]:
    by_ledger: dict[int, _Evidence] = {}
    for number, line in enumerate(lines, 1):
        try:
            kind, ledger = line["kind"], line["ledger"]
            if kind == "ledger":
                by_ledger[ledger] = _Evidence(terms=line)
            else:
                by_ledger[ledger].rows(kind).append(line)
        except (KeyError, TypeError) as error:
            raise InvalidEvidence(f"Line {number} does not belong to a ledger on an earlier line: {error}.") from error
    return list(by_ledger.values())


def _recount_certificate(evidence: _Evidence, certificate: Line) -> Recount:
    terms, least = evidence.terms, certificate["threshold"]
    test = SequentialTest.start(terms["grid"], terms["error"], terms["risk"])
    test.add(
        DrawBatch.audits([audit["value"] for audit in evidence.carried], [audit["wrong"] for audit in evidence.carried])
    )
    draws = [draw for draw in evidence.draws if draw["draw"] <= certificate["until"]]
    test.add(DrawBatch.from_rows([draw_row(draw) for draw in draws]))
    answered = [
        draw for draw in draws if draw["audited"] and _was_answered(draw, certificate) and draw["value"] >= least
    ]
    carried = [audit for audit in evidence.carried if audit["value"] >= least]
    return Recount(
        certificate=certificate["certificate"],
        ledger=terms["ledger"],
        threshold=least,
        audits=certificate["audits"],
        errors=certificate["errors"],
        counted_audits=len(answered) + len(carried),
        counted_errors=sum(audit["wrong"] for audit in [*answered, *carried]),
        holds=test.threshold is not None and test.threshold <= least,
    )


def draw_row(draw: Line) -> tuple[float, float, float, float, bool, bool]:
    """A draw as a row of the test; an unanswered audit counts as wrong."""
    fully_audited = fully_audited_from(draw["audits_from"], draw["certified_threshold"])
    return draw["value"], draw["share"], draw["floor"], fully_audited, draw["audited"], draw["wrong"] is not False


def _was_answered(draw: Line, certificate: Line) -> bool:
    """Whether the audit was answered before the certificate was granted. Both are ISO 8601 times in UTC."""
    return draw["judged_at"] is not None and str(draw["judged_at"]) <= str(certificate["granted_at"])
