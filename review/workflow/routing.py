"""Routes a ticket after each decision: settles it, asks a second person or a lead, or returns it to the queue.

The caller has locked the ticket's row.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from classifier.database.sql import execute, placeholders
from classifier.integrations.webhooks import events
from classifier.models import Ticket
from classifier.models.attributes import StoredAnswers
from classifier.models.outbox import EventKind
from review.models import Assignment, Decision
from review.models.assignment import AssignmentQuerySet
from review.models.decision import SKIPPED_OR_ESCALATED
from review.workflow import attribute_answers, audits

ASSIGNMENTS_PER_ROUND = 3
"""Numbers that one round may use: two labels and an adjudication."""
LABELLING_PURPOSES = [
    Assignment.Purpose.REVIEW,
    Assignment.Purpose.DOUBLE,
    Assignment.Purpose.AUDIT,
    Assignment.Purpose.SAMPLE,
]
TWO_PERSON_PURPOSES = [Assignment.Purpose.DOUBLE, Assignment.Purpose.AUDIT]
"""Purposes that may ask two people independently."""


UNSETTLED: Mapping[str, Any] = {
    "state": Ticket.State.NEEDS_REVIEW,
    "category": None,
    "sentiment": None,
    "attributes": {},
    "further_categories": [],
}
"""The columns of a ticket that needs review again."""


def follow_up(ticket: Ticket, assignment: Assignment, decision: Decision) -> None:
    """Settle the ticket, wait for a second label, or ask a lead to adjudicate a disagreement."""
    if assignment.purpose not in TWO_PERSON_PURPOSES or _is_answer_of_a_lead(assignment, decision):
        settle([decision])
        return
    others = Decision.objects.effective().labelled().filter(ticket=ticket, purpose__in=TWO_PERSON_PURPOSES)
    others = others.filter(assignment__round=assignment.round)
    other = others.exclude(assignment=assignment).first()
    if other:
        _compare(assignment, other, decision)
    elif assignment.purpose == Assignment.Purpose.AUDIT and not audits.needs_second_label(ticket, decision):
        settle([decision])
    elif assignment.purpose == Assignment.Purpose.AUDIT:
        _ask_another(assignment)


def _compare(assignment: Assignment, other: Decision, decision: Decision) -> None:
    """Settle the ticket if two people agree. What only one of them says, an answer to an attribute or a further
    category, counts too.
    """
    if not other.same_label(decision) or attribute_answers.conflicting(other.attributes, decision.attributes):
        _ask_a_lead(assignment)
    else:
        together = {decision.ticket_id: other.attributes | decision.attributes}
        settle([decision], together, further=other.further_categories)


def _is_answer_of_a_lead(assignment: Assignment, decision: Decision) -> bool:
    """Whether a lead answered an escalated ticket, which settles it."""
    return assignment.lane == Assignment.Lane.LEADS and assignment.reviewer_id == decision.reviewer_id


def settle(
    decisions: Sequence[Decision], attributes: Mapping[int, StoredAnswers] = {}, *, further: Sequence[int] = ()
) -> None:
    """Make these labels final and withdraw the tickets' other assignments. `attributes`, by ticket, replace those of
    its decision; `further` are added to its further categories.
    """
    by_label: dict[tuple[int | None, int | None, str, str], list[int]] = {}
    for decision in decisions:
        answers = json.dumps(attributes.get(decision.ticket_id, decision.attributes), ensure_ascii=False)
        named = json.dumps(list(dict.fromkeys([*decision.further_categories, *further])))
        label = (decision.category_id, decision.sentiment_id, answers, named)
        by_label.setdefault(label, []).append(decision.ticket_id)
    for label, pks in by_label.items():
        execute(_SETTLED.format(pks=placeholders(pks)), [*label, False, *pks])
    if several := [decision.ticket_id for decision in decisions if decision.purpose != Assignment.Purpose.REVIEW]:
        withdraw(Assignment.objects.open().filter(ticket__in=several))
        audits.update_findings(several)
    announce(EventKind.DECIDED, [decision.ticket_id for decision in decisions])


_SETTLED = """
UPDATE classifier_ticket
SET state = 'settled', category_id = %s, sentiment_id = %s, attributes = %s, further_categories = %s, sealed = %s
WHERE id IN ({pks})"""


def announce(kind: EventKind, ticket_pks: Sequence[int]) -> None:
    """Send the tickets' new state to webhooks and help desks (one query if there are none)."""
    if ticket_pks and events.has_subscribers():
        events.publish_tickets(kind, ticket_pks)


def withdraw(assignments: AssignmentQuerySet) -> None:
    assignments.update(state=Assignment.State.WITHDRAWN, reviewer=None, leased_until=None)


def reopen(assignments: Sequence[Assignment], tickets: Mapping[int, Ticket]) -> None:
    """Reopen these assignments and unsettle their tickets."""
    settled = [pk for pk, ticket in tickets.items() if ticket.state == Ticket.State.SETTLED]
    # After settling, anyone may have seen the model's answer, so the second review is not blind.
    shown = [
        assignment.pk
        for assignment in assignments
        if assignment.purpose == Assignment.Purpose.REVIEW and assignment.ticket_id in settled
    ]
    others = [assignment.pk for assignment in assignments if assignment.pk not in shown]
    open_again = {"state": Assignment.State.OPEN, "reviewer": None, "leased_until": None}
    Assignment.objects.filter(pk__in=shown).update(**open_again, blind=False)
    Assignment.objects.filter(pk__in=others).update(**open_again)
    if several := [assignment.ticket_id for assignment in assignments if assignment.purpose in TWO_PERSON_PURPOSES]:
        withdraw(Assignment.objects.open().filter(ticket__in=several, purpose=Assignment.Purpose.ADJUDICATION))
    return_to_review(settled)
    audits.update_findings([ticket_pk for ticket_pk in settled if ticket_pk in several])
    announce(EventKind.REOPENED, settled)


def return_to_review(ticket_pks: Sequence[int]) -> None:
    """Return tickets to review. A ticket that was unsealed stays unsealed: people may have seen the answer."""
    Ticket.objects.filter(pk__in=ticket_pks).update(**UNSETTLED)
    withdrawn = Assignment.objects.of_latest_round().filter(ticket__in=ticket_pks, state=Assignment.State.WITHDRAWN)
    withdrawn.filter(purpose__in=LABELLING_PURPOSES).update(state=Assignment.State.OPEN)


def _ask_a_lead(assignment: Assignment) -> None:
    """Open a blind adjudication for a lead."""
    _open_assignment(
        assignment,
        ASSIGNMENTS_PER_ROUND * assignment.round,
        purpose=Assignment.Purpose.ADJUDICATION,
        lane=Assignment.Lane.LEADS,
    )


def _ask_another(assignment: Assignment) -> None:
    """Open a second independent assignment for another agent."""
    _open_assignment(
        assignment,
        ASSIGNMENTS_PER_ROUND * assignment.round - 1,
        purpose=assignment.purpose,
        lane=Assignment.Lane.AGENTS,
    )


_COPIED_FIELDS = ["round", "share", "excluded_reviewer_id", "due_at", "value", "group_id", "received_at", "language"]


def _open_assignment(assignment: Assignment, number: int, **kind: Any) -> None:
    like = {name: getattr(assignment, name) for name in _COPIED_FIELDS}
    free = {"state": Assignment.State.OPEN, "blind": True, "reviewer": None, "leased_until": None, "skipped_by": None}
    Assignment.objects.update_or_create(ticket_id=assignment.ticket_id, number=number, defaults=like | kind | free)


def route_free_assignments(ticket: Ticket) -> None:
    """Route the ticket's free assignments: to a lead after an escalation or two skips, never to the latest skipper."""
    decisions = Decision.objects.effective().filter(ticket=ticket, verdict__in=SKIPPED_OR_ESCALATED).order_by("pk")
    skips_and_escalations = list(decisions.values_list("verdict", "assignment", "reviewer"))
    people = {reviewer for _verdict, _assignment, reviewer in skips_and_escalations}
    free = Assignment.objects.free(timezone.now())
    for assignment in free.filter(ticket=ticket):
        escalated = (Decision.Verdict.ESCALATED, assignment.pk)
        # A lead who escalates a ticket may review it afterwards.
        skippers = [
            reviewer
            for verdict, assignment_pk, reviewer in skips_and_escalations
            if (verdict, assignment_pk) != escalated
        ]
        to_leads = (
            assignment.purpose == Assignment.Purpose.ADJUDICATION
            or len(people) > 1
            or len(skippers) < len(skips_and_escalations)
        )
        lane = Assignment.Lane.LEADS if to_leads else Assignment.Lane.AGENTS
        free.filter(pk=assignment.pk).update(lane=lane, skipped_by=skippers[-1] if skippers else None)
