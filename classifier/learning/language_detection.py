"""Tells whether a text is in English, the language that the encoder was trained on.

The tokenizer splits unknown words into pieces, and knows few words of other languages, which also lack English's small
words.
"""

import re
from collections.abc import Sequence

FEWEST_WORDS = 3
MOST_PIECES = 1.4
"""Pieces for a word: English support messages have 1.0 to 1.3, German and French ones 1.5 to 2.2."""
FEWEST_COMMON = 0.15
"""A text with at least this share of small English words counts as English."""

_WORD = re.compile(r"[^\W\d_]+")
_SMALL_WORDS = """
about after all and any are at be been but by can could did do does for from get had have help how i if is it its
just my need not of or our out please she still than thanks that the their them then there they this to up us we were
what when where which who why with would you your
"""
_COMMON = frozenset(_SMALL_WORDS.split())
"""Excludes words that are also common in related languages."""


def is_foreign(text: str, pieces: Sequence[tuple[int, int]]) -> bool:
    """Whether the encoder does not know the text's language; `pieces` are the offsets of its tokens."""
    words = [(match.start(), match.end()) for match in _WORD.finditer(text)]
    if len(words) < FEWEST_WORDS and not _has_no_spaces(text, words):
        return False
    lettered = sum(1 for start, end in pieces if end > start and _WORD.search(text, start, end))
    common = sum(text[start:end].lower() in _COMMON for start, end in words)
    return lettered > MOST_PIECES * len(words) and common < FEWEST_COMMON * len(words)


def reads_like_english(text: str) -> bool:
    """Whether a text without letters of other alphabets has as many of English's small words as English has."""
    words = _WORD.findall(text)
    small = sum(word.lower() in _COMMON for word in words)
    return all(word.isascii() for word in words) and small >= FEWEST_COMMON * len(words)


def _has_no_spaces(text: str, words: Sequence[tuple[int, int]]) -> bool:
    """Scripts without spaces turn a sentence into one long word."""
    return any(end - start >= 6 and not text[start:end].isascii() for start, end in words)
