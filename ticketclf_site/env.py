"""Typed readers of environment variables: a misspelt value must stop the start, not change a meaning."""

import ipaddress
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_BOOLEANS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def env_str(name: str, default: str = "") -> str:
    """The variable, or `default` where it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def env_url(name: str, default: str = "") -> str:
    """Raises ImproperlyConfigured for what is no address of the web."""
    value = env_str(name, default)
    if value and not value.startswith(("http://", "https://")):
        raise ImproperlyConfigured(f"{name}={value!r} does not begin with http:// or https://.")
    return value


def env_bool(name: str, default: bool) -> bool:
    """Raises ImproperlyConfigured for anything that is not plainly a yes or a no."""
    value = env_str(name)
    if not value:
        return default
    try:
        return _BOOLEANS[value.lower()]
    except KeyError:
        raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false.") from None


def env_int(name: str, default: int, *, least: int = 0) -> int:
    """Raises ImproperlyConfigured for what is no whole number, or one below `least`."""
    value = env_str(name)
    if not value:
        return default
    if not value.isdecimal() or int(value) < least:
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number of at least {least}.")
    return int(value)


def env_choice(name: str, default: str, choices: Sequence[str]) -> str:
    """Raises ImproperlyConfigured for what is none of the choices."""
    value = env_str(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} is none of {', '.join(choices)}.")
    return value


def env_list(name: str, default: list[str]) -> list[str]:
    """Values separated by commas."""
    return [part.strip() for part in env_str(name).split(",") if part.strip()] or default


def env_hosts(name: str, default: list[str]) -> list[str]:
    """Hosts, `host:port`, networks such as `10.0.0.0/8`, or `*`. Raises ImproperlyConfigured for a broken network."""
    entries = env_list(name, default)
    for entry in entries:
        try:
            if "/" in entry:
                ipaddress.ip_network(entry)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {error}.") from None
    return entries


def secret_key(name: str, kept_in: Path) -> str:
    """The variable, else a key made once and kept in the file `kept_in`, readable by its owner alone.

    Raises ImproperlyConfigured where the file can be neither read nor made.
    """
    if key := env_str(name):
        return key
    try:
        kept_in.parent.mkdir(parents=True, exist_ok=True)
        if not kept_in.exists():
            _write_once(kept_in, secrets.token_urlsafe(50))
        return kept_in.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"Cannot keep a secret key in {kept_in}: {error.strerror}. Set {name}.") from error


def _write_once(path: Path, text: str) -> None:
    # Written aside and linked, so that two first starts at once agree on one key.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
