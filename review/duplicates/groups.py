"""Which group of near-duplicates a ticket belongs to: that of an earlier one that it is like, or a new one."""

from collections.abc import Sequence

from classifier.models import Ticket
from review.duplicates import minhash
from review.models import Likeness

MOST_CANDIDATES = 200
"""First tickets of groups that new ones are compared with; a band that very many share tells nothing more."""


def groups_of(tickets: Sequence[Ticket]) -> dict[int, int]:
    """By ticket, its group; what is new of it is stored. A group is named by the first of its tickets, and all others
    are like that one, so no chain of small steps leads from one text to quite another.
    """
    groups = dict(Likeness.objects.filter(pk__in=[ticket.pk for ticket in tickets]).values_list("pk", "group"))
    fresh = [ticket for ticket in tickets if ticket.pk not in groups]
    found = {ticket.pk: minhash.shingles(ticket.text) for ticket in fresh}
    bands = {pk: minhash.bands(shingles) for pk, shingles in found.items()}
    firsts = _Firsts(list(bands.values()))
    rows = []
    for ticket in fresh:
        group = firsts.most_alike(found[ticket.pk], bands[ticket.pk])
        rows.append(Likeness(ticket=ticket, group=group or ticket.pk))
        groups[ticket.pk] = rows[-1].group
        if group is None:
            rows[-1].bands = bands[ticket.pk]
            firsts.add(rows[-1], found[ticket.pk])
    Likeness.objects.bulk_create(rows)
    return groups


class _Firsts:
    """The first tickets of the groups that new ones may belong to: the latest that share a band with any of them."""

    def __init__(self, bands: Sequence[tuple[int, ...]]) -> None:
        self._shingles: dict[int, frozenset[int]] = {}
        self._by_band: dict[tuple[int, int | None], list[int]] = {}
        if bands:
            candidates = Likeness.objects.firsts_sharing(bands).select_related("ticket").order_by("-pk")
            for row in candidates[:MOST_CANDIDATES]:
                self.add(row, minhash.shingles(row.ticket.text))

    def add(self, first: Likeness, shingles: frozenset[int]) -> None:
        self._shingles[first.group] = shingles
        for place in enumerate(first.bands):
            self._by_band.setdefault(place, []).append(first.group)

    def most_alike(self, shingles: frozenset[int], bands: tuple[int, ...]) -> int | None:
        """The group whose first ticket is most alike, the oldest of several, if any is alike enough."""
        candidates = {group for place in enumerate(bands) for group in self._by_band.get(place, [])}
        alike = [(minhash.similarity(shingles, self._shingles[group]), -group) for group in candidates]
        best = max(alike, default=(0.0, 0))
        return -best[1] if best[0] >= minhash.ALIKE else None
