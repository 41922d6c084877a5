"""Emerging topics: clusters of recent tickets that models were unsure about, and drafting a category from one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.learning.vector_space import Ints
from classifier.models import Category, DraftLabel
from classifier.privacy.masking import mask
from classifier.taxonomy import drafts
from classifier.text import excerpt
from review.gold import gold_labels
from review.specialist import recent_tickets
from review.specialist.clusters import Vocabulary, clusters, words_in
from review.specialist.recent_tickets import RecentTicket, RecentTickets

MOST = 25
"""Topics on the page; there are hardly more worth a category at a time."""
WORDS, IN_TITLE = 7, 3
TYPICAL = 5
EXAMPLES = 5
LONGEST_EXAMPLE = 200
LONGEST_EXCERPT = 180


class TypicalTicket(NamedTuple):
    """A ticket that says what its topic is about."""

    pk: int
    text: str


class CategoryCount(NamedTuple):
    """How many tickets have a category now; without a name where they have none."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Topic:
    """Known by the ticket in its middle."""

    pk: int
    words: list[str]
    typical: list[TypicalTicket]
    today: list[CategoryCount]
    tickets: list[int]
    examples: list[str]

    @property
    def title(self) -> str:
        return ", ".join(self.words[:IN_TITLE]) or self.typical[0].text

    @property
    def more_words(self) -> list[str]:
        """Those that the title does not have."""
        return self.words[IN_TITLE:]

    @property
    def number(self) -> int:
        return len(self.tickets)


@dataclass(frozen=True, slots=True)
class EmergingTopics:
    """The topics, largest first; how many tickets were looked at, how many are in none, how many wait to be."""

    topics: list[Topic]
    tickets: int
    ungrouped: int
    unencoded: int
    omitted: int
    """Topics that are smaller than those given."""


def emerging_topics() -> EmergingTopics:
    """All topics of the latest tickets (at most nine queries). Raises CorruptEncoder."""
    among = recent_tickets.uncertain_tickets()
    grouped = clusters(among.vectors)
    described = _TopicBuilder(among)
    return EmergingTopics(
        topics=[described.topic(one) for one in grouped[:MOST]],
        tickets=len(among.tickets),
        ungrouped=len(among.tickets) - sum(map(len, grouped)),
        unencoded=among.unencoded,
        omitted=max(len(grouped) - MOST, 0),
    )


def topic_containing(ticket: int) -> Topic | None:
    """The topic that a ticket is in, if it is in one (at most nine queries). Raises CorruptEncoder."""
    among = recent_tickets.uncertain_tickets()
    for one in clusters(among.vectors):
        if any(among.tickets[place].pk == ticket for place in one):
            return _TopicBuilder(among).topic(one)
    return None


def names_now() -> dict[int, str]:
    """Full names by key, of retired categories too: tickets may have those (one query)."""
    return Category.objects.paths()


def count_categories(tickets: Sequence[RecentTicket], names: dict[int, str]) -> list[CategoryCount]:
    """The categories that tickets have now, most frequent first."""
    numbers = Counter(names.get(one.category, "") if one.category else "" for one in tickets)
    return [CategoryCount(name, number) for name, number in sorted(numbers.items(), key=lambda row: (-row[1], row[0]))]


class _TopicBuilder:
    def __init__(self, among: RecentTickets) -> None:
        self._tickets = among.tickets
        self._words = Vocabulary(one.text for one in among.tickets)
        self._names = names_now()

    def topic(self, places: Ints) -> Topic:
        members = [self._tickets[place] for place in places]
        typical = _distinct_texts(members)
        return Topic(
            pk=members[0].pk,
            words=self._words.distinctive(places, WORDS),
            typical=[TypicalTicket(seen.pk, excerpt(seen.text, LONGEST_EXCERPT)) for seen in typical[:TYPICAL]],
            today=count_categories(members, self._names),
            tickets=[seen.pk for seen in members],
            examples=[excerpt(mask(seen.text), LONGEST_EXAMPLE) for seen in typical],
        )


def _distinct_texts(members: Sequence[RecentTicket]) -> list[RecentTicket]:
    """The first few that do not say the same in the same words."""
    found: dict[frozenset[str], RecentTicket] = {}
    for one in members:
        found.setdefault(frozenset(words_in(one.text)), one)
        if len(found) == EXAMPLES:
            break
    return list(found.values())


def suggest_category(topic: Topic) -> dict[str, str]:
    """Name, description and examples to begin with. No example gives away what models are measured with."""
    words = [word for word in topic.words[:2] if word]
    words.sort(key=lambda word: topic.typical[0].text.lower().find(word) % LONGEST_EXCERPT)
    description = _("Messages about %s.") % ", ".join(topic.words) if topic.words else ""
    return {
        "name": " ".join(words).capitalize()[:80],
        "description": description[:300],
        "examples": "\n".join(_without_leaks(topic.examples)),
    }


def _without_leaks(examples: list[str]) -> list[str]:
    if not gold_labels.leaked_labels(examples):
        return examples
    return [example for example in examples if not gold_labels.leaked_labels([example])]


@transaction.atomic
def create_draft(label: DraftLabel, by: User) -> DraftLabel:
    """A draft of the taxonomy that is as it is now, and has this new category besides. Raises EmptyTaxonomy."""
    label.draft = drafts.create(drafts.free_name(_("New category: %s") % label.name), by)
    label.axis = DraftLabel.Axis.CATEGORY
    beside = label.draft.labels.filter(axis=label.axis).order_by("-position").values_list("position", flat=True)
    label.position = (beside.first() or 0) + 1
    label.save()
    return label
