"""The labels on offer: those with a shortcut by key, all of them by typing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from classifier.models import Category, Sentiment
from classifier.models.taxonomy import paths
from review.screen import attribute_options, queries
from review.screen.attribute_options import AskedAttribute


class Option(NamedTuple):
    """One label: its primary key, its full name, and the number of its shortcut, if it has one."""

    pk: int
    name: str
    axis: str
    shortcut: int | None

    @property
    def action(self) -> str:
        """The shortcut action that selects it; empty if it has none."""
        return f"{self.axis}_{self.shortcut}" if self.shortcut else ""


class _Node(NamedTuple):
    pk: int
    name: str
    parent_id: int | None


class CategoryNotFound(Exception):
    """No category or several match the typed text; the message lists them."""


@dataclass(frozen=True, slots=True)
class Options:
    """The active categories, sentiments and attributes."""

    categories: tuple[Option, ...]
    sentiments: tuple[Option, ...]
    attributes: tuple[AskedAttribute, ...] = ()

    @classmethod
    def current(cls) -> "Options":
        """Load the active labels in order (one query, and two more if there are attributes)."""
        rows = queries.active_labels()
        nodes = {pk: _Node(pk, name, parent) for axis, pk, name, parent, _shortcut in rows if axis == "category"}
        shortcuts = {(axis, pk): shortcut for axis, pk, _name, _parent, shortcut in rows}
        categories = [
            Option(pk, name, "category", shortcuts["category", pk]) for pk, name in paths(nodes.values()).items()
        ]
        sentiments = [Option(pk, name, axis, shortcut) for axis, pk, name, _, shortcut in rows if axis == "sentiment"]
        attributes = attribute_options.load() if any(axis == "attribute" for axis, *_row in rows) else ()
        return cls(tuple(categories), tuple(sorted(sentiments, key=_by_shortcut)), attributes)

    @staticmethod
    def guidelines() -> list[tuple[str, str]]:
        """The name and description of every label (two queries)."""
        categories = Category.objects.active()
        names, lines = paths(categories), {category.pk: category.description for category in categories}
        sentiments = Sentiment.objects.active().values_list("name", "description")
        return [(name, lines[pk]) for pk, name in names.items()] + list(sentiments)

    @property
    def by_key(self) -> tuple[Option, ...]:
        """The categories with a shortcut, in the order of their keys."""
        return tuple(sorted((option for option in self.categories if option.shortcut), key=_by_shortcut))

    def category_name(self, pk: int | None, *, offered: bool = False) -> str:
        """A category's full name; for a retired one read from the database, or empty with `offered`."""
        return _name(self.categories, pk) or ("" if offered else _stored_name(Category, pk))

    def sentiment_name(self, pk: int | None) -> str:
        return _name(self.sentiments, pk) or _stored_name(Sentiment, pk)

    def further_names(self, pks: Sequence[int]) -> list[str]:
        """The full names of further categories, as far as they are offered."""
        return [name for pk in pks if (name := _name(self.categories, pk))]

    def category(self, pk: str) -> Category | None:
        """The active category with this key from a form, holding its key and name only."""
        return next(
            (Category(pk=option.pk, full_name=option.name) for option in self.categories if str(option.pk) == pk), None
        )

    def sentiment(self, pk: str) -> Sentiment | None:
        return next(
            (Sentiment(pk=option.pk, name=option.name) for option in self.sentiments if str(option.pk) == pk), None
        )

    def find(self, typed: str) -> Option:
        """The category with this name, else the only one whose name contains it. Raises CategoryNotFound."""
        wanted = typed.strip().casefold()
        exact = [option for option in self.categories if option.name.casefold() == wanted]
        matches = exact or [option for option in self.categories if wanted and wanted in option.name.casefold()]
        if len(matches) != 1:
            raise CategoryNotFound(", ".join(option.name for option in matches[:5]))
        return matches[0]


def _by_shortcut(option: Option) -> tuple[bool, int]:
    """Sorts those without a shortcut last, in their order."""
    return option.shortcut is None, option.shortcut or 0


def _name(options: Iterable[Option], pk: int | None) -> str:
    return next((option.name for option in options if option.pk == pk), "")


def _stored_name(model: type[Category] | type[Sentiment], pk: int | None) -> str:
    return str(model._default_manager.filter(pk=pk).first() or "")
