"""What a card consists of: opinions, choices, and what is selected."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from review.screen.attribute_options import AskedAttribute, Sent, packed
from review.screen.label_options import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One answer of a model or a person, without naming whose it is."""

    category_pk: int
    sentiment_pk: int
    category: str
    sentiment: str
    confidence: str = ""
    words: str = ""
    further_pks: Sequence[int] = ()
    further: Sequence[str] = ()
    answers: Sent = field(default_factory=dict)
    named_answers: Sequence[tuple[str, str]] = ()

    @property
    def value(self) -> str:
        """The label in a field of the form."""
        label = f"{self.category_pk}-{self.sentiment_pk}"
        return f"{label} {packed(self.answers)}" if self.answers else label


class Choice(NamedTuple):
    """One label, the person's shortcut for it, and whether it is selected."""

    option: Option
    key: str
    checked: bool
    further: bool = False
    """Whether it is selected as a further category."""


class AttributeField(NamedTuple):
    """An attribute, the person's shortcut for it, and what is selected."""

    attribute: AskedAttribute
    key: str
    sent: Sequence[str]

    @property
    def text(self) -> str:
        return self.attribute.text(self.sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The form's selection: labels by key, typed category, answers to attributes, notes. `unanswered` is the attribute
    whose answer was refused.
    """

    category: int | None = None
    other: str = ""
    sentiment: int | None = None
    attributes: Sent = field(default_factory=dict)
    unanswered: int | None = None
    note: str = ""
    why: str = ""
    further: Sequence[int] = ()
    further_typed: str = ""
    escalating: bool = False
    errors: tuple[str, ...] = ()
