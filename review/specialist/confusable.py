"""Confusable categories: pairs that models confuse in both directions, or whose descriptions are nearly the same."""

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
"""Least mistakes in each direction; a single one is an accident."""
LEAST_SHARE = 0.05
"""Least share of mistakes among the labels of the two categories."""
SIMILAR_FROM = 0.65
"""Cosine at which two descriptions count as nearly the same; distinct categories stay below 0.5."""

Pair = tuple[int, int]
"""Keys of two categories, the smaller first."""


class ConfusedText(NamedTuple):
    """A text whose label (`given`) and prediction are the two categories of a pair."""

    text: str
    ticket: int | None
    given: str
    predicted: str


class PairMember(NamedTuple):
    """One category of a pair; `confusions` counts texts with this label for which the model predicted the other."""

    pk: int
    name: str
    description: str
    confusions: int


@dataclass(frozen=True, slots=True)
class ConfusablePair:
    """Two categories with their number of labels and the cosine similarity of their descriptions."""

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
    """The pairs, most confused first, then most similar; and how many labels and categories were examined."""

    pairs: list[ConfusablePair]
    labels: int
    categories: int


def confusable_categories() -> ConfusableCategories:
    """Find the confusable pairs of active categories (at most six queries). Raises CorruptEncoder."""
    categories = list(Category.objects.active()[:MOST_CATEGORIES])
    confusions = _Confusions(categories)
    similarity = _description_similarity(categories)
    related = _ancestor_pairs(categories)
    pairs = {
        pair
        for pair in {*confusions.confused(), *(pair for pair in similarity if similarity[pair] >= SIMILAR_FROM)}
        if pair not in related
    }
    ordered = sorted(pairs, key=lambda pair: (-confusions.confusions(pair), -similarity.get(pair, 0.0), pair))[:MOST]
    texts = confusions.texts(ordered)
    names, by_key = paths(categories), {category.pk: category for category in categories}

    def member(key: int, other: int) -> PairMember:
        return PairMember(key, names[key], by_key[key].description, confusions.numbers[key, other])

    confusable = [
        ConfusablePair((member(*pair), member(*pair[::-1])), confusions.labels(pair), similarity[pair], texts[pair])
        for pair in ordered
    ]
    return ConfusableCategories(confusable, confusions.numbers.total(), len(categories))


class _Confusions:
    """Labels and predictions of the latest gold labels; `numbers` counts them by the two keys."""

    def __init__(self, categories: list[Category]) -> None:
        keys = {category.pk for category in categories}
        # Predictions of sealed tickets must stay hidden.
        labels = GoldLabel.objects.usable().filter(
            Q(ticket=None) | Q(ticket__sealed=False), predicted_category__isnull=False, category__isnull=False
        )
        rows = labels.order_by("-pk").values_list("pk", "category_id", "predicted_category_id")[:LATEST]
        self._names = paths(categories)
        self.numbers = Counter[Pair]()
        self._which = defaultdict[Pair, list[int]](list)
        for pk, given, predicted in rows:
            if predicted is not None and {given, predicted} <= keys:
                self.numbers[given, predicted] += 1
                self._which[given, predicted].append(pk)

    def confusions(self, pair: Pair) -> int:
        return self.numbers[pair] + self.numbers[pair[::-1]]

    def labels(self, pair: Pair) -> int:
        """How many have both label and prediction within the pair."""
        return self.confusions(pair) + sum(self.numbers[key, key] for key in pair)

    def confused(self) -> set[Pair]:
        pairs = {(min(pair), max(pair)) for pair in self.numbers if pair[0] != pair[1]}
        return {pair for pair in pairs if _is_confused(self.numbers[pair], self.numbers[pair[::-1]], self.labels(pair))}

    def texts(self, pairs: list[Pair]) -> dict[Pair, list[ConfusedText]]:
        """Confused texts of each pair in both directions, latest first (one query)."""
        wanted = {way: self._which[way][:EXAMPLES] for pair in pairs for way in (pair, pair[::-1])}
        labels = GoldLabel.objects.only("text", "ticket_id").in_bulk([pk for pks in wanted.values() for pk in pks])

        def confused(way: Pair) -> list[ConfusedText]:
            given, predicted = (self._names[key] for key in way)
            known = [labels[pk] for pk in wanted[way] if pk in labels]
            return [
                ConfusedText(excerpt(gold.text, LONGEST_EXCERPT), gold.ticket_id, given, predicted) for gold in known
            ]

        return {pair: confused(pair) + confused(pair[::-1]) for pair in pairs}


def _is_confused(confusions: int, reverse: int, labels: int) -> bool:
    return min(confusions, reverse) >= FEWEST and confusions + reverse >= LEAST_SHARE * labels


def _description_similarity(categories: list[Category]) -> dict[Pair, float]:
    """The cosine similarity of the descriptions of every two categories."""
    texts = [f"{category.name}: {category.description}".removesuffix(": ") for category in categories]
    places = unit(vector_store.label_embeddings(texts).common())
    table = places @ places.T
    pairs = combinations(range(len(categories)), 2)
    return {_pair(categories[left].pk, categories[right].pk): float(table[left, right]) for left, right in pairs}


def _ancestor_pairs(categories: list[Category]) -> set[Pair]:
    """Pairs of a category and its ancestor, which are meant to overlap."""
    above = {category.pk: category.parent_id for category in categories}
    pairs = set()
    for key in above:
        parent = above[key]
        while parent is not None:
            pairs.add(_pair(key, parent))
            parent = above.get(parent)
    return pairs


def _pair(left: int, right: int) -> Pair:
    return min(left, right), max(left, right)
