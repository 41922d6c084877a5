"""Background work that survives what kills it."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from classifier import claims, tasks, vectors
from classifier.models.learned import digest_of
from tests.factories import make_ticket

pytestmark = pytest.mark.django_db


def nudges() -> list[str]:
    return sorted(DBTaskResult.objects.values_list("task_path", flat=True))


def test_the_sweep_nudges_for_what_waits() -> None:
    make_ticket()
    tasks.sweep()
    assert nudges() == [tasks.classify.module_path]


def test_the_sweep_has_vectors_stored_when_nothing_else_is_to_do() -> None:
    ticket = make_ticket()
    claims.claim(1)
    tasks.sweep()
    assert nudges() == [tasks.encode.module_path]
    vectors.fill()
    assert list(vectors.stored([digest_of(ticket.text)])) == [digest_of(ticket.text)]


def test_the_sweep_leaves_alone_what_is_in_hand() -> None:
    make_ticket()
    claims.claim(1)
    vectors.fill()
    tasks.sweep()
    assert nudges() == []


@pytest.mark.parametrize(("age", "left"), [(timedelta(hours=1), 1), (timedelta(days=2), 0)])
@pytest.mark.parametrize("status", ["SUCCESSFUL", "FAILED", "RUNNING"])
def test_the_sweep_forgets_old_tasks(status: str, age: timedelta, left: int) -> None:
    result = tasks.classify.enqueue([])
    then = timezone.now() - age
    DBTaskResult.objects.filter(pk=result.id).update(status=status, started_at=then, finished_at=then)
    tasks.sweep()
    assert DBTaskResult.objects.count() == left
