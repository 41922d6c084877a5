"""Writing down what others are to be told, in the transaction in which it happens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from classifier.database import sql
from classifier.integrations.helpdesks import write_back
from classifier.integrations.webhooks import payloads
from classifier.integrations.webhooks.payloads import TicketPayload
from classifier.models import Delivery, Event, HelpDesk, Ticket, Webhook
from classifier.models.outbox import EventKind, delivery_queued


def has_subscribers() -> bool:
    """Whether a webhook or a help desk may want to know about tickets; every decision asks, so in SQL of its own."""
    return bool(sql.fetch_rows(_SUBSCRIBERS))


_SUBSCRIBERS = """
SELECT 1 FROM classifier_webhook WHERE active UNION SELECT 1 FROM classifier_helpdesk WHERE active AND write_back"""


def on_tickets_moved(ticket_pks: Sequence[int], state: str, **_signal: Any) -> None:
    """Follow the classifier, inside its transaction, after all others who do: by then it is known what is sealed."""
    if state != Ticket.State.NEW and has_subscribers():
        publish_tickets(EventKind.CLASSIFIED, ticket_pks)


def publish_tickets(kind: EventKind, ticket_pks: Sequence[int]) -> None:
    """Tell whoever wants to know where these tickets stand now; part of the transaction that brought them there."""
    webhooks = Webhook.objects.wanting(kind)
    desks = {desk.slug: desk for desk in HelpDesk.objects.writing_back()}
    if not ticket_pks or not (webhooks or desks):
        return
    standing = payloads.ticket_payloads(ticket_pks)
    if webhooks:
        _write([_event(kind, one) for one in standing], webhooks)
    if desks:
        write_back.queue_updates(standing, desks)
    wake_sender()


def publish(kind: EventKind, data: dict[str, Any]) -> None:
    """Tell of something that is about no single ticket; part of the transaction in which it happens."""
    if webhooks := Webhook.objects.wanting(kind):
        _write([Event(kind=kind, data=data)], webhooks)
        wake_sender()


@transaction.atomic(durable=True)
def send_test(webhook: Webhook) -> None:
    """An event that says no more than that it arrived."""
    _write([Event(kind=EventKind.TEST, data={"webhook": webhook.name})], [webhook])
    wake_sender()


@transaction.atomic(durable=True)
def resend(rows: QuerySet[Any]) -> int:
    """Send these once more, also what was delivered. Returns how many."""
    number: int = rows.requeue()  # type: ignore[attr-defined]  # rows of what goes out
    wake_sender()
    return number


def wake_sender() -> None:
    """Have a worker look for what is to be sent, once it is there to be seen."""
    transaction.on_commit(partial(delivery_queued.send, Event), robust=True)


def _event(kind: EventKind, one: TicketPayload) -> Event:
    return Event(kind=kind, ticket_id=one.ticket, data=one.data())


def _write(events: Sequence[Event], webhooks: Sequence[Webhook]) -> None:
    written = Event.objects.bulk_create(events)
    Delivery.objects.bulk_create(
        Delivery(destination=webhook, event=event) for event in written for webhook in webhooks
    )
