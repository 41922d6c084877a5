"""A settled ticket labelled anew by somebody who has looked at its label once more. Part of a transaction, always."""

from __future__ import annotations

from uuid import uuid4

from django.contrib.auth.models import User

from classifier.models import Ticket
from review.models import Assignment, Decision
from review.workflow import audits, decision_records, routing
from review.workflow.decision_records import NOTHING_PRESENTED, Label


def relabel(ticket: Ticket, by: User, label: Label) -> Decision:
    """This person's word settles the ticket from now on; the ticket is locked and settled.

    It is a new round of asking, of one assignment that is answered at once. What they had said of the ticket before is
    taken back; what others said stays as it stands.
    """
    _take_back(ticket, by)
    decision = decision_records.build_label_decision(
        ticket, _assignment(ticket, by), by, label, NOTHING_PRESENTED, key=uuid4()
    )
    decision_records.write_label_decisions([decision])
    routing.settle([decision])
    audits.update_findings([ticket.pk])
    return decision


def _take_back(ticket: Ticket, by: User) -> None:
    """A person has one assignment of a ticket: the one they answered makes room."""
    assignments = Assignment.objects.filter(ticket=ticket, reviewer=by, state=Assignment.State.ANSWERED)
    standing = Decision.objects.by(by).effective().filter(assignment__in=assignments).select_related("assignment")
    undone = Decision.Verdict.UNDONE
    decision_records.write_decisions(
        [
            decision_records.build_decision(
                ticket, one.assignment, by, undone, NOTHING_PRESENTED, key=uuid4(), undoes=one
            )
            for one in standing
        ]
    )
    routing.withdraw(assignments)


def _assignment(ticket: Ticket, by: User) -> Assignment:
    """In the leads' lane: after it agents do not undo what they had said."""
    last = Assignment.objects.filter(ticket=ticket).order_by("round", "number").last()
    assert last  # noqa: S101 - a ticket that people have settled has the assignment of whoever did
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
