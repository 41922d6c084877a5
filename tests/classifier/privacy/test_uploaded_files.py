"""Erasure reaches uploaded files: none keeps a person's texts, and an import under way finishes first."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.test import Client

from classifier.ingest import ticket_imports, uploads
from classifier.leases import leases
from classifier.models import Ticket, TicketImport
from classifier.models.file_import import FileImport
from classifier.privacy import erasure, uploaded_files
from review.datasets import label_imports
from review.models import LabelImport
from tests.factories import make_ticket

pytestmark = pytest.mark.django_db

TEXT = "My name is Kim Example, and my invoice is wrong."


@pytest.fixture
def mine() -> Ticket:
    return make_ticket(TEXT, customer="kim@example.com")


def upload_tickets(lea: User) -> TicketImport:
    return ticket_imports.store(SimpleUploadedFile("tickets.csv", f'id,text\n1,"{TEXT}"\n'.encode()), lea, "import")


def upload_labels(lea: User) -> LabelImport:
    rows = f'text,category,share\n"{TEXT}",Billing,1\nHello,Billing,"{TEXT[:45]}"\n'
    return label_imports.store(SimpleUploadedFile("labels.csv", rows.encode()), lea)


@pytest.mark.parametrize("masks", [False, True])
def test_files_that_were_read_or_failed_are_deleted(
    catalogue: None, lea: User, lead_client: Client, mine: Ticket, masks: bool
) -> None:
    tickets, labels, failed = upload_tickets(lea), upload_labels(lea), upload_labels(lea)
    ticket_imports.run(tickets.pk)
    label_imports.run(labels.pk)
    LabelImport.objects.filter(pk=failed.pk).update(state="failed")
    record = erasure.erase(Ticket.objects.filter(pk=mine.pk), masks=masks)
    assert record.counts["uploaded files"] == 3
    for file_import in (tickets, labels, failed):
        file_import.refresh_from_db()
        assert (file_import.parts.count(), file_import.rows, file_import.report) == (0, [], {})
        assert "Upload it again" in lead_client.get(file_import.get_absolute_url()).content.decode()


def test_reports_of_finished_imports_quote_nothing(catalogue: None, lea: User, mine: Ticket) -> None:
    labels = upload_labels(lea)
    uploads.run_again(LabelImport.objects.get(), dry_run=False)
    LabelImport.objects.update(dry_run=False)
    label_imports.run(labels.pk)
    labels.refresh_from_db()
    assert TEXT[:20] in str(labels.report["rejections"])
    erasure.erase(Ticket.objects.filter(pk=mine.pk))
    labels.refresh_from_db()
    assert (labels.state, labels.report["rejected"], labels.report["rejections"]) == ("finished", 1, [])


def test_a_dry_run_under_way_ends(lea: User, mine: Ticket) -> None:
    tickets = upload_tickets(lea)
    (held,) = leases.acquire(TicketImport.objects.waiting())
    erasure.erase(Ticket.objects.filter(pk=mine.pk))
    assert not held.still_held.exists()
    tickets.refresh_from_db()
    assert (tickets.state, tickets.parts.count()) == ("failed", 0)


def test_an_import_that_nobody_works_on_ends(lea: User, mine: Ticket) -> None:
    tickets = upload_tickets(lea)
    TicketImport.objects.update(dry_run=False)
    erasure.erase(Ticket.objects.filter(pk=mine.pk))
    ticket_imports.run(tickets.pk)
    assert not Ticket.objects.filter(text=TEXT).exists()


@contextmanager
def under_way(file_import: FileImport) -> Iterator[None]:
    type(file_import).objects.update(dry_run=False)
    with leases.hold(type(file_import).objects.waiting()) as held:
        assert held
        yield


def test_an_import_that_does_not_end_in_time_is_reported(
    lea: User, mine: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploaded_files, "SECONDS", 0.1)
    with under_way(upload_tickets(lea)):
        record = erasure.erase(Ticket.objects.filter(pk=mine.pk))
        assert TicketImport.objects.get().parts.exists()
    assert record.remains == ["the import of tickets.csv was still running; erase once more when it has finished"]


def test_an_import_under_way_finishes_first(lea: User, mine: Ticket, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets, pauses = upload_tickets(lea), list[float]()

    def finish(seconds: float) -> None:
        pauses.append(seconds)
        TicketImport.objects.update(state="running", owner=None, available_at=Now())
        ticket_imports.run(tickets.pk)

    monkeypatch.setattr(uploaded_files, "sleep", finish)
    with under_way(tickets):
        erasure.erase(Ticket.objects.filter(customer="kim@example.com") | Ticket.objects.filter(text=TEXT))
    assert len(pauses) == 1
    assert not Ticket.objects.filter(text=TEXT).exists()
