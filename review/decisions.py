"""The one place where decisions are written, each in one transaction with its seat's and its ticket's state.

The ticket's row is locked first, so that whatever two people do to one ticket happens one after the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from classifier.models import Category, Prediction, Sentiment, Ticket, Verdict

from .models import Decision, Desk, Seat, SkipReason

Act = Decision.Verdict
MOST_AT_ONCE = 200
"""Tickets that one confirmation decides."""


class TooLate(Exception):
    """Somebody else has answered, or nobody is asked any more; `standing` is what stands now, if anything does."""

    def __init__(self, ticket: Ticket, standing: Decision | None) -> None:
        super().__init__(f"#{ticket.pk} is answered already")
        self.ticket, self.standing = ticket, standing


class CannotUndo(Exception):
    """Others have built on the decision meanwhile, or it was undone already."""


class Label(NamedTuple):
    category: Category
    sentiment: Sentiment

    def is_of(self, prediction: Prediction) -> bool:
        return (self.category.pk, self.sentiment.pk) == (prediction.category_id, prediction.sentiment_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a person saw when they answered. Of a blind review `prediction` and `second_opinion` are None."""

    prediction: Prediction | None = None
    second_opinion: Prediction | None = None
    second_first: bool = False
    since: datetime | None = None


NOTHING = Shown()


@transaction.atomic(durable=True)
def decide(seat: Seat, reviewer: User, label: Label, *, shown: Shown = NOTHING, key: UUID, note: str = "") -> Decision:
    """Record a label for a seat, and settle the ticket where it is the last that was wanted.

    An answer sent again changes nothing and gives the decision it made. Raises TooLate.
    """
    ticket = _locked(seat.ticket_id)
    if known := _known(key, reviewer):
        return known
    _answer(ticket, seat, reviewer)
    decision = _record_label(seat, reviewer, label, shown, key=key, note=note)
    _follow_up(ticket, seat, decision)
    return decision


@transaction.atomic(durable=True)
def skip(
    seat: Seat, reviewer: User, reason: SkipReason, *, shown: Shown = NOTHING, key: UUID, note: str = ""
) -> Decision:
    """Pass a ticket on to somebody else; once two people were not the right ones, a lead gets it. Raises TooLate."""
    ticket = _locked(seat.ticket_id)
    if known := _known(key, reviewer):
        return known
    _still_open(ticket, seat)
    decision = _record(seat, reviewer, Act.SKIPPED, shown, key=key, note=note, skip_reason=reason)
    _let_go(seat, reviewer)
    _bar(Seat.objects.open().filter(ticket=ticket, lane=Seat.Lane.AGENTS), reviewer)
    return decision


@transaction.atomic(durable=True)
def escalate(seat: Seat, reviewer: User, *, note: str, shown: Shown = NOTHING, key: UUID) -> Decision:
    """Hand a ticket to a lead, with a note that says why. Raises TooLate."""
    ticket = _locked(seat.ticket_id)
    if known := _known(key, reviewer):
        return known
    _still_open(ticket, seat)
    decision = _record(seat, reviewer, Act.ESCALATED, shown, key=key, note=note)
    _let_go(seat, reviewer)
    Seat.objects.filter(pk=seat.pk).update(lane=Seat.Lane.LEADS)
    return decision


@transaction.atomic(durable=True)
def decide_many(seats: Sequence[Seat], reviewer: User, label: Label | None = None) -> list[Decision]:
    """Give many tickets one label, or each its own suggestion; seats that were taken meanwhile are left out.

    Only seats whose suggestion is shown and that ask nobody else are decided so. The decisions share a batch, and are
    undone together.
    """
    tickets = _locked_all(seat.ticket_id for seat in seats[:MOST_AT_ONCE])
    free = Seat.objects.free_for_bulk(reviewer, timezone.now()).filter(pk__in=[seat.pk for seat in seats])
    wanted = [seat for seat in free.select_related("category", "sentiment") if seat.ticket_id in tickets]
    predictions = _standing_predictions(list(tickets))
    batch = uuid4()
    decisions = []
    for seat in wanted:
        _answer(tickets[seat.ticket_id], seat, reviewer)
        own = label or Label(_chosen(seat.category), _chosen(seat.sentiment))
        shown = Shown(prediction=predictions.get(seat.ticket_id))
        decision = _record_label(seat, reviewer, own, shown, key=uuid4(), batch=batch)
        _follow_up(tickets[seat.ticket_id], seat, decision)
        decisions.append(decision)
    return decisions


@transaction.atomic(durable=True)
def undo(decision: Decision, reviewer: User, *, key: UUID) -> list[Decision]:
    """Take a decision back, with all that was decided in one go with it; the seat of a single one is in hand again.

    Sent again it changes nothing. Raises CannotUndo.
    """
    together = [decision]
    if decision.batch:
        together = list(Decision.objects.standing().filter(batch=decision.batch, reviewer=reviewer).order_by("pk"))
    tickets = _locked_all(one.ticket_id for one in together)
    if known := _known(key, reviewer):
        return [known]
    keys = {decision.pk: key}
    return [
        _undo(tickets[one.ticket_id], one, reviewer, key=keys.get(one.pk) or uuid4(), in_hand=not decision.batch)
        for one in together
    ]


def last_of(reviewer: User, within: timedelta = timedelta(hours=12)) -> Decision | None:
    """What `undo` would take back next: this person's latest standing decision of the day's work."""
    recent = Decision.objects.by(reviewer).standing().filter(created_at__gt=timezone.now() - within)
    return recent.with_labels().order_by("-pk").first()


def standing_of(ticket: Ticket) -> Decision | None:
    """The label that counts for a ticket: a lead's word, else the latest."""
    labels = list(Decision.objects.standing().labelled().with_labels().filter(ticket=ticket).order_by("-pk"))
    return max(labels, key=lambda one: (one.purpose == Seat.Purpose.ADJUDICATION, one.pk), default=None)


def _locked(ticket_pk: int) -> Ticket:
    return Ticket.objects.select_for_update().get(pk=ticket_pk)


def _locked_all(ticket_pks: Iterable[int]) -> dict[int, Ticket]:
    rows = Ticket.objects.select_for_update().filter(pk__in=set(ticket_pks)).order_by("pk")
    return {ticket.pk: ticket for ticket in rows}


def _known(key: UUID, reviewer: User) -> Decision | None:
    return Decision.objects.with_labels().filter(key=key, reviewer=reviewer).first()


def _answer(ticket: Ticket, seat: Seat, reviewer: User) -> None:
    """The seat is this person's for good, whoever had it in hand. Raises TooLate."""
    if seat.purpose != Seat.Purpose.REVIEW:
        beside = Seat.objects.filter(ticket=ticket, reviewer=reviewer).exclude(pk=seat.pk)
        beside.open().update(reviewer=None, leased_until=None)
        if beside.filter(state=Seat.State.ANSWERED).exists():
            raise TooLate(ticket, standing_of(ticket))
    wanted = Q(state=Seat.State.OPEN)
    if ticket.state != Ticket.State.SETTLED and seat.purpose != Seat.Purpose.ADJUDICATION:
        # Models are asked about the ticket once more; what a person says of it meanwhile counts all the same.
        wanted |= Q(state=Seat.State.WITHDRAWN)
    answered = {"state": Seat.State.ANSWERED, "reviewer": reviewer, "leased_until": None}
    if not Seat.objects.filter(wanted, pk=seat.pk).update(**answered):
        raise TooLate(ticket, standing_of(ticket))


def _still_open(ticket: Ticket, seat: Seat) -> None:
    if not Seat.objects.open().filter(pk=seat.pk).exists():
        raise TooLate(ticket, standing_of(ticket))


def _let_go(seat: Seat, reviewer: User) -> None:
    Seat.objects.open().filter(pk=seat.pk, reviewer=reviewer).update(reviewer=None, leased_until=None)


def _record_label(
    seat: Seat, reviewer: User, label: Label, shown: Shown, *, key: UUID, note: str = "", batch: UUID | None = None
) -> Decision:
    """Accepted where it is what the model says (which a blind reviewer does not know), else corrected."""
    prediction = _standing_predictions([seat.ticket_id]).get(seat.ticket_id) if seat.blind else shown.prediction
    accepts = prediction is not None and label.is_of(prediction)
    values = {"prediction": prediction, "category": label.category, "sentiment": label.sentiment, "batch": batch}
    return _record(seat, reviewer, Act.ACCEPTED if accepts else Act.CORRECTED, shown, key=key, note=note, **values)


def _record(seat: Seat, reviewer: User, verdict: Act, shown: Shown, *, key: UUID, **values: Any) -> Decision:
    seconds = None
    if shown.since is not None:
        seconds = max((timezone.now() - shown.since).total_seconds(), 0.0)
    defaults = {
        "prediction": shown.prediction,
        "second_opinion": shown.second_opinion,
        "second_first": shown.second_first,
        "seconds": seconds,
        "blind": seat.blind,
        "purpose": seat.purpose,
    }
    return Decision.objects.create(
        ticket_id=seat.ticket_id, seat=seat, reviewer=reviewer, verdict=verdict, key=key, **defaults | values
    )


def _follow_up(ticket: Ticket, seat: Seat, decision: Decision) -> None:
    """Settle the ticket, wait for the other of two labels, or have a lead choose between them."""
    if seat.purpose != Seat.Purpose.DOUBLE:
        _settle(ticket, decision)
        return
    others = Decision.objects.standing().labelled().filter(ticket=ticket, purpose=Seat.Purpose.DOUBLE)
    other = others.exclude(seat=seat).first()
    if other is None:
        _bar(Seat.objects.open().filter(ticket=ticket, lane=Seat.Lane.AGENTS), decision.reviewer)
    elif other.same_label(decision):
        _settle(ticket, decision)
    else:
        _ask_a_lead(seat)


def _settle(ticket: Ticket, decision: Decision) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(
        state=Ticket.State.SETTLED, category=decision.category_id, sentiment=decision.sentiment_id, sealed=False
    )
    Seat.objects.open().filter(ticket=ticket).update(state=Seat.State.WITHDRAWN, reviewer=None, leased_until=None)


def _unsettle(ticket: Ticket, seat: Seat) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(
        state=Ticket.State.HELD, category=None, sentiment=None, sealed=seat.blind
    )


def _ask_a_lead(seat: Seat) -> None:
    """Open the seat of the one who chooses between two labels, as blind to the model as those who gave them."""
    like = {name: getattr(seat, name) for name in ("due_at", "value", "group", "received_at", "language")}
    Seat.objects.update_or_create(
        ticket_id=seat.ticket_id,
        number=3,
        defaults=like
        | {
            "purpose": Seat.Purpose.ADJUDICATION,
            "lane": Seat.Lane.LEADS,
            "blind": True,
            "state": Seat.State.OPEN,
            "reviewer": None,
            "leased_until": None,
        },
    )


def _bar(seats: Any, reviewer: User) -> None:
    """Offer these seats to others than this person; where another is barred already, to a lead."""
    seats.filter(not_for__isnull=False).exclude(not_for=reviewer).update(lane=Seat.Lane.LEADS)
    seats.filter(not_for=None).update(not_for=reviewer)


def _undo(ticket: Ticket, decision: Decision, reviewer: User, *, key: UUID, in_hand: bool) -> Decision:
    seat = Seat.objects.get(pk=decision.seat_id)
    _check_undoable(ticket, decision, seat, reviewer)
    was_settled = ticket.state == Ticket.State.SETTLED
    undoing = _record(seat, reviewer, Act.UNDONE, NOTHING, key=key, undoes=decision)
    # Once it was settled everybody may have seen what the model said: the second look is no blind one.
    blind = seat.blind and not (was_settled and seat.purpose == Seat.Purpose.REVIEW)
    Seat.objects.open().filter(ticket=ticket, purpose=Seat.Purpose.ADJUDICATION).update(state=Seat.State.WITHDRAWN)
    Seat.objects.held_by(reviewer).exclude(pk=seat.pk).update(reviewer=None, leased_until=None)
    Seat.objects.filter(pk=seat.pk).update(
        state=Seat.State.OPEN,
        lane=Seat.Lane.LEADS if seat.purpose == Seat.Purpose.ADJUDICATION else Seat.Lane.AGENTS,
        blind=blind,
        not_for=None,
        reviewer=reviewer if in_hand else None,
        leased_until=timezone.now() + Desk.current().lease if in_hand else None,
    )
    seat.blind = blind
    if was_settled:
        _unsettle(ticket, seat)
    return undoing


def _check_undoable(ticket: Ticket, decision: Decision, seat: Seat, reviewer: User) -> None:
    """Raises CannotUndo."""
    if decision.reviewer_id != reviewer.pk or not Decision.objects.standing().filter(pk=decision.pk).exists():
        raise CannotUndo
    later = Decision.objects.standing().filter(ticket=ticket, pk__gt=decision.pk)
    if decision.purpose != Seat.Purpose.ADJUDICATION and later.filter(purpose=Seat.Purpose.ADJUDICATION).exists():
        raise CannotUndo
    if seat.state == Seat.State.ANSWERED and seat.reviewer_id != reviewer.pk:
        raise CannotUndo
    in_other_hands = seat.state == Seat.State.OPEN and seat.reviewer_id not in (None, reviewer.pk)
    if in_other_hands and seat.leased_until and seat.leased_until > timezone.now():
        raise CannotUndo


def _standing_predictions(ticket_pks: Sequence[int]) -> dict[int, Prediction]:
    """By ticket, what the gate's current verdict rests on."""
    verdicts = Verdict.objects.current().filter(ticket__in=ticket_pks, prediction__isnull=False)
    return {one.ticket_id: one.prediction for one in verdicts.select_related("prediction") if one.prediction}


def _chosen(label: Any) -> Any:
    assert label is not None  # noqa: S101 - bulk seats have a suggestion
    return label
