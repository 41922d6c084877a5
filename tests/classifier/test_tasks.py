"""Background work continues after a process dies."""

from collections.abc import Sequence

import pytest

from classifier import tasks
from classifier.embeddings import vector_store
from classifier.learning.vector_space import Floats
from classifier.models import Encoding
from classifier.models.specialist import text_digest
from classifier.pipeline import claims
from tests.background import queued
from tests.factories import make_ticket
from tests.stalling import is_untouched, overtake

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def queued_tasks() -> list[str]:
    return sorted(task.path for task in queued())


def test_the_sweep_enqueues_waiting_work() -> None:
    make_ticket()
    tasks.sweep()
    assert queued_tasks() == [tasks.classify_tickets.module_path]


def test_the_sweep_enqueues_embedding_when_idle() -> None:
    ticket = make_ticket()
    claims.claim(1)
    tasks.sweep()
    assert queued_tasks() == [tasks.embed_tickets.module_path]
    vector_store.embed_new_tickets()
    assert list(vector_store.stored_embeddings([text_digest(ticket.text)])) == [text_digest(ticket.text)]


def test_the_sweep_ignores_work_in_progress() -> None:
    make_ticket()
    claims.claim(1)
    vector_store.embed_new_tickets()
    tasks.sweep()
    assert queued_tasks() == []


def test_a_stalled_encoder_does_not_undo_its_successors_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    make_ticket()
    encode, successors = vector_store.embeddings_for, []

    def stall(texts: Sequence[str]) -> Floats:
        successors.append(overtake(Encoding))
        successors[0].still_held.update(until=1_000_000)
        return encode(texts)

    monkeypatch.setattr(vector_store, "embeddings_for", stall)
    vector_store.embed_new_tickets()
    assert Encoding.objects.get().until == 1_000_000
    assert is_untouched(successors[0])


def test_sweeping_again_enqueues_nothing_twice() -> None:
    make_ticket()
    tasks.sweep()
    tasks.sweep()
    assert queued_tasks() == [tasks.classify_tickets.module_path]
