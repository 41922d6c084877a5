"""Detects texts that may be prompt injections: instructions about labels, prompts or confidence, or fake answers. Pure.

False positives only cost a review. Since no list of patterns is complete, `may_be_injection` finds texts that merely
use typical words; `pipeline.injection_check` verifies their labels another way.

A text is checked as it is and with disguises removed: lookalike letters, invisible characters, digits for letters,
encodings. Time is linear in the length of the text: every gap in a pattern is bounded, and a pattern is tried only if
one of its words occurs.
"""

import base64
import binascii
import codecs
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

from classifier.security.prompt_injection_patterns import HINTS, LINE_PATTERNS, TEXT_PATTERNS, normalized

DETECTOR_VERSION = 4
"""Increase it with every change of what is detected: earlier certificates apply to other tickets."""


def is_suspected_injection(text: str) -> bool:
    """Whether the text addresses the model, openly or in disguise."""
    return any(_matches(view) for view in _views(text))


def may_be_injection(text: str) -> bool:
    """Whether the text uses words that are typical of instructions, or hides something."""
    return any(HINTS.search(" ".join(view.split())) for view in _views(text)) or _hides_something(text)


def _matches(view: str) -> bool:
    line = " ".join(view.split())
    return any(pattern.is_in(line) for pattern in TEXT_PATTERNS) or any(
        pattern.is_in(view) for pattern in LINE_PATTERNS
    )


def _views(text: str) -> Iterator[str]:
    """The text in lower case without accents, without disguises, and decoded."""
    if not text.isascii() and (tagged := _TAGS.findall(text)):
        yield normalized("".join(chr(ord(character) - 0xE0000) for character in tagged))
    as_read = normalized(text)
    yield as_read
    yield from _undisguised(as_read)
    for decoded in _decoded(text):
        view = normalized(decoded)
        yield view
        yield from _undisguised(view)


_TAGS = re.compile("[\U000e0020-\U000e007e]")
"""Invisible copies of ASCII characters, which models can read."""
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
        # In spaced-out text only wider gaps separate words; the patterns allow for missing gaps.
        yield _SPACED.sub(lambda run: re.sub(r"(?<=\w)[ .\-_*|](?=\w)", "", run[0]), text)
        yield _SPACED.sub(lambda run: re.sub(r"(?<=\w)[.\-_*|](?=\w)", "", run[0]), text)
    if _HYPHENS.search(text):
        yield _HYPHENS.sub("", text)


_OF_TWO_SCRIPTS = re.compile(r"(?=\w{0,30}[a-z])(?=\w{0,30}[\u0370-\u03ff\u0400-\u04ff])\w{3,}", re.IGNORECASE)


def _hides_something(text: str) -> bool:
    return bool(_TAGS.search(text) or _OF_TWO_SCRIPTS.search(text)) or next(_decoded_runs(text), None) is not None


_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}[ :]?){16,}")
_MAX_RUNS = 20
"""How many runs of each encoding are decoded: messages contain a few, logs many."""


def _decoded(text: str) -> Iterator[str]:
    yield from _decoded_runs(text)
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


def _decoded_runs(text: str) -> Iterator[str]:
    for number, run in enumerate(_BASE64.finditer(text)):
        if number == _MAX_RUNS:
            break
        yield from _readable(_from_base64(run[0]))
    for number, run in enumerate(_HEX.finditer(text)):
        if number == _MAX_RUNS:
            break
        yield from _readable(bytes.fromhex(re.sub(r"[ :]", "", run[0])))


def _from_base64(run: str) -> bytes:
    run = run.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(run[: len(run) // 4 * 4])
    except binascii.Error:
        return b""


def _readable(decoded: bytes) -> Iterator[str]:
    text = decoded.decode("utf-8", "ignore")
    if len(text) > 10 and sum(character.isprintable() for character in text) > 0.9 * len(decoded):
        yield text
