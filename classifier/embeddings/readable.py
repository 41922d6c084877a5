"""Prepares a text for the encoder. Pure."""

import re

LONGEST_TEXT = 1_400
"""Characters, about as many as fit into the encoder's 256 tokens."""

_NOISE = re.compile(r"<[^<>]{1,200}>|https?://\S+|(?<!\w)@\w+")


def readable(text: str) -> str:
    """The text without markup, URLs and handles; long texts lose their middle."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[: LONGEST_TEXT * 2 // 3]} … {text[-LONGEST_TEXT // 3 :]}"
    return " ".join(_NOISE.sub(" ", text).split()) or text[:LONGEST_TEXT]
