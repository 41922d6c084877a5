"""Emerging topics: clusters of recent tickets that models were unsure about, and drafting a category from one."""

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
"""Topics on the page."""
WORDS, IN_TITLE = 7, 3
TYPICAL = 5
EXAMPLES = 5
LONGEST_EXAMPLE = 200
LONGEST_EXCERPT = 180


class TypicalTicket(NamedTuple):
    """A ticket that is typical of its topic."""

    pk: int
    text: str


class CategoryCount(NamedTuple):
    """How many tickets currently have a category; `name` is empty if they have none."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A cluster of similar tickets; `pk` is its most central ticket."""

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
        return self.words[IN_TITLE:]

    @property
    def number(self) -> int:
        return len(self.tickets)


@dataclass(frozen=True, slots=True)
class EmergingTopics:
    """The topics, largest first; how many tickets were examined, belong to no topic, and have no vector yet."""

    topics: list[Topic]
    tickets: int
    ungrouped: int
    unencoded: int
    omitted: int
    """Smaller topics beyond MOST."""


def emerging_topics() -> EmergingTopics:
    """Find the topics of the latest uncertain tickets (at most nine queries). Raises CorruptEncoder."""
    among = recent_tickets.uncertain_tickets()
    grouped = clusters(among.embeddings.common())
    described = _TopicBuilder(among)
    return EmergingTopics(
        topics=[described.topic(places) for places in grouped[:MOST]],
        tickets=len(among.tickets),
        ungrouped=len(among.tickets) - sum(map(len, grouped)),
        unencoded=among.unencoded,
        omitted=max(len(grouped) - MOST, 0),
    )


def topic_containing(ticket: int) -> Topic | None:
    """The topic of a ticket; None if it is in no topic (at most nine queries). Raises CorruptEncoder."""
    among = recent_tickets.uncertain_tickets()
    for places in clusters(among.embeddings.common()):
        if any(among.tickets[place].pk == ticket for place in places):
            return _TopicBuilder(among).topic(places)
    return None


def count_categories(tickets: Sequence[RecentTicket], names: dict[int, str]) -> list[CategoryCount]:
    """The tickets' current categories, most frequent first."""
    numbers = Counter(names.get(ticket.category, "") if ticket.category else "" for ticket in tickets)
    return [CategoryCount(name, number) for name, number in sorted(numbers.items(), key=lambda row: (-row[1], row[0]))]


class _TopicBuilder:
    def __init__(self, among: RecentTickets) -> None:
        self._tickets = among.tickets
        self._words = Vocabulary(ticket.text for ticket in among.tickets)
        self._names = Category.objects.paths()

    def topic(self, places: Ints) -> Topic:
        members = [self._tickets[place] for place in places]
        typical = _distinct_texts(members)
        return Topic(
            pk=members[0].pk,
            words=self._words.distinctive(places, WORDS),
            typical=[TypicalTicket(ticket.pk, excerpt(ticket.text, LONGEST_EXCERPT)) for ticket in typical[:TYPICAL]],
            today=count_categories(members, self._names),
            tickets=[ticket.pk for ticket in members],
            examples=[excerpt(mask(ticket.text), LONGEST_EXAMPLE) for ticket in typical],
        )


def _distinct_texts(members: Sequence[RecentTicket]) -> list[RecentTicket]:
    """The first few tickets with different words."""
    distinct: dict[frozenset[str], RecentTicket] = {}
    for ticket in members:
        distinct.setdefault(frozenset(words_in(ticket.text)), ticket)
        if len(distinct) == EXAMPLES:
            break
    return list(distinct.values())


def suggest_category(topic: Topic) -> dict[str, str]:
    """Initial name, description and examples for a new category; the examples contain no benchmark texts."""
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
    """Create a draft of the current taxonomy plus this new category. Raises EmptyTaxonomy."""
    label.draft = drafts.create(drafts.free_name(_("New category: %s") % label.name), by)
    label.axis = DraftLabel.Axis.CATEGORY
    label.save()
    return label
