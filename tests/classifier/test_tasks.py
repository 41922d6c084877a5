"""Background work continues after a process dies."""

from collections.abc import Sequence

import pytest

from classifier import background, tasks
from classifier.api import stored_replies
from classifier.embeddings import vector_store
from classifier.ingest import mailboxes
from classifier.integrations import outbox
from classifier.learning.vector_space import Embeddings
from classifier.models import Encoding, Mailbox
from classifier.models.specialist import text_digest
from classifier.pipeline import claims
from review.specialist import queue_ordering
from tests.background import queued
from tests.factories import make_ticket
from tests.stalling import is_untouched, overtake
from ticketclf_site.processes import sweep as everything

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
    assert vector_store.stored_embeddings([text_digest(ticket.text)]).rows.tolist() == [0]


def test_the_sweep_ignores_work_in_progress() -> None:
    make_ticket()
    claims.claim(1)
    vector_store.embed_new_tickets()
    tasks.sweep()
    assert queued_tasks() == []


def test_a_stalled_encoder_does_not_undo_its_successors_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    make_ticket()
    encode, successors = vector_store.embeddings_for, []

    def stall(texts: Sequence[str]) -> Embeddings:
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


def test_a_part_of_the_sweep_that_fails_stops_no_other(
    catalogue: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: object) -> bool:
        raise RuntimeError

    for module, name in ((outbox, "is_due"), (stored_replies, "delete_expired"), (queue_ordering, "is_due")):
        monkeypatch.setattr(module, name, fail)
    make_ticket()
    Mailbox.objects.create(slug="support")
    everything.sweep()
    assert {tasks.classify_tickets.module_path, tasks.fetch_mail.module_path} <= set(queued_tasks())
    assert caplog.text.count("A part of the sweep failed") >= 1


def test_a_mailbox_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []

    def fetch(mailbox: Mailbox) -> bool:
        fetched.append(mailbox.slug)
        raise RuntimeError

    monkeypatch.setattr(mailboxes, "_fetch_unread", fetch)
    for slug in ("one", "two"):
        Mailbox.objects.create(name=slug, slug=slug)
    tasks.fetch_mail.call()
    assert sorted(fetched) == ["one", "two"]
    assert set(Mailbox.objects.values_list("error", flat=True)) == {"RuntimeError"}


@pytest.mark.parametrize(
    ("path", "kwargs", "known"),
    [
        (tasks.classify_tickets.module_path, {}, True),
        (tasks.classify_tickets.module_path, {"tickets": [1]}, False),
        ("classifier.tasks.of_an_earlier_version", {}, False),
        ("classifier.no_longer.there", {}, False),
    ],
)
def test_a_task_that_another_version_queued_is_left_out(path: str, kwargs: dict[str, object], known: bool) -> None:
    assert background.fits(path, [], kwargs) is known
