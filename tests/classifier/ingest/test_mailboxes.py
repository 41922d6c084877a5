"""Messages in a mailbox become tickets, each once, even if a worker dies."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from classifier import tasks
from classifier.ingest import mailboxes, storing
from classifier.ingest.imap import ImapFolder
from classifier.leases import leases
from classifier.models import Mailbox, Ticket, WholeMessage
from classifier.privacy import erasure
from tests.background import queued
from tests.mail_server import PASSWORD, USER, MailServer
from tests.stalling import is_untouched, overtake

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def running() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def server(running: MailServer, monkeypatch: pytest.MonkeyPatch) -> MailServer:
    monkeypatch.setenv("MAIL_SECRET", PASSWORD)
    with running.open() as box:
        box.delete(box.uids())
    return running


@pytest.fixture
def mailbox(server: MailServer) -> Mailbox:
    return make_mailbox(server)


def make_mailbox(server: MailServer, **values: Any) -> Mailbox:
    where = {"host": "127.0.0.1", "port": server.port, "security": "none", "user": USER}
    given = {"name": "Support", "slug": "support", "password_env": "MAIL_SECRET"}
    return Mailbox.objects.create(**given | where | values)


def message(text: str = "I cannot log in.", name: str = "one", **headers: str) -> EmailMessage:
    made = EmailMessage()
    given = {"Subject": "Help", "From": "Emily Adams <emily@example.com>", "Message-ID": f"<{name}@example.com>"}
    for header, value in (given | {key.replace("_", "-"): value for key, value in headers.items()}).items():
        if value:
            made[header] = value
    made.set_content(text)
    return made


def fetch() -> bool:
    Mailbox.objects.update(available_at=Now())
    return mailboxes.fetch_due()


def refreshed(mailbox: Mailbox) -> Mailbox:
    mailbox.refresh_from_db()
    return mailbox


def test_a_message_becomes_a_ticket_once_and_is_marked_as_seen(server: MailServer, mailbox: Mailbox) -> None:
    server.deliver(message(Date="Wed, 17 Apr 2024 17:18:10 +0000"))
    fetch()
    ticket = Ticket.objects.get()
    assert (ticket.source, ticket.external_id) == ("mail:support", "<one@example.com>")
    assert (ticket.text, ticket.customer, ticket.channel) == ("Help\n\nI cannot log in.", "emily@example.com", "email")
    assert ticket.received_at == datetime(2024, 4, 17, 17, 18, 10, tzinfo=UTC)
    assert server.seen() == [True]
    fetch()
    server.deliver(message())
    fetch()
    assert Ticket.objects.count() == 1
    assert server.seen() == [True, True]
    assert (refreshed(mailbox).stored, mailbox.skipped, mailbox.error) == (1, 0, "")
    assert mailbox.checked_at


def test_messages_stored_before_a_worker_died_are_not_stored_again(
    server: MailServer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.deliver(message(), message(name="two"))
    with monkeypatch.context() as killed:
        killed.setattr(ImapFolder, "mark_read", _killed)
        with pytest.raises(KeyboardInterrupt):
            fetch()
    assert Ticket.objects.count() == 2
    assert server.seen() == [False, False]
    fetch()
    assert Ticket.objects.count() == 2
    assert server.seen() == [True, True]


def test_nothing_is_marked_before_it_is_stored(
    server: MailServer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.deliver(message())
    monkeypatch.setattr(storing, "store", _killed)
    with pytest.raises(KeyboardInterrupt):
        fetch()
    assert server.seen() == [False]


def _killed(*_given: Any) -> None:
    raise KeyboardInterrupt


def test_messages_beyond_the_limit_are_left_for_the_next_fetch(
    server: MailServer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailboxes, "MAX_PER_FETCH", 2)
    monkeypatch.setattr(mailboxes, "CHUNK", 1)
    server.deliver(*[message(name=str(number)) for number in range(3)])
    assert fetch()
    assert Ticket.objects.count() == 2
    assert Mailbox.objects.due().exists()
    assert not mailboxes.fetch_due()
    assert Ticket.objects.count() == 3


AUTOMATIC = [
    {"Auto_Submitted": "auto-replied; owner-email=x"},
    {"Auto_Submitted": "Auto-Generated"},
    {"Auto_Submitted": "auto-generated", "Reply_To": "noreply@shop.example"},
    {"X_Autoreply": "yes"},
    {"Precedence": "auto_reply"},
    {"Return_Path": "<>"},
]


@pytest.mark.parametrize("headers", AUTOMATIC, ids=str)
def test_automatic_messages_make_no_tickets_and_are_counted_and_flagged(
    server: MailServer, mailbox: Mailbox, headers: dict[str, str]
) -> None:
    server.deliver(message(**headers), message(name="two"))
    fetch()
    assert [ticket.external_id for ticket in Ticket.objects.all()] == ["<two@example.com>"]
    assert refreshed(mailbox).skipped == 1
    assert server.seen() == [True, True]
    assert server.flagged() == [True, False]


@pytest.mark.parametrize("headers", [{"Precedence": "list", "List_ID": "<help.example.com>"}, {"Precedence": "bulk"}])
def test_mail_through_a_group_becomes_a_ticket_unless_the_mailbox_skips_bulk_mail(
    server: MailServer, headers: dict[str, str]
) -> None:
    make_mailbox(server)
    server.deliver(message(**headers))
    fetch()
    assert Ticket.objects.count() == 1
    Mailbox.objects.update(skip_bulk=True)
    server.deliver(message(name="two", **headers))
    fetch()
    assert Ticket.objects.count() == 1
    assert server.flagged() == [False, True]


def parsed(made: EmailMessage | bytes) -> dict[str, Any]:
    return mailboxes.ticket_fields(made if isinstance(made, bytes) else made.as_bytes())


CUSTOMERS = [
    ({"From": "form <noreply@shop.example>", "Auto-Submitted": "auto-generated"}, "ann@example.com"),
    ({"From": "do-not-reply@shop.example", "Precedence": "bulk"}, "ann@example.com"),
    ({"From": "Bob <bob@example.com>"}, "bob@example.com"),
    ({"From": '"Example, Bob" <bob@example.com>'}, "bob@example.com"),
]


@pytest.mark.parametrize(("headers", "customer"), CUSTOMERS)
def test_the_customer_of_a_contact_form_is_whom_an_answer_goes_to(headers: dict[str, str], customer: str) -> None:
    lines = "".join(f"{name}: {value}\n" for name, value in headers.items())
    raw = f"{lines}Reply-To: Ann <ann@example.com>\nSubject: Contact\n\nIt is wrong.".encode()
    assert parsed(raw)["customer"] == customer


def test_a_message_marked_as_not_automatic_is_stored() -> None:
    assert parsed(message(Auto_Submitted="no"))["text"]


def test_plain_text_is_preferred_to_html_and_attachments_are_ignored() -> None:
    made = message("Plain.")
    made.add_alternative("<p>Rich.</p>", subtype="html")
    made.add_attachment("a,b", filename="table.csv")
    assert parsed(made)["text"] == "Help\n\nPlain."


def test_html_alone_becomes_text() -> None:
    made = message()
    made.set_content("<style>p{}</style><p>Rich &amp; <b>bold</b>.</p><p>More</p>", subtype="html")
    assert parsed(made)["text"] == "Help\n\nRich & bold.\n\nMore"


def test_quoted_messages_are_removed_unless_nothing_else_is_left() -> None:
    quoting = "Still broken.\n\nOn Monday you wrote:\n> Please try again.\n>\n> Your support"
    assert parsed(message(quoting))["text"] == "Help\n\nStill broken."
    assert parsed(message(quoting))["whole_message"] == f"Help\n\n{quoting}"
    assert parsed(message("> only a quote"))["text"] == "Help\n\n> only a quote"


def test_a_message_without_a_usable_id_is_identified_by_its_content() -> None:
    nameless, long = message(Message_ID=""), message(name="x" * 300)
    for made in (nameless, long):
        name = parsed(made)["external_id"]
        assert name.startswith("sha256:")
        assert parsed(made)["external_id"] == name
    assert parsed(nameless)["external_id"] != parsed(long)["external_id"]


@pytest.mark.parametrize("date", ["Fri, 31 Dec 2100 00:00:00 +0000", "nonsense", "", "Thu, 01 Jan 1970 00:00:00 +0000"])
def test_an_implausible_date_becomes_now(date: str) -> None:
    assert timezone.now() - parsed(message(Date=date))["received_at"] < timedelta(minutes=1)


def test_the_whole_message_is_kept_shown_and_erased_with_its_ticket(
    server: MailServer, mailbox: Mailbox, client: Client, admin: User
) -> None:
    server.deliver(message("Still broken.\n\nOn Monday you wrote:\n> Please try again."))
    fetch()
    ticket = Ticket.objects.get()
    assert ticket.text == "Help\n\nStill broken."
    client.force_login(admin)
    page = client.get(ticket.get_absolute_url()).content.decode()
    assert "<details><summary>Whole message</summary>" in page
    assert "Please try again." in page
    Ticket.objects.update(state=Ticket.State.AUTO_ACCEPTED)
    erasure.erase(Ticket.objects.all())
    assert WholeMessage.objects.get().text == "(erased)"


HOSTILE = [
    b"",
    b"\xff\xfe\x00garbage",
    b"Subject: =?utf-8?b?!!!!?=\n\n\x00\xff",
    b"Subject: x\nContent-Type: text/plain; charset=no-such-thing\n\nhello \xe9\x00",
    b"From: <<<>>>\nSubject: x\nContent-Type: multipart/mixed; boundary=a\n\n--a\n--a\n--b",
    b"Subject: x\nContent-Transfer-Encoding: base64\n\n%%%%",
    b"Subject: cut\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/plain\n\nthe beginning",
    b"Subject: " + b"A" * 3_000_000 + b"\n\nbody",
]


@pytest.mark.parametrize("raw", HOSTILE, ids=lambda raw: repr(raw[:20]))
def test_a_malformed_message_does_not_stop_the_others(server: MailServer, mailbox: Mailbox, raw: bytes) -> None:
    server.deliver(*([raw] if raw else []), message())
    fetch()
    assert Ticket.objects.filter(external_id="<one@example.com>").exists()
    assert refreshed(mailbox).error == ""
    assert all(server.seen())


def test_a_large_message_is_read_as_far_as_it_goes(
    server: MailServer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailboxes, "MAX_MESSAGE_BYTES", 5_000)
    made = message("What I want to say.")
    made.add_attachment(b"\0" * 50_000, maintype="application", subtype="octet-stream", filename="dump")
    server.deliver(made)
    fetch()
    assert Ticket.objects.get().text == "Help\n\nWhat I want to say."


FAULTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"user": "nobody"}, {}, "rejects this user and password. Check MAIL_SECRET"),
    ({"folder": "Nowhere"}, {}, "OK"),
    ({"port": 9}, {}, "refused"),
    ({"security": "starttls"}, {}, "TLS"),
    ({"security": "tls"}, {}, "SSL"),
    ({"password_env": "NO_SUCH_SECRET"}, {}, "NO_SUCH_SECRET is not set"),
    ({}, {"INTERNAL_HOSTS": []}, "TICKETCLF_INTERNAL_HOSTS"),
]


@pytest.mark.parametrize(("values", "set_to", "says"), FAULTS, ids=lambda value: str(value))
def test_an_error_is_shown_and_fetching_is_retried_later(
    server: MailServer, settings: Settings, values: dict[str, Any], set_to: dict[str, Any], says: str
) -> None:
    mailbox = make_mailbox(server, **values)
    for name, value in set_to.items():
        setattr(settings, name, value)
    fetch()
    assert says in refreshed(mailbox).error
    assert PASSWORD not in mailbox.error
    wait = (mailbox.available_at - timezone.now()).total_seconds()
    assert 290 < wait <= 300
    assert not Mailbox.objects.due().exists()


def test_two_workers_do_not_fetch_one_mailbox_at_once(server: MailServer, mailbox: Mailbox) -> None:
    server.deliver(message())
    with leases.hold(Mailbox.objects.due()) as held:
        assert held == [mailbox]
        mailboxes.fetch_due()
        mailboxes.fetch_soon([mailbox.pk])
        mailboxes.fetch_due()
        assert not Ticket.objects.exists(), "who has it in hand keeps it"


def test_a_mailbox_taken_over_meanwhile_is_left_to_its_new_owner(
    server: MailServer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.deliver(message())
    receive, successors = storing.store, []

    def stall(*rows: Any) -> Any:
        successors.append(overtake(Mailbox))
        return receive(*rows)

    monkeypatch.setattr(storing, "store", stall)
    fetch()
    assert is_untouched(successors[0])
    assert refreshed(mailbox).checked_at is None


def test_the_sweep_enqueues_due_mailboxes(mailbox: Mailbox) -> None:
    for active in (False, True):
        Mailbox.objects.update(active=active)
        tasks.sweep()
        assert bool(queued(tasks.fetch_mail.module_path)) == active


def test_the_admin_refuses_internal_hosts_and_checks_a_mailbox_on_request(
    client: Client, admin: User, settings: Settings, mailbox: Mailbox
) -> None:
    client.force_login(admin)
    values = {"name": "b", "slug": "b", "host": "127.0.0.1", "port": 143, "security": "none", "user": "u"}
    values |= {"password_env": "MAIL_SECRET", "folder": "INBOX", "active": "on"}
    settings.INTERNAL_HOSTS = []
    page = client.post(reverse("admin:classifier_mailbox_add"), values).content.decode()
    assert "TICKETCLF_INTERNAL_HOSTS" in page
    Mailbox.objects.update(available_at=timezone.now() + timedelta(minutes=4))
    values = {"action": "check_now", "_selected_action": [mailbox.pk]}
    client.post(reverse("admin:classifier_mailbox_changelist"), values)
    assert Mailbox.objects.due().exists()
