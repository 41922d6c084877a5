"""Tasks backend for SQLite, on django-tasks-db."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_tasks.base import Task
from django_tasks.utils import normalize_json
from django_tasks_db import DatabaseBackend

RETENTION = timedelta(days=1)


class Backend(DatabaseBackend):
    @transaction.atomic
    def enqueue_once(self, task: Task[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Enqueue unless the same task with the same arguments already waits; SQLite has one writer, so no race."""
        from django_tasks_db.models import DBTaskResult

        same = DBTaskResult.objects.ready().filter(task_path=task.module_path, priority=task.priority)
        if not same.filter(args_kwargs=normalize_json({"args": args, "kwargs": kwargs})).exists():
            task.enqueue(*args, **kwargs)


def delete_old_tasks() -> None:
    """Delete tasks that ended, or whose worker died, more than a day ago."""
    from django_tasks_db.models import DBTaskResult

    old = timezone.now() - RETENTION
    DBTaskResult.objects.finished().filter(finished_at__lt=old).delete()
    DBTaskResult.objects.running().filter(started_at__lt=old).delete()
