"""Rewrites as JSON what models write in its place: Python's literals, other quotes, bare keys, comments. Pure."""

import json
import re
from collections.abc import Iterable

_TOKEN = re.compile(
    r"""
    (?P<string> "(?:[^"\\]|\\.)*+" )
    | (?P<quoted> '(?:[^'\\]|\\.)*+' | ‘(?:[^‘’\\]|\\.)*+’ | “(?:[^“”\\]|\\.)*+” | „(?:[^„“”\\]|\\.)*+[“”] )
    | (?P<comment> //[^\n]*+ | \#[^\n]*+ | /\*(?:[^*]|\*(?!/))*+\*/ )
    | (?P<word> [^\W\d][\w-]*+ )
    | (?P<number> [-+]?[\d.][\d.eE+-]*+ )
    | (?P<opening> [{\[] ) | (?P<closing> [}\]] ) | (?P<sign> [:,] ) | (?P<blank> \s++ )
    """,
    re.VERBOSE | re.DOTALL,
)
_ENDS_A_STRING = re.compile(r"""["'‘’“”„]\s*+(?:[,:}\]\#]|//|/\*)|[{}]""")
_CONSTANTS = {"True": "true", "False": "false", "None": "null", "NaN": '"NaN"', "Infinity": '"Infinity"'}
_KEY_FOLLOWS = re.compile(r"\s*+:")
_QUOTE_OR_ESCAPE = re.compile(r"\\(.)|\"", re.DOTALL)
_MOST_STARTS = 50


def may_imitate(texts: Iterable[str]) -> bool:
    """Whether any of these texts, quoted by a model, could end a string and go on as an object."""
    return any(_ENDS_A_STRING.search(text) for text in texts)


def rewrite(text: str) -> str:
    """The text with each object that isn't JSON, but can be read in one way, written as JSON."""
    parts, begin, start = list[str](), 0, text.find("{")
    for _try in range(_MOST_STARTS):
        if start < 0:
            break
        try:
            rewritten, end = _object(text, start)
        except ValueError:
            end = start + 1
        else:
            parts += [text[begin:start], rewritten]
            begin = end
        start = text.find("{", end)
    return "".join([*parts, text[begin:]])


def _object(text: str, start: int) -> tuple[str, int]:
    """The object that begins here as JSON, and where it ends. Raises ValueError."""
    parts, depth, at, comma = list[str](), 0, start, -1
    while match := _TOKEN.match(text, at):
        at, kind, part = match.end(), str(match.lastgroup), match[0]
        if kind == "closing" and comma >= 0:
            parts[comma] = " "
        if kind not in ("blank", "comment"):
            comma = len(parts) if part == "," else -1
        parts.append(_as_json(kind, part, text, at))
        depth += (kind == "opening") - (kind == "closing")
        if not depth:
            return "".join(parts), at
    raise ValueError("the object doesn't end")


def _as_json(kind: str, part: str, text: str, end: int) -> str:
    if kind == "comment":
        return " "
    if kind == "quoted":
        return f'"{_QUOTE_OR_ESCAPE.sub(_escaped, part[1:-1])}"'
    if kind != "word" or part in ("true", "false", "null"):
        return part
    if _KEY_FOLLOWS.match(text, end):
        return json.dumps(part)
    if part not in _CONSTANTS:
        raise ValueError("a string has no quotes")
    return _CONSTANTS[part]


def _escaped(match: re.Match[str]) -> str:
    """A quote or an escape within another kind of quotes, as JSON escapes it."""
    if match[1] is None:
        return '\\"'
    return match[1] if match[1] in "'‘’“”„" else match[0]
