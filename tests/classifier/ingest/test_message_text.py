"""Mail and HTML become the text that the customer wrote."""

import time

import pytest

from classifier.ingest.message_text import html_to_text, without_quoted_reply

pytestmark = pytest.mark.once

HTML = [
    ("<p>one</p><p>two</p>", "one\n\ntwo"),
    ("a<br>b<BR/>c", "a\nb\nc"),
    ("<style>p{}</style><script>alert(1)</script>seen", "seen"),
    ("2 &lt; 3 &amp; &eacute;&nbsp;x", "2 < 3 & é x"),
    ("<ul><li>one<li>two</ul>", "one\ntwo"),
    ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
    ("never <b>closed", "never closed"),
    ("<b>bo</b>ld", "bold"),
    ("</script>after", "after"),
    ("a < b", "a < b"),
    ("<!-- hidden -->x", "x"),
    ("", ""),
    ("<html><head><title>T</title><p>seen</p><div>too</div>", "seen\n\ntoo"),
    ("<head><meta charset=utf-8><body>ünïcode", "ünïcode"),
    ("<?xml version='1.0' encoding='latin1'?><p>ü</p>", "ü"),
    ("<table><tr><td>Order</td><td>A-17</td></tr><tr><td>Problem<td>Login</table>", "Order A-17\nProblem Login"),
    ("<td>a</td><td>b</td>", "a b"),
    ("<dl><dt>Order<dd>A-17<dt>Problem<dd>Login</dl>", "Order\nA-17\nProblem\nLogin"),
    ("<section>one</section><article>two</article>", "one\ntwo"),
    ("<div>one</div><div><br></div><div>two</div>", "one\n\ntwo"),
    ("<div style='display:none'>hidden</div>seen", "seen"),
    ("<div style='color:red; DISPLAY : none !important'>hidden</div>seen", "seen"),
    ("before <span hidden>hidden</span> after", "before after"),
    ("<div>new</div><blockquote type=cite><p>a</p>b</blockquote>below", "new\n\n> a\n>\n> b\n>\nbelow"),
    ("<blockquote style='margin-left:40px'>indented</blockquote>", "indented"),
    ("<img src='data:image/png;base64," + "A" * 1_500_000 + "'>seen", "seen"),
]


@pytest.mark.parametrize(("html", "text"), HTML)
def test_html_becomes_what_a_reader_sees(html: str, text: str) -> None:
    assert html_to_text(html) == text


OLD = "> My invoice is wrong.\n> I am furious."
REPLIES = [
    f"Thanks!\n\nOn Mon, 4 May 2026 at 10:00, Help <help@example.com> wrote:\n{OLD}",
    f"Thanks!\n\nOn Mon, 4 May 2026 at 10:00, The Help Desk\n<help@example.com> wrote:\n\n{OLD}",
    f"Thanks!\r\n\r\nAm 04.05.2026 um 10:00 schrieb Hilfe <hilfe@example.com>:\r\n{OLD}",
    f"Thanks!\n\nLe lun. 4 mai 2026 à 10:00, Aide <aide@example.com> a écrit :\n{OLD}",
    f"Thanks!\n\nEl lun, 4 may 2026 a las 10:00, Ayuda (<ayuda@example.com>) escribió:\n{OLD}",
    f"Thanks!\n\nEm seg., 4 de mai. de 2026, Ajuda <ajuda@example.com> escreveu:\n{OLD}",
    f"Thanks!\n\nOp ma 4 mei 2026 om 10:00 schreef Hulp <hulp@example.com>:\n{OLD}",
    f"Thanks!\n\nDen mån 4 maj 2026 kl 10:00 skrev Hjälp <hjalp@example.com>:\n{OLD}",
    f"On Mon, 4 May 2026 at 10:00, Help <help@example.com> wrote:\n{OLD}\n\nThanks!",
    "Thanks!\n\n-----Original Message-----\nFrom: Help\nSent: Monday\nTo: Ann\nSubject: Invoice\n\nIt is wrong.",
    "Thanks!\n\n-----Ursprüngliche Nachricht-----\nVon: Hilfe\nGesendet: Montag\nAn: Ann\nBetreff: Rechnung\n\nFalsch.",
    "Thanks!\n\nFrom: Help <help@example.com>\nSent: Monday, 4 May 2026\nTo: Ann\nSubject: Invoice\n\nIt is wrong.",
    html_to_text(
        "<p>Thanks!<div class=gmail_quote>On Mon, Help wrote:<blockquote class=gmail_quote>Wrong!</blockquote></div>"
    ),
    html_to_text("Thanks!<br><blockquote type=cite><div>On 4 May 2026, at 10:00, Help wrote:</div>Wrong!</blockquote>"),
]


@pytest.mark.parametrize("reply", REPLIES)
def test_only_the_new_part_of_a_reply_is_kept(reply: str) -> None:
    assert without_quoted_reply(reply) == "Thanks!"


KEPT = [
    "",
    OLD,
    "Hi,\nDate: 4 May\nTo: Berlin\nMy train was late.",
    "Hi,\nOn Monday your agent wrote:\nIt is refunded. But it is not.",
    "I have two questions:\n- one\n- two\n--\nAnn",
    "Look\n________________________________\nAnn Smith, ACME",
    "From: Help\nSent: Monday\nTo: Ann\nSubject: Invoice\n\nNothing stands above.",
    "Look\n\n---------- Forwarded message ---------\nFrom: Bank\nDate: Monday\nSubject: Invoice\nTo: Ann\n\nPay now.",
    "Schau\n\n-------- Weitergeleitete Nachricht --------\nVon: Bank\nDatum: Montag\nBetreff: Rechnung\n\nZahlen Sie.",
]


@pytest.mark.parametrize("text", KEPT)
def test_words_of_a_customer_are_never_lost(text: str) -> None:
    assert without_quoted_reply(text) == text


def test_answers_between_quoted_lines_stay() -> None:
    text = "On 4 May 2026, Help <help@example.com> wrote:\n> Which one?\nThe blue.\n> Since when?\nToday.\n\nAnn"
    assert without_quoted_reply(text) == "The blue.\nToday.\n\nAnn"


@pytest.mark.parametrize(
    "text",
    ["key: value\n" * 90_000, "Am schrieb " * 90_000, "> a\n\n" * 200_000, "<div>" * 200_000, "<p hidden>x" * 90_000]
    + ["<a " + " ".join(f"a{number}" for number in range(140_000)) + ">x"],
)
def test_any_text_is_processed_quickly(text: str) -> None:
    begun = time.process_time()
    without_quoted_reply(html_to_text(text) if text.startswith("<") else text)
    assert time.process_time() - begun < 20
