"""Certify each category on its own, with a test for each and an equal part of the risk that is set aside for them.

A category's test counts the tickets that were predicted as it, from the first draw of the epoch on: a test that could
choose where it starts would certify too often.
"""

from dataclasses import dataclass

from classifier.models import Category
from review.certification import bounds
from review.certification.evidence_columns import EvidenceColumns
from review.certification.sequential_test import DrawBatch, SequentialTest, risk_for_categories
from review.models import Ledger
from review.stats.intervals import Estimate

MAX_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCertification:
    """One category among the tickets that score at least the threshold. `needed` is the least number of further audits
    without an error; None if certified, or too far to tell.
    """

    name: str
    audits: int
    errors: int
    wrong: Estimate
    certified: bool
    needed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationByCategory:
    """The active categories, those with most audits first. None is certified with fewer than `fewest` audits."""

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
    """Whether each category is certified at this threshold (three queries)."""
    names = dict(Category.objects.active().values_list("pk", "name"))
    risk = risk_for_categories(ledger.target_risk, ledger.claim) / max(len(names), 1)
    evidence = EvidenceColumns.earliest(ledger)
    counts = {key: int((evidence.batch.audited & (evidence.categories == key)).sum()) for key in names}
    shown = sorted(names, key=lambda key: (-counts[key], names[key]))[:MAX_SHOWN]
    rows = [_certification(names[key], key, ledger, evidence, threshold, risk) for key in shown]
    return CertificationByCategory(
        rows=rows, categories=len(names), risk=risk, fewest=bounds.min_clean_audits(ledger.error, risk)
    )


def _run_test(batch: DrawBatch, ledger: Ledger, risk: float) -> SequentialTest:
    """The test of these tickets alone, on the ledger's grid."""
    test = SequentialTest.start(ledger.grid, ledger.error, risk)
    test.add(batch)
    return test


def _certification(
    name: str, key: int, ledger: Ledger, evidence: EvidenceColumns, threshold: float, risk: float
) -> CategoryCertification:
    in_category = evidence.categories == key
    test = _run_test(evidence.batch.select(in_category), ledger, risk)
    answered = evidence.batch.select(in_category & ~evidence.pending)
    audited = answered.audited & (answered.value >= threshold)
    certified = test.threshold is not None and test.threshold <= threshold
    return CategoryCertification(
        name=name,
        audits=int(audited.sum()),
        errors=int((audited & answered.wrong).sum()),
        wrong=bounds.estimated_error(answered, threshold),
        certified=certified,
        needed=None if certified else _run_test(answered, ledger, risk).clean_audits_to_next(),
    )
