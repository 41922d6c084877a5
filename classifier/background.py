"""Priorities and de-duplicated enqueuing of background tasks.

`settings.TASKS` chooses the engine; beyond the Tasks API it only needs `Engine`.
"""

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, ParamSpec, Protocol, cast

from django.utils.module_loading import import_string
from django_tasks.base import Task

logger = logging.getLogger(__name__)

P = ParamSpec("P")


class Priority(IntEnum):
    """Tickets that a person waits for come first, then bulk imports, then everything else."""

    INTERACTIVE = 50
    BULK = 0
    LOW = -50


class Engine(Protocol):
    def enqueue_once(self, task: Task[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None: ...


def run_parts(parts: Iterable[Callable[[], object]]) -> None:
    """Run each part of a sweep; one that fails stops no other and is tried again at the next sweep."""
    for part in parts:
        try:
            part()
        except Exception:
            logger.exception("A part of the sweep failed and will be retried: %s.", part)


def fits(path: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether this version has the task with this path and these parameters; if not, another version queued it."""
    try:
        inspect.signature(import_string(path).func).bind(*args, **kwargs)
    except (ImportError, AttributeError, TypeError):
        logger.warning("The task %s was queued by another version and is left out; the sweep makes up for it.", path)
        return False
    return True


def enqueue_once(task: Task[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
    """Enqueue the task unless an identical one is waiting."""
    cast(Engine, task.get_backend()).enqueue_once(task, args, kwargs)


def enqueue_if(is_left: Callable[[], bool], task: Task[[], None]) -> None:
    """Enqueue the task if there is work left for it."""
    if is_left():
        enqueue_once(task)
