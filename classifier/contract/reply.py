"""Reads a model's reply. What can be read in one way only is read; anything else fails with the reason. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from classifier.contract import attributes, fields, further_categories, relaxed_json
from classifier.contract.answer import InvalidAnswer, checked
from classifier.contract.key_names import KEYS, known_key
from classifier.contract.options import names
from classifier.contract.types import Answer, Contract, FailureKind

_LONGEST_SEARCHED, _MOST_STARTS = 20_000, 50
"""Characters, without reasoning, in which an object is looked for among other words; and braces that are tried."""

_MORE_KEYS = (further_categories.KEY, attributes.KEY)
_MORE = re.compile(rf',\s*"({"|".join(_MORE_KEYS)})"\s*:')

_DEEPEST = 3
"""How many objects may be around the answer."""

_THOUGHT_NAMES = "(?:think|thinking|thought|reasoning|reflection|seed:think)"
_THOUGHT_TAG = re.compile(rf"[<\[◁](/?){_THOUGHT_NAMES}[>\]▷]", re.IGNORECASE)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_TOKEN = re.compile(r"<\|\w+\|>")
_LANGUAGE = re.compile(r"[\w-]*")
_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+"?)|,(?=\s*[}\]])', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model sent: its text, the arguments of its tool calls, reasoning that came apart from the text, and
    whether the reply was cut off at the token limit.
    """

    content: str = ""
    tool_arguments: tuple[str, ...] = ()
    reasoning: str = ""
    cut_off: bool = False


class ParsedReply(NamedTuple):
    """An answer, the part of the reply that holds it, and whether the reply had to be repaired to be read."""

    answer: Answer
    literal: str
    repaired: bool


class _Repeated(dict[str, Any]):
    """An object in which a key came more than once, always with the same value."""


class _Found(NamedTuple):
    values: dict[str, Any]
    literal: str


def parse(reply: Reply, contract: Contract, *, shown: Sequence[str] = ()) -> ParsedReply:
    """Read and check a model's reply. Raises InvalidAnswer.

    `shown` are the customers' texts that the model saw. If one of them holds braces, only a reply that is nothing but
    the object is read; if one holds marks of reasoning, none are taken for the model's. So no quotation becomes the
    answer.
    """
    try:
        if answer := _as_asked(reply.content, contract):
            return ParsedReply(answer, reply.content, repaired=False)
        found = _the_one(_candidates(reply, shown))
        return ParsedReply(
            checked({key: _only(value) for key, value in found.values.items()}, contract), found.literal, repaired=True
        )
    except InvalidAnswer:
        if head := _without_more(reply, contract):
            return parse(head, contract, shown=shown)._replace(repaired=True)
        if reply.cut_off:
            raise InvalidAnswer(FailureKind.CUT_OFF, "It was cut off; keep the reasoning to a few words.") from None
        raise


def _without_more(reply: Reply, contract: Contract) -> Reply | None:
    """The reply up to its further keys, so that what breaks in them costs no label; None if they are not its end."""
    begins = list(_MORE.finditer(reply.content)) if _further(contract) else []
    repeated = len({key[1] for key in begins}) < len(begins)
    if not begins or repeated or reply.content.count('"category"') != 1:
        return None
    return Reply(content=reply.content[: begins[0].start()] + "}")


def _as_asked(content: str, contract: Contract) -> Answer | None:
    """The answer of a reply that follows the contract to the letter; None if it doesn't."""
    try:
        values = _STRICT.decode(content)
    except (ValueError, RecursionError):
        return None
    if type(values) is not dict or set(values) != {*KEYS, *_further(contract)}:
        return None
    exact = (
        values["category"] in names(contract.categories)
        and values["sentiment"] in names(contract.sentiments)
        and type(values["confidence"]) in (int, float)
        and 0 <= values["confidence"] <= 1
        and isinstance(values["reasoning"], str)
        and values["reasoning"].strip()
    )
    return checked(values, contract) if exact else None


def _further(contract: Contract) -> Sequence[str]:
    """The answer's keys besides KEYS."""
    asked = {further_categories.KEY: contract.further_categories, attributes.KEY: contract.attributes}
    return [key for key, wanted in asked.items() if wanted]


def _candidates(reply: Reply, shown: Sequence[str]) -> list[_Found]:
    """Every object of the reply that is meant as an answer. Raises InvalidAnswer if there is none."""
    imitates_marks = any(_THOUGHT_TAG.search(text) or _TOKEN.search(text) for text in shown)
    quotable = imitates_marks or any("{" in text for text in shown)
    alone = quotable or reply.cut_off
    content = _as_json(reply.content if imitates_marks else _without_reasoning(reply.content), shown)
    found, invalid = _answers(content, alone=alone, quotable=quotable)
    for arguments in reply.tool_arguments:
        found += _answers(_as_json(arguments, shown), alone=True, quotable=quotable)[0]
    if not found and not alone and not reply.content.strip():
        found = _answers(_as_json(reply.reasoning, shown), alone=True, quotable=quotable)[0]
    if not found:
        raise invalid or InvalidAnswer(FailureKind.BROKEN_JSON, "It holds no JSON object.")
    return found


def _as_json(text: str, shown: Sequence[str]) -> str:
    """The text with objects that aren't quite JSON, or fields, as JSON, unless a quoted ticket could be taken for such
    a part.
    """
    if len(text) <= _LONGEST_SEARCHED and not relaxed_json.may_imitate(shown):
        if "{" in text:
            return relaxed_json.rewrite(text)
        if not fields.may_imitate(shown):
            return fields.as_object(_unfenced(text))
    return text


def _answers(text: str, *, alone: bool, quotable: bool) -> tuple[list[_Found], InvalidAnswer | None]:
    """Objects that name a category and a sentiment; if there is none, why."""
    invalid = None
    try:
        objects = [_whole(text)]
    except InvalidAnswer as error:
        objects, invalid = [] if alone else list(_objects(text)), error
    answers = [answer for found in objects for answer in _within(found, 0 if quotable else _DEEPEST)]
    if objects and not answers:
        keys = ", ".join(sorted(_by_key(objects[-1].values))) or "none"
        invalid = InvalidAnswer(
            FailureKind.WRONG_KEYS, f"It must have exactly the keys {', '.join(KEYS)}; it has {keys}."
        )
    return answers, invalid


def _within(found: _Found, depth: int) -> Iterator[_Found]:
    """The object itself if it names a category and a sentiment, else what it wraps, as in a tool call."""
    values = _by_key(found.values)
    if {"category", "sentiment"} <= set(values):
        yield _Found(values, found.literal)
    elif depth:
        for value in map(_only, found.values.values()):
            if isinstance(value, str) and value.lstrip().startswith("{"):
                with suppress(InvalidAnswer):
                    yield from _within(_whole(value), depth - 1)
            elif isinstance(value, dict):
                yield from _within(_Found(value, found.literal), depth - 1)


def _the_one(found: list[_Found]) -> _Found:
    if any(_labels(other.values) != _labels(found[-1].values) for other in found):
        raise InvalidAnswer(FailureKind.AMBIGUOUS, "It holds several answers that differ.")
    return found[-1]


def _labels(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return values["category"], values["sentiment"], values.get("confidence")


def _without_reasoning(text: str) -> str:
    """The text without what a model thought aloud before it answered."""
    if channels := list(_CHANNEL.finditer(text)):
        finals = (text[channel.end() :] for channel in channels if channel[1] == "final")
        text = "\n".join(_TOKEN.split(final, maxsplit=1)[0] for final in finals)
    kept, begin, thinking = list[str](), 0, False
    for tag in _THOUGHT_TAG.finditer(text):
        if not tag[1]:
            kept += [] if thinking else [text[begin : tag.start()]]
            thinking = True
        else:
            # Some templates open the thought themselves, so that only its end is in the reply.
            kept = kept if thinking else []
            begin, thinking = tag.end(), False
    return "".join(kept if thinking else [*kept, text[begin:]])


def _whole(text: str) -> _Found:
    """The object that the text consists of, perhaps in a code fence. Raises InvalidAnswer."""
    text = _unfenced(text)
    try:
        value, end = _decoded(text, 0)
    except (ValueError, RecursionError) as error:
        raise InvalidAnswer(FailureKind.BROKEN_JSON, f"It isn't JSON ({error}).") from None
    if text[end:].strip():
        raise InvalidAnswer(FailureKind.BROKEN_JSON, "It isn't JSON alone.")
    value = _only(value)
    if isinstance(value, str):
        return _whole(value)
    if not isinstance(value, dict):
        raise InvalidAnswer(FailureKind.BROKEN_JSON, "It isn't a JSON object.")
    return _Found(value, text)


def _unfenced(text: str) -> str:
    """The text without a code fence around it."""
    text = text.strip().strip("\ufeff")
    if len(text) > 6 and text.startswith("```") and text.endswith("```"):
        text = _LANGUAGE.sub("", text[3:-3], count=1).strip()
    return text


def _objects(text: str) -> Iterator[_Found]:
    """The JSON objects among other words, outermost ones only."""
    if len(text) > _LONGEST_SEARCHED:
        raise InvalidAnswer(FailureKind.BROKEN_JSON, "It holds too much besides the JSON object.")
    start, tries = text.find("{"), 0
    while start >= 0 and tries < _MOST_STARTS:
        tries += 1
        try:
            value, end = _decoded(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield _Found(value, text[start:end])
        start = text.find("{", end)


def _decoded(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins here, and where it ends; a comma may follow the last item."""
    try:
        return _LENIENT.raw_decode(text, start)
    except ValueError:
        # A blank in the comma's place keeps all positions.
        rest = _STRING_OR_TRAILING_COMMA.sub(lambda match: match[1] or " ", text[start:])
        value, length = _LENIENT.raw_decode(rest)
        return value, start + length


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    _refuse_difference(pairs, values)
    return _Repeated(values)


def _by_key(values: dict[str, Any]) -> dict[str, Any]:
    """The contract's keys of an object, in any case or language; all of its keys if it has none of those."""
    pairs = [(known_key(key), value) for key, value in values.items()]
    known = [(key, value) for key, value in pairs if key in (*KEYS, *_MORE_KEYS)]
    _refuse_difference(known, dict(known))
    return dict(known) or dict(pairs)


def _refuse_difference(pairs: list[tuple[str, Any]], values: dict[str, Any]) -> None:
    if different := [key for key, value in pairs if values[key] != value]:
        raise InvalidAnswer(FailureKind.AMBIGUOUS, f"The key {different[0][:40]} appears twice, with different values.")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} isn't a JSON number")


_STRICT = json.JSONDecoder(object_pairs_hook=_unrepeated, parse_constant=_refuse_constant)
_LENIENT = json.JSONDecoder(object_pairs_hook=_unrepeated, parse_constant=_refuse_constant, strict=False)


def _only(value: Any) -> Any:
    """What a list of one holds."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value
