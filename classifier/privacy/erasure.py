"""Erasing tickets: what a person wrote goes from every table, and the books that stand on it stay.

A ticket that nothing stands on yet is removed. Of any other the row stays, with a constant in place of its text, so
that counts, audits and certificates remain what they were. What was frozen, handed out or learned is named.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, Q, QuerySet, Value, When
from django.dispatch import Signal
from django.utils import timezone

from classifier.database.batches import chunked
from classifier.models import AuditDraw, Erasure, Event, Example, Failure, Prediction, SpecialistVersion, Ticket, Vector
from classifier.models.specialist import text_digest
from classifier.models.ticket import TicketQuerySet
from classifier.privacy import traces
from classifier.privacy.redaction import ERASED, Redaction

CHUNK = 100
SECONDS = 10.0
"""How long one turn of `expire` may take; the next one goes on."""

erasing = Signal()
"""Sent inside the transaction that erases `tickets`, with the `wiping`. Who listens wipes its own tables along with it,
and returns the keys of those tickets whose rows have to stay.
"""


def tickets_of_customer(name: str, *, any_case: bool = False) -> TicketQuerySet:
    """What a customer has written; without `any_case` by an index."""
    return Ticket.objects.filter(customer__iexact=name) if any_case else Ticket.objects.filter(customer=name)


def erase(tickets: QuerySet[Ticket], *, masks: bool = False, by: User | None = None) -> Erasure:
    """Erase these tickets everywhere, chunk by chunk, or mask personal data in them; the record of what was done.

    Cut off, it can be called again: what was not reached is found as before.
    """
    pks = list(tickets.order_by("pk").values_list("pk", flat=True))
    record = Erasure.objects.create(kind=Erasure.Kind.MASKED if masks else Erasure.Kind.ERASED, by=by)
    for some in chunked(pks, CHUNK):
        wiping = _erase(some, record, masks=masks)
        traces.redact_traces(some, wiping)
        _note(record, wiping)
    traces.compact_search_index()
    return record


def expired_tickets(days: int) -> TicketQuerySet:
    """Tickets that came more than so many days ago and wait for nobody, by an index; 0 days: none."""
    if not days:
        return Ticket.objects.none()
    old = Ticket.objects.filter(received_at__lt=timezone.now() - timedelta(days=days), erased_at=None)
    return old.filter(state__in=[Ticket.State.AUTO_ACCEPTED, Ticket.State.SETTLED])


def erase_expired(days: int, *, seconds: float = SECONDS) -> bool:
    """Erase tickets whose time is over, for so long. Returns whether there are more.

    Labels of the same texts that came from elsewhere, and examples that the taxonomy shows, have a time of their own.
    """
    until = time.monotonic() + seconds
    record: Erasure | None = None
    while pks := list(expired_tickets(days).order_by("received_at").values_list("pk", flat=True)[:CHUNK]):
        record = record or Erasure.objects.create(kind=Erasure.Kind.EXPIRED)
        _erase(pks, record, thorough=False)
        if time.monotonic() > until:
            return True
    return False


@transaction.atomic(durable=True)
def _erase(ticket_pks: Sequence[int], record: Erasure, *, masks: bool = False, thorough: bool = True) -> Redaction:
    tickets = list(Ticket.objects.select_for_update().filter(pk__in=ticket_pks).order_by("pk"))
    names = {one.customer for one in tickets if one.customer}
    wiping = Redaction([one.text for one in tickets], names, masks, thorough)
    drawn = AuditDraw.objects.filter(verdict__ticket__in=tickets)
    needed: set[int] = {pk for pk in drawn.values_list("verdict__ticket_id", flat=True) if pk}
    answers: list[Any] = erasing.send(Ticket, tickets=tickets, wiping=wiping)
    needed.update(*(pks for _listener, pks in answers))
    _wipe_said(tickets, wiping)
    _wipe_learned(tickets, wiping)
    if thorough:
        traces.redact_labels(wiping)
    traces.redact_admin_log(tickets, wiping)
    waiting = [one.pk for one in tickets if one.state in (Ticket.State.NEW, Ticket.State.NEEDS_REVIEW)]
    removed = [] if masks else [pk for pk in waiting if pk not in needed]
    redact_tickets([one for one in tickets if one.pk not in removed], wiping)
    Ticket.objects.filter(pk__in=removed).delete()
    wiping.count("tickets removed", len(removed))
    _note(record, wiping)
    return wiping


def redact_tickets(tickets: Sequence[Ticket], wiping: Redaction) -> None:
    """The rows of these tickets stay, and say nothing of whose they are."""
    rows = Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets])
    redact_columns(rows, wiping, "text")
    rows.update(customer="", external_id=None, erased_at=None if wiping.masks else timezone.now())


def redact_columns(rows: QuerySet[Any], wiping: Redaction, *names: str) -> None:
    """Wipe these columns of all rows that have anything in them."""
    filled = rows.filter(reduce(or_, (~Q(**{name: ""}) for name in names)))
    kind = str(rows.model._meta.verbose_name_plural)
    if not wiping.masks:
        erased = {name: Case(When(**{name: ""}, then=Value("")), default=Value(ERASED)) for name in names}
        wiping.count(kind, filled.update(**erased))
        return
    found = list(filled.only("pk", *names))
    for row in found:
        for name in names:
            setattr(row, name, wiping.wiped(getattr(row, name)))
    rows.model._base_manager.bulk_update(found, names, batch_size=CHUNK)
    wiping.count(kind, len(found))


def _wipe_said(tickets: Sequence[Ticket], wiping: Redaction) -> None:
    """What models said, which quotes the text; where its words stood is nowhere any more."""
    predictions = Prediction.objects.filter(ticket__in=tickets)
    redact_columns(predictions, wiping, "reasoning")
    predictions.exclude(words=[]).update(words=[])
    redact_columns(Failure.objects.filter(ticket__in=tickets), wiping, "detail", "reply")
    events = list(Event.objects.filter(ticket__in=tickets))
    for event in events:
        event.data = event.data | {"external_id": None}
    Event.objects.bulk_update(events, ["data"], batch_size=CHUNK)


def _wipe_learned(tickets: Sequence[Ticket], wiping: Redaction) -> None:
    """What is taught of them, and where they lie. Versions that have learned them already are named."""
    digests = {text_digest(text) for text in wiping.texts}
    examples = Example.objects.filter(Q(ticket__in=tickets) | Q(digest__in=digests if wiping.thorough else ()))
    keys = list(examples.values_list("pk", flat=True))
    wiping.count("examples", examples.delete()[0])
    kept = Example.objects.filter(digest__in=digests).values_list("digest", flat=True)
    wiping.count("vectors", Vector.objects.filter(digest__in=digests.difference(kept)).delete()[0])
    if keys:
        for version in SpecialistVersion.objects.exclude(weights=None).only("pk", "taught"):
            if np.isin(keys, np.frombuffer(version.taught, np.int64).reshape(3, -1)[0]).any():
                wiping.remains.add(f"specialist version {version.pk} has learned from them; train it anew")


def _note(record: Erasure, wiping: Redaction) -> None:
    """Put down what was done since the last note."""
    for name, number in wiping.counts.items():
        record.counts[name] = record.counts.get(name, 0) + number
    record.remains = sorted({*record.remains, *wiping.remains})
    wiping.counts.clear()
    record.save(update_fields=["counts", "remains"])
