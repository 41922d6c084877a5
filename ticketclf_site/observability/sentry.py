"""Errors told to Sentry, where an installation has it: what went wrong and where, built anew from what may be told.

Of an event nothing is passed on but what is named here: no message of an exception, no variable, no body, no query.
"""

from __future__ import annotations

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from classifier.log_context import current_fields
from ticketclf_site.observability import log_redaction

_PASSED_ON = ("event_id", "timestamp", "level", "platform", "release", "environment", "logger", "sdk", "transaction")
_FRAME = ("filename", "abs_path", "function", "module", "lineno", "in_app")


def start(dsn: str, **options: Any) -> None:
    """From now on errors of this process go there, and warnings do not."""
    sentry_sdk.init(
        dsn=dsn,
        # Named, for others that the SDK finds by itself would put prompts and requests into its events.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[DjangoIntegration(middleware_spans=False), LoggingIntegration(level=None)],
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=scrubbed,
        before_send_transaction=lambda _event, _hint: None,
        **options,
    )


def scrubbed(event: Any, hint: dict[str, Any]) -> Any:
    """The event as it may leave the house."""
    told = {name: event[name] for name in _PASSED_ON if name in event}
    message = (event.get("logentry") or {}).get("message") or event.get("message")
    if message:
        told["logentry"] = {"message": log_redaction.line(message)}
    error = (hint.get("exc_info") or (None, None))[1]
    values = (event.get("exception") or {}).get("values") or []
    if values:
        told["exception"] = {"values": [_exception(one) for one in values]}
    if error is not None:
        told["extra"] = {"kind": log_redaction.kind_of(error)}
    request = event.get("request") or {}
    if request:
        url = log_redaction.line(str(request.get("url", ""))).split("?", 1)[0]
        told["request"] = {"method": request.get("method"), "url": url}
    told["tags"] = {name: str(value) for name, value in current_fields().items()}
    return told


def _exception(one: dict[str, Any]) -> dict[str, Any]:
    """Its type and frames. A value there must be, and it says nothing."""
    frames = (one.get("stacktrace") or {}).get("frames") or []
    shown = [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]
    return {"type": one.get("type"), "module": one.get("module"), "value": "", "stacktrace": {"frames": shown}}
