"""Background work that survives what kills it."""

from collections.abc import Sequence

import pytest

from classifier import tasks
from classifier.embeddings import vector_store
from classifier.learning.vector_space import Floats
from classifier.models import Encoding
from classifier.models.specialist import digest_of
from classifier.pipeline import claims
from tests.background import queued
from tests.factories import make_ticket
from tests.stalling import is_untouched, overtake

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


def test_who_stalled_while_encoding_does_not_set_back_who_went_on(monkeypatch: pytest.MonkeyPatch) -> None:
    make_ticket()
    encode, successors = vector_store.of, []

    def stall(texts: Sequence[str]) -> Floats:
        successors.append(overtake(Encoding))
        successors[0].in_hand.update(until=1_000_000)
        return encode(texts)

    monkeypatch.setattr(vector_store, "of", stall)
    vector_store.fill()
    assert Encoding.objects.get().until == 1_000_000
    assert is_untouched(successors[0])


def test_sweeping_again_adds_no_nudge_to_one_that_waits() -> None:
    make_ticket()
    tasks.sweep()
    tasks.sweep()
    assert nudges() == [tasks.classify.module_path]
