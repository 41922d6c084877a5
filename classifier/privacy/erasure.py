"""Erases tickets, or masks personal data in them, in every table.

A ticket that nothing depends on is deleted. Others keep their row with a placeholder text, so that counts, audits and
certificates stay valid. Snapshots, exported files and trained models that contain the text are reported.
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.dispatch import Signal
from django.utils import timezone

from classifier.contract.types import AttributeKind
from classifier.database.batches import chunked
from classifier.models import (
    Attribute,
    AuditDraw,
    Erasure,
    Event,
    Example,
    Failure,
    Prediction,
    SpecialistVersion,
    Ticket,
    Vector,
    WholeMessage,
)
from classifier.models.arrival import Arrival
from classifier.models.specialist import text_digest
from classifier.models.ticket import TicketQuerySet
from classifier.privacy import traces, uploaded_files
from classifier.privacy.redaction import ERASED, Redaction

CHUNK = 100
SECONDS = 10.0
"""How long one call of `erase_expired` may take."""

erasure_started = Signal()
"""Sent with `tickets` and `redaction` in the transaction that erases them. Receivers redact their own tables and return
the keys of tickets whose rows must stay.
"""


def tickets_of_customer(name: str, *, any_case: bool = False) -> TicketQuerySet:
    """A customer's tickets; with `any_case` no index is used."""
    return Ticket.objects.filter(customer__iexact=name) if any_case else Ticket.objects.filter(customer=name)


def erase(tickets: QuerySet[Ticket], *, masks: bool = False, by: User | None = None) -> Erasure:
    """Erase these tickets everywhere, or with `masks` only their personal data, in chunks; returns the record.

    Uploaded files are deleted, after imports under way have finished. If it is interrupted, call it again.
    """
    uploaded_files.wait_for_imports()
    pks = list(tickets.order_by("pk").values_list("pk", flat=True))
    record = Erasure.objects.create(kind=Erasure.Kind.MASKED if masks else Erasure.Kind.ERASED, by=by)
    for some in chunked(pks, CHUNK):
        redaction = _erase(some, record, masks=masks)
        traces.redact_traces(some, redaction)
        uploaded_files.delete_uploads(redaction)
        _update_record(record, redaction)
    traces.compact_search_index()
    return record


def expired_tickets(days: int) -> TicketQuerySet:
    """Finished tickets that are older than this many days; none for 0. Uses an index."""
    if not days:
        return Ticket.objects.none()
    old = Ticket.objects.filter(received_at__lt=timezone.now() - timedelta(days=days), erased_at=None)
    return old.filter(state__in=[Ticket.State.AUTO_ACCEPTED, Ticket.State.SETTLED])


def erase_expired(days: int, *, seconds: float = SECONDS) -> bool:
    """Erase expired tickets for at most `seconds`. Returns whether there are more.

    Imported labels of the same texts and examples in the taxonomy stay.
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
    names = {ticket.customer for ticket in tickets if ticket.customer}
    redaction = Redaction([ticket.text for ticket in tickets], names, masks, thorough)
    drawn = AuditDraw.objects.filter(verdict__ticket__in=tickets)
    needed: set[int] = {pk for pk in drawn.values_list("verdict__ticket_id", flat=True) if pk}
    answers: list[Any] = erasure_started.send(Ticket, tickets=tickets, redaction=redaction)
    needed.update(*(pks for _receiver, pks in answers), _firsts_of_others(ticket_pks))
    _redact_answers(tickets, redaction)
    _delete_learned(tickets, redaction)
    if thorough:
        traces.redact_labels(redaction)
    traces.redact_admin_log(tickets, redaction)
    waiting = [ticket.pk for ticket in tickets if ticket.state in (Ticket.State.NEW, Ticket.State.NEEDS_REVIEW)]
    removed = [] if masks else [pk for pk in waiting if pk not in needed]
    redact_tickets([ticket for ticket in tickets if ticket.pk not in removed], redaction)
    Ticket.objects.filter(pk__in=removed).delete()
    redaction.count("tickets removed", len(removed))
    _update_record(record, redaction)
    return redaction


def _firsts_of_others(ticket_pks: Sequence[int]) -> set[int]:
    """Those of these tickets that are the first of several alike ones, by which an incident is known."""
    others = Arrival.objects.filter(first__in=ticket_pks).exclude(ticket=F("first"))
    return set(others.values_list("first", flat=True))


def redact_tickets(tickets: Sequence[Ticket], redaction: Redaction) -> None:
    """Redact these tickets, but keep their rows."""
    rows = Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets])
    redact_columns(rows, redaction, "text")
    redact_attributes(rows, redaction)
    Arrival.objects.filter(ticket__in=tickets).update(digest="")
    redact_columns(WholeMessage.objects.filter(ticket__in=tickets), redaction, "text")
    rows.update(customer="", external_id=None, erased_at=None if redaction.masks else timezone.now())


def redact_columns(rows: QuerySet[Any], redaction: Redaction, *names: str) -> None:
    """Redact these columns in all rows where they are not empty."""
    filled = rows.filter(reduce(or_, (~Q(**{name: ""}) for name in names)))
    kind = str(rows.model._meta.verbose_name_plural)
    if not redaction.masks:
        erased = {name: Case(When(**{name: ""}, then=Value("")), default=Value(ERASED)) for name in names}
        redaction.count(kind, filled.update(**erased))
        return
    masked = list(filled.only("pk", *names))
    for row in masked:
        for name in names:
            setattr(row, name, redaction.redacted(getattr(row, name)))
    rows.model._base_manager.bulk_update(masked, names, batch_size=CHUNK)
    redaction.count(kind, len(masked))


def redact_attributes(rows: QuerySet[Any], redaction: Redaction) -> None:
    """Redact texts among the answers to attributes: erased, they are removed."""
    of_text = {str(pk) for pk in Attribute.objects.filter(kind=AttributeKind.TEXT).values_list("pk", flat=True)}
    if not of_text:
        return
    changed = []
    for row in rows.exclude(attributes={}).only("pk", "attributes"):
        texts = {key: value for key, value in row.attributes.items() if key in of_text}
        if texts:
            redacted = {key: redaction.redacted(value) for key, value in texts.items()} if redaction.masks else {}
            row.attributes = {k: v for k, v in row.attributes.items() if k not in texts} | redacted
            changed.append(row)
    rows.model._base_manager.bulk_update(changed, ["attributes"], batch_size=CHUNK)


def _redact_answers(tickets: Sequence[Ticket], redaction: Redaction) -> None:
    """Redact what models answered, since it quotes the text."""
    predictions = Prediction.objects.filter(ticket__in=tickets)
    redact_columns(predictions, redaction, "reasoning")
    predictions.exclude(words=[]).update(words=[])
    redact_attributes(predictions, redaction)
    redact_columns(Failure.objects.filter(ticket__in=tickets), redaction, "detail", "reply")
    events = list(Event.objects.filter(ticket__in=tickets))
    for event in events:
        event.data = event.data | {"external_id": None}
    Event.objects.bulk_update(events, ["data"], batch_size=CHUNK)


def _delete_learned(tickets: Sequence[Ticket], redaction: Redaction) -> None:
    """Delete their training examples and vectors, and report specialist versions that have learned from them."""
    digests = {text_digest(text) for text in redaction.texts}
    examples = Example.objects.filter(Q(ticket__in=tickets) | Q(digest__in=digests if redaction.thorough else ()))
    keys = list(examples.values_list("pk", flat=True))
    redaction.count("examples", examples.delete()[0])
    in_use = Example.objects.filter(digest__in=digests).values_list("digest", flat=True)
    redaction.count("vectors", Vector.objects.filter(digest__in=digests.difference(in_use)).delete()[0])
    if keys:
        for version in SpecialistVersion.objects.exclude(weights=None).only("pk", "taught"):
            if np.isin(keys, np.frombuffer(version.taught, np.int64).reshape(3, -1)[0]).any():
                redaction.remains.add(f"specialist version {version.pk} has learned from them; retrain it")


def _update_record(record: Erasure, redaction: Redaction) -> None:
    """Add what was done since the last call to the record."""
    for name, number in redaction.counts.items():
        record.counts[name] = record.counts.get(name, 0) + number
    record.remains = sorted({*record.remains, *redaction.remains})
    redaction.counts.clear()
    record.save(update_fields=["counts", "remains"])
