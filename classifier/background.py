"""Priorities and de-duplicated enqueuing of background tasks.

`settings.TASKS` chooses the engine; beyond the Tasks API it only needs `Engine`.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, ParamSpec, Protocol, cast

from django_tasks.base import Task

P = ParamSpec("P")


class Priority(IntEnum):
    """Tickets that a person waits for come first, then bulk imports, then everything else."""

    INTERACTIVE = 50
    BULK = 0
    LOW = -50


class Engine(Protocol):
    def enqueue_once(self, task: Task[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None: ...


def enqueue_once(task: Task[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
    """Enqueue the task unless an identical one is waiting."""
    cast(Engine, task.get_backend()).enqueue_once(task, args, kwargs)
