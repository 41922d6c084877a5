"""Files of tickets in the browser: what is read is shown before anything is stored."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier import tasks
from classifier.ingest import ticket_imports, uploads
from classifier.leases import leases
from classifier.models import Ticket, TicketImport
from tests.background import queued
from tests.workbooks import workbook

IMPORT = reverse("classifier:import_tickets")


def upload(client: Client, content: str | bytes, name: str = "theirs.csv", source: str = "import") -> TicketImport:
    """Upload a file, and have a worker read it."""
    raw = content if isinstance(content, bytes) else content.encode()
    client.post(IMPORT, {"file": SimpleUploadedFile(name, raw), "source": source})
    stored = TicketImport.objects.latest("pk")
    ticket_imports.run(stored.pk)
    stored.refresh_from_db()
    return stored


def choose(client: Client, ticket_import: TicketImport, **chosen: Any) -> None:
    """Have the file read, or with `import` imported, as chosen; the page sends every field."""
    usual = dict.fromkeys(("encoding", "subject", "external_id", "customer", "channel", "language"), "")
    client.post(reverse("classifier:read_again", args=[ticket_import.pk]), usual | chosen)
    ticket_imports.run(ticket_import.pk)
    ticket_import.refresh_from_db()


def page_of(client: Client, ticket_import: TicketImport) -> str:
    return client.get(ticket_import.get_absolute_url()).content.decode()


def test_the_first_rows_are_shown_under_the_columns_before_anything_is_stored(lead_client: Client) -> None:
    stored = upload(lead_client, "Nr;Status;Message\n7;Größe;<b>Hallo\n8;Preis;\n")
    assert queued("classifier.tasks.run_ticket_import")[0].args == [stored.pk]
    page = page_of(lead_client, stored)
    assert "<b>Text</b><br><bdi>Message</bdi>" in page
    assert "not read<br><bdi>Status</bdi>" in page
    assert '<td dir="auto">&lt;b&gt;Hallo</td>' in page
    assert "Would be stored" in page
    assert "The text is empty" in page
    assert not Ticket.objects.exists()


def test_columns_are_chosen_and_the_tickets_stored(lead_client: Client) -> None:
    stored = upload(lead_client, "Nr,Notiz\n7,Hallo\n8,Welt\n", source="shop")
    assert "No column is known to hold the text" in page_of(lead_client, stored)
    choose(lead_client, stored, text="Notiz", external_id="Nr")
    assert (stored.report["stored"], Ticket.objects.count()) == (2, 0)
    choose(lead_client, stored, text="Notiz", external_id="Nr", **{"import": ""})
    assert list(Ticket.objects.order_by("pk").values_list("source", "external_id", "text")) == [
        ("shop", "7", "Hallo"),
        ("shop", "8", "Welt"),
    ]
    page = page_of(lead_client, stored)
    assert "Import result" in page
    assert "First rows" not in page
    assert not stored.parts.exists(), "the file is kept no longer than needed"


def test_another_encoding_changes_the_sample_and_keeps_the_chosen_columns(lead_client: Client) -> None:
    stored = upload(lead_client, "Nr,Сообщение\n7,Счёт\n".encode("koi8-r"))
    assert stored.decoded_as
    assert f"detected: {stored.decoded_as}" in page_of(lead_client, stored)
    choose(lead_client, stored, encoding="cp1251", text=stored.names[1])
    wrong = stored.names[1]
    assert stored.rows[0][1] == "Счёт".encode("koi8-r").decode("cp1251")
    choose(lead_client, stored, encoding="koi8-r", text=wrong)
    assert (stored.names[1], stored.rows[0][1]) == ("Сообщение", "Счёт")
    assert stored.columns == {"text": "Сообщение"}
    assert (stored.state, stored.report["stored"]) == ("finished", 1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"count": 2, "tickets": [{"body": "Hello", "id": 1}, {"body": "World", "id": 2}]}'),
        ("a.json", '[{"body": "Hello"}, {"body": "World", "via": {"channel": "web"}}]'),
        ("a.xlsx", workbook([["id", "text"], [1, "Hello"], [2, "World"]])),
        ("a.txt", "Hello\nWorld\n"),
    ],
)
def test_every_format_has_a_sample_and_is_imported(lead_client: Client, name: str, content: str | bytes) -> None:
    stored = upload(lead_client, content, name)
    page = page_of(lead_client, stored)
    assert '<td dir="auto">Hello</td>' in page
    assert ("of-encoding" in page) is (name != "a.xlsx")
    choose(lead_client, stored, text="body" if "body" in stored.names else "text", **{"import": ""})
    assert sorted(Ticket.objects.values_list("text", flat=True)) == ["Hello", "World"]


def test_a_list_without_a_usual_text_can_be_mapped(lead_client: Client) -> None:
    stored = upload(lead_client, '{"cases": [{"nr": 1, "note": "Hello"}]}', "a.json")
    assert stored.names == ["nr", "note"]
    choose(lead_client, stored, text="note", **{"import": ""})
    assert Ticket.objects.get().text == "Hello"


def test_an_interrupted_import_stores_nothing_twice(lead_client: Client) -> None:
    stored = upload(lead_client, "text\nHello\nHello\n")
    lead_client.post(reverse("classifier:read_again", args=[stored.pk]), {"text": "text", "import": ""})
    parts = list(stored.parts.values_list("content", flat=True))
    ticket_imports.run(stored.pk)
    for position, content in enumerate(parts):
        stored.parts.create(position=position, content=content)
    TicketImport.objects.update(state="running")
    leases.acquire(TicketImport.objects.waiting())
    ticket_imports.run(stored.pk)
    assert TicketImport.objects.get().state == "running", "another worker has it"
    TicketImport.objects.update(available_at=timezone.now())
    tasks.sweep()
    ticket_imports.run(stored.pk)
    stored.refresh_from_db()
    assert (stored.report["stored"], stored.report["existing"], Ticket.objects.count()) == (0, 2, 2)


def test_texts_of_waiting_tickets_are_updated_if_asked_for(lead_client: Client) -> None:
    for text in ("Hello", "Hello again"):
        stored = upload(lead_client, f"id,text\n1,{text}\n")
        assert stored.report["rejected"] == (text != "Hello")
        choose(lead_client, stored, text="text", external_id="id", update_texts="on", **{"import": ""})
    assert Ticket.objects.get().text == "Hello again"
    assert stored.report["updated"] == 1


def test_a_file_that_is_no_table_is_refused(lead_client: Client) -> None:
    response = lead_client.post(IMPORT, {"file": SimpleUploadedFile("a.pdf", b"%PDF-1.7"), "source": "import"})
    assert response.status_code == 422
    assert "PDF" in response.content.decode()
    assert lead_client.post(IMPORT, {}).status_code == 422


def test_an_uploaded_file_is_deleted_after_a_day(lead_client: Client) -> None:
    stored = upload(lead_client, "text\nHello\n")
    TicketImport.objects.update(created_at=timezone.now() - uploads.KEPT)
    tasks.sweep()
    stored.refresh_from_db()
    assert (stored.parts.count(), stored.rows) == (0, [])
