"""Separates what a customer wrote now from the thread that a mail program quotes, and from the signature. Pure.

Words of the customer must never be lost, so that text is only left out where a mail program's own marks show that it is
quoted: a line such as "On 4 May 2026, Help wrote:", a block of headers, a separator, or lines with `>` below them.
"""

import re
from collections.abc import Iterator, Sequence

from classifier.ingest.message_text import tidy_lines, with_subject
from classifier.ingest.quote_marks import (
    BELOW_IS_QUOTED,
    DISCLAIMER,
    EVIDENCE,
    FORWARD,
    FORWARD_SUBJECT,
    HEADER,
    HEADER_KINDS,
    INTRO_END,
    INTRO_START,
    MOBILE_FOOTER,
    REPLY_SUBJECT,
    SEPARATOR,
)
from classifier.text import LONGEST_TICKET

# Crafted lines would take long.
_MAX_LINES, _MAX_LINE_LENGTH = 1_000, 300
_MAX_INTRO_LINES = 4
_MAIL_CHANNELS = {"email", "mail"}
_MAIL_SOURCES = _MAIL_CHANNELS | {"freshdesk", "front", "gmail", "helpscout", "imap", "outlook", "zammad", "zendesk"}
"""Where tickets come from by e-mail, unless their channel says otherwise."""
_HEADER_LINES = 12
_FOOTER_LINES = 100
_SIGNATURE_LINES, _LOOSE_SIGNATURE_LINES, _SIGNATURE_WIDTH = 12, 6, 60


def new_text(text: str, subject: str = "") -> str:
    """What is new in a message: without the quoted thread and the signature; the whole text if nothing else is left.

    Text above, between and below quoted lines stays, and so do forwarded messages.
    """
    whole = tidy_lines(text)
    lines = whole.split("\n")
    kept = _without_footer(_unquoted(lines, subject))
    return tidy_lines("\n".join(kept)) or whole


def ticket_texts(subject: str, body: str) -> dict[str, str]:
    """The `text` that is classified, below its subject, and the `whole_message` if that has more, or else ""."""
    new, whole = new_text(body, subject), tidy_lines(body)
    text, whole_message = (with_subject(subject, text)[:LONGEST_TICKET] for text in (new, whole))
    return {"text": text, "whole_message": "" if new == whole else whole_message}


def texts_of_message(text: str, *, channel: str, source: str) -> dict[str, str]:
    """The same for a text that came without its subject apart, and perhaps by e-mail; others stay as they are."""
    if not _is_mail(channel, source):
        return {"text": text, "whole_message": ""}
    first, _blank, rest = text.replace("\r\n", "\n").partition("\n\n")
    subject = first if "\n" not in first and (REPLY_SUBJECT.match(first) or FORWARD_SUBJECT.match(first)) else ""
    texts = ticket_texts(subject, rest if subject else text)
    return {"text": texts["text"], "whole_message": text} if texts["whole_message"] else texts | {"text": text}


def _is_mail(channel: str, source: str) -> bool:
    named = channel or source.partition(":")[0]
    return re.sub(r"[\W_]", "", named.casefold()) in (_MAIL_CHANNELS if channel else _MAIL_SOURCES)


def _unquoted(lines: Sequence[str], subject: str) -> list[str]:
    searched = [line[:_MAX_LINE_LENGTH] for line in lines[:_MAX_LINES]]
    marked = [at for at, line in enumerate(lines) if line.startswith(">")]
    forward = 0 if FORWARD_SUBJECT.match(subject) else len(searched)
    forward = next((at for at in range(forward) if FORWARD.search(searched[at])), forward)
    for start, end, everything in _quotes(searched[:forward], searched):
        above = any(line for line in lines[:start] if not line.startswith(">"))
        if everything and above:
            return _without_marked(lines[:start], marked)
        if not everything:
            return _without_marked([*lines[:start], *[""] * (end - start), *lines[end:]], marked)
    is_reply = REPLY_SUBJECT.match(subject) or any(INTRO_END.search(lines[at][:_MAX_LINE_LENGTH]) for at in marked)
    return _without_marked(lines, marked) if is_reply else list(lines)


def _without_marked(lines: Sequence[str], marked: Sequence[int]) -> list[str]:
    gone = set(marked)
    return [line for at, line in enumerate(lines) if at not in gone]


def _quotes(searched: Sequence[str], whole: Sequence[str]) -> Iterator[tuple[int, int, bool]]:
    """Start and end of what introduces quotes, in order, and whether everything below is quoted."""
    for at, line in enumerate(searched):
        if not line or line.startswith(">"):
            continue
        if BELOW_IS_QUOTED.search(line) or (SEPARATOR.match(line) and _next_line(whole, at + 1)):
            yield at, at + 1, True
        elif HEADER.match(line) and _is_header_block(whole[at : at + _HEADER_LINES]):
            yield _above_rule(whole, at), at + 1, True
        elif line.endswith((":", ":", "-")):
            start = _intro_start(whole, at)
            intro = " ".join(whole[start : at + 1])[-_MAX_LINE_LENGTH:]
            marked = _next_line(whole, at + 1).startswith(">")
            if INTRO_END.search(intro) and (marked or EVIDENCE.search(intro)):
                yield start, at + 1, not marked


def _next_line(lines: Sequence[str], at: int) -> str:
    return next((line for line in lines[at : at + 3] if line), "")


def _above_rule(lines: Sequence[str], at: int) -> int:
    """Where a rule begins that a mail program draws above the headers; else the headers themselves."""
    before = next((place for place in range(at - 1, max(at - 3, -1), -1) if lines[place]), at)
    return before if re.fullmatch(r"[-_=\s*]{5,}", lines[before]) else at


def _is_header_block(lines: Sequence[str]) -> bool:
    """Whether sender and subject are among the headers that begin here, with a date or recipient."""
    kinds: set[str] = set()
    others = 0
    for line in lines:
        kind = next((kind for kind, pattern in HEADER_KINDS.items() if pattern.match(line)), "")
        others += not kind and bool(line)
        if others > 2:
            break
        kinds.add(kind)
    return kinds >= {"from", "subject"} and bool(kinds & {"date", "to"})


def _intro_start(lines: Sequence[str], at: int) -> int:
    """Where a line that introduces a quote begins, since mail programs wrap it."""
    for start in range(at, max(at - _MAX_INTRO_LINES, -1), -1):
        if not lines[start]:
            break
        if INTRO_START.match(lines[start]) and (start == at or re.search(r"\d", lines[start])):
            return start
    return at


def _without_footer(lines: list[str]) -> list[str]:
    """Without the signature, a telephone's footer and a disclaimer, which stand at the end."""
    first = next((at for at, line in enumerate(lines) if line), len(lines))
    for at in range(max(first + 1, len(lines) - _FOOTER_LINES), len(lines)):
        line = lines[at]
        if not line:
            continue
        rest = [below for below in lines[at + 1 :] if below]
        if MOBILE_FOOTER.match(line[:_MAX_LINE_LENGTH]) and len(rest) <= 2:
            return lines[:at]
        if line in ("--", "—") and _is_signature(rest):
            return lines[:at]
        if not lines[at - 1] and DISCLAIMER.match(line[:_MAX_LINE_LENGTH]):
            return lines[:at]
    return lines


def _is_signature(lines: Sequence[str]) -> bool:
    short = all(len(line) <= _SIGNATURE_WIDTH and not line.endswith("?") for line in lines[:_LOOSE_SIGNATURE_LINES])
    return len(lines) <= (_SIGNATURE_LINES if short else 0)
