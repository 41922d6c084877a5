"""Everything that the certification page shows."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from classifier.models import Criterion, Verdict
from review.benchmark.formatting import AXIS_NAMES
from review.certification import bounds, by_category, charts, messages, threshold_steps, what_if
from review.certification.by_category import CertificationByCategory
from review.certification.charts import ThresholdPoint
from review.certification.evidence_columns import EvidenceColumns
from review.certification.history import AlarmNotice
from review.certification.status import CertificationStatus, Stage
from review.certification.threshold_steps import ThresholdStep
from review.certification.what_if import WhatIf
from review.stats.intervals import Estimate, share

RECENT = 1_000
"""Verdicts that the present shares are estimated from."""


class RecentTraffic(NamedTuple):
    """The shares of the latest tickets that were auto-accepted without an audit, and that people review."""

    auto_accepted: Estimate
    looked_at: Estimate

    @classmethod
    def latest(cls, since: datetime | None) -> "RecentTraffic":
        """The latest verdicts, none before `since` (one query)."""
        latest = Verdict.objects.current().order_by("-pk")
        rows = latest.values_list("auto_accepted", "audit_draw__audited", "created_at")[:RECENT]
        unreviewed = [
            auto_accepted and not audited for auto_accepted, audited, at in rows if since is None or at >= since
        ]
        auto_accepted = share(sum(unreviewed), len(unreviewed))
        return cls(auto_accepted, auto_accepted.complement())


class AxisAccuracy(NamedTuple):
    """The share of tickets that are right on one axis, or on both."""

    name: str
    share: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdCharts:
    steps: list[ThresholdStep]
    errors: charts.ErrorChart
    evidence: charts.EvidenceChart

    @classmethod
    def from_steps(cls, steps: list[ThresholdStep], limit: float) -> "ThresholdCharts":
        points = [ThresholdPoint(step.coverage, _interval(step.wrong), step.evidence, step.certified) for step in steps]
        return cls(steps=steps, errors=charts.error_chart(points, limit), evidence=charts.evidence_chart(points))


def _interval(figure: Estimate) -> tuple[float, float, float] | None:
    if figure.estimate is None or figure.low is None or figure.high is None:
        return None
    return figure.estimate, figure.low, figure.high


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationReport:
    """The certification page without its history and its what-if table."""

    status: CertificationStatus
    headline: str
    details: list[str]
    next_step: str
    notices: list[AlarmNotice]
    flow: RecentTraffic
    expected: float | None
    """The percentage of tickets that people will review once the next step is certified."""
    wrong: Estimate | None
    right: list[AxisAccuracy]
    by_category: CertificationByCategory | None
    charts: ThresholdCharts | None

    @classmethod
    def current(cls) -> "CertificationReport":
        """A fixed number of bounded queries. Raises Gate.DoesNotExist before the catalogue is loaded."""
        status = CertificationStatus.current()
        progress, threshold = status.progress, status.threshold
        return cls(
            status=status,
            headline=messages.headline(status),
            details=messages.details(status),
            next_step=messages.next_step(status),
            notices=AlarmNotice.all(),
            flow=RecentTraffic.latest(_since(status)),
            expected=100 * messages.expected_review_share(progress, status.accuracy_target.late_share)
            if progress
            else None,
            wrong=bounds.estimated_error(progress.evidence.answered(), threshold)
            if progress and threshold is not None
            else None,
            right=_accuracy_by_axis(progress.evidence, threshold) if progress and threshold is not None else [],
            by_category=_by_category(status),
            charts=ThresholdCharts.from_steps(threshold_steps.threshold_steps(progress), progress.ledger.error)
            if progress
            else None,
        )

    @property
    def is_fixed(self) -> bool:
        return self.status.stage == Stage.FIXED

    @property
    def about(self) -> str:
        if self.status.gate.about == Criterion.CATEGORY:
            return _("A ticket counts as right if its category is right.")
        return _("A ticket counts as right if both its category and its sentiment are right.")

    def try_out(self, target: float, risk: float) -> WhatIf | None:
        """What another accuracy target would take; None without a ledger."""
        progress = self.status.progress
        return what_if.try_out(progress, self.status.accuracy_target, target, risk) if progress else None


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
