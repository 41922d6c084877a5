"""Decides, skips, escalates and undoes; each in one transaction with the state of the assignment and the ticket.

The ticket's row is locked first, so acts on one ticket run one after the other. The decision is written before its
assignment: it may wait for a merge of labels, which in turn waits for assignments, so the other order would deadlock.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from classifier.database.sql import execute, placeholders
from classifier.models import Prediction, Ticket
from review.models import Assignment, Decision, SkipReason
from review.models.decision import LABELLED, SKIPPED_OR_ESCALATED
from review.workflow import attribute_answers, decision_records, leases, routing
from review.workflow.decision_records import NOTHING_PRESENTED, Label, Presented

Act = Decision.Verdict
Verb = TypeVar("Verb", bound=Callable[..., Decision])
MOST_AT_ONCE = 200
"""Tickets that one confirmation decides."""
WORKDAY = timedelta(hours=12)


class TooLate(Exception):
    """Someone else answered or has the ticket open, or it needs no review any more.

    `final_decision` gives the label that counts now; None if there is none or the ticket is sealed.
    """

    def __init__(self, ticket: Ticket) -> None:
        super().__init__(f"#{ticket.pk} no longer needs review")
        self.ticket, self.final_decision = ticket, None if ticket.sealed else final_decision(ticket)


class CannotUndo(Exception):
    """Someone has acted on the decision since, or it is already undone."""


def idempotent(function: Verb) -> Verb:
    """Make a repeated call with the same key return the decision of the first.

    The key is looked up only after a refusal, because nearly every answer comes once. The call is retried if the same
    person took another ticket in a second tab, which a constraint detects.
    """

    @wraps(function)
    def retried(assignment: Assignment, reviewer: User, *args: Any, key: UUID, **kwargs: Any) -> Decision:
        try:
            return function(assignment, reviewer, *args, key=key, **kwargs)
        except (TooLate, IntegrityError) as refusal:
            if known := decision_records.decision_for_key(key, reviewer):
                return known
            if isinstance(refusal, TooLate):
                raise
            return function(assignment, reviewer, *args, key=key, **kwargs)

    return cast(Verb, retried)


@idempotent
@transaction.atomic(durable=True)
def decide(
    assignment: Assignment,
    reviewer: User,
    label: Label,
    *,
    shown: Presented = NOTHING_PRESENTED,
    key: UUID,
    note: str = "",
) -> Decision:
    """Record a label, and settle the ticket if it needs no other. Raises TooLate."""
    ticket = decision_records.lock_ticket(assignment.ticket_id)
    assignment = _open_assignment(ticket, assignment.pk, reviewer)
    saw_suggestion = shown.prediction is not None
    if assignment.blind:
        shown = replace(shown, prediction=decision_records.current_predictions([ticket.pk]).get(ticket.pk))
    decision = decision_records.build_label_decision(ticket, assignment, reviewer, label, shown, key=key, note=note)
    # A person who saw the suggestion did not answer blind, even if the assignment has become blind since.
    decision.blind = decision.blind and not saw_suggestion
    decision_records.write_label_decisions([decision])
    if assignment.purpose != Assignment.Purpose.REVIEW:
        # After a late answer the person may already have the ticket's other assignment open.
        Assignment.objects.held_by(reviewer).filter(ticket=ticket).update(reviewer=None, leased_until=None)
    _mark_answered([assignment], reviewer)
    routing.follow_up(ticket, assignment, decision)
    return decision


@idempotent
@transaction.atomic(durable=True)
def skip(
    assignment: Assignment,
    reviewer: User,
    reason: SkipReason,
    *,
    shown: Presented = NOTHING_PRESENTED,
    key: UUID,
    note: str = "",
) -> Decision:
    """Leave a ticket to someone else; after two people have skipped it, a lead gets it. Raises TooLate."""
    return _pass_on(assignment, reviewer, Act.SKIPPED, shown, key=key, note=note, skip_reason=reason)


@idempotent
@transaction.atomic(durable=True)
def escalate(
    assignment: Assignment, reviewer: User, *, note: str, shown: Presented = NOTHING_PRESENTED, key: UUID
) -> Decision:
    """Pass a ticket to a lead, with a note that says why. Raises TooLate."""
    return _pass_on(assignment, reviewer, Act.ESCALATED, shown, key=key, note=note)


@transaction.atomic(durable=True)
def decide_many(assignments: Sequence[Assignment], reviewer: User, label: Label | None = None) -> list[Decision]:
    """Give many tickets one label, or each its own suggestion. Attributes that the label leaves open, and texts, are
    those of each ticket's own suggestion.

    Leaves out blind and double-labelled assignments and those that are no longer free, and all if the label has been
    retired. The decisions share a batch and are undone together.
    """
    if label and not _lock_offered(label):  # before tickets, as everyone does who locks both
        return []
    tickets = decision_records.lock_tickets([assignment.ticket_id for assignment in assignments[:MOST_AT_ONCE]])
    pks = [assignment.pk for assignment in assignments]
    free = Assignment.objects.free_for_bulk(reviewer, timezone.now()).filter(pk__in=pks)
    if label is None:
        free = free.filter(category__retired=False, sentiment__retired=False)
    wanted = list(free.filter(ticket__in=tickets).select_related("category", "sentiment"))
    predictions, batch = decision_records.current_predictions(list(tickets)), uuid4()
    of_text = attribute_answers.text_keys() if label and label.attributes else frozenset[str]()
    decisions = []
    for assignment in wanted:
        ticket, prediction = tickets[assignment.ticket_id], predictions.get(assignment.ticket_id)
        own = _with_suggested_further(label or label_from(assignment), prediction)
        own = attribute_answers.completed(own, prediction, of_text)
        shown = Presented(prediction=prediction)
        decisions.append(
            decision_records.build_label_decision(ticket, assignment, reviewer, own, shown, key=uuid4(), batch=batch)
        )
    decision_records.write_label_decisions(decisions)
    _mark_answered(wanted, reviewer)
    routing.settle(decisions)
    return decisions


def _lock_offered(label: Label) -> bool:
    """Keep the label from being retired until the transaction ends. Returns False if it has been."""
    rows = [
        type(part)._default_manager.select_for_update(no_key=True).filter(pk=part.pk, retired=False)
        for part in (label.category, label.sentiment)
    ]
    return all(row.values_list("pk").first() for row in rows)


@leases.retry_on_conflict
@transaction.atomic(durable=True)
def undo(decision: Decision, reviewer: User, *, key: UUID, single: bool = False) -> list[Decision]:
    """Undo a decision and its batch, or with `single` this decision only; then its assignment is leased again.

    A repeated call with the same key changes nothing. Raises CannotUndo.
    """
    mine, single = Decision.objects.by(reviewer), single or not decision.batch
    together = mine.filter(pk=decision.pk) if single else mine.filter(batch=decision.batch)
    tickets = decision_records.lock_tickets(together.values("ticket"))
    if known := decision_records.decision_for_key(key, reviewer):
        return [known] if single else list(mine.filter(batch=known.batch, verdict=Act.UNDONE))
    latest = Assignment.objects.of_latest_round().filter(ticket__in=tickets)
    to_undo = list(together.effective().filter(assignment__in=latest).select_related("assignment").order_by("pk"))
    if not to_undo:
        raise CannotUndo
    if single:
        _check_undoable(tickets[decision.ticket_id], to_undo[0])
    keys = {decision.pk: key}
    undoings = [
        decision_records.build_undo(tickets[undoable.ticket_id], undoable, reviewer, keys.get(undoable.pk))
        for undoable in to_undo
    ]
    decision_records.write_decisions(undoings)
    reopened = {undoable.ticket_id: tickets[undoable.ticket_id] for undoable in to_undo}
    routing.reopen([undoable.assignment for undoable in to_undo], reopened)
    if single:
        if decision.verdict in SKIPPED_OR_ESCALATED:
            routing.route_free_assignments(tickets[decision.ticket_id])
        leases.hand_over(reviewer, to_undo[0].assignment)
    return undoings


def label_from(row: Decision | Assignment) -> Label:
    """The label that a decision gave or an assignment suggests; only a decision's has attributes and further
    categories.
    """
    assert row.category is not None and row.sentiment is not None  # noqa: S101, PT018 - constraints see to both or none
    if isinstance(row, Assignment):
        return Label(row.category, row.sentiment)
    return Label(row.category, row.sentiment, row.attributes, row.further_categories)


def _with_suggested_further(label: Label, prediction: Prediction | None) -> Label:
    """A label that doesn't say has the further categories of a prediction that it equals."""
    if label.further is None and prediction and label.is_of(prediction):
        return label._replace(further=prediction.further_categories)
    return label


def latest_decision(reviewer: User, *, before: Decision | None = None) -> Decision | None:
    """The decision that `undo` takes back next: this person's latest of the workday, or the one before `before`."""
    recent = Decision.objects.by(reviewer).effective().filter(created_at__gt=timezone.now() - WORKDAY)
    if before:
        recent = recent.filter(pk__lt=before.pk)
    return recent.with_labels().order_by("-pk").first()


def final_decision(ticket: Ticket) -> Decision | None:
    """The label that counts: in the latest round a lead's choice, else the latest label. None if there is no label."""
    labels = Decision.objects.effective().labelled().with_labels().filter(ticket=ticket).select_related("assignment")
    return max(labels, key=_weight, default=None)


def _weight(decision: Decision) -> tuple[int, bool, int]:
    return decision.assignment.round, decision.purpose == Assignment.Purpose.ADJUDICATION, decision.pk


def _open_assignment(ticket: Ticket, assignment_pk: int, reviewer: User) -> Assignment:
    """The current assignment, even if leased to someone else. Raises TooLate if this person may no longer answer it."""
    assignment = decision_records.fetch_assignment(assignment_pk)
    if assignment.excluded_reviewer_id == reviewer.pk:
        raise TooLate(ticket)
    if assignment.purpose != Assignment.Purpose.REVIEW:
        beside = Assignment.objects.filter(ticket=ticket, reviewer=reviewer, state=Assignment.State.ANSWERED)
        if beside.exclude(pk=assignment.pk).exists():
            raise TooLate(ticket)
    withdrawn = assignment.state == Assignment.State.WITHDRAWN and assignment.purpose != Assignment.Purpose.ADJUDICATION
    if withdrawn and ticket.state != Ticket.State.SETTLED:
        # The ticket was auto-accepted meanwhile; a person's answer still counts.
        routing.return_to_review([ticket.pk])
    elif assignment.state != Assignment.State.OPEN:
        raise TooLate(ticket)
    return assignment


def _pass_on(
    assignment: Assignment, reviewer: User, verdict: Act, shown: Presented, *, key: UUID, **values: Any
) -> Decision:
    ticket = decision_records.lock_ticket(assignment.ticket_id)
    assignment = _open_assignment(ticket, assignment.pk, reviewer)
    if assignment.reviewer_id != reviewer.pk and not assignment.is_free(timezone.now()):
        raise TooLate(ticket)
    decision = decision_records.build_decision(ticket, assignment, reviewer, verdict, shown, key=key, **values)
    decision_records.write_decisions([decision])
    Assignment.objects.filter(pk=assignment.pk).update(reviewer=None, leased_until=None)
    routing.route_free_assignments(ticket)
    return decision


def _mark_answered(assignments: Sequence[Assignment], reviewer: User) -> None:
    pks = [assignment.pk for assignment in assignments]
    if pks:
        execute(_ANSWERED.format(pks=placeholders(pks)), [reviewer.pk, *pks])


_ANSWERED = "UPDATE review_assignment SET state = 'answered', reviewer_id = %s, leased_until = NULL WHERE id IN ({pks})"


def _check_undoable(ticket: Ticket, decision: Decision) -> None:
    """Raises CannotUndo if anyone has acted on the decision since."""
    later = Decision.objects.effective().filter(ticket=ticket, pk__gt=decision.pk)
    chosen_by_lead = Q(verdict__in=LABELLED, assignment__lane=Assignment.Lane.LEADS)
    if later.filter(Q(assignment=decision.assignment_id) | chosen_by_lead).exists():
        raise CannotUndo
    in_use = Assignment.objects.open().filter(ticket=ticket, leased_until__gt=timezone.now())
    in_use = in_use.exclude(reviewer=decision.reviewer_id)
    if in_use.filter(Q(pk=decision.assignment_id) | Q(purpose=Assignment.Purpose.ADJUDICATION)).exists():
        raise CannotUndo
