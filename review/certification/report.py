"""Everything that the certification page shows."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from classifier.models import Criterion
from review.benchmark.formatting import AXIS_NAMES
from review.certification import bounds, by_category, messages
from review.certification.by_category import CertificationByCategory
from review.certification.evidence_columns import EvidenceColumns
from review.certification.history import AlarmNotice
from review.certification.in_short import Question, in_short
from review.certification.status import CertificationStatus, LedgerProgress, Stage
from review.certification.traffic import RecentTraffic
from review.stats.intervals import Estimate


class AxisAccuracy(NamedTuple):
    """The share of tickets that are right on one axis, or on both."""

    name: str
    share: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdStep:
    """A threshold of the grid. `evidence` is log wealth as a share of what a certificate takes, from 0 to 1."""

    threshold: float
    coverage: float
    audits: int
    errors: int
    wrong: Estimate
    evidence: float
    certified: bool

    @property
    def coverage_percent(self) -> float:
        return 100 * self.coverage

    @property
    def evidence_percent(self) -> float:
        return 100 * self.evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationReport:
    """The certification page without its history."""

    status: CertificationStatus
    headline: str
    details: list[str]
    in_short: list[Question]
    next_step: str
    notices: list[AlarmNotice]
    flow: RecentTraffic
    expected: float | None
    """The percentage of tickets that people will review once the next step is certified."""
    wrong: Estimate | None
    right: list[AxisAccuracy]
    by_category: CertificationByCategory | None
    steps: list[ThresholdStep]

    @classmethod
    def current(cls) -> "CertificationReport":
        """A fixed number of bounded queries. Raises Gate.DoesNotExist before the catalogue is loaded."""
        status = CertificationStatus.current()
        progress, threshold, flow = status.progress, status.threshold, RecentTraffic.latest(_since(status))
        wrong = None
        if progress and threshold is not None:
            wrong = bounds.estimated_error(progress.evidence.answered(), threshold)
        return cls(
            status=status,
            headline=messages.headline(status),
            details=messages.details(status),
            in_short=in_short(status, flow, wrong),
            next_step=messages.next_step(status, flow.scored_share),
            notices=AlarmNotice.all(),
            flow=flow,
            expected=100 * messages.expected_review_share(status, flow.scored_share) if progress else None,
            wrong=wrong,
            right=_accuracy_by_axis(progress.evidence, threshold) if progress and threshold is not None else [],
            by_category=_by_category(status),
            steps=threshold_steps(progress) if progress else [],
        )

    @property
    def is_fixed(self) -> bool:
        return self.status.stage == Stage.FIXED

    @property
    def most_missed_percent(self) -> float:
        """The share of errors that people overlook at most, as assumed or proven."""
        if self.status.progress:
            return self.status.progress.ledger.most_missed_percent
        return 100 * self.status.accuracy_target.missed_share

    @property
    def about(self) -> str:
        if self.status.gate.about == Criterion.CATEGORY:
            return _("A ticket counts as right if its category is right.")
        return _("A ticket counts as right if both its category and its sentiment are right.")


def _since(status: CertificationStatus) -> datetime | None:
    """Since when the present certificate or epoch has decided; None for a fixed threshold."""
    if status.certificate:
        return status.certificate.granted_at
    return status.epoch.started_at if status.epoch else None


def _accuracy_by_axis(evidence: EvidenceColumns, threshold: float) -> list[AxisAccuracy]:
    parts = {
        str(AXIS_NAMES["category"]): evidence.category_wrong,
        str(AXIS_NAMES["sentiment"]): evidence.sentiment_wrong,
        _("Both"): evidence.category_wrong | evidence.sentiment_wrong,
    }
    return [
        AxisAccuracy(name, bounds.estimated_error(evidence.with_errors(wrong), threshold).complement())
        for name, wrong in parts.items()
    ]


def _by_category(status: CertificationStatus) -> CertificationByCategory | None:
    if not status.accuracy_target.by_category or status.progress is None or status.threshold is None:
        return None
    return by_category.certification_by_category(status.progress.ledger, status.threshold)


def threshold_steps(progress: LedgerProgress) -> list[ThresholdStep]:
    """What audits found at each threshold of the grid, strictest first, and how much of its evidence is there."""
    answered, log_wealth = progress.evidence.answered(), progress.test.log_wealth()
    steps = []
    for place, (threshold, coverage) in enumerate(zip(progress.ledger.grid, progress.ledger.coverage, strict=True)):
        audited = answered.audited & (answered.value >= threshold)
        share = float(log_wealth[place]) / progress.test.required_log_wealth
        steps.append(
            ThresholdStep(
                threshold=threshold,
                coverage=coverage,
                audits=int(audited.sum()),
                errors=int((audited & answered.wrong).sum()),
                wrong=bounds.estimated_error(answered, threshold),
                evidence=1.0 if progress.test.reached[place] else min(max(share, 0.0), 1.0),
                certified=place < progress.test.certified,
            )
        )
    return steps
