"""Preview which recent tickets a new category would take from the existing ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from classifier.contract.types import Option
from classifier.learning.heads import BoundHead, Head, Recipe
from classifier.learning.vector_space import Ints
from classifier.models import ContractVersion, SpecialistVersion
from classifier.text import excerpt
from review.specialist import recent_tickets, training_data
from review.specialist.emerging_topics import LONGEST_EXCERPT, TypicalTicket, names_now
from review.specialist.recent_tickets import RecentTicket

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class CategoryShift:
    """One of today's categories, or none: how many of its recent tickets would go, and those that would go first."""

    name: str
    moved: int
    tickets: int
    examples: list[TypicalTicket]

    @property
    def percent(self) -> float:
        return 100 * self.moved / self.tickets


@dataclass(frozen=True, slots=True)
class CategoryPreview:
    """Row by row from whom, most first; of how many tickets in all; and which of those taken wait or passed."""

    rows: list[CategoryShift]
    tickets: int
    moved: int
    of_topic: int
    open: list[int]


def preview_category(new: Option, *, key: int | None = None, topic: Collection[int] = ()) -> CategoryPreview:
    """What the category would take, but for what it has; `key` is its own where it is in use already, `topic` are the
    tickets that it is made of.

    By closeness, and by what the specialist in service has learned of the others; not by words, which it cannot know
    of a new one (at most eighteen queries). Raises CorruptEncoder, EmptyTaxonomy.
    """
    among = recent_tickets.latest_tickets()
    if not among.tickets:
        return CategoryPreview([], 0, 0, 0, [])
    others = [option for option in ContractVersion.objects.current().terms.categories if key not in option.keys]
    offered = [*training_data.offered_labels(others), training_data.offered_labels([new])[0]]
    chances = BoundHead(_live_axis(), offered).probabilities(among.vectors, [])
    has_it = np.array([key is not None and one.category == key for one in among.tickets])
    places = np.flatnonzero((chances.argmax(axis=1) == len(others)) & ~has_it)
    places = places[np.argsort(-chances[places, -1], kind="stable")]
    return _summarize(among.tickets, places, set(topic))


def _summarize(tickets: Sequence[RecentTicket], places: Ints, topic: set[int]) -> CategoryPreview:
    names, moved = names_now(), [tickets[place] for place in places]
    had = Counter(_name(one, names) for one in tickets)
    rows: dict[str, list[RecentTicket]] = {}
    for one in moved:
        rows.setdefault(_name(one, names), []).append(one)
    ordered = sorted(rows.items(), key=lambda row: (-len(row[1]), row[0]))
    return CategoryPreview(
        rows=[CategoryShift(name, len(ones), had[name], _examples(ones)) for name, ones in ordered],
        tickets=len(tickets),
        moved=len(moved),
        of_topic=sum(one.pk in topic for one in moved),
        open=[one.pk for one in moved if one.is_open],
    )


def _name(one: RecentTicket, names: dict[int, str]) -> str:
    return names.get(one.category, "") if one.category else ""


def _examples(moved: Sequence[RecentTicket]) -> list[TypicalTicket]:
    return [TypicalTicket(one.pk, excerpt(one.text, LONGEST_EXCERPT)) for one in moved[:EXAMPLES]]


def _live_axis() -> Head:
    serving = SpecialistVersion.objects.filter(live=True).values_list("pk", "sha256").first()
    return _axis(*serving) if serving else Head.untrained()


@lru_cache(maxsize=1)
def _axis(version: int, _sha256: str) -> Head:
    """What a version learned of categories, without words; nothing where its weights cannot be read."""
    axis = SpecialistVersion.objects.get(pk=version).load_weights_or_untrained().category
    return replace(axis, recipe=Recipe(corrected=axis.recipe.corrected), words=Head.untrained().words)
