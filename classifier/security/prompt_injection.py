"""Does a ticket's text speak to the model that labels it? Customers write to people; a text that gives orders about
labels, prompts and confidence, or poses as an answer, is one that nobody lets pass unseen. Pure.

It errs to the side of people: what is found only costs a look. New words get past any list, so a text that might be
such an order is told as well; `dictation` has somebody vouch for what was answered to that.

It reads a text as it stands, and as it would read without what hides words: foreign letters of the same shape,
invisible characters, digits for letters, encodings. Time grows with the length of the text alone: every gap in a
pattern is bounded, and a pattern is tried only where one of its words stands.
"""

import base64
import binascii
import codecs
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

from classifier.security.prompt_injection_patterns import HINTS, LINE_PATTERNS, TEXT_PATTERNS, normalized

DETECTOR_VERSION = 2
"""Raised with every change of what is found: a threshold that was certified before is of other tickets."""


def is_suspected_injection(text: str) -> bool:
    """Whether the text addresses whoever labels it, openly or in disguise."""
    return any(_found(view) for view in _views(text))


def may_be_injection(text: str) -> bool:
    """Whether it uses words in which one could, or hides something: that is no sign of it yet."""
    return any(HINTS.search(" ".join(view.split())) for view in _views(text)) or _hides_something(text)


def _found(view: str) -> bool:
    line = " ".join(view.split())
    return any(sign.is_in(line) for sign in TEXT_PATTERNS) or any(sign.is_in(view) for sign in LINE_PATTERNS)


def _views(text: str) -> Iterator[str]:
    """The text in small letters without accents and disguises, then what it says where it is in code."""
    if not text.isascii() and (tagged := _TAGS.findall(text)):
        yield normalized("".join(chr(ord(one) - 0xE0000) for one in tagged))
    as_read = normalized(text)
    yield as_read
    yield from _undisguised(as_read)
    for decoded in _decoded(text):
        view = normalized(decoded)
        yield view
        yield from _undisguised(view)


_TAGS = re.compile("[\U000e0020-\U000e007e]")
"""Invisible doubles of ASCII, which models read."""
_SHAPES = str.maketrans(
    "абвгеікмнорстухѕјԛԝһӏ" + "αβεικνορτυχ" + "ɡıℓ", "abbreikmhopctyxsjqwhl" + "abeiknoptux" + "gil"
)
_DIGITS = str.maketrans("0134578@$!", "oieastbasi")
_MIXED = re.compile(r"(?<![\w@$!])(?=[\w@$!]{0,30}[a-z])(?=[\w@$!]{0,30}[0134578@$!])[\w@$!]{3,30}")
_SPACED = re.compile(r"(?<!\w)(?:\w[ .\-_*|]{1,3}){5,100}\w(?!\w)")
_HYPHENS = re.compile(r"(?<=\w)-\s{0,3}\n\s{0,3}(?=\w)")


def _undisguised(text: str) -> Iterator[str]:
    if not text.isascii():
        yield text.translate(_SHAPES)
    if _MIXED.search(text):
        yield _MIXED.sub(lambda word: word[0].translate(_DIGITS), text)
    if _SPACED.search(text):
        # Words are told apart by wider gaps, if at all: the patterns' own gaps make up for it.
        yield _SPACED.sub(lambda run: re.sub(r"(?<=\w)[ .\-_*|](?=\w)", "", run[0]), text)
        yield _SPACED.sub(lambda run: re.sub(r"(?<=\w)[.\-_*|](?=\w)", "", run[0]), text)
    if _HYPHENS.search(text):
        yield _HYPHENS.sub("", text)


_OF_TWO_SCRIPTS = re.compile(r"(?=\w{0,30}[a-z])(?=\w{0,30}[\u0370-\u03ff\u0400-\u04ff])\w{3,}", re.IGNORECASE)


def _hides_something(text: str) -> bool:
    return bool(_TAGS.search(text) or _OF_TWO_SCRIPTS.search(text)) or next(_in_code(text), None) is not None


_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}[ :]?){16,}")
_MOST_CODED = 20
"""Runs of either code that are looked into: messages carry a few, logs carry many."""


def _decoded(text: str) -> Iterator[str]:
    yield from _in_code(text)
    if "%" in text:
        yield unquote(text)
    if "&" in text:
        yield html.unescape(text)
    if re.search(r"rot.?13|caesar|decode|decipher", text, re.IGNORECASE):
        yield codecs.encode(text, "rot13")
    if "\u202e" in text or _BACKWARDS.search(text):
        yield text[::-1]


_BACKWARDS = re.compile(
    r"backwards?|reversed?|sdrawkcab|yrogetac|ecnedifnoc|rewsna|tnemitnes|noitcurtsni", re.IGNORECASE
)


def _in_code(text: str) -> Iterator[str]:
    for number, run in enumerate(_BASE64.finditer(text)):
        if number == _MOST_CODED:
            break
        yield from _readable(_from_base64(run[0]))
    for number, run in enumerate(_HEX.finditer(text)):
        if number == _MOST_CODED:
            break
        yield from _readable(bytes.fromhex(re.sub(r"[ :]", "", run[0])))


def _from_base64(run: str) -> bytes:
    run = run.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(run[: len(run) // 4 * 4])
    except binascii.Error:
        return b""


def _readable(found: bytes) -> Iterator[str]:
    text = found.decode("utf-8", "ignore")
    if len(text) > 10 and sum(one.isprintable() for one in text) > 0.9 * len(found):
        yield text
