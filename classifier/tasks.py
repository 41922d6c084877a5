"""Background work. A task is only a nudge: the rows say what is to do, so one lost, doubled or late changes nothing."""

from typing import Any

from django.conf import settings
from django_tasks import task

from classifier import tallies
from classifier.api import stored_replies
from classifier.background import Priority, enqueue_once
from classifier.embeddings import vector_store
from classifier.ingest import mailboxes
from classifier.integrations import outbox
from classifier.integrations.helpdesks import write_back
from classifier.integrations.webhooks import delivery
from classifier.models import Mailbox, Ticket
from classifier.pipeline import runner
from classifier.privacy import erasure

ROUTES = (delivery.ROUTE, write_back.ROUTE)


@task()
def classify_tickets() -> None:
    """Classify a batch of what waits; where more may wait, the next nudge goes out at once."""
    runner.classify_next_batch(on_more_waiting=enqueue_classification)


@task(priority=Priority.LOW)
def embed_tickets() -> None:
    """Store vectors of tickets that came in, for a while."""
    vector_store.embed_new_tickets()


@task()
def send_deliveries() -> None:
    """Send a batch of what is owed to others' servers; where more may be due, the next nudge goes out at once."""
    if outbox.send_due(ROUTES):
        enqueue_once(send_deliveries)


@task()
def fetch_mail() -> None:
    """Look into the mailboxes whose turn it is."""
    if mailboxes.fetch_due():
        enqueue_once(fetch_mail)


@task(priority=Priority.LOW)
def erase_expired() -> None:
    """Erase tickets whose time is over, for a while."""
    if erasure.erase_expired(settings.RETENTION_DAYS):
        enqueue_once(erase_expired)


def enqueue_classification() -> None:
    """Have what waits classified; one that waits to be begun does for all."""
    enqueue_once(classify_tickets)


def on_arrival(bulk: bool, **_signal: Any) -> None:
    """Nudge a worker when tickets have come in, before all others where a person waits for one."""
    enqueue_once(classify_tickets if bulk else classify_tickets.using(priority=Priority.INTERACTIVE))


def on_queued(**_signal: Any) -> None:
    """Nudge a worker when others are to be told of something."""
    enqueue_once(send_deliveries)


def sweep() -> None:
    """Take up what a killed process left: nudge if a ticket waits or has no vector; count, and expire."""
    if Ticket.objects.waiting().exists():
        enqueue_classification()
    if vector_store.is_behind():
        enqueue_once(embed_tickets)
    if outbox.is_due(ROUTES):
        enqueue_once(send_deliveries)
    if Mailbox.objects.due().exists():
        enqueue_once(fetch_mail)
    delivery.delete_old()
    stored_replies.delete_expired()
    tallies.update_tallies(tallies.SOURCES)
    if erasure.expired_tickets(settings.RETENTION_DAYS).exists():
        enqueue_once(erase_expired)
