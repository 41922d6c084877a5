"""Gauges read from the database, each by one bounded query on an index."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from classifier.models import Delivery, Epoch, GateMode, Pause, ProcessHeartbeat, Provider, Spend, Ticket, WriteBack
from classifier.models.outbox import Outgoing
from review.models import AccuracyTarget, Alarm, Assignment, Audit, Certificate

COUNT_LIMIT = 10_000
"""Counts stop here, so that a scrape takes no longer when a queue grows."""


def collect() -> Iterator[Metric]:
    yield from _queues()
    yield from _certificate()
    yield from _money()
    yield from _outgoing()
    paused = _family("model_paused", "1 for each model whose provider answers nobody.", "provider", "model")
    for pause in Pause.objects.select_related("language_model__provider"):
        paused.add_metric([pause.language_model.provider.name, pause.language_model.name], 1)
    yield paused
    yield _gauge(
        "workers_alive", "Worker processes with a heartbeat within the last minute.", ProcessHeartbeat.objects.alive()
    )
    yield _gauge("tasks_waiting", f"Background tasks waiting, counted up to {COUNT_LIMIT}.", tasks_waiting())


def tasks_waiting() -> QuerySet[Any]:
    """Waiting background tasks of the engine in use."""
    if connection.vendor == "postgresql":
        from procrastinate.contrib.django.models import ProcrastinateJob

        jobs: QuerySet[Any] = ProcrastinateJob.objects.filter(status="todo")
        return jobs
    from django_tasks_db.models import DBTaskResult

    tasks: QuerySet[Any] = DBTaskResult.objects.ready()
    return tasks


def count(rows: QuerySet[Any]) -> int:
    """The number of rows, at most COUNT_LIMIT."""
    return rows.order_by()[:COUNT_LIMIT].count()


def longest_wait(bulk: bool) -> timedelta | None:
    """How long a worker could have taken the longest-waiting ticket, among bulk imports or single tickets, by the
    database's clock. None if no such ticket waits.
    """
    tickets = Ticket.objects.waiting().filter(bulk=bulk).order_by("available_at")
    waited = ExpressionWrapper(Now() - F("available_at"), DurationField())
    return tickets.annotate(waited=waited).values_list("waited", flat=True).first()


def _queues() -> Iterator[Metric]:
    for name, which, tickets in (
        ("waiting", "Tickets not classified yet", Ticket.objects.new()),
        ("due", "New tickets that a worker may take now", Ticket.objects.waiting()),
        ("postponed", "New tickets that are tried again later", Ticket.objects.postponed()),
    ):
        yield _gauge(f"tickets_{name}", f"{which}, counted up to {COUNT_LIMIT}.", tickets)
    waits = _family("oldest_ticket_seconds", "How long the oldest such ticket has waited.", "arrival")
    for arrival, bulk in (("single", False), ("bulk", True)):
        waits.add_metric([arrival], (longest_wait(bulk) or timedelta()).total_seconds())
    yield waits
    lengths = _family("assignments_open", f"Open review assignments, counted up to {COUNT_LIMIT} per lane.", "lane")
    ages = _family("oldest_assignment_seconds", "Age of the oldest ticket waiting for review.", "lane")
    for lane in Assignment.Lane.values:
        assignments = Assignment.objects.open().in_lane(lane)
        lengths.add_metric([lane], _value(assignments))
        oldest = assignments.order_by("received_at").values_list("received_at", flat=True).first()
        ages.add_metric([lane], _value(oldest or 0))
    yield from (lengths, ages)


def _certificate() -> Iterator[Metric]:
    """State of certified auto-accept; a gauge without a value is left out."""
    accuracy_target = AccuracyTarget.objects.first()
    yield _gauge(
        "accuracy_target",
        "Share of auto-accepted tickets that has to be correct.",
        accuracy_target and accuracy_target.target,
    )
    epoch = Epoch.objects.running().filter(mode=GateMode.CERTIFIED).first()
    in_force = Certificate.objects.filter(ledger__epoch=epoch, ended_at=None).first() if epoch else None
    yield _gauge("certificate_in_force", "1 while a certificate allows auto-accept.", float(in_force is not None))
    yield _gauge("certificate_threshold", "Lowest auto-accepted score.", in_force and in_force.threshold)
    yield _gauge("epoch_age_seconds", "Age of the current epoch.", epoch and epoch.started_at)
    yield _gauge("alarms_open", "Open alarms.", Alarm.objects.filter(state=Alarm.State.OPEN))
    yield _gauge(
        "audits_awaited", f"Audits waiting for an answer, counted up to {COUNT_LIMIT}.", Audit.objects.pending()
    )


def _money() -> Iterator[Metric]:
    spent = _family("spend_today", "Reserved or spent since midnight UTC, in the currency of the prices.", "provider")
    budgets = _family("daily_budget", "Daily budget, if there is one.", "provider")
    today = dict(Spend.objects.filter(day=timezone.now().date()).values_list("provider", "cost"))
    for provider in Provider.objects.all():
        spent.add_metric([provider.name], float(today.get(provider.pk, 0)))
        if provider.daily_budget is not None:
            budgets.add_metric([provider.name], float(provider.daily_budget))
    yield from (spent, budgets)


def _outgoing() -> Iterator[Metric]:
    """Webhook deliveries and help desk write-backs that wait or have failed."""
    family = _family(
        "outgoing_requests",
        f"Outgoing requests that wait or were given up, counted up to {COUNT_LIMIT}.",
        "kind",
        "state",
    )
    for kind, rows in (("webhook", Delivery.objects), ("help_desk", WriteBack.objects)):
        for state in (Outgoing.State.WAITING, Outgoing.State.GIVEN_UP):
            family.add_metric([kind, state], _value(rows.filter(state=state)))
    yield family


def _gauge(name: str, help_text: str, value: Any) -> GaugeMetricFamily:
    family = _family(name, help_text)
    if value is not None:
        family.add_metric([], _value(value))
    return family


def _family(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ticketclf_{name}", help_text, labels=labels)


def _value(source: QuerySet[Any] | datetime | float) -> float:
    """The number of rows (at most COUNT_LIMIT), the seconds since a time, or the number itself."""
    if isinstance(source, QuerySet):
        return count(source)
    if isinstance(source, datetime):
        return max((timezone.now() - source).total_seconds(), 0.0)
    return float(source)
