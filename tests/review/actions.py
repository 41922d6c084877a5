"""What people do at the desk, in few words; and what must hold at the desk whatever they did."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from classifier.models import (
    Category,
    ModelSpec,
    Sentiment,
    Ticket,
)
from classifier.taxonomy import label_changes
from review.models import Decision, Seat, SkipReason
from review.workflow import decisions
from review.workflow.decisions import Label
from tests.factories import hold


def label(category: str = "Billing", sentiment: str = "Neutral") -> Label:
    return Label(Category.objects.get(name=category), Sentiment.objects.get(name=sentiment))


def answer(seat: Seat | None, person: User, *of_label: str, **values: Any) -> Decision:
    return decisions.decide(_there(seat), person, label(*of_label), **{"key": uuid4()} | values)


def skip(seat: Seat | None, person: User, **values: Any) -> Decision:
    return decisions.skip(_there(seat), person, SkipReason.UNCLEAR, **{"key": uuid4()} | values)


def escalate(seat: Seat | None, person: User, **values: Any) -> Decision:
    return decisions.escalate(_there(seat), person, note="Is this a threat?", **{"key": uuid4()} | values)


def _there(seat: Seat | None) -> Seat:
    assert seat, "there is nothing to answer"
    return seat


def undo(decision: Decision, person: User) -> list[Decision]:
    return decisions.undo(decision, person, key=uuid4())


def judge_again(ticket: Ticket, **values: Any) -> list[Seat]:
    """Models are asked about the ticket once more, another one this time; its open seats."""
    ask_models_again(ticket)
    spec = ModelSpec.objects.exclude(pk__in=ticket.predictions.values("spec")).first()
    return hold(ticket, spec=spec, **values)


def ask_models_again(*tickets: Ticket) -> None:
    label_changes.classify_again(Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets]))


def now(seat: Seat | None) -> Seat:
    """The seat as it stands."""
    return Seat.objects.select_related("ticket").get(pk=_there(seat).pk)


def state(ticket: Ticket) -> str:
    return str(Ticket.objects.values_list("state", flat=True).get(pk=ticket.pk))


def abandon(*seats: Seat | None) -> None:
    """As if the leases had run out."""
    Seat.objects.filter(pk__in=[_there(seat).pk for seat in seats]).update(
        leased_until=timezone.now() - timedelta(seconds=1)
    )


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Each in a thread of its own, begun together; their results in order. What one raises is its result."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = works[place]()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[place]) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def assert_consistent() -> None:
    """From the tables alone: seats, decisions and tickets tell one story."""
    in_hand = Counter(Seat.objects.open().exclude(reviewer=None).values_list("reviewer", flat=True))
    assert max(in_hand.values(), default=0) <= 1, "somebody has two tickets in hand"
    labels: dict[int, list[Decision]] = {}
    for decision in Decision.objects.standing().labelled():
        labels.setdefault(decision.seat_id, []).append(decision)
    for seat in Seat.objects.all():
        people = [decision.reviewer_id for decision in labels.get(seat.pk, [])]
        assert people == ([seat.reviewer_id] if seat.state == Seat.State.ANSWERED else []), f"{seat}: {people}"
    for ticket in Ticket.objects.prefetch_related("seats"):
        _assert_settled_or_asked(ticket)


def _assert_settled_or_asked(ticket: Ticket) -> None:
    states = Counter(seat.state for seat in ticket.seats.all())
    if ticket.state == Ticket.State.SETTLED:
        standing = decisions.standing_of(ticket)
        assert states["open"] == 0, f"{ticket} is settled and still asked about"
        assert standing, f"{ticket} is settled by nobody"
        assert (standing.category_id, standing.sentiment_id) == (ticket.category_id, ticket.sentiment_id)
    elif ticket.state == Ticket.State.HELD:
        assert states["open"] >= 1, f"{ticket} is in review, and nobody is asked"
        assert not any(seat.purpose == "review" and seat.state == "answered" for seat in ticket.seats.all())
