"""Storing a ticket enqueues its classification after the commit, and only then."""

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django_tasks import task_backends

from classifier.background import Priority
from classifier.ingest import storing
from classifier.models import Ticket
from classifier.text import LONGEST_TICKET
from tests.background import queued
from tests.factories import make_ticket

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


def queued_priorities() -> list[int]:
    """The priorities of the queued classification tasks."""
    return [task.priority for task in queued("classifier.tasks.classify_tickets")]


def test_saving_a_ticket_enqueues_its_classification() -> None:
    make_ticket()
    assert queued_priorities() == [Priority.INTERACTIVE]


def test_one_waiting_task_covers_all_tickets() -> None:
    for number in range(5):
        make_ticket(str(number))
    assert queued_priorities() == [Priority.INTERACTIVE]


def test_saving_it_again_enqueues_nothing() -> None:
    ticket = make_ticket()
    ticket.channel = "chat"
    ticket.save()
    assert len(queued_priorities()) == 1


def test_storing_many_enqueues_once() -> None:
    Ticket.objects.bulk_create([Ticket(text="hello") for _number in range(10)])
    assert len(queued_priorities()) == 1


@pytest.mark.parametrize(
    ("number", "priority"),
    [(storing.INTERACTIVE_MAX, Priority.INTERACTIVE), (storing.INTERACTIVE_MAX + 1, Priority.BULK)],
)
def test_a_bulk_import_has_lower_priority(number: int, priority: Priority) -> None:
    storing.store([{"source": "import", "text": "hello"}] * number)
    assert queued_priorities() == [priority]


def test_a_single_ticket_does_not_wait_behind_a_bulk_task() -> None:
    storing.store([{"source": "import", "text": "hello"}] * 100)
    make_ticket()
    assert sorted(queued_priorities()) == [Priority.BULK, Priority.INTERACTIVE]


def test_rolled_back_tickets_are_not_enqueued() -> None:
    with transaction.atomic():
        make_ticket()
        transaction.set_rollback(True)
    assert queued_priorities() == []
    assert not Ticket.objects.exists()


def test_a_source_has_an_external_id_once() -> None:
    make_ticket(external_id="A-1")
    with pytest.raises(IntegrityError):
        make_ticket(external_id="A-1")
    make_ticket(external_id="A-1", source="elsewhere")
    make_ticket()
    make_ticket()


def test_the_database_refuses_an_empty_text() -> None:
    with pytest.raises(IntegrityError):
        make_ticket("")


@pytest.mark.parametrize("text", ["", " \n\t", "x" * (LONGEST_TICKET + 1)])
def test_a_text_that_is_empty_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        storing.validated_text(text)


def test_unstorable_characters_are_replaced_on_every_way_in() -> None:
    make_ticket("a\x00b\ud800c")
    Ticket.objects.bulk_create([Ticket(text="d\x00")])
    assert set(Ticket.objects.values_list("text", flat=True)) == {"a\ufffdb\ufffdc", "d\ufffd"}


def test_a_nudge_that_fails_takes_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise DatabaseError("no such table")

    monkeypatch.setattr(type(task_backends["default"]), "enqueue_once", broken)
    make_ticket()
    assert Ticket.objects.waiting().count() == 1
