"""Turns HTML into text, and a subject and body into one. Pure."""

import re

from lxml import etree

_PARAGRAPHS = {"blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"}
_LINES = {"address", "article", "aside", "caption", "dd", "details", "div", "dt", "fieldset", "figcaption", "figure"}
_LINES |= {"footer", "form", "header", "hr", "legend", "li", "main", "nav", "option", "section", "summary", "tr"}
_CELLS = {"td", "th"}
_HIDDEN = etree.XPath("//head | //script | //style | //template | //noscript | //*[@hidden]")
_STYLED = etree.XPath("//*[@style]")
_INVISIBLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all"
    r"|(?:opacity|max-height)\s*:\s*0(?:\.0*)?(?:px)?\s*(?:;|!|$)",
    re.IGNORECASE,
)
# Longer tags hold images, or thousands of attributes that are slow to parse.
_LONG_TAG = re.compile(r"<[^<>]{5000,}>")

_ELEMENT = re.compile(
    r"\s*<(?:!doctype|html|head|body|meta|style|div|p|table|span|font|center|h[1-6]|ul|ol|b|strong|br)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_HTML_BREAK = re.compile(r"<br\s{0,9}/?>|</p>|</div>", re.IGNORECASE)
_SEARCHED = 100_000


def html_to_text(html: str) -> str:
    """The visible text: a line per block, a space between table cells, `>` before quoted lines."""
    html = re.sub(r"\s+", " ", _LONG_TAG.sub(" ", html))
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    root = etree.fromstring(html.encode(errors="replace"), parser)
    if root is None:
        return ""
    unseen = (element for element in _STYLED(root) if _INVISIBLE.search(element.get("style")))
    for hidden in (*_HIDDEN(root), *unseen):
        _remove(hidden)
    text = _TextBuilder()
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            text.begin(element)
        else:
            text.end(element)
    return tidy_lines(re.sub("[ \xa0]+", " ", "".join(text.parts)))


def plain_text(body: str) -> str:
    """The body, converted to text if it is HTML: it begins with an element or has several line breaks of HTML."""
    is_html = "<" in body and (_ELEMENT.match(body) or len(_HTML_BREAK.findall(body, 0, _SEARCHED)) > 1)
    return html_to_text(body) if is_html else body


def tidy_lines(text: str) -> str:
    """Strip each line, and collapse runs of empty lines."""
    lines = "\n".join(line.strip() for line in text.replace("\r\n", "\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def with_subject(subject: str, body: str) -> str:
    """Subject and body as one text, without repeating a subject that the body begins with."""
    subject, body = " ".join(subject.split()), body.strip()
    return body if not subject or body.startswith(subject) else f"{subject}\n\n{body}".strip()


def _remove(element: etree._Element) -> None:
    """Remove an element, but keep the text after it."""
    parent = element.getparent()
    if parent is None:
        element.clear()
        return
    previous = element.getprevious()
    if previous is None:
        parent.text = (parent.text or "") + (element.tail or "")
    else:
        previous.tail = (previous.tail or "") + (element.tail or "")
    parent.remove(element)


class _TextBuilder:
    """Collects text in lines from the start and end of each element."""

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
    """Mail programs also indent with a blockquote; those have neither mark."""
    return element.tag == "blockquote" and (element.get("type") == "cite" or "quote" in element.get("class", ""))
