"""A gold label in doubt goes to two people new to its ticket, who see neither a suggestion nor the label.

Until both have answered the dispute can be taken back, and then what stood before stands again.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

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
from review.workflow.decision_records import NOTHING_PRESENTED

State = GoldLabel.State

SOURCE = "benchmark"
MOST_AT_ONCE = 200
"""Labels that one action disputes: each takes two people's time."""


CLOSED = (State.DISPUTED, State.WITHDRAWN, State.RETIRED)
"""States of labels that cannot be disputed: people are asked about the text already, or it is out of use."""


class CannotDispute(Exception):
    """The label is being asked about already, or it is out of use."""


@transaction.atomic(durable=True)
def dispute(label: GoldLabel, by: User | None, note: str = "") -> GoldLabel:
    """Ask two people anew; until they have answered the label is out of use. Raises CannotDispute."""
    label = GoldLabel.objects.select_for_update().get(pk=label.pk)
    if label.state in CLOSED:
        raise CannotDispute
    label.ticket = label.ticket or _ticket_for(label)
    _ask_anew(label.ticket, by, label.share)
    label.state, label.note = State.DISPUTED, note[:300]
    label.save(update_fields=["ticket", "state", "note"])
    return label


def _ticket_for(label: GoldLabel) -> Ticket:
    """People are asked about tickets; what came as a text alone becomes one."""
    return Ticket.objects.create(
        source=SOURCE,
        external_id=label.digest,
        text=label.text,
        language=label.language,
        received_at=label.labelled_at,
        state=Ticket.State.NEEDS_REVIEW,
    )


def _ask_anew(ticket: Ticket, by: User | None, share: float) -> None:
    """Two assignments that `by` never gets; of what they come to, the label keeps the share with which it was chosen
    once.
    """
    review_settings, ticket = ReviewSettings.current(), decision_records.lock_ticket(ticket.pk)
    assignments = Assignment.objects.filter(ticket=ticket)
    routing.withdraw(assignments.open())
    # An earlier answer would give the label away, so nothing of it is told until both have answered.
    Ticket.objects.filter(pk=ticket.pk).update(
        state=Ticket.State.NEEDS_REVIEW, category=None, sentiment=None, sealed=True
    )
    # The first round is the one that the label itself came from, whoever was asked in it.
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
    """Ask nobody any more, and give the label these values, by which it is disputed no longer. Whether it was.

    Where both have answered meanwhile, it is what they say.
    """
    # The desk comes first, as for all who change labels.
    list(ReviewSettings.objects.select_for_update().values("pk"))
    label = GoldLabel.objects.select_for_update(of=("self",)).select_related("ticket").get(pk=label.pk)
    if label.state != State.DISPUTED:
        return False
    if label.ticket and decision_records.lock_ticket(label.ticket.pk).state == Ticket.State.SETTLED:
        gold_labels.sync_tickets([label.ticket.pk])
    elif label.ticket:
        _stop_asking(label.ticket, by)
    GoldLabel.objects.filter(pk=label.pk).update(**then)
    return True


def _stop_asking(ticket: Ticket, by: User) -> None:
    """Settle the ticket as it was before; one that was made to ask about a text goes, with what one of two has said."""
    assignments = Assignment.objects.filter(ticket=ticket).of_latest_round()
    answered = Decision.objects.effective().labelled().filter(assignment__in=assignments).select_related("assignment")
    undone, shown = Decision.Verdict.UNDONE, NOTHING_PRESENTED
    decision_records.write_decisions(
        [
            decision_records.build_decision(ticket, one.assignment, by, undone, shown, key=uuid4(), undoes=one)
            for one in answered
        ]
    )
    routing.withdraw(assignments)
    if before := decisions.final_decision(ticket):
        routing.settle([before])
        audits.update_findings([ticket.pk])
    elif ticket.source == SOURCE:
        ticket.delete()
