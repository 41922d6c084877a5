"""The attributes that the review screen asks about, and how its form sends their answers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from classifier.contract import patterns
from classifier.contract.attributes import LONGEST_VALUE, NO, YES
from classifier.contract.types import AttributeKind, is_inside
from classifier.models.attributes import StoredAnswers
from review.screen import queries

Sent = Mapping[int, Sequence[str]]
"""By attribute, what a form sends: keys of options, yes or no, or a text."""

NUMBERED = 8
"""Attributes with a key of their own."""


class Unanswerable(Exception):
    """What was sent is no answer; the message says what would be."""


class AttributeOption(NamedTuple):
    value: str
    name: str


@dataclass(kw_only=True)
class AskedAttribute:
    """An attribute with its offered options; `number` is that of its shortcut, `above` names the categories that it is
    asked of, and `successors` of options that were merged.
    """

    pk: int
    name: str
    description: str
    kind: AttributeKind
    pattern: str
    required: bool
    number: int
    above: tuple[str, ...] = ()
    options: list[AttributeOption] = field(default_factory=list)
    successors: dict[int, int] = field(default_factory=dict)

    @property
    def field_name(self) -> str:
        return f"attribute_{self.pk}"

    @property
    def action(self) -> str:
        """The shortcut action that opens it; empty if it has none."""
        return f"attribute_{self.number}" if self.number <= NUMBERED else ""

    @property
    def choices(self) -> list[AttributeOption]:
        """What can be chosen; nothing for a text."""
        if self.kind == AttributeKind.YES_NO:
            return [AttributeOption(YES, _("yes")), AttributeOption(NO, _("no"))]
        return self.options

    def is_asked_of(self, category: str) -> bool:
        """Whether tickets of this category, by full name, have it."""
        return is_inside(category, self.above)

    def sent(self, stored: Any) -> list[str]:
        """What a form sends for a stored answer; nothing for an option that is no longer offered."""
        if isinstance(stored, bool):
            return [YES if stored else NO]
        if isinstance(stored, str):
            return [stored]
        keys = {str(self.successors.get(key, key)) for key in (stored if isinstance(stored, list) else [stored])}
        return [option.value for option in self.options if option.value in keys]

    def text(self, sent: Sequence[str]) -> str:
        """An answer as a person reads it."""
        if self.kind == AttributeKind.TEXT:
            return "".join(sent)
        return ", ".join(choice.name for choice in self.choices if choice.value in sent)

    def stored(self, sent: Sequence[str]) -> Any:
        """The answer as it is stored; None if there is none. Raises Unanswerable."""
        values = [value.strip() for value in sent if value.strip()]
        if self.required and not values:
            raise Unanswerable(_("Answer “%s”.") % self.name)
        if not values:
            return None
        if self.kind == AttributeKind.TEXT:
            return self._checked_text(values[0])
        if not set(values) <= {choice.value for choice in self.choices}:
            raise Unanswerable(_("“%s” no longer has this option.") % self.name)
        if self.kind == AttributeKind.YES_NO:
            return values[0] == YES
        keys = [int(option.value) for option in self.options if option.value in values]
        return keys if self.kind == AttributeKind.SEVERAL_OF else keys[0]

    def _checked_text(self, text: str) -> str:
        limits = {"name": self.name, "number": LONGEST_VALUE, "pattern": self.pattern}
        if len(text) > LONGEST_VALUE:
            raise Unanswerable(_("“%(name)s” takes at most %(number)d characters.") % limits)
        if not patterns.fits(self.pattern, text):
            raise Unanswerable(_("“%(name)s” doesn't match %(pattern)s.") % limits)
        return text


def load() -> tuple[AskedAttribute, ...]:
    """The active attributes in order (two queries)."""
    above: dict[int, list[str]] = {}
    for attribute, category in queries.categories_of_attributes():
        above.setdefault(attribute, []).append(category)
    attributes: dict[int, AskedAttribute] = {}
    for pk, number, name, description, kind, pattern, required, *option in queries.active_attributes():
        attribute = attributes.setdefault(
            pk,
            AskedAttribute(
                pk=pk,
                number=number,
                name=name,
                description=description,
                kind=AttributeKind(kind),
                pattern=pattern,
                required=bool(required),
                above=tuple(above.get(pk, ())),
            ),
        )
        _add_option(attribute, *option)
    return tuple(attributes.values())


def _add_option(attribute: AskedAttribute, pk: int | None, name: str, successor: int | None) -> None:
    if pk and successor:
        attribute.successors[pk] = successor
    elif pk:
        attribute.options.append(AttributeOption(str(pk), name))


def sent_answers(attributes: Iterable[AskedAttribute], stored: StoredAnswers) -> dict[int, list[str]]:
    """What a form sends for stored answers, by attribute."""
    return {
        attribute.pk: sent
        for attribute in attributes
        if str(attribute.pk) in stored and (sent := attribute.sent(stored[str(attribute.pk)]))
    }


def missing(attributes: Iterable[AskedAttribute], category: str, stored: StoredAnswers) -> bool:
    """Whether a required attribute of this category, by full name, has no answer."""
    asked = (attribute for attribute in attributes if attribute.required and attribute.is_asked_of(category))
    return any(not attribute.sent(stored.get(str(attribute.pk), [])) for attribute in asked)


def packed(sent: Sent) -> str:
    """Answers in one field of a form."""
    return json.dumps(sent, ensure_ascii=False)


def unpacked(text: str) -> dict[int, list[str]]:
    """The answers of `packed`; none if it is anything else."""
    try:
        values = json.loads(text)
        return {int(key): [str(value) for value in answers] for key, answers in values.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
