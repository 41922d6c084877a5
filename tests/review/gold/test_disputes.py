"""Disputed gold labels go to two other people."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier.models import Category, Sentiment, Ticket
from review.benchmark import runs
from review.gold import disputes, gold_labels
from review.gold.disputes import CannotDispute
from review.models import Assignment, Decision, GoldLabel
from review.reports import quality
from review.screen import bulk
from review.workflow import decisions, leases
from review.workflow.decisions import CannotUndo
from review.workflow.leases import NotAvailable
from tests.factories import configure_review, make_ticket, make_user, send_to_review
from tests.review.actions import answer, assert_consistent, skip, state, undo

pytestmark = pytest.mark.usefixtures("catalogue")

State = GoldLabel.State


@pytest.fixture
def third_agent(db: None) -> User:
    return make_user("third_agent", "Agent")


@pytest.fixture
def gold_label(ana: User, catalogue: None) -> GoldLabel:
    """A label by Ana: Account."""
    configure_review()
    answer(send_to_review(make_ticket())[0], ana, "Account")
    gold_labels.collect_from_decisions()
    return GoldLabel.objects.get()


def test_dispute_asks_two_other_people_blind(
    gold_label: GoldLabel, ana: User, ben: User, third_agent: User, lea: User
) -> None:
    disputes.dispute(gold_label, lea, "Is it not billing?")
    assert GoldLabel.objects.get().state == State.DISPUTED
    assert not GoldLabel.objects.usable().exists()
    assert leases.lease_next(ana) is None, "she has already answered"
    for person in (ben, third_agent):
        assignment = leases.lease_next(person)
        assert assignment
        assert assignment.blind
        answer(assignment, person, "Billing")
    gold_labels.collect_from_decisions()
    label = GoldLabel.objects.get()
    assert (label.state, label.category.name, label.people, label.note) == (State.ACTIVE, "Billing", 2, "")
    assert decisions.final_decision(gold_label.ticket or make_ticket()).category.name == "Billing"
    assert_consistent()


def test_a_lead_adjudicates_a_disagreement(gold_label: GoldLabel, ben: User, third_agent: User, lea: User) -> None:
    disputes.dispute(gold_label, None)
    answer(leases.lease_next(ben), ben, "Billing")
    answer(leases.lease_next(third_agent), third_agent, "Technical")
    answer(leases.lease_next(lea, "leads"), lea, "Technical")
    gold_labels.collect_from_decisions()
    assert GoldLabel.objects.get().category.name == "Technical"
    assert_consistent()


def test_label_can_be_disputed_again(gold_label: GoldLabel, lea: User) -> None:
    for round_number, category in ((1, "Billing"), (2, "General")):
        disputes.dispute(GoldLabel.objects.get(), None)
        people = [make_user(f"agent{round_number}{number}", "Agent") for number in (1, 2)]
        for person in people:
            answer(leases.lease_next(person), person, category)
        gold_labels.collect_from_decisions()
        assert GoldLabel.objects.get().category.name == category
    assert Assignment.objects.values_list("number", flat=True).order_by("number").last() == 8
    assert_consistent()


def test_disputed_and_retired_labels_cannot_be_disputed(gold_label: GoldLabel) -> None:
    disputes.dispute(gold_label, None)
    with pytest.raises(CannotDispute):
        disputes.dispute(gold_label, None)
    GoldLabel.objects.update(state=State.RETIRED)
    with pytest.raises(CannotDispute):
        disputes.dispute(gold_label, None)


def test_dispute_creates_a_ticket_for_an_imported_label(ben: User, third_agent: User) -> None:
    configure_review()
    runs.load_built_in()
    label = GoldLabel.objects.filter(category__name="Billing").first()
    assert label
    disputes.dispute(label, None)
    ticket = Ticket.objects.get()
    assert (ticket.source, ticket.state, ticket.sealed) == ("benchmark", "needs_review", True)
    for person in (ben, third_agent):
        answer(leases.lease_next(person), person, "Account", "Positive")
    gold_labels.collect_from_decisions()
    label.refresh_from_db()
    assert (label.category.name, label.sentiment.name, label.state) == ("Account", "Positive", State.ACTIVE)
    assert state(ticket) == "settled"


def test_earlier_decision_cannot_be_undone_during_a_dispute(gold_label: GoldLabel, ana: User) -> None:
    disputes.dispute(gold_label, None)
    with pytest.raises(CannotUndo):
        undo(Decision.objects.get(), ana)


def test_disputed_label_is_hidden_from_everyone(gold_label: GoldLabel, ben: User, client: Client) -> None:
    answered = Category.objects.get(name="Account")
    answered.description, answered.name = "", "Zanzibar"
    answered.save()
    disputes.dispute(gold_label, None)
    client.force_login(ben)
    assert gold_label.ticket
    page = client.get(gold_label.ticket.get_absolute_url()).content.decode()
    assert "Zanzibar" not in page.split("<main")[1]


def test_disputes_are_left_out_of_the_agreement(gold_label: GoldLabel, ben: User, third_agent: User) -> None:
    disputes.dispute(gold_label, None)
    for person, category in ((ben, "Billing"), (third_agent, "Technical")):
        answer(leases.lease_next(person), person, category)
    assert all(axis.raw.n == 0 for axis in quality.quality_report().axes)


def test_dispute_can_change_the_sentiment(gold_label: GoldLabel, ben: User, third_agent: User) -> None:
    disputes.dispute(gold_label, None)
    for person in (ben, third_agent):
        answer(leases.lease_next(person), person, "Account", "Negative")
    gold_labels.collect_from_decisions()
    assert GoldLabel.objects.get().sentiment == Sentiment.objects.get(name="Negative")


# The person who disputes


def test_person_who_disputes_never_gets_the_ticket(
    gold_label: GoldLabel, ben: User, third_agent: User, lea: User
) -> None:
    disputes.dispute(gold_label, lea)
    skip(leases.lease_next(ben), ben)
    leases.reoffer_skipped(ben)
    leases.reoffer_skipped(lea)
    assert leases.lease_next(lea) is None
    with pytest.raises(NotAvailable):
        leases.lease_ticket(lea, gold_label.ticket or make_ticket())
    answer(leases.lease_next(ben), ben, "Billing")
    answer(leases.lease_next(third_agent), third_agent, "Technical")
    assert leases.lease_next(lea, "leads") is None, "she cannot adjudicate it either"
    lou = make_user("lou", "Lead")
    answer(leases.lease_next(lou, "leads"), lou, "Technical")
    assert_consistent()


def test_escalated_dispute_does_not_go_to_the_lead_who_disputed(
    gold_label: GoldLabel, ben: User, third_agent: User, lea: User
) -> None:
    disputes.dispute(gold_label, lea)
    for person in (ben, third_agent):
        skip(leases.lease_next(person), person)
    assert set(Assignment.objects.open().values_list("lane", flat=True)) == {"leads"}
    assert leases.lease_next(lea, "leads") is None
    assert leases.lease_next(make_user("lou", "Lead"), "leads")


def test_disputed_ticket_cannot_be_opened_by_the_disputer_or_accepted_in_bulk(
    gold_label: GoldLabel, ben: User, lea: User, client: Client
) -> None:
    disputes.dispute(gold_label, lea)
    take = reverse("review:take", args=[gold_label.ticket_id])
    client.force_login(lea)
    client.post(take)
    assignments = list(Assignment.objects.open())
    assert [assignment.reviewer for assignment in assignments] == [None, None]
    previewed = bulk.preview(bulk.selected_assignments(str(assignment.pk) for assignment in assignments), lea)
    assert not previewed.groups
    assert bulk.accept(previewed, lea).number == 0
    client.force_login(ben)
    client.post(take)
    assert Assignment.objects.open().filter(reviewer=ben).count() == 1


# Origins


def test_confirmed_label_keeps_its_origin(ana: User, ben: User, third_agent: User) -> None:
    configure_review(blind_share=1)
    (assignment,) = send_to_review(make_ticket())
    Assignment.objects.update(share=0.095)
    answer(assignment, ana, "Account")
    gold_labels.collect_from_decisions()
    before = GoldLabel.objects.get()
    assert (before.origin, before.share) == ("blind", 0.095)
    disputes.dispute(before, None)
    for person in (ben, third_agent):
        answer(leases.lease_next(person), person, "Account")
    for _again in range(2):
        gold_labels.collect_from_decisions()
        label = GoldLabel.objects.get()
        assert (label.state, label.origin, label.share, label.people) == (State.ACTIVE, "blind", 0.095, 3)


def test_corrected_built_in_label_stays_built_in(ben: User, third_agent: User, lea: User) -> None:
    configure_review()
    runs.load_built_in()
    label = GoldLabel.objects.filter(category__name="Billing").first()
    assert label
    GoldLabel.objects.filter(pk=label.pk).update(share=0.3)
    disputes.dispute(label, None)
    for person, category in ((ben, "Account"), (third_agent, "Technical")):
        answer(leases.lease_next(person), person, category)
    answer(leases.lease_next(lea, "leads"), lea, "Account")
    for _again in range(2):
        gold_labels.collect_from_decisions()
        label.refresh_from_db()
        assert (label.state, label.origin, label.share) == (State.ACTIVE, "built_in", 0.3)
        assert (label.category.name, label.people) == ("Account", 2)


# Withdrawn disputes


def act(client: Client, action: str, *labels: GoldLabel) -> None:
    data = {"action": action, "_selected_action": [label.pk for label in labels]}
    response = client.post(reverse("admin:review_goldlabel_changelist"), data, follow=True)
    assert response.status_code == 200


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.mark.parametrize(("action", "then"), [("put_back", State.ACTIVE), ("retire", State.RETIRED)])
def test_withdrawn_dispute_restores_the_label(
    admin: Client, gold_label: GoldLabel, ben: User, third_agent: User, action: str, then: str
) -> None:
    disputes.dispute(gold_label, None, "Is it not billing?")
    answer(leases.lease_next(ben), ben, "Billing")
    leases.lease_next(third_agent)
    act(admin, action, gold_label)
    ticket = Ticket.objects.get()
    assert (ticket.state, ticket.category and ticket.category.name, ticket.sealed) == ("settled", "Account", False)
    assert not Assignment.objects.open().exists()
    for _again in range(2):
        label = GoldLabel.objects.get()
        assert (label.state, label.category.name, label.origin, label.people) == (then, "Account", "decision", 1)
        gold_labels.collect_from_decisions()
    assert_consistent()


def test_withdrawn_dispute_deletes_the_ticket_it_created(admin: Client, ben: User, third_agent: User) -> None:
    configure_review()
    runs.load_built_in()
    label = GoldLabel.objects.earliest("pk")
    before = GoldLabel.objects.filter(pk=label.pk).values().get()
    disputes.dispute(label, None)
    answer(leases.lease_next(ben), ben, "Account")
    act(admin, "put_back", label)
    gold_labels.collect_from_decisions()
    assert GoldLabel.objects.filter(pk=label.pk).values().get() == before
    assert not Ticket.objects.exists()
    assert leases.lease_next(third_agent) is None
    disputes.dispute(label, None)
    assert leases.lease_next(ben), "it can be disputed again"


def test_a_withdrawn_dispute_keeps_the_label_of_two_answers(
    admin: Client, gold_label: GoldLabel, ben: User, third_agent: User
) -> None:
    disputes.dispute(gold_label, None)
    for person in (ben, third_agent):
        answer(leases.lease_next(person), person, "Billing")
    act(admin, "put_back", gold_label)
    label = GoldLabel.objects.get()
    assert (label.state, label.category.name, label.people) == (State.ACTIVE, "Billing", 2)
    assert_consistent()


def test_label_of_a_reopened_ticket_cannot_be_disputed(gold_label: GoldLabel, ana: User) -> None:
    undo(Decision.objects.get(), ana)
    gold_labels.collect_from_decisions()
    with pytest.raises(CannotDispute):
        disputes.dispute(gold_label, None)
