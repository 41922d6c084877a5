"""Background work that survives what kills it."""

import pytest

from classifier import tasks
from classifier.embeddings import vector_store
from classifier.models.specialist import digest_of
from classifier.pipeline import claims
from tests.background import queued
from tests.factories import make_ticket

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def nudges() -> list[str]:
    return sorted(one.path for one in queued())


def test_the_sweep_nudges_for_what_waits() -> None:
    make_ticket()
    tasks.sweep()
    assert nudges() == [tasks.classify.module_path]


def test_the_sweep_has_vectors_stored_when_nothing_else_is_to_do() -> None:
    ticket = make_ticket()
    claims.claim(1)
    tasks.sweep()
    assert nudges() == [tasks.encode.module_path]
    vector_store.fill()
    assert list(vector_store.stored([digest_of(ticket.text)])) == [digest_of(ticket.text)]


def test_the_sweep_leaves_alone_what_is_in_hand() -> None:
    make_ticket()
    claims.claim(1)
    vector_store.fill()
    tasks.sweep()
    assert nudges() == []


def test_sweeping_again_adds_no_nudge_to_one_that_waits() -> None:
    make_ticket()
    tasks.sweep()
    tasks.sweep()
    assert nudges() == [tasks.classify.module_path]
