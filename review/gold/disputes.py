"""Disputes gold labels: two more people label the ticket, seeing neither a suggestion nor the disputed label.

Until both have answered, the dispute can be withdrawn, which restores the label.
"""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from classifier.models import Ticket
from classifier.models.outbox import EventKind
from review.duplicates.groups import duplicate_groups_for
from review.gold import gold_labels
from review.models import Assignment, Decision, GoldLabel, ReviewSettings
from review.workflow import audits, decision_records, decisions, priority, routing

State = GoldLabel.State

SOURCE = "benchmark"
MOST_AT_ONCE = 200
"""Labels disputed in one action: each takes two people's time."""

CLOSED = (State.DISPUTED, State.WITHDRAWN, State.RETIRED)
"""States that cannot be disputed: under dispute already, or out of use."""


class CannotDispute(Exception):
    """The label is disputed already, or out of use."""


@transaction.atomic(durable=True)
def dispute(label: GoldLabel, by: User | None, note: str = "") -> GoldLabel:
    """Ask two people to label the ticket again; the label is out of use meanwhile. Raises CannotDispute."""
    label = GoldLabel.objects.select_for_update().get(pk=label.pk)
    if label.state in CLOSED:
        raise CannotDispute
    label.ticket = label.ticket or _ticket_for(label)
    _ask_two_people(label.ticket, by, label.share)
    label.state, label.note = State.DISPUTED, note[:300]
    label.save(update_fields=["ticket", "state", "note"])
    return label


def _ticket_for(label: GoldLabel) -> Ticket:
    """Create a ticket for an imported label, so that people can be asked."""
    return Ticket.objects.create(
        source=SOURCE,
        external_id=label.digest,
        text=label.text,
        language=label.language,
        received_at=label.labelled_at,
        state=Ticket.State.NEEDS_REVIEW,
    )


def _ask_two_people(ticket: Ticket, by: User | None, share: float) -> None:
    """Open two blind assignments that `by` never gets; they keep the sampling share of the gold label."""
    review_settings, ticket = ReviewSettings.current(), decision_records.lock_ticket(ticket.pk)
    assignments = Assignment.objects.filter(ticket=ticket)
    routing.withdraw(assignments.open())
    # Earlier answers would reveal the label, so the ticket is sealed until both have answered.
    Ticket.objects.filter(pk=ticket.pk).update(**routing.UNSETTLED, sealed=True)
    # The first round is the one that the label came from.
    last: int = assignments.aggregate(last=Max("round"))["last"] or 1
    (group,) = duplicate_groups_for(list(Ticket.objects.filter(pk=ticket.pk))).values()
    first_number = routing.ASSIGNMENTS_PER_ROUND * last + 1
    Assignment.objects.bulk_create(
        Assignment(
            ticket=ticket,
            number=number,
            round=last + 1,
            purpose=Assignment.Purpose.DOUBLE,
            blind=True,
            share=share,
            excluded_reviewer=by,
            value=priority.random_value(review_settings.draw(ticket.pk, "place")),
            group_id=group,
            received_at=timezone.now(),
            language=ticket.language,
        )
        for number in (first_number, first_number + 1)
    )
    routing.announce(EventKind.REOPENED, [ticket.pk])


@transaction.atomic(durable=True)
def withdraw_dispute(label: GoldLabel, by: User, **then: Any) -> bool:
    """End a dispute and set these fields of the label. Returns False if it was not disputed.

    If both have answered meanwhile, their label counts first.
    """
    # Lock the settings row first, as everything that changes gold labels does.
    list(ReviewSettings.objects.select_for_update().values("pk"))
    label = GoldLabel.objects.select_for_update(of=("self",)).select_related("ticket").get(pk=label.pk)
    if label.state != State.DISPUTED:
        return False
    if label.ticket and decision_records.lock_ticket(label.ticket.pk).state == Ticket.State.SETTLED:
        gold_labels.sync_tickets([label.ticket.pk])
    elif label.ticket:
        _withdraw_assignments(label.ticket, by)
    GoldLabel.objects.filter(pk=label.pk).update(**then)
    return True


def _withdraw_assignments(ticket: Ticket, by: User) -> None:
    """Settle the ticket as before; delete it if it was created for the dispute."""
    assignments = Assignment.objects.filter(ticket=ticket).of_latest_round()
    answered = Decision.objects.effective().labelled().filter(assignment__in=assignments).select_related("assignment")
    decision_records.write_decisions([decision_records.build_undo(ticket, decision, by) for decision in answered])
    routing.withdraw(assignments)
    if before := decisions.final_decision(ticket):
        routing.settle([before])
        audits.update_findings([ticket.pk])
    elif ticket.source == SOURCE:
        ticket.delete()
