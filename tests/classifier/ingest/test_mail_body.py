"""The text of an e-mail is found, whatever is wrong with its MIME."""

import base64
from email import message_from_bytes

import pytest

from classifier.ingest.mail_body import body_text, header_text

pytestmark = pytest.mark.once

GERMAN, HEBREW, RUSSIAN = (
    "Die Rechnung für März ist falsch",
    "החשבונית שלי שגויה",
    "Счёт неверный, исправьте пожалуйста",
)
CHARSETS = [
    ("text/plain; charset=iso-8859-8-i", HEBREW, "iso-8859-8"),
    ("text/plain; charset=cp-850", GERMAN, "cp850"),
    ("text/plain; charset=default", GERMAN, "cp1252"),
    ("text/plain; charset=x-user-defined", GERMAN, "utf-8"),
    ("text/plain; charset=unknown-8bit", RUSSIAN, "cp1251"),
    ("text/plain; charset=us-ascii", GERMAN, "cp1252"),
    ("text/plain; charset=us-ascii", RUSSIAN, "koi8-r"),
    ("text/plain; charset=utf-8", GERMAN, "cp1252"),
    ("text/plain; charset=base64", GERMAN, "cp1252"),
    ("text/plain; charset=iso-8859-1", "50 € – “fine”", "cp1252"),
    ("text/plain; charset = 'UTF-8'", GERMAN, "utf-8"),
    ("text/plain charset=windows-1251", RUSSIAN, "cp1251"),
    ("text/plain; charset=win-1251", RUSSIAN, "cp1251"),
    ("text/plain; charset=ks_c_5601-1987", "청구서가 잘못되었습니다", "cp949"),
    ("", GERMAN, "cp1252"),
    ("", GERMAN, "utf-8"),
    ("nonsense", GERMAN, "utf-8"),
    ("text", GERMAN, "cp1252"),
]


@pytest.mark.parametrize(("kind", "text", "encoding"), CHARSETS)
def test_no_letter_is_lost_whatever_charset_is_declared(kind: str, text: str, encoding: str) -> None:
    head = f"Content-Type: {kind}\n" if kind else "Subject: x\n"
    assert body_text(message_from_bytes(head.encode() + b"\n" + text.encode(encoding))) == text


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=us-ascii", "text/html charset=nonsense"])
def test_the_charset_may_stand_in_the_html_alone(kind: str) -> None:
    html = f'<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><p>{RUSSIAN}</p>'
    assert body_text(message_from_bytes(f"Content-Type: {kind}\n\n".encode() + html.encode("cp1251"))) == RUSSIAN


PARTS = "--b\nContent-Type: text/plain; charset=utf-8\n\nÜber alles\n--b\nContent-Type: image/png\n\nx\n"
PARTS += "--b\nContent-Type: text/plain; charset=utf-8\n\nund drunter\n--b--\n"
INNER = "Subject: Old\nContent-Type: text/plain\n\nInner words.\n"
BODIES = [
    (f"Content-Type: multipart/mixed; boundary=b\n\n{PARTS}", "Über alles\n\nund drunter"),
    (f"Content-Type: multipart/mixed\n\n{PARTS}", "Über alles\n\nund drunter"),
    (f"Content-Type: multipart/mixed; boundary=other\n\n{PARTS}", "Über alles\n\nund drunter"),
    ("Content-Type: multipart/mixed\n\nNo parts at all.", "No parts at all."),
    (
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit\n\n"
        + base64.encodebytes(f"{GERMAN}\n{GERMAN}".encode()).decode(),
        f"{GERMAN}\n{GERMAN}",
    ),
    (
        "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nSee the HTML part.\n"
        "--b\nContent-Type: text/html\n\n<p>My invoice of last month is wrong, please send me a new one.</p>\n--b--\n",
        "My invoice of last month is wrong, please send me a new one.",
    ),
    (
        "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nMy invoice is wrong.\n"
        "--b\nContent-Type: text/html\n\n<p>My <b>invoice</b> is wrong.</p>\n--b--\n",
        "My invoice is wrong.",
    ),
    (
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee below.\n--b\nContent-Type: message/rfc822\n\n"
        f"{INNER}--b--\n",
        "See below.\n\nOld\n\nInner words.",
    ),
    (f"Content-Type: message/rfc822\n\n{INNER}", "Old\n\nInner words."),
    ("Content-Type: text/plain\n\n<div>Seen as <b>HTML</b></div>", "Seen as HTML"),
    ("Content-Type: application/pdf\n\nJVBERi0", ""),
]


@pytest.mark.parametrize(("raw", "text"), BODIES)
def test_the_text_of_a_malformed_message_is_found(raw: str, text: str) -> None:
    assert body_text(message_from_bytes(raw.encode())) == text


SUBJECTS = [
    (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?iso-8859-1?q?K=F6ln?=", "Grüße aus Köln"),
    ("Grüße".encode(), "Grüße"),
    ("Счёт неверный".encode("cp1251"), "Счёт неверный"),
    (b"=?iso-8859-8-i?b?" + base64.b64encode(HEBREW.encode("iso-8859-8")) + b"?=", HEBREW),
    (b"=?unknown?q?fine?=", "fine"),
    (b"=?utf-8?b?!!!!?=", "=?utf-8?b?!!!!?="),
]


@pytest.mark.parametrize(("raw", "subject"), SUBJECTS)
def test_a_subject_is_decoded(raw: bytes, subject: str) -> None:
    assert header_text(message_from_bytes(b"Subject: " + raw + b"\n\nx"), "Subject") == subject
