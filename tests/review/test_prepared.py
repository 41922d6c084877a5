"""A prepared query answers as the queryset it was made of."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from classifier.models import Ticket
from review.prepared import Prepared
from tests.factories import make_ticket

pytestmark = pytest.mark.django_db


def build(least: int, source: str, after: Any) -> QuerySet[Ticket]:
    wanted = Ticket.objects.filter(pk__gte=least, source=source, received_at__gt=after, attempts=0)
    return wanted.order_by("-pk").select_for_update()[:5]


def test_it_answers_for_other_values_than_it_was_made_with() -> None:
    prepared: Prepared[Ticket] = Prepared(build, least=int, source=str, after=type(timezone.now()))
    now = timezone.now()
    old = make_ticket("old", received_at=now - timedelta(days=2))
    tickets = [make_ticket(f"number {number}", source="ab"[number % 2], received_at=now) for number in range(6)]
    for source in ("a", "b", "' OR 1=1", "nothing"):
        for after in (now - timedelta(days=9), now - timedelta(seconds=1), now):
            for least in (0, old.pk, tickets[3].pk, tickets[5].pk + 1):
                with transaction.atomic():
                    expected = list(build(least, source, after))
                    assert prepared(least=least, source=source, after=after) == expected


def test_tuples_are_as_the_database_gives_them() -> None:
    prepared: Prepared[Ticket] = Prepared(
        lambda pk: Ticket.objects.filter(pk=pk).values_list("text", "attempts"),
        pk=int,
    )
    assert prepared.tuples(pk=make_ticket("as it is", attempts=3).pk) == [("as it is", 3)]


def test_rows_are_whole(django_assert_num_queries: Any) -> None:
    prepared: Prepared[Ticket] = Prepared(lambda pk: Ticket.objects.filter(pk=pk), pk=int)
    ticket = make_ticket("as it is", customer="c")
    with django_assert_num_queries(1):
        (row,) = prepared(pk=ticket.pk)
        assert (row.text, row.customer, row.received_at) == ("as it is", "c", ticket.received_at)
