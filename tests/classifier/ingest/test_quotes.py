"""What a customer wrote now is told from the thread that the mail program quotes, and none of it is lost."""

import time

import pytest

from classifier.ingest.message_text import html_to_text
from classifier.ingest.quotes import new_text
from tests.classifier.ingest.threads import Thread, threads

pytestmark = pytest.mark.once


@pytest.mark.parametrize("thread", list(threads()), ids=lambda thread: thread.name)
def test_only_the_new_part_of_a_thread_is_kept(thread: Thread) -> None:
    assert new_text(thread.text, thread.subject) == thread.new


OLD = "> My invoice is wrong.\n> I am furious."
HEADERS = "From: Help\nSent: Monday\nTo: Ann\nSubject: Invoice"
REPLIES = [
    f"Thanks!\n\nOn Mon, 4 May 2026 at 10:00, The Help Desk\n<help@example.com> wrote:\n\n{OLD}",
    f"Thanks!\n\nEm seg., 4 de mai. de 2026, Ajuda <ajuda@example.com> escreveu:\n{OLD}",
    f"Thanks!\n\nDen mån 4 maj 2026 kl 10:00 skrev Hjälp <hjalp@example.com>:\n{OLD}",
    f"Thanks!\n\npon., 4 maj 2026 o 10:00 Pomoc <pomoc@example.com> napisał(a):\n{OLD}",
    f"Thanks!\n\nпн, 4 мая 2026 г. в 10:00, Help <help@example.com>:\nпишет:\n{OLD}",
    f"Thanks!\n\n2026年5月4日(月) 10:00 Help <help@example.com>のメール:\n{OLD}",
    f"Thanks!\n\nAjuda <ajuda@example.com> escreveu no dia segunda, 4/05/2026 à(s) 10:00:\n\n{OLD}",
    f"Thanks!\n\n2026年5月4日(月) 10:00 サポート <help@example.com>:\n\n{OLD}",
    f"Thanks!\n\nпн, 4 трав. 2026 р. о 10:00 Help <help@example.com> пише:\n\n{OLD}",
    f"Thanks!\n\nΣτις Δευ 4 Μαΐ 2026 στις 10:00 π.μ., ο χρήστης Help <help@example.com> έγραψε:\n\n{OLD}",
    f"Thanks!\n\nसोम, 4 मई 2026 को 10:00 am बजे को Help <help@example.com> ने लिखा:\n\n{OLD}",
    f"Thanks!\n\nVào Th 2, 4 thg 5, 2026 vào lúc 10:00 Help <help@example.com> đã\nviết:\n\n{OLD}",
    f"Thanks!\n\nفي الاثنين، 4 مايو 2026 في 10:00 ص تمت كتابة ما يلي بواسطة Help <help@example.com>:\n\n{OLD}",
    f"Thanks!\n\nבתאריך יום ב׳, 4 במאי 2026 ב-10:00 מאת Help <help@example.com>:\n\n{OLD}",
    "Thanks!\n\n---- On Mon, 04 May 2026 10:00:00 +0200 Help <help@example.com> wrote ----\n\nIt is wrong.",
    "Thanks!\n\n------ Original Message ------\nFrom: Help <help@example.com>\nTo: Ann\nSent: May 4\nSubject: A\n\nNo.",
    "Thanks!\n\n--------- Исходное сообщение ---------\nОт: Помощь\nДата: понедельник\nТема: Счёт\n\nНет.",
    "Thanks!\n\nGesendet: Montag, 04. Mai 2026 um 10:00 Uhr\nVon: Hilfe\nAn: Ann\nBetreff: Rechnung\n\nFalsch.",
    "Thanks!\n\n*From:* Help <help@example.com>\n*Date:* Monday\n*To:* Ann\n*Subject:* Invoice\n\nIt is wrong.",
    f"Thanks!\n________________________________\n{HEADERS}\n\nIt is wrong.",
    "Thanks!\n\n##- Please type your reply above this line -##\n\nYour request has been updated.",
    "Thanks!\n\n-- \nAnn Example\nExample Ltd, 1 High Street, London\nann@example.com",
    "Thanks!\n\nDiese Nachricht wurde von meinem Android-Mobiltelefon mit GMX Mail gesendet.",
    "Thanks!\n\nThis e-mail and any attachments are confidential and intended for the addressee only.\nDelete it.",
    f"{OLD}\n\nOn Mon, 4 May 2026 at 10:00, Help <help@example.com> wrote:\n{OLD}\n\nThanks!",
    html_to_text("Thanks!<br><blockquote type=cite><div>On 4 May 2026 Help wrote:</div>Wrong!</blockquote>"),
    html_to_text(
        "Thanks!<div class=gmail_quote>On Mon, Help wrote:<blockquote class=gmail_quote>No!</blockquote></div>"
    ),
]


@pytest.mark.parametrize("reply", REPLIES)
def test_only_the_new_part_of_a_reply_is_kept(reply: str) -> None:
    assert new_text(reply, "Re: Invoice") == "Thanks!"


KEPT = [
    "",
    OLD,
    "Hi,\nDate: 4 May\nTo: Berlin\nMy train was late.",
    "Please change my booking:\nFrom: Berlin\nTo: Paris\nDate: 4 May 2026",
    "Hi,\nOn Monday your agent wrote:\nIt is refunded. But it is not.",
    "It fails with\n> npm install\n> npm ERR! code 1",
    "I have two questions:\n- one\n- two\n--\nThe first is: why does this application, for which I paid, not start?",
    "Look\n________________________________\nAnn Smith, ACME",
    f"{HEADERS}\n\nNothing stands above.",
    f"Look\n\nBegin forwarded message:\n\n{HEADERS}\n\nPay now.",
    f"Schau\n\n-------- Weitergeleitete Nachricht --------\n{HEADERS}\n\nZahlen Sie.",
    "-- \nAnn",
    "Sent from my iPhone the picture is blurred, and I have tried it three times.\n\nWhat can I do?\nAnn\nBob\nCarl",
]


@pytest.mark.parametrize("text", KEPT)
def test_words_of_a_customer_are_never_lost(text: str) -> None:
    assert new_text(text, "Invoice") == text.replace("-- \n", "--\n")


def test_a_message_that_is_forwarded_by_its_subject_is_kept() -> None:
    text = f"Is this from you?\n\n{HEADERS}\n\nPay now."
    assert new_text(text, "FW: Invoice") == text


@pytest.mark.parametrize(
    "text",
    ["key: value\n" * 90_000, "Am schrieb " * 90_000, "> a\n\n" * 200_000, "On 4 May\n" * 90_000, "From: a\n" * 90_000]
    + ["From: a wrote:\n" * 90_000, "-" * 900_000 + "original", ("on " * 90 + "wrote:\n") * 3_000],
)
def test_any_text_is_searched_quickly(text: str) -> None:
    begun = time.process_time()
    new_text(text, "Re: x")
    assert time.process_time() - begun < 5
