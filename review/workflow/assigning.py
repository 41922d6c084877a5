"""Opens assignments for tickets that need review, and withdraws them when a ticket is auto-accepted after all."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from classifier.models import AuditDraw, Category, Prediction, Reason, Sentiment, Ticket, Verdict
from classifier.models.ticket import TicketQuerySet
from review.duplicates.groups import duplicate_groups_for
from review.models import Assignment, Decision, ReviewSettings
from review.workflow import audits, priority, routing
from review.workflow.priority import Signals

CHUNK = 200


class Draw(NamedTuple):
    """The purpose drawn for a ticket, and the probability of that draw."""

    purpose: Assignment.Purpose
    blind: bool
    share: float


def update_assignments(ticket_pks: Sequence[int], state: str, **_signal: Any) -> None:
    """Open or withdraw assignments when the classifier changes tickets' state; part of its transaction.

    A ticket that people have started to label stays in review, however confident a model has become.
    """
    if state == Ticket.State.NEEDS_REVIEW:
        _open_all(ticket_pks)
    elif state == Ticket.State.AUTO_ACCEPTED:
        labelled = set(Decision.objects.effective().filter(ticket__in=ticket_pks).values_list("ticket", flat=True))
        auto_accepted = [pk for pk in ticket_pks if pk not in labelled]
        routing.withdraw(Assignment.objects.open().filter(ticket__in=auto_accepted))
        Ticket.objects.filter(pk__in=auto_accepted, sealed=True).update(sealed=False)
        _open_all(_drawn_for_review(auto_accepted))
        if labelled:
            routing.return_to_review(list(labelled))
            _open_all(sorted(labelled))


def _drawn_for_review(auto_accepted: Sequence[int]) -> list[int]:
    """Those of these tickets that are reviewed all the same: audits, or a random sample where the gate draws none."""
    draws = AuditDraw.objects.filter(verdict__ticket__in=auto_accepted, verdict__current=True)
    audited = dict(draws.values_list("verdict__ticket", "audited"))
    review_settings = ReviewSettings.current()
    return [pk for pk in auto_accepted if audited.get(pk, review_settings.is_in_sample(pk))]


def open_missing() -> int:
    """Open assignments for tickets that need review but have none. Returns the number of tickets."""
    opened = after = 0
    while pks := list(_without_assignments().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        after = pks[-1]
        with transaction.atomic(durable=True):
            opened += _open(
                list(_without_assignments().select_for_update().filter(pk__in=pks).values_list("pk", flat=True))
            )
    return opened


def _without_assignments() -> TicketQuerySet:
    assignments = Assignment.objects.filter(ticket=OuterRef("pk")).exclude(state=Assignment.State.WITHDRAWN)
    return Ticket.objects.in_state(Ticket.State.NEEDS_REVIEW).filter(~Exists(assignments))


def _open_all(ticket_pks: Sequence[int]) -> None:
    for start in range(0, len(ticket_pks), CHUNK):
        _open(ticket_pks[start : start + CHUNK])


def _open(ticket_pks: Sequence[int]) -> int:
    """Reopen the assignments these tickets had before, or draw new ones. Returns the number of tickets."""
    _hold_off_merges()
    review_settings = ReviewSettings.current()
    verdicts = _current_verdicts(ticket_pks)
    groups = duplicate_groups_for([verdict.ticket for verdict in verdicts.values()])
    values = _values(verdicts.values())
    known = _known_assignments(verdicts)
    new = [
        assignment
        for pk, verdict in verdicts.items()
        if pk not in known
        for assignment in _draw_assignments(review_settings, verdict)
    ]
    unanswered = [row for rows in known.values() for row in rows if row.state != Assignment.State.ANSWERED]
    opened = new + [assignment for assignment in unanswered if assignment.state == Assignment.State.WITHDRAWN]
    for assignment in new + unanswered:
        pk = assignment.ticket_id
        assignment.state, assignment.group_id = Assignment.State.OPEN, groups[pk]
        _apply_random_draw(assignment, _random_draw(review_settings, verdicts[pk]))
        _set_queue_fields(assignment, verdicts[pk], values[pk], review_settings)
    audited = {pk: verdict.audit_draw for pk, verdict in verdicts.items() if _is_audited(verdict)}
    blind = {assignment.ticket_id for assignment in opened if assignment.blind}
    Assignment.objects.bulk_update(unanswered, _REFRESHED)
    Assignment.objects.bulk_create(new)
    Ticket.objects.filter(pk__in=blind | audited.keys()).update(sealed=True)
    audits.create_audits(list(audited.values()))
    return len(verdicts)


def _current_verdicts(ticket_pks: Sequence[int]) -> dict[int, Verdict]:
    verdicts = Verdict.objects.current().filter(ticket__in=ticket_pks)
    verdicts = verdicts.select_related("ticket", "prediction", "audit_draw")
    return {verdict.ticket_id: verdict for verdict in verdicts.order_by("ticket_id")}


def _random_draw(review_settings: ReviewSettings, verdict: Verdict) -> Draw | None:
    """The draw from all arrivals: an audit if the gate draws any, else the random sample. None if it was not drawn."""
    draw: AuditDraw | None = getattr(verdict, "audit_draw", None)
    if draw is not None:
        return Draw(Assignment.Purpose.AUDIT, True, draw.share) if draw.audited else None
    if review_settings.is_in_sample(verdict.ticket_id):
        return Draw(Assignment.Purpose.SAMPLE, True, review_settings.sample_share)
    return None


def _apply_random_draw(assignment: Assignment, draw: Draw | None) -> None:
    """Make a plain review the one that was drawn."""
    if draw and assignment.purpose in (Assignment.Purpose.REVIEW, Assignment.Purpose.SAMPLE):
        assignment.purpose, assignment.blind, assignment.share = draw


def _hold_off_merges() -> None:
    """Lock the labels, so that a suggested label cannot be merged away before the assignments are written."""
    for labels in (Category.objects, Sentiment.objects):
        list(labels.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _known_assignments(ticket_pks: Collection[int]) -> dict[int, list[Assignment]]:
    """By ticket, its assignments of the latest round, without adjudications that were withdrawn."""
    choices = Q(purpose=Assignment.Purpose.ADJUDICATION, state=Assignment.State.WITHDRAWN)
    known: dict[int, list[Assignment]] = {}
    for assignment in Assignment.objects.of_latest_round().filter(ticket__in=ticket_pks).exclude(choices):
        known.setdefault(assignment.ticket_id, []).append(assignment)
    return known


_REFRESHED = [
    "state",
    "group",
    "purpose",
    "blind",
    "share",
    "due_at",
    "value",
    "reason",
    "category",
    "sentiment",
    "confidence",
    "language_model",
]


def _is_audited(verdict: Verdict) -> bool:
    draw: AuditDraw | None = getattr(verdict, "audit_draw", None)
    return draw is not None and draw.audited


def _draw_assignments(review_settings: ReviewSettings, verdict: Verdict) -> list[Assignment]:
    """New assignments: what was drawn from all arrivals, else what the review settings draw."""
    ticket = verdict.ticket
    draw = _random_draw(review_settings, verdict) or draw_purpose(review_settings, ticket.pk)
    return [
        Assignment(
            ticket=ticket,
            number=number,
            purpose=draw.purpose,
            blind=draw.blind,
            share=draw.share,
            received_at=ticket.received_at,
            language=ticket.language,
        )
        for number in ((1, 2) if draw.purpose == Assignment.Purpose.DOUBLE else (1,))
    ]


def draw_purpose(review_settings: ReviewSettings, ticket_pk: int) -> Draw:
    """Draw double labelling, a blind review or a normal one. Double labelling is blind: labels must be independent."""
    if review_settings.draw(ticket_pk, "double") < review_settings.double_share:
        return Draw(Assignment.Purpose.DOUBLE, True, review_settings.double_share)
    single = 1 - review_settings.double_share
    if review_settings.draw(ticket_pk, "blind") < review_settings.blind_share:
        return Draw(Assignment.Purpose.REVIEW, True, single * review_settings.blind_share)
    return Draw(Assignment.Purpose.REVIEW, False, single * (1 - review_settings.blind_share))


def _set_queue_fields(assignment: Assignment, verdict: Verdict, value: float, review_settings: ReviewSettings) -> None:
    """Set what the queue shows and the priority; random for a blind assignment, or it would reveal the answer."""
    assignment.due_at = verdict.ticket.due_at
    if assignment.blind:
        audited = assignment.purpose == Assignment.Purpose.AUDIT
        assignment.value = (
            priority.audit_value(verdict.pk)
            if audited
            else priority.random_value(review_settings.draw(assignment.ticket_id, "place"))
        )
        assignment.reason, assignment.confidence = "", None
        assignment.category, assignment.sentiment, assignment.language_model = None, None, None
        return
    assignment.value, assignment.reason, prediction = value, verdict.reason, verdict.prediction
    for name in ("category_id", "sentiment_id", "confidence", "language_model_id"):
        setattr(assignment, name, getattr(prediction, name, None))


def _values(verdicts: Any) -> dict[int, float]:
    """The priority of each ticket (one count for each suggested category)."""
    suggested = {verdict.prediction.category_id for verdict in verdicts if verdict.prediction}
    waiting = {pk: Assignment.objects.open().filter(lane=Assignment.Lane.AGENTS, category=pk) for pk in suggested}
    counts = {pk: assignments.count_to(priority.RARE) for pk, assignments in waiting.items()}
    return {verdict.ticket_id: priority.review_value(_signals(verdict, counts)) for verdict in verdicts}


def _signals(verdict: Verdict, waiting: dict[int, int]) -> Signals:
    prediction: Prediction | None = verdict.prediction
    return Signals(
        confidence=prediction.confidence if prediction else None,
        disagreement=verdict.reason == Reason.DISAGREEMENT,
        waiting_in_category=waiting[prediction.category_id] if prediction else 0,
    )
