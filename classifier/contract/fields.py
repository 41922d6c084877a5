"""Reads an answer that is written as fields: `category: Billing` on lines, or `<category>Billing</category>`. Pure."""

import json
import re
from collections.abc import Iterable, Iterator

from classifier.contract.key_names import KEYS, known_key

_LINE = re.compile(r"[ \t]*+(?:[-*•]\s+)?[*_\"'`]*+(\w+)[*_\"'`]*+\s*+[:=]\s*+[*_]*+\s*+(.*?)[ \t,*_]*+", re.DOTALL)
_ELEMENT = re.compile(r"\s*<(\w+)>([^<>]*)</\1>\s*")
_ROOT = re.compile(r"\s*<(\w+)>(.*)</\1>\s*", re.DOTALL)
_NAMED = re.compile(r"(\w+)\W{0,4}?[:=>]")


def may_imitate(texts: Iterable[str]) -> bool:
    """Whether any of these texts, quoted by a model, could be read as a field."""
    return any(known_key(name) in KEYS for text in texts for name in _NAMED.findall(text))


def as_object(text: str) -> str:
    """The fields as a JSON object; the text itself unless it is nothing but fields, each once."""
    pairs = list(_elements(text) or _lines(text))
    keys = [key for key, _value in pairs]
    if not {"category", "sentiment"} <= set(keys) or len(set(keys)) < len(keys) or not set(keys) <= set(KEYS):
        return text
    return json.dumps(dict(pairs))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.strip().splitlines():
        match = _LINE.fullmatch(line)
        if match:
            yield known_key(match[1]), match[2]
        elif line.strip():
            # A line that belongs to no field: the reply is more than fields.
            yield "", line


def _elements(text: str) -> list[tuple[str, str]]:
    inner = root[2] if (root := _ROOT.fullmatch(text)) and known_key(root[1]) not in KEYS else text
    matches = list(_ELEMENT.finditer(inner))
    whole = "".join(match[0] for match in matches) == inner
    return [(known_key(match[1]), match[2].strip()) for match in matches] if whole else []
