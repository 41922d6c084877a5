"""Makes strings safe for databases and terminals. Pure."""

LONGEST_TICKET = 1_048_576
"""Characters; a longer message is refused at every door with this figure in the error."""

_DOTS = "..."
_JOINERS = "\u200c\u200d"  # unprintable by name, but part of how Persian and emoji are written
_UNSTORABLE = {0: "\ufffd"} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def key_from(text: str) -> int | None:
    """The database key that a form or an address states; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def storable(text: str) -> str:
    """The text with characters that no database stores (NUL, lone surrogates) replaced by U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.translate(_UNSTORABLE)


def excerpt(text: str, length: int) -> str:
    """The first `length` characters on one printable line, with dots if more follows."""
    # A terminal obeys control characters, and the text of a ticket may be hostile.
    line = " ".join(text[: length * 4 + 200].split())
    line = "".join(character if character.isprintable() or character in _JOINERS else "\ufffd" for character in line)
    return line if len(line) <= length + len(_DOTS) and len(text) <= length * 4 + 200 else line[:length] + _DOTS
