"""What a new category would take from the others: recent tickets that lie nearer to it than to any that there is."""

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
from review.specialist.emerging_topics import LONGEST_EXCERPT, Typical, names_now
from review.specialist.recent_tickets import Seen

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One of today's categories, or none: how many of its recent tickets would go, and those that would go first."""

    name: str
    taken: int
    tickets: int
    examples: list[Typical]

    @property
    def percent(self) -> float:
        return 100 * self.taken / self.tickets


@dataclass(frozen=True, slots=True)
class Taking:
    """Row by row from whom, most first; of how many tickets in all; and which of those taken wait or passed."""

    rows: list[Row]
    tickets: int
    taken: int
    of_topic: int
    open: list[int]


def taking(new: Option, *, key: int | None = None, topic: Collection[int] = ()) -> Taking:
    """What the category would take, but for what it has; `key` is its own where it is in use already, `topic` are the
    tickets that it is made of.

    By closeness, and by what the specialist in service has learned of the others; not by words, which it cannot know
    of a new one (at most eighteen queries). Raises CorruptEncoder, EmptyTaxonomy.
    """
    among = recent_tickets.latest()
    if not among.tickets:
        return Taking([], 0, 0, 0, [])
    others = [option for option in ContractVersion.objects.current().terms.categories if key not in option.keys]
    offered = [*training_data.offered(others), training_data.offered([new])[0]]
    chances = BoundHead(_learned(), offered).probabilities(among.vectors, [])
    has_it = np.array([key is not None and one.category == key for one in among.tickets])
    places = np.flatnonzero((chances.argmax(axis=1) == len(others)) & ~has_it)
    places = places[np.argsort(-chances[places, -1], kind="stable")]
    return _told(among.tickets, places, set(topic))


def _told(tickets: Sequence[Seen], places: Ints, topic: set[int]) -> Taking:
    names, taken = names_now(), [tickets[place] for place in places]
    had = Counter(_name(one, names) for one in tickets)
    rows: dict[str, list[Seen]] = {}
    for one in taken:
        rows.setdefault(_name(one, names), []).append(one)
    ordered = sorted(rows.items(), key=lambda row: (-len(row[1]), row[0]))
    return Taking(
        rows=[Row(name, len(ones), had[name], _examples(ones)) for name, ones in ordered],
        tickets=len(tickets),
        taken=len(taken),
        of_topic=sum(one.pk in topic for one in taken),
        open=[one.pk for one in taken if one.is_open],
    )


def _name(one: Seen, names: dict[int, str]) -> str:
    return names.get(one.category, "") if one.category else ""


def _examples(taken: Sequence[Seen]) -> list[Typical]:
    return [Typical(one.pk, excerpt(one.text, LONGEST_EXCERPT)) for one in taken[:EXAMPLES]]


def _learned() -> Head:
    serving = SpecialistVersion.objects.filter(live=True).values_list("pk", "sha256").first()
    return _axis(*serving) if serving else Head.untrained()


@lru_cache(maxsize=1)
def _axis(version: int, _sha256: str) -> Head:
    """What a version learned of categories, without words; nothing where its weights cannot be read."""
    axis = SpecialistVersion.objects.get(pk=version).load_weights_or_untrained().category
    return replace(axis, recipe=Recipe(corrected=axis.recipe.corrected), words=Head.untrained().words)
