"""Waiting background tasks, on either database."""

from typing import Any, NamedTuple

from django.db import connection


class Queued(NamedTuple):
    """A waiting task."""

    path: str
    args: list[Any]
    kwargs: dict[str, Any]
    priority: int


def queued(path: str = "") -> list[Queued]:
    """Waiting tasks, or those of one task path, in the order they were enqueued."""
    tasks = _on_postgresql() if connection.vendor == "postgresql" else _on_sqlite()
    return [task for task in tasks if path in ("", task.path)]


def _on_postgresql() -> list[Queued]:
    from procrastinate.contrib.django.models import ProcrastinateJob

    rows = ProcrastinateJob.objects.filter(status="todo").order_by("pk").values_list("args", "priority")
    return [Queued(args["task"], args["args"], args["kwargs"], priority) for args, priority in rows]


def _on_sqlite() -> list[Queued]:
    from django_tasks_db.models import DBTaskResult

    rows = DBTaskResult.objects.ready().order_by("enqueued_at")
    return [Queued(row.task_path, row.args_kwargs["args"], row.args_kwargs["kwargs"], row.priority) for row in rows]
