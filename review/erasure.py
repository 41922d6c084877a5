"""What review keeps of a ticket's text: gold labels, notes, what runs said; wiped along with the ticket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from classifier.models import Score, Ticket
from classifier.models.specialist import text_digest
from classifier.privacy import traces
from classifier.privacy.erasure import redact_columns, redact_tickets
from classifier.privacy.redaction import Redaction
from review.gold.disputes import SOURCE
from review.gold.gold_labels import remove_from_index
from review.models import Audit, Band, Decision, GoldLabel, LabelIssue, Result, ReviewSettings, SnapshotItem


def on_erasing(tickets: Sequence[Ticket], wiping: Redaction, **_signal: Any) -> set[int]:
    """Wipe, inside the transaction that erases; the keys of tickets that people's work stands on."""
    # Whoever places gold labels reads their texts.
    list(ReviewSettings.objects.select_for_update().values_list("pk"))
    redact_columns(Decision.objects.filter(ticket__in=tickets), wiping, "note")
    golds = _golds(tickets, wiping)
    _keep_findings(tickets, wiping)
    if not wiping.masks:
        Band.objects.filter(ticket__in=tickets).delete()
    needed = [one.ticket_id for one in golds if one.ticket_id]
    for rows in (Decision.objects, Audit.objects):
        needed += rows.filter(ticket__in=tickets).values_list("ticket", flat=True)
    return set(needed)


def _keep_findings(tickets: Sequence[Ticket], wiping: Redaction) -> None:
    """What was found in audits of the text as it was stands. An audit that is still awaited counts as wrong then, since
    nobody can judge it any more.
    """
    awaited = Audit.objects.pending().filter(ticket__in=tickets).values("draw__score")
    scores = Score.objects.filter(prediction__ticket__in=tickets)
    if not wiping.masks:
        scores = scores.exclude(pk__in=awaited)
    became: dict[str, set[str]] = {}
    for ticket in tickets:
        became.setdefault(text_digest(wiping.wiped(ticket.text)), set()).add(text_digest(ticket.text))
    for digest, before in became.items():
        scores.filter(digest__in=before).update(digest=digest)


def _golds(tickets: Sequence[Ticket], wiping: Redaction) -> list[GoldLabel]:
    """Their gold labels, and others of the very same texts; a copy of one that people were asked about goes along."""
    digests = {text_digest(text) for text in wiping.texts} if wiping.thorough else set()
    golds = list(GoldLabel.objects.filter(Q(ticket__in=tickets) | Q(digest__in=digests)))
    if not golds:
        return []
    # Asked about once more, a text without a ticket has become one.
    copies = Ticket.objects.filter(gold_labels__in=golds, source=SOURCE).exclude(pk__in=[one.pk for one in tickets])
    redact_columns(Decision.objects.filter(ticket__in=copies), wiping, "note")
    redact_tickets(list(copies), wiping)
    redact_columns(Result.objects.filter(item__gold__in=golds), wiping, "reasoning", "detail")
    traces.redact_admin_log(golds, wiping)
    _wipe_golds(golds, wiping)
    for digest in SnapshotItem.objects.filter(gold__in=golds).values_list("snapshot__digest", flat=True).distinct():
        wiping.remains.add(f"snapshot {digest[:12]}: files that were written of it hold them")
    return golds


def _wipe_golds(golds: Sequence[GoldLabel], wiping: Redaction) -> None:
    """Erased ones are out of use for good; snapshots refer to them, so their rows stay."""
    for gold in golds:
        gold.text, gold.note = wiping.wiped(gold.text), ""
        gold.digest = f"erased:{gold.pk}"
        if not wiping.masks:
            gold.state = GoldLabel.State.RETIRED
    GoldLabel.objects.bulk_update(golds, ["text", "note", "digest", "state"])
    if not wiping.masks:
        remove_from_index(golds)
        LabelIssue.objects.filter(gold__in=golds).delete()
    wiping.count("gold labels", len(golds))
