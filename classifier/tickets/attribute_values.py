"""Reads stored answers to attributes: named for pages, typed for the API."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from classifier.contract.types import AttributeKind
from classifier.models import Attribute, AttributeOption
from classifier.models.attributes import StoredAnswers


class NamedAnswer(NamedTuple):
    """An attribute with its answer: an option's name, several, true or false, or a text."""

    attribute: Attribute
    value: str | bool | list[str]

    @property
    def name(self) -> str:
        return self.attribute.name

    @property
    def text(self) -> str:
        """The answer as a person reads it."""
        if isinstance(self.value, bool):
            return _("yes") if self.value else _("no")
        return ", ".join(self.value) if isinstance(self.value, list) else self.value


class AttributeReader:
    """Names the answers of some rows (two queries, or none where no row has any). A merged option reads as its
    successor; what is unknown is left out.
    """

    def __init__(self, rows: Iterable[StoredAnswers]) -> None:
        answers = [row for row in rows if row]
        self._attributes = list(Attribute.objects.filter(pk__in={key for row in answers for key in row}))
        choosing = [attribute for attribute in self._attributes if attribute.has_options]
        wanted = {pk for row in answers for attribute in choosing for pk in _keys(row.get(str(attribute.pk)))}
        options = AttributeOption.objects.filter(pk__in=wanted).select_related("merged_into") if wanted else []
        self._options = {option.pk: option.merged_into or option for option in options}

    def answers(self, row: StoredAnswers) -> list[NamedAnswer]:
        """The row's answers in the order of the attributes."""
        return list(self._answers(row))

    def typed(self, row: StoredAnswers) -> dict[str, Any]:
        """The row's answers by the attributes' keys."""
        return {attribute.key: value for attribute, value in self._answers(row)}

    def _answers(self, row: StoredAnswers) -> Iterator[NamedAnswer]:
        for attribute in self._attributes if row else []:
            value = row.get(str(attribute.pk))
            if attribute.has_options:
                names = [self._options[pk].name for pk in _keys(value) if pk in self._options]
                value = list(dict.fromkeys(names))
                if attribute.kind == AttributeKind.ONE_OF:
                    value = value[0] if value else None
            if value not in (None, "", []):
                yield NamedAnswer(attribute, value)


def _keys(value: Any) -> list[int]:
    """The keys of options in an answer."""
    return value if isinstance(value, list) else [value] if isinstance(value, int) else []
