"""A setting that cannot be meant stops the start with a sentence that names the variable and an example."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ImproperlyConfigured

from ticketclf_site import env


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        (lambda: env.env_bool("V", False), "Ture", "V='Ture' is neither true nor false"),
        (lambda: env.env_int("V", 4, minimum=1), "many", "V='many' is not a whole number"),
        (lambda: env.env_int("V", 4, minimum=1), "0", "at least 1"),
        (lambda: env.env_choice("V", "INFO", ("INFO", "ERROR")), "LOUD", "V='LOUD' is not one of INFO, ERROR"),
        (lambda: env.env_url("V"), "example.org", "does not begin with http"),
        (lambda: env.env_hosts("V", []), "10.0.0.1/8", "has host bits set"),
        (lambda: env.env_time_zone("V", "UTC"), "Berlin", "is not a time zone such as Europe/Berlin"),
        (lambda: env.env_dsn("V"), "https://example.org", "V is not a DSN such as"),
        (lambda: env.env_database("V", ""), "postgresql://me:a/b@db/name", "such as postgresql://.* %40 for @"),
        (lambda: env.env_database("V", ""), "mysql://me@db/name", "such as postgresql://"),
        (lambda: env.env_database("V", ""), "ticketclf.sqlite3", "or sqlite:////"),
    ],
)
def test_invalid_values_are_explained(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[], object], value: str, message: str
) -> None:
    monkeypatch.setenv("V", value)
    with pytest.raises(ImproperlyConfigured, match=message):
        read()


@pytest.mark.parametrize(
    ("read", "value", "meant"),
    [
        (lambda: env.env_dsn("V"), "https://key@sentry.example.org/1", "https://key@sentry.example.org/1"),
        (lambda: env.env_time_zone("V", "UTC"), "Europe/Berlin", "Europe/Berlin"),
        (lambda: env.env_database("V", "")["PASSWORD"], "postgresql://me:a%40b%2Fc@db/name", "a@b/c"),
        (
            lambda: env.env_database("V", "")["OPTIONS"],
            "postgresql://db/name?sslmode=verify-full",
            {"sslmode": "verify-full"},
        ),
    ],
)
def test_valid_values_are_read(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[], object], value: str, meant: object
) -> None:
    monkeypatch.setenv("V", value)
    assert read() == meant
