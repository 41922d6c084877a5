"""Report errors to Sentry, if configured, without texts or secrets.

Each event is rebuilt from an allow-list: no exception message, variable, body or query string.
"""

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from classifier.log_context import current_fields
from ticketclf_site.observability import log_redaction

_ALLOWED_FIELDS = (
    "event_id",
    "timestamp",
    "level",
    "platform",
    "release",
    "environment",
    "logger",
    "sdk",
    "transaction",
)
_FRAME = ("filename", "abs_path", "function", "module", "lineno", "in_app")


def start(dsn: str, **options: Any) -> None:
    """Report this process's errors, but not its warnings, from now on."""
    sentry_sdk.init(
        dsn=dsn,
        # Listed explicitly: integrations that the SDK finds by itself would send prompts and requests.
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
    """The event rebuilt from what may be sent."""
    clean = {name: event[name] for name in _ALLOWED_FIELDS if name in event}
    message = (event.get("logentry") or {}).get("message") or event.get("message")
    if message:
        clean["logentry"] = {"message": log_redaction.redact_line(message)}
    error = (hint.get("exc_info") or (None, None))[1]
    values = (event.get("exception") or {}).get("values") or []
    if values:
        clean["exception"] = {"values": [_exception(value) for value in values]}
    if error is not None:
        clean["extra"] = {"kind": log_redaction.exception_kind(error)}
    request = event.get("request") or {}
    if request:
        url = log_redaction.redact_line(str(request.get("url", ""))).split("?", 1)[0]
        clean["request"] = {"method": request.get("method"), "url": url}
    clean["tags"] = {name: str(value) for name, value in current_fields().items()}
    return clean


def _exception(value: dict[str, Any]) -> dict[str, Any]:
    """Type and frames; Sentry requires a value, so it is empty."""
    frames = (value.get("stacktrace") or {}).get("frames") or []
    shown = [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]
    return {"type": value.get("type"), "module": value.get("module"), "value": "", "stacktrace": {"frames": shown}}
