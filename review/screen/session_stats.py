"""A person's statistics for the day, shown above the review screen."""

from dataclasses import dataclass
from statistics import median

from django.contrib.auth.models import User
from django.utils import timezone

from classifier.database.sql import fetch_rows
from review.models import Assignment, Decision

COUNTED = 1_000
LATEST = 20
"""Labels that the median time is taken from."""

DOUBLES, SEARCHED_DECISIONS = 200, 4_000
"""Double labels that the lead's agreement is taken from, and decisions searched for them."""

# The first decision of the day (anyone's) is found by its time; keys rise with time, so nothing older is read. One row
# holds the counts of labels (without undone ones) and of waiting assignments; the others are the latest decisions.
_TODAY = """
WITH dawn AS (SELECT id FROM review_decision WHERE created_at >= %s ORDER BY created_at, id LIMIT 1)
SELECT NULL AS id, NULL AS undoes_id, NULL AS seconds,
    sum(CASE WHEN category_id IS NOT NULL THEN 1 WHEN undoes_id IS NULL THEN 0
        WHEN (SELECT category_id FROM review_decision u WHERE u.id = act.undoes_id AND u.id >= (SELECT id FROM dawn))
            IS NOT NULL THEN -1 ELSE 0 END) AS labels,
    (SELECT count(*) FROM (SELECT 1 FROM review_assignment WHERE state = 'open' AND lane = %s LIMIT {counted:d}) AS
    waiting) FROM (SELECT category_id, undoes_id FROM review_decision
        WHERE reviewer_id = %s AND id >= (SELECT id FROM dawn) ORDER BY id DESC LIMIT {counted:d}) AS act
UNION ALL SELECT id, undoes_id, seconds, NULL, NULL
    FROM (SELECT id, undoes_id, CASE WHEN category_id IS NOT NULL THEN seconds END AS seconds FROM review_decision
        WHERE reviewer_id = %s AND id >= (SELECT id FROM dawn) ORDER BY id DESC LIMIT {looked_at:d}) AS latest"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStats:
    """Waiting assignments, the person's labels today, and the median time of the latest; counted up to COUNTED."""

    waiting: int
    capped: bool
    done_today: int
    median_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadAgreement:
    """How often leads chose this person's label among n that differed from another person's."""

    n: int
    share: float | None

    @property
    def percent(self) -> int | None:
        return None if self.share is None else round(100 * self.share)


def session_stats_for(reviewer: User, lane: str) -> SessionStats:
    """One query; the day starts at midnight in the current time zone."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    sql = _TODAY.format(counted=COUNTED, looked_at=2 * LATEST)
    rows = fetch_rows(sql, [midnight, lane, reviewer.pk, reviewer.pk])
    ((labels, waiting),) = (numbers for pk, _undoes, _seconds, *numbers in rows if pk is None)
    acts = sorted((act[:3] for act in rows if act[0] is not None), reverse=True)
    undone = {undoes for _pk, undoes, _seconds in acts}
    measured = [seconds for pk, _undoes, seconds in acts if seconds is not None and pk not in undone]
    return SessionStats(
        waiting=min(waiting, COUNTED - 1),
        capped=waiting == COUNTED,
        done_today=labels or 0,
        median_seconds=median(measured[:LATEST]) if measured else None,
    )


def lead_agreement(reviewer: User) -> LeadAgreement:
    """How often leads agreed with this person in disagreements (two queries)."""
    latest = Decision.objects.by(reviewer).order_by("-pk")[:SEARCHED_DECISIONS]
    doubles = (
        Decision.objects.effective().labelled().filter(pk__in=latest.values("pk"), purpose=Assignment.Purpose.DOUBLE)
    )
    labels = {label.ticket_id: label for label in doubles.order_by("-pk")[:DOUBLES]}
    adjudications = (
        Decision.objects.effective().labelled().filter(ticket__in=labels, purpose=Assignment.Purpose.ADJUDICATION)
    )
    same = [adjudication.same_label(labels[adjudication.ticket_id]) for adjudication in adjudications]
    return LeadAgreement(n=len(same), share=sum(same) / len(same) if same else None)
