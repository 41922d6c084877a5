"""What the queue's table offers to choose from: labels, models, and what stands on its open assignments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from classifier.models import Category, LanguageModel, Sentiment
from classifier.models.taxonomy import paths
from review.models import Assignment

MOST_LANGUAGES, MOST_PEOPLE = 100, 1_000


class Names(NamedTuple):
    """Full names by primary key: of what is offered, and of all there ever was."""

    offered: dict[int, str]
    every: dict[int, str]


class _Node(NamedTuple):
    pk: int
    name: str
    parent_id: int | None
    retired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What there is to choose from, and what things are called."""

    categories: Names
    sentiments: Names
    models: dict[int, str]
    languages: list[str]
    in_hand: dict[int, tuple[int, str]]
    """By assignment, who has it: primary key and name."""

    @classmethod
    def current(cls) -> Choices:
        """Labels, models, the languages of open assignments, and who has which (five queries)."""
        sentiments = list(Sentiment.objects.values_list("pk", "name", "retired"))
        return cls(
            categories=_categories(),
            sentiments=Names(
                {pk: name for pk, name, retired in sentiments if not retired},
                {pk: name for pk, name, _retired in sentiments},
            ),
            models=dict(LanguageModel.objects.values_list("pk", "name")),
            languages=_languages(),
            in_hand=_in_hand(),
        )


def _categories() -> Names:
    nodes = list(map(_Node._make, Category.objects.values_list("pk", "name", "parent_id", "retired")))
    offered = paths(node for node in nodes if not node.retired)
    return Names(offered, {node.pk: node.name for node in nodes} | offered)


def _in_hand() -> dict[int, tuple[int, str]]:
    """Found by their assignees, of whom there are few."""
    taken = Assignment.objects.open().filter(reviewer__gt=0, leased_until__gt=timezone.now())
    taken = taken.order_by("reviewer__username").exclude(lane=Assignment.Lane.LEADS)
    rows = taken.values_list("pk", "reviewer", "reviewer__username")[:MOST_PEOPLE]
    return {assignment: (reviewer, name) for assignment, reviewer, name in rows if reviewer}


def _languages() -> list[str]:
    """Found by going from one to the next along the index."""
    with connection.cursor() as cursor:
        cursor.execute(_LANGUAGES, [MOST_LANGUAGES])
        return [language for (language,) in cursor.fetchall()]


_LANGUAGES = """
WITH RECURSIVE found(language) AS (
    SELECT min(language) FROM review_assignment WHERE lane = 'agents' AND state = 'open'
    UNION ALL
    SELECT (
        SELECT min(language) FROM review_assignment WHERE lane = 'agents' AND state = 'open' AND language >
        found.language
    ) FROM found WHERE found.language IS NOT NULL
)
SELECT language FROM found WHERE language > '' LIMIT %s"""
