"""A person's own figures, for the bar above the review screen."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from django.contrib.auth.models import User
from django.utils import timezone

from .models import Decision, Seat
from .models.decision import LABELLED
from .prepared import rows

COUNTED = 1_000
LATEST = 20
"""Labels whose median time is a person's pace."""

DOUBLES, LOOKED_THROUGH = 200, 4_000
"""Of so many latest double labels, found among so many latest decisions, it is told how many a lead upheld."""

# Anybody's first decision of the day is found by its time, and keys rise with time, so nothing older is read. It runs
# with every decision, and the ORM would take longer to write it.
_TODAY = """
SELECT id, verdict, seconds, undoes_id FROM review_decision
WHERE reviewer_id = %s
    AND id >= (SELECT id FROM review_decision WHERE created_at >= %s ORDER BY created_at, id LIMIT 1)
ORDER BY id DESC LIMIT {counted:d}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many tickets were labelled today, counted up to a limit, and how long the latest took."""

    done_today: int
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upheld:
    """Of n labels that differed from another person's, in how many a lead chose this person's."""

    n: int
    share: float | None

    @property
    def percent(self) -> int | None:
        return None if self.share is None else round(100 * self.share)


def pace_of(reviewer: User) -> Pace:
    """One query, over this person's decisions of the day in the current time zone and no others."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    acts = rows(_TODAY.format(counted=COUNTED), [reviewer.pk, midnight])
    # What undoes a decision comes after it, and is the same person's.
    undone = {undoes for *_, undoes in acts}
    labels = [seconds for pk, verdict, seconds, _ in acts if verdict in LABELLED and pk not in undone]
    measured = [seconds for seconds in labels if seconds is not None][:LATEST]
    return Pace(done_today=len(labels), seconds=median(measured) if measured else None)


def upheld(reviewer: User) -> Upheld:
    """How a lead judged this person's double labels that differed from the other's (two queries)."""
    latest = Decision.objects.by(reviewer).order_by("-pk")[:LOOKED_THROUGH]
    doubles = Decision.objects.standing().labelled().filter(pk__in=latest.values("pk"), purpose=Seat.Purpose.DOUBLE)
    labels = {label.ticket_id: label for label in doubles.order_by("-pk")[:DOUBLES]}
    words = Decision.objects.standing().labelled().filter(ticket__in=labels, purpose=Seat.Purpose.ADJUDICATION)
    same = [word.same_label(labels[word.ticket_id]) for word in words]
    return Upheld(n=len(same), share=sum(same) / len(same) if same else None)
