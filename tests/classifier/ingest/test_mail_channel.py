"""E-mails that come through the API or in files are cut like those of mailboxes, and other texts are left alone."""

from typing import Any

import pytest

from classifier.ingest import storing
from classifier.ingest.file_import import RecordImport
from classifier.ingest.readers.ticket_records import TicketRecord
from classifier.models import Ticket, WholeMessage

pytestmark = pytest.mark.django_db

QUOTED = "On Mon, 4 May 2026 at 10:00, Help <help@example.com> wrote:\n\n> We are furious about the invoice.\n"
REPLY = f"It works  now.\r\n\r\n\r\n{QUOTED}"


def store(text: str, **fields: Any) -> tuple[str, str]:
    """The stored text and whole message."""
    (result,) = storing.store([{"source": "api", "text": text} | fields])
    ticket = Ticket.objects.select_related("whole_message").get(pk=result.ticket.pk)
    return ticket.text, getattr(getattr(ticket, "whole_message", None), "text", "")


@pytest.mark.parametrize(
    "fields",
    [{"channel": "email"}, {"channel": "E-Mail"}, {"channel": "mail"}, {"source": "zendesk"}, {"source": "mail:help"}],
)
def test_quoted_threads_of_mail_are_only_in_the_whole_message(fields: dict[str, str]) -> None:
    assert store(REPLY, **fields) == ("It works  now.", REPLY)


@pytest.mark.parametrize("fields", [{}, {"channel": "chat"}, {"source": "zendesk", "channel": "chat"}])
def test_texts_of_other_channels_stay_as_they_are(fields: dict[str, str]) -> None:
    assert store(REPLY, **fields) == (REPLY, "")


@pytest.mark.parametrize("text", ["  Hello\r\n\r\n\r\nworld ", QUOTED, "Re: Invoice\n\n" + QUOTED, "Re: Invoice\n\nHi"])
def test_mail_without_more_than_its_words_stays_as_it_is(text: str) -> None:
    assert store(text, channel="email") == (text, "")


def test_the_subject_of_a_reply_stays_above_its_new_words() -> None:
    text = f"Re: Invoice\n\nIt works now.\n\n{QUOTED}\n-- \nKim"
    assert store(text, channel="email") == ("Re: Invoice\n\nIt works now.", text)


def test_the_same_mail_again_is_the_same_ticket() -> None:
    row = {"source": "api", "external_id": "1", "channel": "email", "text": REPLY}
    assert [storing.store([row])[0].created for _ in range(2)] == [True, False]
    assert storing.store([row])[0].same_text
    Ticket.objects.update(text=REPLY)  # as stored before the channel was known
    assert storing.store([row])[0].same_text


def test_a_file_of_mail_is_cut_and_its_texts_updated_with_the_whole_message() -> None:
    for text in (f"First.\n\n{QUOTED}", f"Second.\n\n{QUOTED}", "Third."):
        values = {"text": text, "external_id": "1", "channel": "email"}
        list(RecordImport("import", print, update=True).run([TicketRecord(number=1, values=dict(values))]))
        assert Ticket.objects.get().text == text[: text.index(".") + 1]
        assert [whole.text for whole in WholeMessage.objects.all()] == ([text] if QUOTED in text else [])
