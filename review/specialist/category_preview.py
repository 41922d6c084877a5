"""Preview which recent tickets a new category would take from the existing ones."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from classifier.contract.types import Option
from classifier.learning.heads import BoundHead, Head
from classifier.learning.vector_space import Ints
from classifier.models import Category, ContractVersion, SpecialistVersion
from classifier.text import excerpt
from review.specialist import recent_tickets, training_data
from review.specialist.emerging_topics import LONGEST_EXCERPT, TypicalTicket
from review.specialist.recent_tickets import RecentTicket

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class CategoryShift:
    """A current category (or none, without a name): how many of its recent tickets would move, with examples."""

    name: str
    moved: int
    tickets: int
    examples: list[TypicalTicket]

    @property
    def percent(self) -> float:
        return 100 * self.moved / self.tickets


@dataclass(frozen=True, slots=True)
class CategoryPreview:
    """Rows by current category, most moved first; how many tickets were examined; the pks of moved, still open ones."""

    rows: list[CategoryShift]
    tickets: int
    moved: int
    of_topic: int
    open: list[int]


def preview_category(new: Option, *, key: int | None = None, topic: Collection[int] = ()) -> CategoryPreview:
    """Predict which recent tickets the new category would take over (at most eighteen queries).

    `key` is the category's own key once it is published; tickets that already have it do not count. `topic` holds the
    tickets that it was drafted from. The live specialist decides by vectors alone, since it has learned no words for a
    new category. Raises CorruptEncoder, EmptyTaxonomy.
    """
    among = recent_tickets.latest_tickets()
    if not among.tickets:
        return CategoryPreview([], 0, 0, 0, [])
    others = [option for option in ContractVersion.objects.current().terms.categories if key not in option.keys]
    offered = [*training_data.offered_labels(others), training_data.offered_labels([new])[0]]
    chances = BoundHead(_live_category_head(), offered).probabilities(
        among.embeddings, [ticket.text for ticket in among.tickets]
    )
    has_category = np.array([key is not None and ticket.category == key for ticket in among.tickets])
    places = np.flatnonzero((chances.argmax(axis=1) == len(others)) & ~has_category)
    places = places[np.argsort(-chances[places, -1], kind="stable")]
    return _summarize(among.tickets, places, set(topic))


def _summarize(tickets: Sequence[RecentTicket], places: Ints, topic: set[int]) -> CategoryPreview:
    names, moved = Category.objects.paths(), [tickets[place] for place in places]
    had = Counter(_name(ticket, names) for ticket in tickets)
    rows: dict[str, list[RecentTicket]] = {}
    for ticket in moved:
        rows.setdefault(_name(ticket, names), []).append(ticket)
    ordered = sorted(rows.items(), key=lambda row: (-len(row[1]), row[0]))
    return CategoryPreview(
        rows=[CategoryShift(name, len(group), had[name], _examples(group)) for name, group in ordered],
        tickets=len(tickets),
        moved=len(moved),
        of_topic=sum(ticket.pk in topic for ticket in moved),
        open=[ticket.pk for ticket in moved if ticket.is_open],
    )


def _name(ticket: RecentTicket, names: dict[int, str]) -> str:
    return names.get(ticket.category, "") if ticket.category else ""


def _examples(moved: Sequence[RecentTicket]) -> list[TypicalTicket]:
    return [TypicalTicket(ticket.pk, excerpt(ticket.text, LONGEST_EXCERPT)) for ticket in moved[:EXAMPLES]]


def _live_category_head() -> Head:
    live = SpecialistVersion.objects.filter(live=True).values_list("pk", "sha256").first()
    return _category_head(*live) if live else Head.untrained()


@lru_cache(maxsize=1)
def _category_head(version: int, _sha256: str) -> Head:
    """A version's category head without its words; untrained if its weights cannot be read."""
    head = SpecialistVersion.objects.get(pk=version).load_weights_or_untrained().category
    return replace(head, mixes={reading: mix._replace(share_of_words=0.0) for reading, mix in head.mixes.items()})
