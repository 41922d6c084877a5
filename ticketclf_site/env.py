"""Typed readers of environment variables; an invalid value stops the start instead of being ignored."""

import ipaddress
import os
import secrets
import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from sentry_sdk.utils import BadDsn, Dsn

_BOOLEANS = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)


def env_str(name: str, default: str = "") -> str:
    """The variable, or `default` if it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def env_url(name: str, default: str = "") -> str:
    """Raises ImproperlyConfigured unless it is an HTTP URL."""
    value = env_str(name, default)
    if value and not value.startswith(("http://", "https://")):
        raise ImproperlyConfigured(f"{name}={value!r} does not begin with http:// or https://.")
    return value


def env_dsn(name: str) -> str:
    """Raises ImproperlyConfigured unless it is a Sentry DSN."""
    value = env_str(name)
    try:
        return value and str(Dsn(value))
    except BadDsn:
        raise ImproperlyConfigured(f"{name} is not a DSN such as https://KEY@sentry.example.org/1.") from None


def env_time_zone(name: str, default: str) -> str:
    """Raises ImproperlyConfigured unless it is a time zone of the IANA database."""
    value = env_str(name, default)
    if value not in zoneinfo.available_timezones():
        raise ImproperlyConfigured(f"{name}={value!r} is not a time zone such as Europe/Berlin.")
    return value


def env_database(name: str, default: str) -> dict[str, Any]:
    """Django's settings of a database. Raises ImproperlyConfigured unless it is a URL of SQLite or PostgreSQL."""
    try:
        database = dj_database_url.parse(env_str(name, default), conn_max_age=600, conn_health_checks=True)
    except ValueError:
        database = {}
    if database.get("ENGINE") not in ("django.db.backends.sqlite3", "django.db.backends.postgresql"):
        raise ImproperlyConfigured(
            f"{name} is not a URL such as postgresql://USER:PASSWORD@HOST:5432/NAME or sqlite:////path/to/file."
            " Special characters in the password are written as %40 for @, %2F for /, %23 for # and so on."
        )
    return dict(database)


def env_bool(name: str, default: bool) -> bool:
    """Raises ImproperlyConfigured unless it is true or false, yes or no, on or off, 1 or 0."""
    value = env_str(name)
    if not value:
        return default
    try:
        return _BOOLEANS[value.lower()]
    except KeyError:
        raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false.") from None


def env_int(name: str, default: int, *, minimum: int = 0) -> int:
    """Raises ImproperlyConfigured unless it is a whole number of at least `minimum`."""
    value = env_str(name)
    if not value:
        return default
    if not value.isdecimal() or int(value) < minimum:
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number of at least {minimum}.")
    return int(value)


def env_choice(name: str, default: str, choices: Sequence[str]) -> str:
    """Raises ImproperlyConfigured unless it is one of the choices."""
    value = env_str(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} is not one of {', '.join(choices)}.")
    return value


def env_list(name: str, default: list[str]) -> list[str]:
    """Comma-separated values."""
    return [part.strip() for part in env_str(name).split(",") if part.strip()] or default


def env_hosts(name: str, default: list[str]) -> list[str]:
    """Hosts, `host:port`, networks such as `10.0.0.0/8`, or `*`. Raises ImproperlyConfigured for an invalid network."""
    entries = env_list(name, default)
    for entry in entries:
        try:
            if "/" in entry:
                ipaddress.ip_network(entry)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {error}.") from None
    return entries


def secret_key(name: str, path: Path) -> str:
    """The variable, else a key created once and stored in `path`, readable only by its owner.

    Raises ImproperlyConfigured if the file can be neither read nor created.
    """
    if key := env_str(name):
        return key
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(50))
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"Cannot store a secret key in {path}: {error.strerror}. Set {name}.") from error


def _write_once(path: Path, text: str) -> None:
    # Written to a temporary file and linked, so that two simultaneous first starts agree on one key.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
