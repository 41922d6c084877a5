"""What waits is put in order anew: most instructive first, blind ones evenly among the others, nothing taken away."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from classifier.embeddings import vector_store
from classifier.models import Ticket
from review.certification import cycle
from review.models import Assignment, ReviewSettings
from review.specialist import queue_ordering, training
from review.workflow import leases
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import answer
from tests.review.certification.auditing import ENOUGH, SURE, arrive, audit, certify, make_grid, open_audits
from tests.review.specialist import teaching

pytestmark = pytest.mark.usefixtures("catalogue")

ODD = "Photosynthesis converts sunlight within chloroplasts of algae and ferns."


def waiting(texts: list[str]) -> list[Ticket]:
    tickets = [make_ticket(text) for text in texts]
    for ticket in tickets:
        send_to_review(ticket)
    vector_store.embeddings_for([ticket.text for ticket in tickets])
    return tickets


def in_order() -> list[int]:
    return list(Assignment.objects.open().order_by("-value", "pk").values_list("ticket", flat=True))


def test_tickets_like_labelled_ones_come_after_unfamiliar_ones() -> None:
    configure_review()
    teaching.place({"Billing": 20, "Technical": 20})
    training.train()
    known = [teaching.message("Billing", "Neutral", number) for number in range(6)]
    unknown = [teaching.message("Account", "Neutral", number) for number in range(6)]
    tickets = waiting(known + unknown)
    assert queue_ordering.reorder_queue() == 12
    assert set(in_order()[:4]) <= {ticket.pk for ticket in tickets[6:]}


def test_near_duplicates_are_spread_out_in_the_queue() -> None:
    configure_review()
    same = [f"The refund of my payment is missing, order {number}" for number in range(6)]
    others = [teaching.message("Technical", "Neutral", number) for number in range(6)]
    tickets = waiting(same + others)
    queue_ordering.reorder_queue()
    copies = {ticket.pk for ticket in tickets[:6]}
    assert len(copies & set(in_order()[:3])) <= 1


def test_blind_assignments_are_spread_evenly() -> None:
    configure_review()
    tickets = waiting([teaching.message("Account", "Neutral", number) for number in range(20)])
    blind = [ticket.pk for ticket in tickets[:4]]
    hidden = {"category": None, "sentiment": None, "confidence": None, "language_model": None, "reason": ""}
    Assignment.objects.filter(ticket__in=blind).update(blind=True, value=0.0, **hidden)
    ReviewSettings.objects.update(blind_share=0.2)
    queue_ordering.reorder_queue()
    order = in_order()
    assert [sum(pk in blind for pk in order[start : start + 10]) for start in (0, 10)] == [2, 2]


def test_a_ticket_that_is_due_comes_first_after_reordering(ana: User) -> None:
    configure_review()
    tickets = waiting([teaching.message("Account", "Neutral", number) for number in range(5)])
    last = in_order()[-1]
    Assignment.objects.filter(ticket=last).update(due_at=timezone.now() + timedelta(minutes=5))
    queue_ordering.reorder_queue()
    assignment = leases.lease_next(ana)
    assert assignment
    assert assignment.ticket_id == last
    assert len(tickets) == 5


def test_a_taken_assignment_keeps_its_value(ana: User) -> None:
    configure_review()
    waiting([teaching.message("Account", "Neutral", number) for number in range(5)])
    assignment = leases.lease_next(ana)
    assert assignment
    before = Assignment.objects.get(pk=assignment.pk).value
    queue_ordering.reorder_queue()
    assert Assignment.objects.get(pk=assignment.pk).value == before
    assert Assignment.objects.get(pk=assignment.pk).reviewer == ana


def test_tickets_without_a_vector_come_last_in_the_queue() -> None:
    configure_review()
    waiting([teaching.message("Account", "Neutral", number) for number in range(4)])
    unknown = make_ticket(ODD)
    send_to_review(unknown)
    queue_ordering.reorder_queue()
    assert in_order()[-1] == unknown.pk


def test_the_queue_is_reordered_after_some_decisions(ana: User) -> None:
    configure_review()
    assert not queue_ordering.is_due(), "nothing waits"
    waiting([teaching.message("Account", "Neutral", number) for number in range(queue_ordering.MIN_DECISIONS + 1)])
    assert queue_ordering.is_due()
    queue_ordering.reorder_queue()
    for _decision in range(queue_ordering.MIN_DECISIONS):
        answer(leases.lease_next(ana), ana)
    assert not queue_ordering.is_due(), "the last one was a moment ago"
    ReviewSettings.objects.update(ordered_at=timezone.now() - timedelta(minutes=2))
    assert queue_ordering.is_due()


def test_audits_that_the_first_certificate_waits_for_come_first(ana: User) -> None:
    certify()
    make_grid()
    unsure, sure = arrive(*[0.4] * 3), arrive(*[SURE] * 3)
    decisive = {ticket.pk for ticket in sure}
    assert not decisive & set(in_order()[:3])
    queue_ordering.reorder_queue()
    assert in_order()[:3] == sorted(decisive)
    audit(ana, open_audits(arrive(*[SURE] * ENOUGH)))
    audit(ana, open_audits(sure))
    cycle.run_certification()
    ReviewSettings.objects.update(ordered_at=None)
    later = arrive(*[SURE] * 40)
    queue_ordering.reorder_queue()
    waiting_audits = [pk for pk in in_order() if pk in {ticket.pk for ticket in [*unsure, *later]}]
    assert waiting_audits == sorted(waiting_audits), "once certified, audits come as they were drawn"


def test_concurrent_reorderings_happen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_review()
    waiting(["One ticket", "Another ticket"])
    review_settings = ReviewSettings.current()
    queue_ordering.reorder_queue()
    monkeypatch.setattr(ReviewSettings, "current", lambda: review_settings)
    assert queue_ordering.reorder_queue() == 0
