"""What a person is told of what became of their answer, and what they must not be told."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from review import answering, queue
from review.models import Seat
from tests.factories import hold, make_ticket, run_desk
from tests.review.acts import answer, escalate, now

pytestmark = pytest.mark.usefixtures("catalogue")


def test_the_model_is_not_heard_while_another_label_is_awaited(ana: User, ben: User) -> None:
    run_desk(double_share=1, reveal=True)
    hold(make_ticket())
    first = queue.next_for(ana)
    assert first
    assert "The model said" not in answering.outcome_of(answer(first, ana, "Account"), first).text
    second = queue.next_for(ben)
    assert second
    assert "The model said" in answering.outcome_of(answer(second, ben, "Account"), second).text


def test_a_lead_who_undoes_goes_on_with_that_ticket_in_the_leads_lane(ana: User, lea: User, client: Client) -> None:
    run_desk()
    hold(make_ticket("one"), make_ticket("two"))
    escalate(queue.next_for(ana), ana)
    seat = queue.next_for(lea, "leads")
    answer(seat, lea)
    client.force_login(lea)
    response = client.post(reverse("review:undo"), {"key": uuid4()})
    assert response.headers["Location"] == reverse("review:work")
    client.get(response.headers["Location"])
    assert Seat.objects.held_by(lea).get() == now(seat)
