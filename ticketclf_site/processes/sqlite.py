"""Background work on SQLite: django-tasks-db, whose rows are forgotten when they are done with."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_tasks.base import Task
from django_tasks.utils import normalize_json
from django_tasks_db import DatabaseBackend

KEPT = timedelta(days=1)


class Backend(DatabaseBackend):
    @transaction.atomic
    def enqueue_once(self, task: Task[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Enqueue unless the same waits to be begun; the database's one writer is between the look and the row."""
        from django_tasks_db.models import DBTaskResult

        same = DBTaskResult.objects.ready().filter(task_path=task.module_path, priority=task.priority)
        if not same.filter(args_kwargs=normalize_json({"args": args, "kwargs": kwargs})).exists():
            task.enqueue(*args, **kwargs)


def forget() -> None:
    """Delete the rows of tasks that ended, or whose worker died, more than a day ago."""
    from django_tasks_db.models import DBTaskResult

    old = timezone.now() - KEPT
    DBTaskResult.objects.finished().filter(finished_at__lt=old).delete()
    DBTaskResult.objects.running().filter(started_at__lt=old).delete()
