"""Tells the language of a text, by character n-grams and with naive Bayes (Lui and Baldwin 2012, "langid.py")."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

LANGUAGES = (
    *("ar", "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "hu", "id", "it", "ja", "ko", "nl"),
    *("no", "pl", "pt", "ro", "ru", "sr", "sv", "th", "tr", "uk", "vi", "zh"),
)
"""ISO 639-1 codes of those that are told apart; more would be mistaken for each other."""
UNKNOWN = ""
SURE = 0.5
"""The probability below which a language stays unknown."""
LONGEST = 2_000
"""Characters that are looked at."""
FEWEST_COMMON = 0.15
"""A text with at least this share of small English words counts as English."""

_WORD = re.compile(r"[^\W\d_]+")
_MARKUP = re.compile(r"<[^<>]{1,200}>")
_CODE = re.compile(r"[@\d/\\_=]")
"""In addresses, numbers and names of code, which are in no language."""
_SMALL_WORDS = """
about after all and any are at be been but by can could did do does for from get had have help how i if is it its
just my need not of or our out please she still than thanks that the their them then there they this to up us we were
what when where which who why with would you your
"""
_COMMON = frozenset(_SMALL_WORDS.split())
"""Excludes words that are also common in related languages."""


@lru_cache(maxsize=4_096)
def language_of(text: str) -> str:
    """The code of the text's language; UNKNOWN if there is too little to tell, as in code or emoji alone."""
    words = _MARKUP.sub(" ", text[:LONGEST]).split()
    plain = " ".join(word for word in words if not _CODE.search(word))
    if not _WORD.search(plain):
        return UNKNOWN
    language, probability = _identifier().classify(plain)
    return str(language) if probability >= SURE else UNKNOWN


def reads_like_english(text: str) -> bool:
    """Whether a text without letters of other alphabets has as many of English's small words as English has."""
    words = _WORD.findall(text)
    small = sum(word.lower() in _COMMON for word in words)
    return all(word.isascii() for word in words) and small >= FEWEST_COMMON * len(words)


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """Built of the columns of these languages only: all of them would take another 50 MB."""
    from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier
    from py3langid.modelio import load_model

    weights, priors, codes, moves, rows, output = load_model(Path(MODEL_DIR) / MODEL_FILE)
    columns = [column for column, code in enumerate(codes) if code in LANGUAGES]
    weights, priors = np.asarray(weights)[:, columns].copy(), np.asarray(priors)[columns]
    return LanguageIdentifier(
        weights, priors, [codes[column] for column in columns], moves, output, norm_probs=True, tk_row=rows
    )
