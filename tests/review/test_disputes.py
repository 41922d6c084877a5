"""A gold label in doubt goes to two people who are new to it."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from classifier.models import Category, Sentiment, Ticket
from review import benchmark, decisions, disputes, gold, oversight, queue
from review.decisions import CannotUndo
from review.disputes import CannotDispute
from review.models import Decision, GoldLabel, Seat
from tests.factories import hold, make_ticket, make_user, run_desk
from tests.review.acts import answer, assert_consistent, state, undo

pytestmark = pytest.mark.usefixtures("catalogue")

State = GoldLabel.State


@pytest.fixture
def cy(db: None) -> User:
    return make_user("cy", "Agent")


@pytest.fixture
def of_ticket(ana: User, catalogue: None) -> GoldLabel:
    """Ana has labelled it Account."""
    run_desk()
    answer(hold(make_ticket())[0], ana, "Account")
    gold.gather()
    return GoldLabel.objects.get()


def test_two_others_are_asked_blindly_and_their_label_counts(
    of_ticket: GoldLabel, ana: User, ben: User, cy: User, lea: User
) -> None:
    disputes.dispute(of_ticket, lea, "Is it not billing?")
    assert GoldLabel.objects.get().state == State.DISPUTED
    assert not GoldLabel.objects.usable().exists()
    assert queue.next_for(ana) is None, "she has answered already"
    for person in (ben, cy):
        seat = queue.next_for(person)
        assert seat
        assert seat.blind
        answer(seat, person, "Billing")
    gold.gather()
    label = GoldLabel.objects.get()
    assert (label.state, label.category.name, label.people, label.note) == (State.ACTIVE, "Billing", 2, "")
    assert decisions.standing_of(of_ticket.ticket or make_ticket()).category.name == "Billing"
    assert_consistent()


def test_where_they_differ_a_lead_chooses(of_ticket: GoldLabel, ben: User, cy: User, lea: User) -> None:
    disputes.dispute(of_ticket, None)
    answer(queue.next_for(ben), ben, "Billing")
    answer(queue.next_for(cy), cy, "Technical")
    answer(queue.next_for(lea, "leads"), lea, "Technical")
    gold.gather()
    assert GoldLabel.objects.get().category.name == "Technical"
    assert_consistent()


def test_it_can_be_disputed_again(of_ticket: GoldLabel, lea: User) -> None:
    for round_number, category in ((1, "Billing"), (2, "General")):
        disputes.dispute(GoldLabel.objects.get(), None)
        people = [make_user(f"agent{round_number}{number}", "Agent") for number in (1, 2)]
        for person in people:
            answer(queue.next_for(person), person, category)
        gold.gather()
        assert GoldLabel.objects.get().category.name == category
    assert Seat.objects.values_list("number", flat=True).order_by("number").last() == 8
    assert_consistent()


def test_a_disputed_one_cannot_be_disputed_nor_a_retired_one(of_ticket: GoldLabel) -> None:
    disputes.dispute(of_ticket, None)
    with pytest.raises(CannotDispute):
        disputes.dispute(of_ticket, None)
    GoldLabel.objects.update(state=State.RETIRED)
    with pytest.raises(CannotDispute):
        disputes.dispute(of_ticket, None)


def test_a_text_without_a_ticket_gets_one(ben: User, cy: User) -> None:
    run_desk()
    benchmark.load_built_in()
    label = GoldLabel.objects.filter(category__name="Billing").first()
    assert label
    disputes.dispute(label, None)
    ticket = Ticket.objects.get()
    assert (ticket.source, ticket.state, ticket.sealed) == ("benchmark", "held", True)
    for person in (ben, cy):
        answer(queue.next_for(person), person, "Account", "Positive")
    gold.gather()
    label.refresh_from_db()
    assert (label.category.name, label.sentiment.name, label.state) == ("Account", "Positive", State.ACTIVE)
    assert state(ticket) == "settled"


def test_what_was_decided_before_cannot_be_undone_while_others_are_asked(of_ticket: GoldLabel, ana: User) -> None:
    disputes.dispute(of_ticket, None)
    with pytest.raises(CannotUndo):
        undo(Decision.objects.get(), ana)


def test_nobody_sees_the_label_in_doubt(of_ticket: GoldLabel, ben: User, client: Client) -> None:
    answered = Category.objects.get(name="Account")
    answered.description, answered.name = "", "Zanzibar"
    answered.save()
    disputes.dispute(of_ticket, None)
    client.force_login(ben)
    assert of_ticket.ticket
    page = client.get(of_ticket.ticket.get_absolute_url()).content.decode()
    assert "Zanzibar" not in page.split("<main")[1]


def test_disputes_do_not_count_as_a_sample_of_how_people_agree(of_ticket: GoldLabel, ben: User, cy: User) -> None:
    disputes.dispute(of_ticket, None)
    for person, category in ((ben, "Billing"), (cy, "Technical")):
        answer(queue.next_for(person), person, category)
    assert all(axis.raw.n == 0 for axis in oversight.report().axes)


def test_the_sentiment_may_be_in_doubt_as_well(of_ticket: GoldLabel, ben: User, cy: User) -> None:
    disputes.dispute(of_ticket, None)
    for person in (ben, cy):
        answer(queue.next_for(person), person, "Account", "Negative")
    gold.gather()
    assert GoldLabel.objects.get().sentiment == Sentiment.objects.get(name="Negative")
