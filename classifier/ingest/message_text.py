"""What people wrote, out of what mail programs and help desks make of it. Pure."""

import re
from html.parser import HTMLParser

_BLOCKS = {"p", "div", "br", "li", "tr", "table", "ul", "ol", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6"}
_UNSEEN = {"script", "style", "head", "title", "template"}


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS and tag != "br":
            self.parts.append("\n")
        self._unseen = max(self._unseen - (tag in _UNSEEN), 0)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(re.sub(r"\s+", " ", data))


def from_html(html: str) -> str:
    """The text that a reader sees, a line for each block; scripts and styles are none."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    return tidy("".join(parser.parts))


def tidy(text: str) -> str:
    """Lines without blanks around them, and never more than one empty line in a row."""
    lines = "\n".join(line.strip() for line in text.replace("\r\n", "\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def without_quotes(text: str) -> str:
    """Without lines that begin with `>`, which repeat what somebody wrote before; all of it where nothing else is
    there.
    """
    own = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(">"))
    return tidy(own) or tidy(text)


def message(subject: str, body: str) -> str:
    """Subject and body as one text; a subject that the body begins with is said once."""
    subject, body = " ".join(subject.split()), body.strip()
    return body if not subject or body.startswith(subject) else f"{subject}\n\n{body}".strip()
