"""Confusable categories: pairs that models confuse in both directions, or whose descriptions are nearly the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from django.db.models import Q

from classifier.embeddings import vector_store
from classifier.learning.vector_space import unit
from classifier.models import Category
from classifier.models.taxonomy import paths
from classifier.text import excerpt
from review.models import GoldLabel

LATEST = 5_000
MOST_CATEGORIES = 300
MOST = 30
EXAMPLES = 3
LONGEST_EXCERPT = 240
FEWEST = 2
"""Mistakes in each direction; a single one is an accident."""
LEAST_SHARE = 0.05
"""Of the labels that concern the two, so many are mistakes at least."""
SIMILAR_FROM = 0.65
"""From this cosine on descriptions are almost alike: those of categories that people keep apart are below 0.5."""

Pair = tuple[int, int]
"""Keys of two categories, the smaller first."""


class ConfusedText(NamedTuple):
    """A text that shows it: what people said, what the model said, and the ticket where there is one."""

    text: str
    ticket: int | None
    given: str
    predicted: str


class PairMember(NamedTuple):
    """One of the two: how often people chose it where the model said the other."""

    pk: int
    name: str
    description: str
    confusions: int


@dataclass(frozen=True, slots=True)
class ConfusablePair:
    """Two categories; of how many labels that concern them models got them mixed up; how alike they are described."""

    members: tuple[PairMember, PairMember]
    labels: int
    similarity: float
    texts: list[ConfusedText]

    @property
    def confusions(self) -> int:
        return self.members[0].confusions + self.members[1].confusions

    @property
    def percent(self) -> float:
        return 100 * self.confusions / self.labels if self.labels else 0.0

    @property
    def is_confused(self) -> bool:
        return _is_confused(self.members[0].confusions, self.members[1].confusions, self.labels)

    @property
    def is_similar(self) -> bool:
        return self.similarity >= SIMILAR_FROM


class ConfusableCategories(NamedTuple):
    """The overlaps, most mistakes first, then the most alike; and how many labels and categories were looked at."""

    pairs: list[ConfusablePair]
    labels: int
    categories: int


def confusable_categories() -> ConfusableCategories:
    """All overlaps of the categories in use (at most six queries). Raises CorruptEncoder."""
    categories = list(Category.objects.active()[:MOST_CATEGORIES])
    said = _Confusions(categories)
    close = _description_similarity(categories)
    related = _ancestor_pairs(categories)
    pairs = {
        pair
        for pair in {*said.confused(), *(one for one in close if close[one] >= SIMILAR_FROM)}
        if pair not in related
    }
    ordered = sorted(pairs, key=lambda pair: (-said.confusions(pair), -close.get(pair, 0.0), pair))[:MOST]
    shown = said.shown(ordered)
    names, by_key = paths(categories), {one.pk: one for one in categories}

    def side(key: int, other: int) -> PairMember:
        return PairMember(key, names[key], by_key[key].description, said.numbers[key, other])

    overlaps = [
        ConfusablePair(
            (side(one, other), side(other, one)), said.labels((one, other)), close[one, other], shown[one, other]
        )
        for one, other in ordered
    ]
    return ConfusableCategories(overlaps, said.numbers.total(), len(categories))


class _Confusions:
    """What people said and what models had said before them, of the latest labels. `numbers` is by those two keys."""

    def __init__(self, categories: list[Category]) -> None:
        keys = {one.pk for one in categories}
        # Of a sealed ticket nothing is told of what a model said.
        told = GoldLabel.objects.usable().filter(
            Q(ticket=None) | Q(ticket__sealed=False), predicted_category__isnull=False
        )
        rows = told.order_by("-pk").values_list("pk", "category_id", "predicted_category_id")[:LATEST]
        self._names = paths(categories)
        self.numbers = Counter[Pair]()
        self._which = defaultdict[Pair, list[int]](list)
        for pk, right, said in rows:
            if said is not None and {right, said} <= keys:
                self.numbers[right, said] += 1
                self._which[right, said].append(pk)

    def confusions(self, pair: Pair) -> int:
        return self.numbers[pair] + self.numbers[pair[::-1]]

    def labels(self, pair: Pair) -> int:
        """Those where both the right one and the one said are of the two."""
        return self.confusions(pair) + sum(self.numbers[key, key] for key in pair)

    def confused(self) -> set[Pair]:
        pairs = {(min(pair), max(pair)) for pair in self.numbers if pair[0] != pair[1]}
        return {one for one in pairs if _is_confused(self.numbers[one], self.numbers[one[::-1]], self.labels(one))}

    def shown(self, pairs: list[Pair]) -> dict[Pair, list[ConfusedText]]:
        """Texts of both directions for each of the pairs, the latest first (one query)."""
        wanted = {way: self._which[way][:EXAMPLES] for pair in pairs for way in (pair, pair[::-1])}
        texts = GoldLabel.objects.only("text", "ticket_id").in_bulk([pk for pks in wanted.values() for pk in pks])

        def told(way: Pair) -> list[ConfusedText]:
            right, said = (self._names[key] for key in way)
            found = [texts[pk] for pk in wanted[way] if pk in texts]
            return [ConfusedText(excerpt(one.text, LONGEST_EXCERPT), one.ticket_id, right, said) for one in found]

        return {pair: told(pair) + told(pair[::-1]) for pair in pairs}


def _is_confused(one: int, other: int, labels: int) -> bool:
    return min(one, other) >= FEWEST and one + other >= LEAST_SHARE * labels


def _description_similarity(categories: list[Category]) -> dict[Pair, float]:
    """How alike each two are described, by the cosine of the encoder's vectors."""
    texts = [f"{one.name}: {one.description}" if one.description else one.name for one in categories]
    places = unit(vector_store.embeddings_for(texts))
    table = places @ places.T
    pairs = combinations(range(len(categories)), 2)
    return {_pair(categories[one].pk, categories[other].pk): float(table[one, other]) for one, other in pairs}


def _ancestor_pairs(categories: list[Category]) -> set[Pair]:
    """Pairs of which one stands somewhere below the other: those are meant to overlap."""
    above = {one.pk: one.parent_id for one in categories}
    found = set()
    for key in above:
        parent = above[key]
        while parent is not None:
            found.add(_pair(key, parent))
            parent = above.get(parent)
    return found


def _pair(one: int, other: int) -> Pair:
    return min(one, other), max(one, other)
