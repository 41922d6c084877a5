"""Tickets come to the desk: seats are opened for what the gate holds, and withdrawn for what passes after all."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from classifier.models import (
    AuditDraw,
    Category,
    Prediction,
    Reason,
    Sentiment,
    Ticket,
    Verdict,
)
from classifier.models.ticket import TicketQuerySet
from review.duplicates.groups import groups_of
from review.models import Decision, Desk, Seat
from review.workflow import audits, priority, routing
from review.workflow.priority import Signals

CHUNK = 200


class Draw(NamedTuple):
    """What a ticket was drawn for, and with which probability it came out so."""

    purpose: Seat.Purpose
    blind: bool
    share: float


def on_moved(ticket_pks: Sequence[int], state: str, **_signal: Any) -> None:
    """Follow the classifier, inside its transaction.

    While models are asked once more people go on: seats stay open, and a ticket that somebody settles meanwhile is left
    alone. What people have begun is not taken from them either: where one of two labels is there, or a lead was asked,
    the ticket stays in review however sure a model is by now.
    """
    if state == Ticket.State.HELD:
        _open_all(ticket_pks)
    elif state == Ticket.State.ACCEPTED:
        begun = set(Decision.objects.standing().filter(ticket__in=ticket_pks).values_list("ticket", flat=True))
        passed = [pk for pk in ticket_pks if pk not in begun]
        routing.withdraw(Seat.objects.open().filter(ticket__in=passed))
        Ticket.objects.filter(pk__in=passed, sealed=True).update(sealed=False)
        drawn = AuditDraw.objects.filter(verdict__ticket__in=passed, verdict__current=True, audited=True)
        _open_all(list(drawn.values_list("verdict__ticket", flat=True)))
        if begun:
            routing.ask_again(list(begun))
            _open_all(sorted(begun))


def open_missing() -> int:
    """Open seats for held tickets that have none (from before there was a desk). Returns how many tickets."""
    opened = after = 0
    while pks := list(_without_seats().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        after = pks[-1]
        with transaction.atomic(durable=True):
            opened += _open(list(_without_seats().select_for_update().filter(pk__in=pks).values_list("pk", flat=True)))
    return opened


def _without_seats() -> TicketQuerySet:
    seats = Seat.objects.filter(ticket=OuterRef("pk")).exclude(state=Seat.State.WITHDRAWN)
    return Ticket.objects.in_state(Ticket.State.HELD).filter(~Exists(seats))


def _open_all(ticket_pks: Sequence[int]) -> None:
    for start in range(0, len(ticket_pks), CHUNK):
        _open(ticket_pks[start : start + CHUNK])


def _open(ticket_pks: Sequence[int]) -> int:
    """Seats for these held tickets: those they had before, else new ones as they are drawn."""
    _hold_off_merges()
    desk = Desk.current()
    verdicts = Verdict.objects.current().filter(ticket__in=ticket_pks)
    verdicts = verdicts.select_related("ticket", "prediction", "audit_draw")
    judged = {verdict.ticket_id: verdict for verdict in verdicts.order_by("ticket_id")}
    groups, values = groups_of([verdict.ticket for verdict in judged.values()]), _values(judged.values())
    known = _known_seats(judged)
    drawn = [seat for pk, verdict in judged.items() if pk not in known for seat in _drawn(desk, verdict)]
    asked = [seat for seats in known.values() for seat in seats if seat.state != Seat.State.ANSWERED]
    fresh = drawn + [seat for seat in asked if seat.state == Seat.State.WITHDRAWN]
    for seat in drawn + asked:
        seat.state, seat.group = Seat.State.OPEN, groups[seat.ticket_id]
        if _is_audited(judged[seat.ticket_id]) and seat.purpose == Seat.Purpose.REVIEW:
            seat.purpose, seat.blind = Seat.Purpose.AUDIT, True
            seat.share = judged[seat.ticket_id].audit_draw.share
        _describe(seat, judged[seat.ticket_id], values[seat.ticket_id], desk)
    hidden = {seat.ticket_id for seat in fresh if seat.blind} | {pk for pk, one in judged.items() if _is_audited(one)}
    Seat.objects.bulk_update(asked, _REFRESHED)
    Seat.objects.bulk_create(drawn)
    Ticket.objects.filter(pk__in=hidden).update(sealed=True)
    audits.open_for([verdict.audit_draw for verdict in judged.values() if _is_audited(verdict)])
    return len(judged)


def _hold_off_merges() -> None:
    """What is suggested keeps its label until it is written, and a merge that came first is seen."""
    for labels in (Category.objects, Sentiment.objects):
        list(labels.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _known_seats(ticket_pks: Collection[int]) -> dict[int, list[Seat]]:
    """By ticket, its seats of the latest round, but for a choice between two labels of which one was taken back."""
    choices = Q(purpose=Seat.Purpose.ADJUDICATION, state=Seat.State.WITHDRAWN)
    known: dict[int, list[Seat]] = {}
    for seat in Seat.objects.of_latest_round().filter(ticket__in=ticket_pks).exclude(choices):
        known.setdefault(seat.ticket_id, []).append(seat)
    return known


_REFRESHED = [
    "state",
    "group",
    "purpose",
    "blind",
    "share",
    "due_at",
    "value",
    "reason",
    "category",
    "sentiment",
    "confidence",
    "spec",
]


def _is_audited(verdict: Verdict) -> bool:
    draw: AuditDraw | None = getattr(verdict, "audit_draw", None)
    return draw is not None and draw.audited


def _drawn(desk: Desk, verdict: Verdict) -> list[Seat]:
    """What the gate has drawn is audited; of the rest the desk draws its own."""
    ticket = verdict.ticket
    draw = drawn_for(desk, ticket.pk)
    if _is_audited(verdict):
        draw = Draw(Seat.Purpose.AUDIT, True, verdict.audit_draw.share)
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
        audited = seat.purpose == Seat.Purpose.AUDIT
        seat.value = priority.audited(verdict.pk) if audited else priority.drawn(desk.draw(seat.ticket_id, "place"))
        seat.reason, seat.confidence = "", None
        seat.category, seat.sentiment, seat.spec = None, None, None
        return
    seat.value, seat.reason, prediction = value, verdict.reason, verdict.prediction
    for name in ("category_id", "sentiment_id", "confidence", "spec_id"):
        setattr(seat, name, getattr(prediction, name, None))


def _values(verdicts: Any) -> dict[int, float]:
    """By ticket, what an answer is worth; waiting ones are counted once for each suggested category."""
    suggested = {verdict.prediction.category_id for verdict in verdicts if verdict.prediction}
    waiting = {pk: Seat.objects.open().filter(lane=Seat.Lane.AGENTS, category=pk) for pk in suggested}
    counts = {pk: seats.count_to(priority.RARE) for pk, seats in waiting.items()}
    return {verdict.ticket_id: priority.value(_signals(verdict, counts)) for verdict in verdicts}


def _signals(verdict: Verdict, waiting: dict[int, int]) -> Signals:
    prediction: Prediction | None = verdict.prediction
    return Signals(
        confidence=prediction.confidence if prediction else None,
        disagreement=verdict.reason == Reason.DISAGREEMENT,
        waiting_alike=waiting[prediction.category_id] if prediction else 0,
    )
