"""How things stand at this moment: each is one bounded query on an index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from classifier.models import Delivery, Epoch, GateMode, ProcessHeartbeat, Provider, Spend, Ticket, WriteBack
from classifier.models.outbox import Outgoing
from review.models import AccuracyTarget, Alarm, Assignment, Audit, Certificate

MOST = 10_000
"""Counting stops here, so that no scrape grows with a queue."""


def all_of_them() -> Iterator[Metric]:
    yield from _queues()
    yield from _certificate()
    yield from _money()
    yield from _outgoing()
    yield _one(
        "workers_alive", "Worker processes that were heard of within the last minute.", ProcessHeartbeat.objects.alive()
    )
    yield _one("tasks_waiting", f"Background tasks that wait, at most {MOST}.", tasks_waiting())


def tasks_waiting() -> QuerySet[Any]:
    """Of the engine that the database implies."""
    if connection.vendor == "postgresql":
        from procrastinate.contrib.django.models import ProcrastinateJob

        jobs: QuerySet[Any] = ProcrastinateJob.objects.filter(status="todo")
        return jobs
    from django_tasks_db.models import DBTaskResult

    tasks: QuerySet[Any] = DBTaskResult.objects.ready()
    return tasks


def oldest_waiting(bulk: bool) -> datetime | None:
    """Since when the ticket that has waited longest could have been taken by a worker: of those that came with many
    others, or of those that came singly.
    """
    tickets = Ticket.objects.waiting().filter(bulk=bulk)
    return tickets.order_by("available_at").values_list("available_at", flat=True).first()


def _queues() -> Iterator[Metric]:
    yield _one("tickets_waiting", f"New tickets that no model has answered, at most {MOST}.", Ticket.objects.new())
    waits = _family("oldest_ticket_seconds", "How long the oldest of them could have been taken.", "came")
    for came, bulk in (("singly", False), ("in_bulk", True)):
        waits.add_metric([came], _value(oldest_waiting(bulk) or 0))
    yield waits
    lengths = _family("assignments_open", f"Answers that are wanted of people, at most {MOST} of a lane.", "lane")
    ages = _family("oldest_assignment_seconds", "How long ago the oldest ticket came that waits for people.", "lane")
    for lane in Assignment.Lane.values:
        assignments = Assignment.objects.open().in_lane(lane)
        lengths.add_metric([lane], _value(assignments))
        oldest = assignments.order_by("received_at").values_list("received_at", flat=True).first()
        ages.add_metric([lane], _value(oldest or 0))
    yield from (lengths, ages)


def _certificate() -> Iterator[Metric]:
    """Of the epoch that is running in certified mode; what there is none of is not told."""
    accuracy_target = AccuracyTarget.objects.first()
    yield _one(
        "accuracy_target_target",
        "Share of the tickets nobody looks at that is to be right.",
        accuracy_target and accuracy_target.target,
    )
    epoch = Epoch.objects.running().filter(mode=GateMode.CERTIFIED).first()
    in_force = Certificate.objects.filter(ledger__epoch=epoch, ended_at=None).first() if epoch else None
    yield _one("certificate_in_force", "1 where tickets pass by a certificate.", float(in_force is not None))
    yield _one("certificate_threshold", "From which score on they pass.", in_force and in_force.passes_from)
    yield _one(
        "epoch_age_seconds", "How long nothing has changed that certificates are about.", epoch and epoch.started_at
    )
    yield _one("alarms_open", "Alarms that are being looked into.", Alarm.objects.filter(state=Alarm.State.OPEN))
    yield _one("audits_awaited", f"Audits that people have not answered, at most {MOST}.", Audit.objects.pending())


def _money() -> Iterator[Metric]:
    spent = _family("spend_today", "Reserved or spent since midnight UTC, in the currency of the prices.", "provider")
    budgets = _family("daily_budget", "What may be spent in a day; nothing where there is no limit.", "provider")
    today = dict(Spend.objects.filter(day=timezone.now().date()).values_list("provider", "cost"))
    for provider in Provider.objects.all():
        spent.add_metric([provider.name], float(today.get(provider.pk, 0)))
        if provider.daily_budget is not None:
            budgets.add_metric([provider.name], float(provider.daily_budget))
    yield from (spent, budgets)


def _outgoing() -> Iterator[Metric]:
    """What is owed to others: events to webhooks, and labels to the help desks that tickets came from."""
    family = _family("outgoing", f"Requests to others that wait or were given up, at most {MOST}.", "kind", "state")
    for kind, rows in (("webhook", Delivery.objects), ("help_desk", WriteBack.objects)):
        for state in (Outgoing.State.WAITING, Outgoing.State.GIVEN_UP):
            family.add_metric([kind, state], _value(rows.filter(state=state)))
    yield family


def _one(name: str, said: str, value: Any) -> GaugeMetricFamily:
    family = _family(name, said)
    if value is not None:
        family.add_metric([], _value(value))
    return family


def _family(name: str, said: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ticketclf_{name}", said, labels=labels)


def _value(of: QuerySet[Any] | datetime | float) -> float:
    """Of rows how many, of a time how many seconds ago."""
    if isinstance(of, QuerySet):
        return of.order_by()[:MOST].count()
    if isinstance(of, datetime):
        return max((timezone.now() - of).total_seconds(), 0.0)
    return float(of)
