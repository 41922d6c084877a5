"""Redacts gold labels, notes and benchmark results when their tickets are erased."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from classifier.models import Score, Ticket
from classifier.models.specialist import text_digest
from classifier.privacy import traces
from classifier.privacy.erasure import redact_attributes, redact_columns, redact_tickets
from classifier.privacy.redaction import Redaction
from review.gold.disputes import SOURCE
from review.gold.gold_labels import remove_from_index
from review.models import (
    Audit,
    Band,
    Decision,
    GoldLabel,
    LabelIssue,
    Result,
    ReviewSettings,
    SnapshotItem,
)


def redact_review_data(tickets: Sequence[Ticket], redaction: Redaction, **_signal: Any) -> set[int]:
    """Redact within the erasing transaction; returns the keys of tickets whose rows must stay."""
    # Placing gold labels reads their texts, and takes this lock as well.
    list(ReviewSettings.objects.select_for_update().values_list("pk"))
    redact_columns(Decision.objects.filter(ticket__in=tickets), redaction, "note")
    redact_attributes(Decision.objects.filter(ticket__in=tickets), redaction)
    golds = _redact_gold_labels(tickets, redaction)
    _keep_audit_results(tickets, redaction)
    if not redaction.masks:
        Band.objects.filter(ticket__in=tickets).delete()
    needed = [gold.ticket_id for gold in golds if gold.ticket_id]
    for rows in (Decision.objects, Audit.objects):
        needed += rows.filter(ticket__in=tickets).values_list("ticket", flat=True)
    return set(needed)


def _keep_audit_results(tickets: Sequence[Ticket], redaction: Redaction) -> None:
    """Keep the results of finished audits. A pending audit counts as wrong, since nobody can judge it any more."""
    awaited = Audit.objects.pending().filter(ticket__in=tickets).values("draw__score")
    scores = Score.objects.filter(prediction__ticket__in=tickets)
    if not redaction.masks:
        scores = scores.exclude(pk__in=awaited)
    became: dict[str, set[str]] = {}
    for ticket in tickets:
        became.setdefault(text_digest(redaction.redacted(ticket.text)), set()).add(text_digest(ticket.text))
    for digest, before in became.items():
        scores.filter(digest__in=before).update(digest=digest)


def _redact_gold_labels(tickets: Sequence[Ticket], redaction: Redaction) -> list[GoldLabel]:
    """Redact their gold labels and those of identical texts, with the tickets made from them; returns them."""
    digests = {text_digest(text) for text in redaction.texts} if redaction.thorough else set()
    golds = list(GoldLabel.objects.filter(Q(ticket__in=tickets) | Q(digest__in=digests)))
    if not golds:
        return []
    # A disputed gold label without a ticket was given one.
    copies = Ticket.objects.filter(gold_labels__in=golds, source=SOURCE).exclude(
        pk__in=[ticket.pk for ticket in tickets]
    )
    redact_columns(Decision.objects.filter(ticket__in=copies), redaction, "note")
    redact_attributes(Decision.objects.filter(ticket__in=copies), redaction)
    redact_tickets(list(copies), redaction)
    redact_columns(Result.objects.filter(item__gold__in=golds), redaction, "reasoning", "detail")
    redact_attributes(GoldLabel.objects.filter(pk__in=[gold.pk for gold in golds]), redaction)
    redact_attributes(SnapshotItem.objects.filter(gold__in=golds), redaction)
    traces.redact_admin_log(golds, redaction)
    _retire(golds, redaction)
    for digest in SnapshotItem.objects.filter(gold__in=golds).values_list("snapshot__digest", flat=True).distinct():
        redaction.remains.add(f"snapshot {digest[:12]}: files exported from it contain them")
    return golds


def _retire(golds: Sequence[GoldLabel], redaction: Redaction) -> None:
    """Redact and retire them; their rows stay, since snapshots refer to them."""
    for gold in golds:
        gold.text, gold.note = redaction.redacted(gold.text), ""
        gold.digest = f"erased:{gold.pk}"
        if not redaction.masks:
            gold.state = GoldLabel.State.RETIRED
    GoldLabel.objects.bulk_update(golds, ["text", "note", "digest", "state"])
    if not redaction.masks:
        remove_from_index(golds)
        LabelIssue.objects.filter(gold__in=golds).delete()
    redaction.count("gold labels", len(golds))
