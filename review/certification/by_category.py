"""Which categories keep the promise on their own: each with books of its own, and its part of the risk.

The books of a category count the tickets that were answered with it. They are kept from the first draw of the epoch
on, because a test that may choose where it begins would find what it looks for too often.
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.models import Category
from review.benchmark.formatting import Share
from review.certification import bounds
from review.certification.evidence_columns import EvidenceColumns
from review.certification.sequential_test import DrawBatch, SequentialTest
from review.models import Ledger

MAX_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCertification:
    """One category among the tickets that score at least the threshold in force. `needed` are the clean audits that it
    takes at least from here on; None where that cannot be told.
    """

    name: str
    audits: int
    errors: int
    wrong: Share
    certified: bool
    needed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationByCategory:
    """Of the categories that are in use, those with most audits first; `fewest` clean ones it takes at least."""

    rows: list[CategoryCertification]
    categories: int
    risk: float
    fewest: int

    @property
    def certified(self) -> int:
        return sum(row.certified for row in self.rows)

    @property
    def left_out(self) -> int:
        return self.categories - len(self.rows)


def certification_by_category(ledger: Ledger, threshold: float) -> CertificationByCategory:
    """What is certified of each category where tickets pass from this threshold on (three queries)."""
    names = dict(Category.objects.active().values_list("pk", "name"))
    risk = ledger.risk / max(len(names), 1)
    evidence = EvidenceColumns.earliest(ledger)
    counts = {key: int((evidence.batch.audited & (evidence.categories == key)).sum()) for key in names}
    shown = sorted(names, key=lambda key: (-counts[key], names[key]))[:MAX_SHOWN]
    rows = [_certification(names[key], key, ledger, evidence, threshold, risk) for key in shown]
    return CertificationByCategory(
        rows=rows, categories=len(names), risk=risk, fewest=bounds.min_clean_audits(ledger.error, risk)
    )


def _run_test(batch: DrawBatch, ledger: Ledger, risk: float) -> SequentialTest:
    """The books of some of the tickets, on the grid of all."""
    test = SequentialTest.start(ledger.grid, ledger.error, risk)
    test.add(batch)
    return test


def _certification(
    name: str, key: int, ledger: Ledger, evidence: EvidenceColumns, threshold: float, risk: float
) -> CategoryCertification:
    of_it = evidence.categories == key
    test = _run_test(evidence.select(of_it), ledger, risk)
    answered = evidence.select(of_it & ~evidence.pending)
    audited = answered.audited & (answered.value >= threshold)
    certified = test.threshold is not None and test.threshold <= threshold
    return CategoryCertification(
        name=name,
        audits=int(audited.sum()),
        errors=int((audited & answered.wrong).sum()),
        wrong=Share(bounds.estimated_error(answered, threshold)),
        certified=certified,
        needed=None if certified else _run_test(answered, ledger, risk).clean_audits_to_next(),
    )
