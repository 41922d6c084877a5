"""Records events and queues their deliveries, in the transaction that causes them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from classifier.database import sql
from classifier.integrations.helpdesks import write_back
from classifier.integrations.webhooks import payloads
from classifier.models import Delivery, Event, HelpDesk, Ticket, Webhook
from classifier.models.outbox import EventKind, delivery_queued


def has_subscribers() -> bool:
    """Whether any webhook or help desk is active. One query in SQL, since every decision asks."""
    return bool(sql.fetch_rows(_SUBSCRIBERS))


_SUBSCRIBERS = """
SELECT 1 FROM classifier_webhook WHERE active UNION SELECT 1 FROM classifier_helpdesk WHERE active AND write_back"""


def on_state_changed(ticket_pks: Sequence[int], state: str, **_signal: Any) -> None:
    """Publish classified tickets. Connected last, since other receivers seal tickets."""
    if state != Ticket.State.NEW and has_subscribers():
        publish_tickets(EventKind.CLASSIFIED, ticket_pks)


def publish_tickets(kind: EventKind, ticket_pks: Sequence[int]) -> None:
    """Send the current state of these tickets to subscribed webhooks and their help desks. Needs a transaction."""
    webhooks = Webhook.objects.wanting(kind)
    help_desks = {help_desk.slug: help_desk for help_desk in HelpDesk.objects.writing_back()}
    if not ticket_pks or not (webhooks or help_desks):
        return
    tickets = payloads.ticket_payloads(ticket_pks)
    if webhooks:
        _record([Event(kind=kind, ticket_id=ticket.ticket, data=ticket.event_data()) for ticket in tickets], webhooks)
    if help_desks:
        write_back.queue_updates(tickets, help_desks)
    wake_sender()


def publish(kind: EventKind, data: dict[str, Any]) -> None:
    """Send an event that is not about a ticket to subscribed webhooks. Needs a transaction."""
    if webhooks := Webhook.objects.wanting(kind):
        _record([Event(kind=kind, data=data)], webhooks)
        wake_sender()


@transaction.atomic(durable=True)
def send_test(webhook: Webhook) -> None:
    """Send a test event to this webhook."""
    _record([Event(kind=EventKind.TEST, data={"webhook": webhook.name})], [webhook])
    wake_sender()


@transaction.atomic(durable=True)
def resend(rows: QuerySet[Any]) -> int:
    """Send these again, even those that were delivered. Returns how many."""
    number: int = rows.requeue()  # type: ignore[attr-defined]  # rows of what goes out
    wake_sender()
    return number


def wake_sender() -> None:
    """Have a worker send what is due, once this transaction is committed."""
    transaction.on_commit(partial(delivery_queued.send, Event), robust=True)


def _record(events: Sequence[Event], webhooks: Sequence[Webhook]) -> None:
    created = Event.objects.bulk_create(events)
    Delivery.objects.bulk_create(
        Delivery(destination=webhook, event=event) for event in created for webhook in webhooks
    )
