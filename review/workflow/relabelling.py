"""Relabels a settled ticket, for example after a label issue; always part of a caller's transaction."""

from uuid import uuid4

from django.contrib.auth.models import User

from classifier.models import Ticket
from review.models import Assignment, Decision
from review.workflow import audits, decision_records, routing
from review.workflow.decision_records import NOTHING_PRESENTED, Label


def relabel(ticket: Ticket, by: User, label: Label) -> Decision:
    """Settle a settled, locked ticket with this person's label instead; answers to attributes and further categories
    stay where it has none.

    Opens a new round with one assignment, answered at once. The person's earlier label is undone; labels of others
    stay.
    """
    _undo_earlier_label(ticket, by)
    further = ticket.further_categories if label.further is None else label.further
    label = label._replace(attributes=label.attributes or ticket.attributes, further=further)
    decision = decision_records.build_label_decision(
        ticket, _assignment(ticket, by), by, label, NOTHING_PRESENTED, key=uuid4()
    )
    decision_records.write_label_decisions([decision])
    routing.settle([decision])
    audits.update_findings([ticket.pk])
    return decision


def _undo_earlier_label(ticket: Ticket, by: User) -> None:
    """Undo the person's earlier label: one person has at most one answered assignment of a ticket."""
    assignments = Assignment.objects.filter(ticket=ticket, reviewer=by, state=Assignment.State.ANSWERED)
    effective = Decision.objects.by(by).effective().filter(assignment__in=assignments).select_related("assignment")
    decision_records.write_decisions([decision_records.build_undo(ticket, decision, by) for decision in effective])
    routing.withdraw(assignments)


def _assignment(ticket: Ticket, by: User) -> Assignment:
    """In the leads' lane, so that agents can no longer undo their labels."""
    last = Assignment.objects.filter(ticket=ticket).order_by("round", "number").last()
    assert last  # noqa: S101 - a ticket that people have settled has an answered assignment
    return Assignment.objects.create(
        ticket=ticket,
        number=routing.ASSIGNMENTS_PER_ROUND * last.round + 1,
        round=last.round + 1,
        lane=Assignment.Lane.LEADS,
        state=Assignment.State.ANSWERED,
        reviewer=by,
        value=last.value,
        group_id=last.group_id,
        share=last.share,
        received_at=last.received_at,
        language=last.language,
    )
