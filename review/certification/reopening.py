"""Send tickets that were auto-accepted since a change back to review."""

from collections.abc import Sequence

from django.db import transaction

from classifier.models import Ticket
from classifier.models.outbox import EventKind
from review.certification import alarms
from review.models import Alarm
from review.workflow import assigning, routing

BATCH_SIZE = 200


def reopen_tickets(alarm: Alarm) -> int:
    """Send tickets auto-accepted since the alarm began back to review, latest first. Returns how many.

    Handles at most MAX_REOPENED at a time; calling it again never asks about a ticket twice.
    """
    auto_accepted = alarms.auto_accepted_since(alarm)
    return sum(_reopen(auto_accepted[start : start + BATCH_SIZE]) for start in range(0, len(auto_accepted), BATCH_SIZE))


@transaction.atomic(durable=True)
def _reopen(ticket_pks: Sequence[int]) -> int:
    """Skips tickets that have moved on meanwhile, and sealed ones: people review those already."""
    auto_accepted = Ticket.objects.in_state(Ticket.State.AUTO_ACCEPTED).filter(pk__in=ticket_pks, sealed=False)
    pks = list(auto_accepted.select_for_update().order_by("pk").values_list("pk", flat=True))
    routing.return_to_review(pks)
    assigning.update_assignments(pks, Ticket.State.NEEDS_REVIEW)
    routing.announce(EventKind.REOPENED, pks)
    return len(pks)
