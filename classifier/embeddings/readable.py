"""What the encoder reads of a text. Pure."""

import re

LONGEST_TEXT = 1_400
"""Characters, about what fits into the encoder's 256 tokens; of a longer text it reads the beginning and the end."""

_NOISE = re.compile(r"<[^<>]{1,200}>|https?://\S+|(?<!\w)@\w+")


def readable(text: str) -> str:
    """What the encoder is given: without markup, addresses and handles, the middle of long texts left out."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[: LONGEST_TEXT * 2 // 3]} … {text[-LONGEST_TEXT // 3 :]}"
    return " ".join(_NOISE.sub(" ", text).split()) or text[:LONGEST_TEXT]
