"""Tasks backend for PostgreSQL, on procrastinate; a job commits with the transaction that enqueues it."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_tasks.backends.base import BaseTaskBackend
from django_tasks.base import Task, TaskResult, TaskResultStatus
from django_tasks.exceptions import InvalidTaskError
from django_tasks.signals import task_enqueued
from procrastinate.exceptions import AlreadyEnqueued

RUN = "run"
"""The only procrastinate task; each job names the Django task and its arguments."""


class Backend(BaseTaskBackend):
    supports_defer = True
    supports_priority = True

    def validate_task(self, task: Task[Any, Any]) -> None:
        super().validate_task(task)
        if task.takes_context:
            raise InvalidTaskError("Backend does not hand a context to tasks.")

    def enqueue(self, task: Task[Any, Any], args: Any, kwargs: Any) -> TaskResult[Any]:
        return self._defer(task, args, kwargs)

    def enqueue_once(self, task: Task[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Enqueue unless the same task with the same arguments already waits; the queueing lock decides races."""
        from procrastinate.contrib.django.models import ProcrastinateJob

        lock = json.dumps([task.module_path, task.priority, args, kwargs], sort_keys=True)
        if not ProcrastinateJob.objects.filter(queueing_lock=lock, status="todo").exists():
            with suppress(AlreadyEnqueued), transaction.atomic():
                self._defer(task, args, kwargs, lock)

    def _defer(
        self, task: Task[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any], lock: str | None = None
    ) -> TaskResult[Any]:
        from procrastinate.contrib.django import app

        self.validate_task(task)
        job = app.configure_task(
            RUN,
            queue=task.queue_name,
            priority=task.priority,
            schedule_at=task.run_after,
            queueing_lock=lock,
        ).defer(task=task.module_path, args=list(args), kwargs=dict(kwargs))
        result = _result(task, job, args, kwargs, self.alias)
        task_enqueued.send(type(self), task_result=result)
        return result


def _result(
    task: Task[Any, Any], job: int, args: Sequence[Any], kwargs: Mapping[str, Any], alias: str
) -> TaskResult[Any]:
    return TaskResult(
        task=task,
        id=str(job),
        status=TaskResultStatus.READY,
        enqueued_at=timezone.now(),
        started_at=None,
        finished_at=None,
        last_attempted_at=None,
        args=list(args),
        kwargs=dict(kwargs),
        backend=alias,
        errors=[],
        worker_ids=[],
    )
