"""What people wrote, out of what mail programs and help desks make of it. Pure."""

import re

import quotequail
from lxml import etree

_PARAGRAPHS = {"blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"}
_LINES = {"address", "article", "aside", "caption", "dd", "details", "div", "dt", "fieldset", "figcaption", "figure"}
_LINES |= {"footer", "form", "header", "hr", "legend", "li", "main", "nav", "option", "section", "summary", "tr"}
_CELLS = {"td", "th"}
_HIDDEN = etree.XPath(
    "//head | //script | //style | //template | //noscript | //*[@hidden]"
    " | //*[contains(translate(@style, 'DISPLAYNOE \t', 'displaynoe'), 'display:none')]"
)
# Longer ones hold images, and a parser takes long over a hundred thousand attributes.
_LONG_TAG = re.compile(r"<[^<>]{5000,}>")

# More is not looked at for quotes, which would take long in lines made for that.
_MOST_LINES = 1_000
_LONGEST_LINE = 300
_REPLY_HEADERS = {"from", "date", "subject"}
_FORWARDED = "forward|weitergeleitet|weiterleitung|transféré|réexpédié|reenviado|doorgestuurd|vidarebefordra|пересыла"
_FORWARD = re.compile(rf"^-.*(?:{_FORWARDED})|^[^:]*(?:{_FORWARDED})[^:]*:$", re.IGNORECASE | re.MULTILINE)


def html_to_text(html: str) -> str:
    """The text that a reader sees: a line for each block, a space between cells, `>` before what a reply quotes."""
    html = re.sub(r"\s+", " ", _LONG_TAG.sub(" ", html))
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    root = etree.fromstring(html.encode(errors="replace"), parser)
    if root is None:
        return ""
    for hidden in _HIDDEN(root):
        _remove(hidden)
    page = _Page()
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            page.begin(element)
        else:
            page.end(element)
    return tidy_lines(re.sub("[ \xa0]+", " ", "".join(page.parts)))


def tidy_lines(text: str) -> str:
    """Lines without blanks around them, and never more than one empty line in a row."""
    lines = "\n".join(line.strip() for line in text.replace("\r\n", "\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def without_quoted_reply(text: str) -> str:
    """Without the earlier message that a reply repeats; all of it where nothing else is there.

    What stands above, between and below quoted lines stays, and so does a message that is passed on.
    """
    text = tidy_lines(text)
    lines = text.split("\n")
    own = [line for line in _around_quote(lines) if not line.startswith(">")]
    return tidy_lines("\n".join(own)) or text


def with_subject(subject: str, body: str) -> str:
    """Subject and body as one text; a subject that the body begins with is said once."""
    subject, body = " ".join(subject.split()), body.strip()
    return body if not subject or body.startswith(subject) else f"{subject}\n\n{body}".strip()


def _remove(element: etree._Element) -> None:
    """Take out an element, and leave the text behind it."""
    parent = element.getparent()
    if parent is None:
        element.clear()
        return
    before = element.getprevious()
    if before is None:
        parent.text = (parent.text or "") + (element.tail or "")
    else:
        before.tail = (before.tail or "") + (element.tail or "")
    parent.remove(element)


class _Page:
    """The text of elements as they begin and end, in lines."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._line_is_empty = True
        self._quotes = 0

    def begin(self, element: etree._Element) -> None:
        if element.tag in _PARAGRAPHS or element.tag in _LINES:
            self._end_line()
        if _is_quote(element):
            self._quotes += 1
            self._break()
        self._write(element.text)

    def end(self, element: etree._Element) -> None:
        if element.tag in _CELLS:
            self.parts.append(" ")
        elif element.tag in _PARAGRAPHS or element.tag in _LINES:
            self._end_line()
        if _is_quote(element):
            self._quotes -= 1
        if element.tag in _PARAGRAPHS or element.tag == "br":
            self._break()
        self._write(element.tail)

    def _write(self, text: str | None) -> None:
        if text:
            self.parts.append(text)
            self._line_is_empty = self._line_is_empty and text.isspace()

    def _end_line(self) -> None:
        if not self._line_is_empty:
            self._break()

    def _break(self) -> None:
        self.parts.append("\n> " if self._quotes else "\n")
        self._line_is_empty = True


def _is_quote(element: etree._Element) -> bool:
    """Mail programs indent by the same element, and then say neither."""
    return element.tag == "blockquote" and (element.get("type") == "cite" or "quote" in element.get("class", ""))


def _around_quote(lines: list[str]) -> list[str]:
    """The lines above and below what is quoted, as far as it is certain that something is."""
    seen = [line[:_LONGEST_LINE] for line in lines[:_MOST_LINES]]
    quote = quotequail.unwrap("\n".join(seen)) or {}
    above, below = _count(quote.get("text_top", "")), _count(quote.get("text_bottom", ""))
    if any(line.startswith(">") for line in seen[above:]) and quote:
        return [*lines[:above], *lines[len(seen) - below :]]
    separator = "\n".join(lines[max(above - 1, 0) : above + 3])
    is_reply = quote.keys() >= _REPLY_HEADERS and not _FORWARD.search(separator)
    return lines[:above] if is_reply else lines


def _count(text: str) -> int:
    return text.count("\n") + 1 if text else 0
