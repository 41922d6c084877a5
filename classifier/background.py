"""What all background work shares: who goes first, and that one nudge which waits does for all.

The engine is the site's choice (`settings.TASKS`); beyond the Tasks API it is asked for one thing, `Engine`.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, ParamSpec, Protocol, cast

from django_tasks.base import Task

P = ParamSpec("P")


class Priority(IntEnum):
    """A person who waits goes before a pile that came in at once, and both before what can be done at leisure."""

    INTERACTIVE = 50
    BULK = 0
    LOW = -50


class Engine(Protocol):
    def enqueue_once(self, task: Task[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None: ...


def enqueue_once(task: Task[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
    """Enqueue the task, unless the same with these arguments and this priority waits to be begun."""
    cast(Engine, task.get_backend()).enqueue_once(task, args, kwargs)
