"""Log lines, for people or for machines: what happened, when, in whose request and about which tickets.

Whoever logs, no text of a ticket and no key is written (`discretion`): of a message the first line, of an exception
what it is and where, and of whatever else a record carries nothing but the few fields named here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pythonjsonlogger.json import JsonFormatter

from classifier.log_context import current_fields
from ticketclf_site.observability import log_redaction

if TYPE_CHECKING:
    from django_tasks import TaskResult

ACCESS = ("method", "path", "status", "ms")
"""What the line of a request says beyond its message."""

found_out: ContextVar[Callable[[], dict[str, Any]]] = ContextVar("found_out", default=dict)
"""Tells what is known of who has sent the request in hand."""

_task: ContextVar[dict[str, Any]] = ContextVar("task", default={})  # noqa: B039 - it is never written to


class PlainFormatter(logging.Formatter):
    """For people: time, level, logger, message, and what is known besides."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(discreet(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        facts = vars(record)["facts"].items()
        return super().formatMessage(record) + "".join(f" {name}={value}" for name, value in facts)


class LineFormatter(JsonFormatter):
    """For machines: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(discreet(record))

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        log_data |= {"time": f"{at}.{int(record.msecs):03d}Z", "level": record.levelname, "logger": record.name}
        log_data |= {"message": record.message, **vars(record)["facts"], **message_dict}


def discreet(record: logging.LogRecord) -> logging.LogRecord:
    """The record as it may be written."""
    error = record.exc_info[1] if record.exc_info else None
    said = {name: getattr(record, name) for name in ("name", "levelname", "levelno", "created", "msecs")}
    own = {name: vars(record)[name] for name in ACCESS if name in vars(record)}
    facts = {**_task.get(), **found_out.get()(), **current_fields(), **own}
    written = {"msg": log_redaction.line(_message(record)), "exc_text": log_redaction.told(error) if error else None}
    return logging.makeLogRecord(said | written | {"facts": facts})


def _message(record: logging.LogRecord) -> str:
    """An exception that is to be named in it is named by what it is."""
    if isinstance(record.msg, BaseException):
        return log_redaction.kind_of(record.msg)
    if isinstance(record.args, tuple):
        record = logging.makeLogRecord(vars(record) | {"args": tuple(map(_named, record.args))})
    return record.getMessage()


def _named(value: object) -> object:
    return log_redaction.kind_of(value) if isinstance(value, BaseException) else value


def on_task_started(task_result: TaskResult[Any], **_signal: Any) -> None:
    """What this thread logs from now on is about this task."""
    worker = task_result.worker_ids[-1] if task_result.worker_ids else ""
    _task.set(
        {"task": str(task_result.id), "job": task_result.task.module_path} | ({"worker": worker} if worker else {})
    )


def on_task_finished(**_signal: Any) -> None:
    _task.set({})
