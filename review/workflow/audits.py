"""Audits: tickets drawn at random, labelled by people who did not see the model's answer."""

from collections.abc import Collection, Mapping, Sequence

from django.dispatch import Signal
from django.utils import timezone

from classifier.models import AuditDraw, Category, Ticket
from classifier.models.specialist import text_digest
from review.models import AccuracyTarget, Audit, Decision, Ledger
from review.models.certification import HELD_OUT_SHARE

EDITED, SUGGESTION_SEEN = "edited", "seen"
"""Flaws: the text changed after the model saw it; nobody gave the final label without seeing a suggestion."""

findings_changed = Signal()
"""Sent with `ticket_pks`, in the transaction that changed the findings."""


def create_audits(draws: Sequence[AuditDraw]) -> None:
    """Create the audits of these draws, in the transaction that draws. Existing audits stay as they are."""
    double_check = AccuracyTarget.current().double_check_share if draws else 0.0
    epochs = {draw.epoch_id: draw.epoch for draw in draws}
    rows = [
        Audit(
            draw=draw,
            epoch_id=draw.epoch_id,
            ticket_id=draw.ticket_pk,
            # The smallest share is the same for all tickets of that time, so the held-out ones are a fair sample.
            held_out=draw.number < min(draw.floor, HELD_OUT_SHARE),
            double_check=epochs[draw.epoch_id].draw_again(draw.ticket_pk) < double_check,
        )
        for draw in draws
    ]
    Audit.objects.bulk_create(rows, ignore_conflicts=True)


def needs_second_label(ticket: Ticket, decision: Decision) -> bool:
    """Whether a second person labels the audited ticket: if the first disagreed with the model, or if it was drawn."""
    if decision.verdict == Decision.Verdict.CORRECTED:
        return True
    return Audit.objects.filter(ticket=ticket, double_check=True).exists()


def update_findings(ticket_pks: Sequence[int]) -> None:
    """Set the findings of these tickets' audits to the settled labels; the caller has locked the tickets.

    Ledgers that counted a changed finding are counted again.
    """
    audits_of_tickets = Audit.objects.filter(ticket__in=ticket_pks)
    audits = list(audits_of_tickets.select_related("ticket", "draw__verdict__prediction", "draw__score"))
    if not audits:
        return
    parents = dict(Category.objects.values_list("pk", "parent"))
    blind_labels = _labelled_blind({audit.ticket_id for audit in audits})
    for audit in audits:
        before = (audit.category_right, audit.sentiment_right, audit.flaw)
        _set_finding(
            audit, parents, (audit.ticket_id, audit.ticket.category_id, audit.ticket.sentiment_id) in blind_labels
        )
        if before != (audit.category_right, audit.sentiment_right, audit.flaw):
            audit.save(update_fields=["category_right", "sentiment_right", "flaw", "judged_at"])
            Ledger.objects.filter(epoch=audit.epoch_id, closed_at=None, until__gte=audit.draw_id).update(until=0)
    findings_changed.send(Audit, ticket_pks=ticket_pks)


def _set_finding(audit: Audit, parents: Mapping[int, int | None], labelled_blind: bool) -> None:
    ticket, verdict, score = audit.ticket, audit.draw.verdict, audit.draw.score
    prediction = verdict.prediction
    assert prediction is not None  # noqa: S101 - only predictions are scored, and only what is scored is drawn
    if ticket.state != Ticket.State.SETTLED:
        audit.category_right = audit.sentiment_right = audit.judged_at = None
        audit.flaw = ""
        return
    audit.flaw = "" if labelled_blind else SUGGESTION_SEEN
    if text_digest(ticket.text) != score.digest:
        audit.flaw = EDITED
    audit.category_right = not audit.flaw and is_same_or_below(prediction.category_id, ticket.category_id, parents)
    audit.sentiment_right = not audit.flaw and prediction.sentiment_id == ticket.sentiment_id
    audit.judged_at = audit.judged_at or timezone.now()


def is_same_or_below(category: int | None, expected: int | None, parents: Mapping[int, int | None]) -> bool:
    """Whether a category is the expected one or below it; `parents` maps each category to its parent."""
    while category is not None and category != expected:
        category = parents.get(category)
    return category is not None


def _labelled_blind(ticket_pks: Collection[int]) -> set[tuple[int, int | None, int | None]]:
    """The (ticket, category, sentiment) of all labels given blind that have not been undone."""
    blind = Decision.objects.effective().labelled().filter(ticket__in=ticket_pks, blind=True)
    return set(blind.values_list("ticket", "category", "sentiment"))
