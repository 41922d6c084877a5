"""Tickets come to the desk: seats are opened for what the gate holds, and withdrawn for what goes on without people."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef

from classifier.models import Prediction, Reason, Ticket, Verdict

from . import likeness, order
from .models import Desk, Likeness, Seat
from .order import Signals

CHUNK = 500
MOST_CANDIDATES = 200
"""Tickets that a chunk's texts are compared with; a band that very many share tells nothing more."""


class Draw(NamedTuple):
    """What a ticket was drawn for, and with which probability it came out so."""

    purpose: Seat.Purpose
    blind: bool
    share: float


def on_moved(ticket_pks: Sequence[int], state: str, **_signal: Any) -> None:
    """Follow the classifier, inside its transaction."""
    if state == Ticket.State.HELD:
        for start in range(0, len(ticket_pks), CHUNK):
            _open(ticket_pks[start : start + CHUNK])
    else:
        waiting = Seat.objects.open().filter(ticket__in=ticket_pks)
        waiting.update(state=Seat.State.WITHDRAWN, reviewer=None, leased_until=None)
        Ticket.objects.filter(pk__in=ticket_pks, sealed=True).update(sealed=False)


def open_missing() -> int:
    """Open seats for held tickets that have none (from before there was a desk). Returns how many tickets."""
    opened = 0
    while pks := list(_without_seats().order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        with transaction.atomic(durable=True):
            opened += _open(list(_without_seats().select_for_update().filter(pk__in=pks).values_list("pk", flat=True)))
    return opened


def _without_seats() -> Any:
    seats = Seat.objects.filter(ticket=OuterRef("pk")).exclude(state=Seat.State.WITHDRAWN)
    return Ticket.objects.in_state(Ticket.State.HELD).filter(~Exists(seats))


def _open(ticket_pks: Sequence[int]) -> int:
    """Seats for these held tickets: those they had before, else new ones as they are drawn."""
    desk = Desk.current()
    verdicts = Verdict.objects.current().filter(ticket__in=ticket_pks).select_related("ticket", "prediction")
    judged = {verdict.ticket_id: verdict for verdict in verdicts.order_by("pk")}
    groups = _groups([verdict.ticket for verdict in judged.values()])
    values = _values(judged.values())
    existing: dict[int, list[Seat]] = {}
    for seat in Seat.objects.filter(ticket__in=judged).order_by("pk"):
        existing.setdefault(seat.ticket_id, []).append(seat)
    seats = [
        seat
        for pk, verdict in judged.items()
        for seat in existing.get(pk) or _drawn(desk, verdict.ticket)
        if seat.state != Seat.State.ANSWERED
    ]
    for seat in seats:
        seat.state, seat.group = Seat.State.OPEN, groups[seat.ticket_id]
        _describe(seat, judged[seat.ticket_id], values[seat.ticket_id], desk)
    Seat.objects.bulk_update([seat for seat in seats if seat.pk], _REFRESHED)
    Seat.objects.bulk_create([seat for seat in seats if not seat.pk])
    blind = {seat.ticket_id for seat in seats if seat.blind}
    Ticket.objects.filter(pk__in=blind).update(sealed=True)
    return len(judged)


_REFRESHED = ["state", "group", "due_at", "value", "reason", "category", "sentiment", "confidence", "spec"]


def _drawn(desk: Desk, ticket: Ticket) -> list[Seat]:
    draw = drawn_for(desk, ticket.pk)
    return [
        Seat(
            ticket=ticket,
            number=number,
            purpose=draw.purpose,
            blind=draw.blind,
            share=draw.share,
            received_at=ticket.received_at,
            language=ticket.language,
        )
        for number in ((1, 2) if draw.purpose == Seat.Purpose.DOUBLE else (1,))
    ]


def drawn_for(desk: Desk, ticket_pk: int) -> Draw:
    """Two labels of one ticket are independent only if nobody saw a suggestion, so double labelling is blind too."""
    if desk.draw(ticket_pk, "double") < desk.double_share:
        return Draw(Seat.Purpose.DOUBLE, True, desk.double_share)
    single = 1 - desk.double_share
    if desk.draw(ticket_pk, "blind") < desk.blind_share:
        return Draw(Seat.Purpose.REVIEW, True, single * desk.blind_share)
    return Draw(Seat.Purpose.REVIEW, False, single * (1 - desk.blind_share))


def _describe(seat: Seat, verdict: Verdict, value: float, desk: Desk) -> None:
    """What the queue shows of the seat, and where it stands in it; for a blind one the place is drawn too."""
    seat.due_at = verdict.ticket.due_at
    if seat.blind:
        seat.value = desk.draw(seat.ticket_id, "place")
        return
    seat.value, seat.reason, prediction = value, verdict.reason, verdict.prediction
    for name in ("category_id", "sentiment_id", "confidence", "spec_id"):
        setattr(seat, name, getattr(prediction, name, None))


def _values(verdicts: Any) -> dict[int, float]:
    """By ticket, what an answer is worth; waiting ones are counted once for each suggested category."""
    suggested = {verdict.prediction.category_id for verdict in verdicts if verdict.prediction}
    waiting = {pk: Seat.objects.open().filter(lane=Seat.Lane.AGENTS, category=pk) for pk in suggested}
    counts = {pk: seats.count_to(order.RARE) for pk, seats in waiting.items()}
    return {verdict.ticket_id: order.value(_signals(verdict, counts)) for verdict in verdicts}


def _signals(verdict: Verdict, waiting: dict[int, int]) -> Signals:
    prediction: Prediction | None = verdict.prediction
    return Signals(
        confidence=prediction.confidence if prediction else None,
        disagreement=verdict.reason == Reason.DISAGREEMENT,
        waiting_alike=waiting[prediction.category_id] if prediction else 0,
    )


def _groups(tickets: Sequence[Ticket]) -> dict[int, int]:
    """By ticket, the group of near-duplicates it belongs to: that of an earlier one, or a new one of its own."""
    known = {row.pk: row for row in Likeness.objects.filter(pk__in=[ticket.pk for ticket in tickets])}
    groups = {pk: row.group for pk, row in known.items()}
    fresh = [ticket for ticket in tickets if ticket.pk not in known]
    found = {ticket.pk: likeness.shingles(ticket.text) for ticket in fresh}
    bands = {pk: likeness.bands(shingles) for pk, shingles in found.items()}
    firsts = _Firsts(list(bands.values()))
    rows = []
    for ticket in fresh:
        group = firsts.group_of(found[ticket.pk], bands[ticket.pk])
        groups[ticket.pk] = ticket.pk if group is None else group
        firsts.add(groups[ticket.pk], found[ticket.pk], bands[ticket.pk])
        rows.append(Likeness(ticket=ticket, group=groups[ticket.pk], **dict(_band_fields(bands[ticket.pk]))))
    Likeness.objects.bulk_create(rows)
    return groups


def _band_fields(bands: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    return ((f"band_{number}", band) for number, band in enumerate(bands))


class _Firsts:
    """The tickets that new ones may be like: the latest that share a band with any of them, and one another."""

    def __init__(self, bands: list[tuple[int, ...]]) -> None:
        self._by_band: dict[tuple[int, int], list[tuple[int, frozenset[int]]]] = {}
        if bands:
            candidates = Likeness.objects.sharing(bands).select_related("ticket").order_by("-pk")[:MOST_CANDIDATES]
            for row in reversed(candidates):
                self.add(row.group, likeness.shingles(row.ticket.text), row.bands)

    def add(self, group: int, shingles: frozenset[int], bands: tuple[int, ...]) -> None:
        for place in enumerate(bands):
            self._by_band.setdefault(place, []).append((group, shingles))

    def group_of(self, shingles: frozenset[int], bands: tuple[int, ...]) -> int | None:
        """The group of the candidate that is most alike, if any is alike enough."""
        candidates = [one for place in enumerate(bands) for one in self._by_band.get(place, [])]
        alike = [(likeness.similarity(shingles, other), -group) for group, other in candidates]
        best = max(alike, default=(0.0, 0))
        return -best[1] if best[0] >= likeness.ALIKE else None
