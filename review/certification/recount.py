"""Certificates recomputed from exported evidence alone. Pure: lines in, findings out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from review.certification.sequential_test import DrawBatch, SequentialTest, fully_audited_from

Line = Mapping[str, Any]


class InvalidEvidence(Exception):
    """These lines are no exported evidence; the message says which one is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """One certificate as it was granted, and what the evidence says. `holds` is whether its threshold, or a lower one,
    is certified by what had been drawn until then.
    """

    certificate: int
    ledger: int
    passes_from: float
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
    """That of one ledger, as it comes."""

    terms: Line
    carried: list[Line] = field(default_factory=list)
    draws: list[Line] = field(default_factory=list)
    certificates: list[Line] = field(default_factory=list)

    def rows(self, kind: str) -> list[Line]:
        """Where lines of this kind go. Raises KeyError for one that is unknown."""
        return {"carried": self.carried, "draw": self.draws, "certificate": self.certificates}[kind]


def recount(lines: Iterable[Line]) -> Iterator[Recount]:
    """Every certificate in the order of the lines. Raises NotEvidence."""
    for evidence in _by_ledger(lines):
        for certificate in evidence.certificates:
            yield _recount_certificate(evidence, certificate)


def _by_ledger(lines: Iterable[Line]) -> list[_Evidence]:
    found: dict[int, _Evidence] = {}
    for number, line in enumerate(lines, 1):
        try:
            kind, ledger = line["kind"], line["ledger"]
            if kind == "ledger":
                found[ledger] = _Evidence(terms=line)
            else:
                found[ledger].rows(kind).append(line)
        except (KeyError, TypeError) as error:
            raise InvalidEvidence(f"Line {number} is no evidence of a ledger that came before it: {error}.") from error
    return list(found.values())


def _recount_certificate(evidence: _Evidence, certificate: Line) -> Recount:
    terms, least = evidence.terms, certificate["passes_from"]
    test = SequentialTest.start(terms["grid"], terms["error"], terms["risk"])
    test.add(DrawBatch.audits([one["value"] for one in evidence.carried], [one["wrong"] for one in evidence.carried]))
    until = [one for one in evidence.draws if one["draw"] <= certificate["until"]]
    test.add(DrawBatch.of([draw_row(one) for one in until]))
    known = [one for one in until if one["audited"] and _was_known(one, certificate) and one["value"] >= least]
    carried = [one for one in evidence.carried if one["value"] >= least]
    return Recount(
        certificate=certificate["certificate"],
        ledger=terms["ledger"],
        passes_from=least,
        audits=certificate["audits"],
        errors=certificate["errors"],
        counted_audits=len(known) + len(carried),
        counted_errors=sum(one["wrong"] for one in [*known, *carried]),
        holds=test.threshold is not None and test.threshold <= least,
    )


def draw_row(draw: Line) -> tuple[float, float, float, float, bool, bool]:
    """A draw as evidence: while nothing passed, all from `audits_from` on were audited; what nobody has answered counts
    as wrong.
    """
    fully_audited = fully_audited_from(draw["audits_from"], draw["passes_from"])
    return draw["value"], draw["share"], draw["floor"], fully_audited, draw["audited"], draw["wrong"] is not False


def _was_known(draw: Line, certificate: Line) -> bool:
    """Whether people had answered by the time that the certificate was granted. Both are times in ISO 8601, in UTC."""
    return draw["judged_at"] is not None and str(draw["judged_at"]) <= str(certificate["granted_at"])
