"""Where a ticket goes once somebody has had a say: it is settled, goes on to another person or a lead, or comes back.

All of it runs under the lock of the ticket's row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from classifier.integrations.webhooks import events
from classifier.models import Ticket
from classifier.models.outbox import Kind
from review.models import Decision, Seat
from review.models.assignment import SeatQuerySet
from review.models.decision import PASSED_ON
from review.workflow import audits
from review.workflow.prepared import Prepared, PreparedUpdate

SEATS_A_ROUND = 3
"""Two labels, and a choice between them: so many numbers belong to each time that a ticket is asked about."""
LABEL_SEATS = [Seat.Purpose.REVIEW, Seat.Purpose.DOUBLE, Seat.Purpose.AUDIT]
BY_TWO = [Seat.Purpose.DOUBLE, Seat.Purpose.AUDIT]
"""What two people may be asked for, who do not know of each other."""


def follow_up(ticket: Ticket, seat: Seat, decision: Decision) -> None:
    """Settle the ticket, wait for the other of two labels, or have a lead choose between two that differ."""
    if seat.purpose not in BY_TWO or _is_word_of_a_lead(seat, decision):
        settle([decision])
        return
    others = Decision.objects.standing().labelled().filter(ticket=ticket, purpose__in=BY_TWO)
    others = others.filter(seat__round=seat.round)
    other = others.exclude(seat=seat).first()
    if other and not other.same_label(decision):
        _ask_a_lead(seat)
    elif other or (seat.purpose == Seat.Purpose.AUDIT and not audits.is_rejudged(ticket, decision)):
        settle([decision])
    elif seat.purpose == Seat.Purpose.AUDIT:
        _ask_another(seat)


def _is_word_of_a_lead(seat: Seat, decision: Decision) -> bool:
    """A ticket that was passed on to the leads asks nobody else once one of them has answered."""
    return seat.lane == Seat.Lane.LEADS and seat.reviewer_id == decision.reviewer_id


def settle(decisions: Sequence[Decision]) -> None:
    """These labels are final; whoever else was asked about their tickets is not any more."""
    by_label: dict[tuple[int | None, int | None], list[int]] = {}
    for decision in decisions:
        by_label.setdefault((decision.category_id, decision.sentiment_id), []).append(decision.ticket_id)
    for (category, sentiment), pks in by_label.items():
        if len(pks) == 1 and category and sentiment:
            _SETTLED.carry_out(pk=pks[0], category=category, sentiment=sentiment)
        else:
            Ticket.objects.filter(pk__in=pks).update(**_settled(category, sentiment))
    if several := [decision.ticket_id for decision in decisions if decision.purpose != Seat.Purpose.REVIEW]:
        withdraw(Seat.objects.open().filter(ticket__in=several))
        audits.judge(several)
    tell(Kind.DECIDED, [decision.ticket_id for decision in decisions])


def tell(kind: Kind, ticket_pks: Sequence[int]) -> None:
    """Tell others where these tickets stand now (one query where nobody wants to know)."""
    if ticket_pks and _LISTENERS.tuples():
        events.announce(kind, ticket_pks)


_LISTENERS = Prepared(events.listeners)


def _settled(category: int | None, sentiment: int | None) -> dict[str, Any]:
    return {"state": Ticket.State.SETTLED, "category": category, "sentiment": sentiment, "sealed": False}


_SETTLED = PreparedUpdate(
    lambda pk, category, sentiment: (Ticket.objects.filter(pk=pk), _settled(category, sentiment)),
    pk=int,
    category=int,
    sentiment=int,
)


def withdraw(seats: SeatQuerySet) -> None:
    """Nobody is asked any more."""
    seats.update(state=Seat.State.WITHDRAWN, reviewer=None, leased_until=None)


def reopen(seats: Sequence[Seat], tickets: Mapping[int, Ticket]) -> None:
    """Ask for these seats' answers once more, and settle their tickets no longer."""
    settled = [pk for pk, ticket in tickets.items() if ticket.state == Ticket.State.SETTLED]
    # By then everybody may have seen what the model said: the second look is no blind one.
    seen = [seat.pk for seat in seats if seat.purpose == Seat.Purpose.REVIEW and seat.ticket_id in settled]
    unseen = [seat.pk for seat in seats if seat.pk not in seen]
    open_again = {"state": Seat.State.OPEN, "reviewer": None, "leased_until": None}
    Seat.objects.filter(pk__in=seen).update(**open_again, blind=False)
    Seat.objects.filter(pk__in=unseen).update(**open_again)
    if several := [seat.ticket_id for seat in seats if seat.purpose in BY_TWO]:
        withdraw(Seat.objects.open().filter(ticket__in=several, purpose=Seat.Purpose.ADJUDICATION))
    ask_again(settled)
    audits.judge([ticket_pk for ticket_pk in settled if ticket_pk in several])
    tell(Kind.REOPENED, settled)


def ask_again(ticket_pks: Sequence[int]) -> None:
    """People are asked for labels once more. What was revealed meanwhile stays so: a seal is not put back."""
    Ticket.objects.filter(pk__in=ticket_pks).update(state=Ticket.State.HELD, category=None, sentiment=None)
    withdrawn = Seat.objects.of_latest_round().filter(ticket__in=ticket_pks, state=Seat.State.WITHDRAWN)
    withdrawn.filter(purpose__in=LABEL_SEATS).update(state=Seat.State.OPEN)


def _ask_a_lead(seat: Seat) -> None:
    """Open the seat of the one who chooses between two labels, as blind to the model as those who gave them."""
    _ask(seat, SEATS_A_ROUND * seat.round, purpose=Seat.Purpose.ADJUDICATION, lane=Seat.Lane.LEADS)


def _ask_another(seat: Seat) -> None:
    """Open a seat beside one that was answered, for somebody else who knows nothing of that."""
    _ask(seat, SEATS_A_ROUND * seat.round - 1, purpose=seat.purpose, lane=Seat.Lane.AGENTS)


_OF_THE_ASKING = ["round", "share", "barred_id", "due_at", "value", "group", "received_at", "language"]


def _ask(seat: Seat, number: int, **kind: Any) -> None:
    like = {name: getattr(seat, name) for name in _OF_THE_ASKING}
    free = {"state": Seat.State.OPEN, "blind": True, "reviewer": None, "leased_until": None, "not_for": None}
    Seat.objects.update_or_create(ticket_id=seat.ticket_id, number=number, defaults=like | kind | free)


def offer(ticket: Ticket) -> None:
    """Say of each open seat in nobody's hands to whom it goes, by what stands: not to the latest person who skipped the
    ticket, and to a lead once it was escalated or two people were not the right ones.
    """
    passed_on = Decision.objects.standing().filter(ticket=ticket, verdict__in=PASSED_ON).order_by("pk")
    passed = list(passed_on.values_list("verdict", "seat", "reviewer"))
    people = {reviewer for _verdict, _seat, reviewer in passed}
    free = Seat.objects.free(timezone.now())
    for seat in free.filter(ticket=ticket):
        escalated = (Decision.Verdict.ESCALATED, seat.pk)
        # Whoever escalates may be the very lead who then looks at it.
        barred = [reviewer for verdict, one, reviewer in passed if (verdict, one) != escalated]
        to_leads = seat.purpose == Seat.Purpose.ADJUDICATION or len(people) > 1 or len(barred) < len(passed)
        lane = Seat.Lane.LEADS if to_leads else Seat.Lane.AGENTS
        free.filter(pk=seat.pk).update(lane=lane, not_for=barred[-1] if barred else None)
