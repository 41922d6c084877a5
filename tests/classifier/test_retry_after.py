"""Retry-After is read in one place and limited to a day."""

from datetime import timedelta
from email.message import Message
from email.utils import format_datetime

import httpx2
import pytest
from django.utils import timezone

from classifier.models import Ticket
from classifier.pipeline import runner
from classifier.retry_after import LONGEST, retry_after
from tests.conftest import UseServer
from tests.factories import make_ticket
from tests.servers import OpenAIServer, error

NOW = 1_800_000_000.0
"""Friday, 15 January 2027, 08:00 UTC."""


@pytest.mark.once
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "Fri, 31 Dec 99999999999999 23:59:59 GMT"}, None),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": " 120 "}, 120),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "Fri, 15 Jan 2027 08:01:00 GMT"}, 60),
        ({"Retry-After": "Fri, 15 Jan 2027 10:01:00 +0200"}, 60),
        ({"Retry-After": "Fri, 15 Jan 2027 08:01:00"}, 60),
        ({"Retry-After": "Fri, 15 Jan 2027 07:59:00 GMT"}, 0),
        ({"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}, LONGEST),
        ({"Retry-After": "inf"}, LONGEST),
        ({"Retry-After": "1e12"}, LONGEST),
        ({"Retry-After": "1700000000"}, LONGEST),
        ({"Retry-After": "9" * 400}, LONGEST),
        ({"retry-after-ms": "250"}, 0.25),
        ({"Retry-After-Ms": "250", "Retry-After": "1"}, 0.25),
        ({"retry-after-ms": "soon", "Retry-After": "1"}, 1),
        ({"retry-after-ms": "inf"}, LONGEST),
    ],
)
def test_seconds_milliseconds_and_dates_are_read_and_bounded(headers: dict[str, str], seconds: float | None) -> None:
    by_urllib = Message()
    for name, value in headers.items():
        by_urllib[name] = value
    assert retry_after(httpx2.Headers(headers), now=NOW) == seconds
    assert retry_after(by_urllib, now=NOW) == seconds


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["inf", "1e12", "1700000000"])
def test_no_model_postpones_a_ticket_for_more_than_a_day(primary: UseServer, value: str) -> None:
    make_ticket()
    with OpenAIServer([error(429, Retry_After=value)]) as server:
        primary(server)
        runner.classify_next_batch()
    wait = Ticket.objects.get().available_at - timezone.now()
    assert timedelta(hours=23) < wait <= timedelta(days=1)


@pytest.mark.django_db
def test_a_model_may_name_a_time(primary: UseServer) -> None:
    make_ticket()
    with OpenAIServer([error(429, Retry_After=format_datetime(timezone.now() + timedelta(hours=2)))]) as server:
        primary(server)
        runner.classify_next_batch()
    wait = Ticket.objects.get().available_at - timezone.now()
    assert timedelta(minutes=119) < wait <= timedelta(hours=2)
