"""Replay the recorded evidence for other accuracy targets."""

from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext_lazy, ngettext

from review.certification import epoch_opening
from review.certification.formatting import percent
from review.certification.sequential_test import SequentialTest, risk_for_attempt
from review.certification.status import LedgerProgress
from review.models import AccuracyTarget

TARGETS = (0.95, 0.96, 0.97, 0.98, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfRow:
    """What a target would certify without the unanswered audits. `threshold` is None if nothing; `needed` is the number
    of clean audits until the next threshold, None if too far to tell.
    """

    target: float
    chosen: bool
    in_force: bool
    threshold: float | None
    coverage: float
    review_share: float
    needed: int | None
    is_complete: bool
    """Whether every threshold is certified."""

    @property
    def percent(self) -> str:
        return percent(self.target)

    @property
    def coverage_percent(self) -> float:
        return 100 * self.coverage

    @property
    def review_percent(self) -> float:
        return 100 * self.review_share


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """One row per target. `available_risk` is the part of the chosen risk left for reused audits."""

    target: float
    risk: float
    available_risk: float
    rows: list[WhatIfRow]
    draws: int
    more: bool

    @property
    def chosen(self) -> WhatIfRow:
        return next(row for row in self.rows if row.chosen)

    @property
    def available_risk_percent(self) -> str:
        return percent(self.available_risk, 2)

    @property
    def summary(self) -> str:
        """The chosen target's outcome in a sentence."""
        row = self.chosen
        figures = {
            "target": percent(row.target),
            "risk": percent(self.risk),
            "threshold": "" if row.threshold is None else number_format(row.threshold, 3),
            "coverage": percent(row.coverage, 0),
            "effort": percent(row.review_share, 0),
            "needed": number_format(row.needed or 0, force_grouping=True),
        }
        if row.threshold is not None:
            return _WOULD_CERTIFY % figures
        if row.needed is None:
            return _TOO_FAR % figures
        return _not_yet(row.needed) % figures


def try_out(progress: LedgerProgress, accuracy_target: AccuracyTarget, target: float, risk: float) -> WhatIf:
    """Replay the evidence for TARGETS, this target and the current one (two queries)."""
    available_risk = risk_for_attempt(risk, epoch_opening.reuse_count() + 1)
    rows = []
    for candidate in sorted({*TARGETS, target, accuracy_target.target}):
        in_force = (candidate, risk) == (accuracy_target.target, accuracy_target.risk)
        test = _run_test(progress, 1 - candidate, progress.ledger.risk if in_force else available_risk)
        rows.append(
            _row(progress, test, accuracy_target, target=candidate, chosen=candidate == target, in_force=in_force)
        )
    evidence = progress.evidence
    return WhatIf(
        target=target,
        risk=risk,
        available_risk=available_risk,
        rows=rows,
        draws=len(evidence.draws),
        more=evidence.more,
    )


def _run_test(progress: LedgerProgress, error: float, risk: float) -> SequentialTest:
    test = SequentialTest.start(progress.ledger.grid, error, risk)
    test.add(progress.evidence.answered())
    return test


def _row(
    progress: LedgerProgress,
    test: SequentialTest,
    accuracy_target: AccuracyTarget,
    *,
    target: float,
    chosen: bool,
    in_force: bool,
) -> WhatIfRow:
    coverage = progress.ledger.coverage[test.certified - 1] if test.certified else 0.0
    return WhatIfRow(
        target=target,
        chosen=chosen,
        in_force=in_force,
        threshold=test.threshold,
        coverage=coverage,
        review_share=review_share(coverage, accuracy_target.late_share),
        needed=test.clean_audits_to_next(accuracy_target.late_share if test.certified else 1.0),
        is_complete=test.certified == len(test.grid),
    )


def review_share(coverage: float, audited: float) -> float:
    """The share of tickets that people review, if `audited` of the auto-accepted `coverage` are audited."""
    return 1 - coverage * (1 - audited)


_WOULD_CERTIFY = gettext_lazy(
    "At least %(target)s%% right at a risk of %(risk)s%% would be certified now: tickets would be "
    "auto-accepted from a score of %(threshold)s, about %(coverage)s%% of all; people would review "
    "about %(effort)s%%."
)
_TOO_FAR = gettext_lazy(
    "At least %(target)s%% right at a risk of %(risk)s%% is out of reach for now: audits find too "
    "many errors to estimate how many more it would take."
)


def _not_yet(needed: int) -> str:
    return ngettext(
        "At least %(target)s%% right at a risk of %(risk)s%% would not be certified yet: it would take "
        "about %(needed)s more audit without an error.",
        "At least %(target)s%% right at a risk of %(risk)s%% would not be certified yet: it would take "
        "about %(needed)s more audits without an error.",
        needed,
    )
