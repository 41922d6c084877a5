"""Background tasks. A task is only a nudge: the rows say what to do, so a lost, doubled or late one changes nothing."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django_tasks import task
from django_tasks.base import Task

from classifier import tallies
from classifier.api import stored_replies
from classifier.background import Priority, enqueue_if, enqueue_once, run_parts
from classifier.embeddings import vector_store
from classifier.inference import pauses
from classifier.ingest import mailboxes, ticket_imports, uploads
from classifier.integrations import outbox
from classifier.integrations.helpdesks import write_back
from classifier.integrations.webhooks import delivery
from classifier.models import Mailbox, Pause, Ticket
from classifier.models.file_import import TicketImport
from classifier.pipeline import incident_guard, runner
from classifier.privacy import erasure

ROUTES = (delivery.ROUTE, write_back.ROUTE)


@task()
def classify_tickets() -> None:
    """Classify a batch of waiting tickets."""
    runner.classify_next_batch(on_more_waiting=enqueue_classification)


@task()
def probe_paused_models() -> None:
    """Try models whose provider answered nobody, and classify what has waited for them."""
    if pauses.probe_due():
        enqueue_classification()


@task(priority=Priority.LOW)
def embed_tickets() -> None:
    """Store embeddings of new tickets for a while."""
    vector_store.embed_new_tickets()


@task()
def send_deliveries() -> None:
    """Send a batch of webhook deliveries and write-backs."""
    if outbox.send_due(ROUTES):
        enqueue_once(send_deliveries)


@task()
def fetch_mail() -> None:
    """Check the mailboxes that are due."""
    if mailboxes.fetch_due():
        enqueue_once(fetch_mail)


@task(priority=Priority.LOW)
def run_ticket_import(pk: int) -> None:
    """Read an uploaded file of tickets, and store them unless it is a dry run."""
    ticket_imports.run(pk)


@task(priority=Priority.LOW)
def erase_expired() -> None:
    """Erase tickets whose retention period has ended, for a while."""
    if erasure.erase_expired(settings.RETENTION_DAYS):
        enqueue_once(erase_expired)


def enqueue_classification() -> None:
    enqueue_once(classify_tickets)


def on_arrival(bulk: bool, **_signal: Any) -> None:
    """Wake a worker for new tickets, with priority if they did not come in bulk."""
    enqueue_once(classify_tickets if bulk else classify_tickets.using(priority=Priority.INTERACTIVE))


def on_queued(**_signal: Any) -> None:
    enqueue_once(send_deliveries)


_LEFT_WORK: list[tuple[Callable[[], bool], Task[[], None]]] = [
    (lambda: Ticket.objects.waiting().exists(), classify_tickets),
    (lambda: Pause.objects.due().exists(), probe_paused_models),
    (vector_store.is_behind, embed_tickets),
    (lambda: outbox.is_due(ROUTES), send_deliveries),
    (lambda: Mailbox.objects.due().exists(), fetch_mail),
    (lambda: erasure.expired_tickets(settings.RETENTION_DAYS).exists(), erase_expired),
]


def sweep() -> None:
    """Pick up work that a dead process or lost task left behind."""
    run_parts(partial(enqueue_if, *left_work) for left_work in _LEFT_WORK)
    run_parts([_resume_ticket_imports, partial(uploads.delete_abandoned, TicketImport.objects.all())])
    run_parts([delivery.delete_old, stored_replies.delete_expired, incident_guard.forget_old_arrivals])
    run_parts([partial(tallies.update_tallies, tallies.SOURCES)])


def _resume_ticket_imports() -> None:
    for import_pk in TicketImport.objects.waiting().values_list("pk", flat=True):
        enqueue_once(run_ticket_import, import_pk)
