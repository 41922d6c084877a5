"""The page of the promise: what is promised and since when, what it stands on, what it costs, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from classifier.models import Criterion, Verdict
from review.benchmark.formatting import AXIS_NAMES, Share
from review.certification import bounds, by_category, charts, messages, threshold_steps, what_if
from review.certification.by_category import ByCategory
from review.certification.charts import Point
from review.certification.history import Notice
from review.certification.status import Stage, Standing
from review.certification.threshold_steps import Step
from review.certification.what_if import WhatIf
from review.stats import intervals

RECENT = 1_000
"""Verdicts that tell how many tickets pass now."""


class Flow(NamedTuple):
    """Of the latest tickets, since what decides now decides: how many pass unseen, and how many people look at."""

    passed: Share
    looked_at: Share

    @classmethod
    def of_late(cls, since: datetime | None) -> Flow:
        """One query."""
        latest = Verdict.objects.current().order_by("-pk")
        rows = latest.values_list("auto_accepted", "audit_draw__audited", "created_at")[:RECENT]
        unseen = [auto_accepted and not audited for auto_accepted, audited, at in rows if since is None or at >= since]
        passed = sum(unseen)
        return cls(
            Share(intervals.share(passed, len(unseen))), Share(intervals.share(len(unseen) - passed, len(unseen)))
        )


class Right(NamedTuple):
    """How many of the audited tickets are right in one respect."""

    name: str
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The thresholds as a table, and drawn."""

    steps: list[Step]
    errors: charts.Errors
    evidence: charts.Evidence

    @classmethod
    def of(cls, rows: list[Step], limit: float) -> Drawn:
        points = [Point(row.coverage, _interval(row.wrong), row.evidence, row.certified) for row in rows]
        return cls(steps=rows, errors=charts.errors(points, limit), evidence=charts.evidence(points))


def _interval(share: Share) -> tuple[float, float, float] | None:
    figure = share.figure
    if figure.estimate is None or figure.low is None or figure.high is None:
        return None
    return figure.estimate, figure.low, figure.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the page tells but for the lists of what was before, and for what a lead tries out."""

    standing: Standing
    headline: str
    details: list[str]
    next_step: str
    notices: list[Notice]
    flow: Flow
    expected: float | None
    """In percent, what people will look at once the next step is certified."""
    wrong: Share | None
    right: list[Right]
    by_category: ByCategory | None
    drawn: Drawn | None

    @classmethod
    def now(cls) -> Report:
        """The same number of queries whatever there is, none of which grows. Raises Gate.DoesNotExist before the
        catalogue is loaded.
        """
        standing = Standing.now()
        books, threshold = standing.books, standing.threshold
        shown = books is not None and threshold is not None
        return cls(
            standing=standing,
            headline=messages.headline(standing),
            details=messages.details(standing),
            next_step=messages.next_step(standing),
            notices=Notice.all(),
            flow=Flow.of_late(_since(standing)),
            expected=100 * messages.expected_effort(books, standing.accuracy_target.late_share) if books else None,
            wrong=_wrong(standing) if shown else None,
            right=_right(standing) if shown else [],
            by_category=_by_category(standing),
            drawn=Drawn.of(threshold_steps.of(books), books.ledger.error) if books else None,
        )

    @property
    def is_fixed(self) -> bool:
        return self.standing.stage == Stage.FIXED

    @property
    def about(self) -> str:
        """What is counted as wrong."""
        if self.standing.gate.about == Criterion.CATEGORY:
            return _("A ticket counts as right if its category is.")
        return _("A ticket counts as right if both its category and its sentiment are.")

    def try_out(self, target: float, risk: float) -> WhatIf | None:
        """What another promise would take; None while there are no books."""
        books = self.standing.books
        return what_if.try_out(books, self.standing.accuracy_target, target, risk) if books else None


def _since(standing: Standing) -> datetime | None:
    """When what decides now began to decide; what passed before says nothing of it. None of a fixed threshold."""
    if standing.certificate:
        return standing.certificate.granted_at
    return standing.epoch.started_at if standing.epoch else None


def _wrong(standing: Standing) -> Share:
    books, threshold = standing.books, standing.threshold
    assert books  # noqa: S101 - whoever asks has seen to it
    assert threshold is not None  # noqa: S101 - the same
    return Share(bounds.share_wrong(books.evidence.answered(), threshold))


def _right(standing: Standing) -> list[Right]:
    books, threshold = standing.books, standing.threshold
    assert books  # noqa: S101 - whoever asks has seen to it
    assert threshold is not None  # noqa: S101 - the same
    evidence = books.evidence
    parts = {
        str(AXIS_NAMES["category"]): evidence.category_wrong,
        str(AXIS_NAMES["sentiment"]): evidence.sentiment_wrong,
        _("Both"): evidence.category_wrong | evidence.sentiment_wrong,
    }
    return [
        Right(name, _without(bounds.share_wrong(evidence.of_axis(wrong), threshold))) for name, wrong in parts.items()
    ]


def _without(wrong: intervals.Estimate) -> Share:
    """The share of right ones, from that of wrong ones."""
    estimate, low, high = (None if one is None else 1 - one for one in (wrong.estimate, wrong.high, wrong.low))
    return Share(intervals.Estimate(estimate, low, high, wrong.n))


def _by_category(standing: Standing) -> ByCategory | None:
    if not standing.accuracy_target.by_category or standing.books is None or standing.threshold is None:
        return None
    return by_category.of(standing.books.ledger, standing.threshold)
