"""Assigns texts to duplicate groups, at a cost independent of the groups' sizes."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.db.models.functions import Left

from classifier.database.batches import chunked
from classifier.models import Ticket
from review.duplicates import minhash
from review.models import Assignment, Band, DuplicateGroup, GoldLabel

CHUNK = 2_000
MOST_A_BAND, MOST_OF_A_GROUP = 16, 4
"""Texts indexed under one band, in total and from one group; a band shared by more says little."""
MOST_COMPARED = 32
"""Candidates compared with a text: those that share most bands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupingRule:
    """What is grouped, and how. A text whose similarity to a representative is at least `covered` is not indexed."""

    model: type[Ticket | GoldLabel]
    field: str
    bands: int
    covered: float


TICKETS = GroupingRule(model=Ticket, field="ticket", bands=minhash.BANDS, covered=minhash.MIN_SIMILARITY)
"""Every text is similar to the first of its group, so groups do not drift."""
GOLD_LABELS = GroupingRule(model=GoldLabel, field="gold", bands=minhash.MOST_BANDS, covered=1.0)
"""A text similar to any text of a group joins it, so that near-duplicates stay on one side."""


class NearbyGroup(NamedTuple):
    """A duplicate group and the similarity of one of its texts."""

    group: DuplicateGroup
    similarity: float


@dataclass(frozen=True, slots=True, eq=False)
class _Representative:
    group: DuplicateGroup
    shingles: frozenset[int]
    fresh: Ticket | GoldLabel | None = None
    """The owner, if its bands are not stored yet."""


class DuplicateIndex:
    """Finds groups for the given texts among stored texts and those placed earlier."""

    def __init__(self, kind: GroupingRule, texts: Iterable[str]) -> None:
        self._kind = kind
        self._shingles = {text: minhash.shingles(text) for text in texts}
        self._bands = {text: minhash.bands(shingles, kind.bands) for text, shingles in self._shingles.items()}
        self._by_band: dict[int, list[tuple[int, _Representative]]] = {}
        self._opened: list[DuplicateGroup] = []
        self._load(list(_stored(kind, {value for bands in self._bands.values() for value in bands})))

    def _load(self, bands: Sequence[tuple[int, int, int, int]]) -> None:
        groups = _in_bulk({group for _pk, _value, group, _owner in bands})
        group_of = {owner: groups[group] for _pk, _value, group, owner in bands}
        representatives = {
            owner: _Representative(group_of[owner], minhash.shingles(text))
            for owner, text in _texts(self._kind, group_of)
        }
        for pk, value, _group, owner in bands:
            self._by_band.setdefault(value, []).append((pk, representatives[owner]))

    def near(self, text: str) -> list[NearbyGroup]:
        """The groups with a near-duplicate of this text, most similar first, older groups first among equals."""
        shared = Counter(other for value in self._bands[text] for _pk, other in self._by_band.get(value, ()))
        nearby: dict[int, NearbyGroup] = {}
        compared = 0
        for other, _number in shared.most_common():
            if id(other.group) not in nearby and compared < MOST_COMPARED:
                compared += 1
                similarity = minhash.similarity(self._shingles[text], other.shingles)
                if similarity >= minhash.MIN_SIMILARITY:
                    nearby[id(other.group)] = NearbyGroup(other.group, similarity)
        return sorted(nearby.values(), key=lambda near: (-near.similarity, near.group.pk or float("inf")))

    def place(self, owner: Ticket | GoldLabel, near: Sequence[NearbyGroup], side: str = "") -> DuplicateGroup:
        """Return the most similar of these groups, or a new one on this side."""
        if not near:
            self._opened.append(DuplicateGroup(side=side))
        group, similarity = near[0] if near else NearbyGroup(self._opened[-1], 0.0)
        if similarity < self._kind.covered:
            self.represent(owner, group)
        return group

    def represent(self, owner: Ticket | GoldLabel, group: DuplicateGroup) -> None:
        """Index this text, so that others find its group."""
        representative = _Representative(group, self._shingles[owner.text], owner)
        for value in self._bands[owner.text]:
            entries = self._by_band.setdefault(value, [])
            if sum(other.group is group for _pk, other in entries) < MOST_OF_A_GROUP:
                entries.append((0, representative))

    def is_current(self, newest: int) -> bool:
        """Whether no text stored after the one with this key, the newest when the index was read, may be alike."""
        newer = Band.objects.filter(**{f"{self._kind.field}__gt": newest}).order_by()
        values = {value for bands in self._bands.values() for value in bands}
        return not any(newer.filter(value__in=part).exists() for part in chunked(values, CHUNK))

    def save_groups(self) -> None:
        DuplicateGroup.objects.bulk_create(self._opened)

    def save_bands(self) -> None:
        """Store the index; groups and owners must be stored first. Written in SQL because there are many rows."""
        surplus = [pk for entries in self._by_band.values() for pk, _other in entries[:-MOST_A_BAND] if pk]
        Band.objects.filter(pk__in=surplus).delete()
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO review_band (value, group_id, {self._kind.field}_id) VALUES (%s, %s, %s)",  # noqa: S608
                [
                    (value, other.group.pk, other.fresh.pk)
                    for value, entries in self._by_band.items()
                    for _pk, other in entries[-MOST_A_BAND:]
                    if other.fresh
                ],
            )


def duplicate_groups_for(tickets: Sequence[Ticket]) -> dict[int, int]:
    """By ticket, the key of its duplicate group; tickets without one get one."""
    assignments = Assignment.objects.filter(ticket__in=tickets)
    known: dict[int, Any] = dict(assignments.order_by().values_list("ticket", "group"))
    fresh = [ticket for ticket in tickets if ticket.pk not in known]
    index = DuplicateIndex(TICKETS, [ticket.text for ticket in fresh])
    placed = {ticket.pk: index.place(ticket, index.near(ticket.text)) for ticket in fresh}
    index.save_groups()
    index.save_bands()
    return known | {ticket: group.pk for ticket, group in placed.items()}


def _stored(kind: GroupingRule, values: Collection[int]) -> Iterable[tuple[int, int, int, int]]:
    """(key, value, group, owner) of the stored bands with these values, oldest first."""
    bands = Band.objects.filter(**{f"{kind.field}__isnull": False}).order_by("pk")
    for part in chunked(values, CHUNK):
        yield from bands.filter(value__in=part).values_list("pk", "value", "group", kind.field)


def _texts(kind: GroupingRule, pks: Collection[int]) -> Iterable[tuple[int, str]]:
    texts = kind.model._default_manager.order_by()
    for part in chunked(pks, CHUNK):
        yield from texts.filter(pk__in=part).values_list("pk", Left("text", minhash.READ_CHARACTERS))


def _in_bulk(pks: Collection[int]) -> dict[int, DuplicateGroup]:
    return {pk: group for part in chunked(pks, CHUNK) for pk, group in DuplicateGroup.objects.in_bulk(part).items()}
