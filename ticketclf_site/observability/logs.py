"""Log formatters, plain and JSON, with the request, person, task and tickets that a line is about.

No ticket text and no key is ever written (`log_redaction`): a line holds the first line of the message, an exception's
type and frames, and only the fields named here.
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
"""Extra fields of a request's line."""

request_identity: ContextVar[Callable[[], dict[str, Any]]] = ContextVar("request_identity", default=dict)
"""Returns the person and API key of the current request, as far as known."""

_task: ContextVar[dict[str, Any]] = ContextVar("task", default={})  # noqa: B039 - it is never written to


class PlainFormatter(logging.Formatter):
    """Time, level, logger, message, then the fields as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(redacted(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        facts = vars(record)["facts"].items()
        return super().formatMessage(record) + "".join(f" {name}={value}" for name, value in facts)


class JsonLineFormatter(JsonFormatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(redacted(record))

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        log_data |= {"time": f"{at}.{int(record.msecs):03d}Z", "level": record.levelname, "logger": record.name}
        log_data |= {"message": record.message, **vars(record)["facts"], **message_dict}


def redacted(record: logging.LogRecord) -> logging.LogRecord:
    """The record with only what may be logged."""
    error = record.exc_info[1] if record.exc_info else None
    base = {name: getattr(record, name) for name in ("name", "levelname", "levelno", "created", "msecs")}
    access = {name: vars(record)[name] for name in ACCESS if name in vars(record)}
    facts = {**_task.get(), **request_identity.get()(), **current_fields(), **access}
    text = {
        "msg": log_redaction.redact_line(_message(record)),
        "exc_text": log_redaction.format_exception(error) if error else None,
    }
    return logging.makeLogRecord(base | text | {"facts": facts})


def _message(record: logging.LogRecord) -> str:
    """The formatted message; exceptions in it are replaced by their kind."""
    if isinstance(record.msg, BaseException):
        return log_redaction.exception_kind(record.msg)
    if isinstance(record.args, tuple):
        record = logging.makeLogRecord(vars(record) | {"args": tuple(map(_redact_exception, record.args))})
    return record.getMessage()


def _redact_exception(value: object) -> object:
    return log_redaction.exception_kind(value) if isinstance(value, BaseException) else value


def on_task_started(task_result: TaskResult[Any], **_signal: Any) -> None:
    """Adds the task to what this thread logs from now on."""
    worker = task_result.worker_ids[-1] if task_result.worker_ids else ""
    _task.set(
        {"task": str(task_result.id), "job": task_result.task.module_path} | ({"worker": worker} if worker else {})
    )


def on_task_finished(**_signal: Any) -> None:
    _task.set({})
