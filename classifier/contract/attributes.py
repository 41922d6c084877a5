"""Words attributes for models, and checks the answers to them one by one. Pure."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from classifier.contract import patterns
from classifier.contract.options import folded, line, matching_name, names, quoted
from classifier.contract.types import Answer, AttributeKind, AttributeTerms, AttributeValue, Option
from classifier.text import storable

KEY = "attributes"
"""The answer's key that holds the answers to attributes."""

LONGEST_VALUE = 300
"""Characters of an answer to a text attribute."""

_LONGEST_ENUM = 200
"""Options in a schema; endpoints refuse longer lists, which stay in the prompt only. Every answer is checked anyway."""

_MOST_CHOICES = 255

YES, NO = "yes", "no"

_TOKENS = {AttributeKind.ONE_OF: 25, AttributeKind.YES_NO: 15, AttributeKind.SEVERAL_OF: 80, AttributeKind.TEXT: 80}

_INTRODUCTION = f"""\
The JSON object has one key more, after all others: "{KEY}", an object with exactly the keys below. A value is null \
where the ticket does not say it; never guess."""

_ASKS = {
    AttributeKind.ONE_OF: "one of its options below, spelt exactly so, or null",
    AttributeKind.YES_NO: "true, false or null",
    AttributeKind.SEVERAL_OF: "a list of those of its options below that apply, spelt exactly so; empty if none does",
    AttributeKind.TEXT: "copied from the ticket letter by letter, or null",
}


class _Unusable(Exception):
    """An answer that is none of the attribute's."""


def answer_tokens(attributes: Iterable[AttributeTerms]) -> int:
    """About how many tokens these attributes add to an answer, at most."""
    return sum(_TOKENS[attribute.kind] for attribute in attributes)


def listing(attributes: Sequence[AttributeTerms]) -> str:
    """The part of the prompt that asks for the attributes."""
    return "\n".join([_INTRODUCTION, *chain.from_iterable(map(_lines, attributes))])


def _lines(attribute: AttributeTerms) -> Iterable[str]:
    described = f" ({attribute.description})" if attribute.description else ""
    yield f'- "{attribute.key}": {attribute.name}{described}: {_ASKS[attribute.kind]}{_conditions(attribute)}'
    for option in attribute.options:
        yield f"  {line(option)}"


def _conditions(attribute: AttributeTerms) -> str:
    conditions = []
    if attribute.is_scale:
        conditions.append("the options are a scale, in order")
    if attribute.pattern:
        conditions.append(f"it must match the regular expression {json.dumps(attribute.pattern, ensure_ascii=False)}")
    if attribute.categories:
        above = ", ".join(json.dumps(name, ensure_ascii=False) for name in attribute.categories)
        conditions.append(f"asked only if the category is or is inside one of {above}, else null")
    if attribute.examples:
        word = "true for example" if attribute.kind == AttributeKind.YES_NO else "for example"
        conditions.append(f"{word} {quoted(attribute.examples)}")
    if attribute.counterexamples:
        conditions.append(f"false for example {quoted(attribute.counterexamples)}")
    return "".join(f"; {condition}" for condition in conditions) + "."


def schema(attributes: Sequence[AttributeTerms]) -> dict[str, Any]:
    """The JSON schema of the answers to these attributes."""
    return {
        "type": "object",
        "properties": {attribute.key: _value_schema(attribute) for attribute in attributes},
        "required": [attribute.key for attribute in attributes],
        "additionalProperties": False,
    }


def _value_schema(attribute: AttributeTerms) -> dict[str, Any]:
    offered = names(attribute.options)
    listed = len(offered) <= _LONGEST_ENUM
    match attribute.kind:
        case AttributeKind.YES_NO:
            return {"type": ["boolean", "null"]}
        case AttributeKind.SEVERAL_OF:
            return {"type": "array", "items": {"type": "string"} | ({"enum": offered} if listed else {})}
        case AttributeKind.ONE_OF:
            return {"type": ["string", "null"]} | ({"enum": [*offered, None]} if listed else {})
    return {"type": ["string", "null"]}


def choices(attribute: AttributeTerms) -> tuple[Option, ...]:
    """What a question with one answer can offer: at least two options, or yes and no; nothing for other kinds."""
    match attribute.kind:
        case AttributeKind.ONE_OF if len(attribute.options) > 1:
            return attribute.options
        case AttributeKind.YES_NO:
            examples = {YES: attribute.examples, NO: attribute.counterexamples}
            return tuple(Option(name=name, examples=texts) for name, texts in examples.items())
    return ()


def question_choices(attribute: AttributeTerms) -> tuple[Option, ...]:
    """The same for a decisions endpoint, which refuses longer lists."""
    offered = choices(attribute)
    return offered if len(offered) <= _MOST_CHOICES else ()


def question(attribute: AttributeTerms) -> str:
    """The attribute as a question of its own."""
    described = f" ({attribute.description})" if attribute.description else ""
    return f"{attribute.name}{described}: what does the customer's support ticket say?"


def chosen_value(attribute: AttributeTerms, choice: str) -> AttributeValue:
    """The answer that one of `choices`, by name, stands for."""
    return choice == YES if attribute.kind == AttributeKind.YES_NO else choice


def text_by_pattern(attribute: AttributeTerms, text: str) -> str:
    """The only text in the ticket that matches the pattern; empty if there is none or no pattern."""
    return patterns.only_match(attribute.pattern, text) or "" if attribute.pattern else ""


def usable_values(
    given: Any, attributes: Sequence[AttributeTerms], category: str
) -> tuple[dict[str, AttributeValue], tuple[str, ...]]:
    """The usable answers by key, and the keys of the unusable ones; attributes that this category does not have are
    neither. An empty answer is usable, and left out.
    """
    asked = [attribute for attribute in attributes if attribute.is_asked_of(category)]
    values = {folded(key): value for key, value in given.items()} if isinstance(given, Mapping) else {}
    usable: dict[str, AttributeValue] = {}
    unusable: list[str] = []
    for attribute in asked:
        try:
            value = _CHECKS[attribute.kind](values[folded(attribute.key)], attribute)
        except (KeyError, _Unusable):
            unusable.append(attribute.key)
        else:
            if value not in ("", None, ()):
                usable[attribute.key] = value
    return usable, tuple(unusable)


def misfits(values: Mapping[str, AttributeValue], attributes: Sequence[AttributeTerms]) -> list[str]:
    """The keys of texts that don't match their pattern."""
    return [
        attribute.key
        for attribute in attributes
        if attribute.key in values and not patterns.fits(attribute.pattern, str(values[attribute.key]))
    ]


def without_misfits(answer: Answer, attributes: Sequence[AttributeTerms]) -> Answer:
    """The answer without its misfits, which count as unusable.

    Apart from `usable_values`, since a text may have been masked until now.
    """
    misfitting = misfits(answer.attributes, attributes)
    if not misfitting:
        return answer
    fitting = {key: value for key, value in answer.attributes.items() if key not in misfitting}
    return replace(answer, attributes=fitting, unusable=(*answer.unusable, *misfitting))


def accepted_answers(
    given: Mapping[str, Any], attributes: Sequence[AttributeTerms], category: str
) -> tuple[dict[str, Any], list[str]]:
    """Answers that people gave elsewhere, as they are stored, and the keys of those that no attribute takes."""
    every = {attribute.key: given.get(attribute.key) for attribute in attributes}
    usable, _unusable = usable_values(every, attributes, category)
    fitting = {key: value for key, value in usable.items() if key not in misfits(usable, attributes)}
    refused = [key for key, value in given.items() if key not in fitting and value not in (None, "", [])]
    return stored_answers(fitting, attributes), refused


def stored_answers(values: Mapping[str, AttributeValue], attributes: Sequence[AttributeTerms]) -> dict[str, Any]:
    """Answers as they are stored: by the attribute's primary key, options by theirs."""
    return {
        str(attribute.pk): _stored(values[attribute.key], attribute)
        for attribute in attributes
        if attribute.key in values
    }


def _stored(value: AttributeValue, attribute: AttributeTerms) -> Any:
    keys = {option.name: option.keys[0] for option in attribute.options}
    if isinstance(value, tuple):
        return [keys[name] for name in value]
    return keys[str(value)] if attribute.kind == AttributeKind.ONE_OF else value


def _option(value: Any, attribute: AttributeTerms) -> str | None:
    only = value[0] if isinstance(value, list) and len(value) == 1 else value
    name = matching_name(only, names(attribute.options))
    if name is None and only not in (None, "", [], "null"):
        raise _Unusable
    return name


def _truth(value: Any, _attribute: AttributeTerms) -> bool | None:
    if value is None or value is True or value is False:
        return value
    known = {"yes": True, "true": True, "no": False, "false": False, "": None, "null": None}
    if not isinstance(value, str) or folded(value) not in known:
        raise _Unusable
    return known[folded(value)]


def _options(value: Any, attribute: AttributeTerms) -> tuple[str, ...]:
    chosen = {_option(item, attribute) for item in (value if isinstance(value, list) else [value])}
    return tuple(name for name in names(attribute.options) if name in chosen)


def _text(value: Any, _attribute: AttributeTerms) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Unusable
    text = " ".join(storable(str(value)).split())
    if len(text) > LONGEST_VALUE:
        raise _Unusable
    return "" if text == "null" else text


_CHECKS: dict[AttributeKind, Callable[[Any, AttributeTerms], Any]] = {
    AttributeKind.ONE_OF: _option,
    AttributeKind.YES_NO: _truth,
    AttributeKind.SEVERAL_OF: _options,
    AttributeKind.TEXT: _text,
}
