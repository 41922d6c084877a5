"""Django's logging settings."""

from typing import Any

# Their debug output contains requests and SQL statements with ticket texts.
_QUIET = (
    "asyncio",
    "django.db.backends",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "openai",
    "urllib3",
    "waitress",
)


def logging_config(line_format: str, level: str) -> dict[str, Any]:
    """Everything goes to standard error, as `plain` or `json` lines."""
    upward: dict[str, Any] = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "plain": {
                "()": "ticketclf_site.observability.logs.PlainFormatter",
                "format": "{asctime} {levelname} {name}: {message}",
                "style": "{",
            },
            "json": {"()": "ticketclf_site.observability.logs.JsonLineFormatter", "json_ensure_ascii": False},
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": line_format}},
        "loggers": {
            # By default Django mails errors with the whole request, and its development server prints requests.
            "django": upward,
            "django.server": upward | {"level": "ERROR"},
            "waitress.queue": {"level": "ERROR"},  # warns whenever a request waits for a thread
            **dict.fromkeys(_QUIET, {"level": "WARNING"}),
        },
        "root": {"handlers": ["console"], "level": level},
    }
