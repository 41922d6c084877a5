"""What the engine in use has been given to do, whichever it is."""

from typing import Any, NamedTuple

from django.db import connection


class Queued(NamedTuple):
    """A task that waits: its dotted path and what it will be called with."""

    path: str
    args: list[Any]
    kwargs: dict[str, Any]
    priority: int


def queued(path: str = "") -> list[Queued]:
    """All that waits, or that of one task, in the order in which it was enqueued."""
    found = _on_postgresql() if connection.vendor == "postgresql" else _on_sqlite()
    return [one for one in found if path in ("", one.path)]


def _on_postgresql() -> list[Queued]:
    from procrastinate.contrib.django.models import ProcrastinateJob

    rows = ProcrastinateJob.objects.filter(status="todo").order_by("pk").values_list("args", "priority")
    return [Queued(args["task"], args["args"], args["kwargs"], priority) for args, priority in rows]


def _on_sqlite() -> list[Queued]:
    from django_tasks_db.models import DBTaskResult

    rows = DBTaskResult.objects.ready().order_by("enqueued_at")
    return [Queued(row.task_path, row.args_kwargs["args"], row.args_kwargs["kwargs"], row.priority) for row in rows]
