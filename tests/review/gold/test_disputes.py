"""A gold label in doubt goes to two people who are new to it."""

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
from tests.factories import configure_review, hold, make_ticket, make_user
from tests.review.actions import answer, assert_consistent, skip, state, undo

pytestmark = pytest.mark.usefixtures("catalogue")

State = GoldLabel.State


@pytest.fixture
def cy(db: None) -> User:
    return make_user("cy", "Agent")


@pytest.fixture
def of_ticket(ana: User, catalogue: None) -> GoldLabel:
    """Ana has labelled it Account."""
    configure_review()
    answer(hold(make_ticket())[0], ana, "Account")
    gold_labels.collect_from_decisions()
    return GoldLabel.objects.get()


def test_dispute_asks_two_other_people_blind(of_ticket: GoldLabel, ana: User, ben: User, cy: User, lea: User) -> None:
    disputes.dispute(of_ticket, lea, "Is it not billing?")
    assert GoldLabel.objects.get().state == State.DISPUTED
    assert not GoldLabel.objects.usable().exists()
    assert leases.lease_next(ana) is None, "she has answered already"
    for person in (ben, cy):
        assignment = leases.lease_next(person)
        assert assignment
        assert assignment.blind
        answer(assignment, person, "Billing")
    gold_labels.collect_from_decisions()
    label = GoldLabel.objects.get()
    assert (label.state, label.category.name, label.people, label.note) == (State.ACTIVE, "Billing", 2, "")
    assert decisions.final_decision(of_ticket.ticket or make_ticket()).category.name == "Billing"
    assert_consistent()


def test_a_lead_adjudicates_a_disagreement(of_ticket: GoldLabel, ben: User, cy: User, lea: User) -> None:
    disputes.dispute(of_ticket, None)
    answer(leases.lease_next(ben), ben, "Billing")
    answer(leases.lease_next(cy), cy, "Technical")
    answer(leases.lease_next(lea, "leads"), lea, "Technical")
    gold_labels.collect_from_decisions()
    assert GoldLabel.objects.get().category.name == "Technical"
    assert_consistent()


def test_label_can_be_disputed_again(of_ticket: GoldLabel, lea: User) -> None:
    for round_number, category in ((1, "Billing"), (2, "General")):
        disputes.dispute(GoldLabel.objects.get(), None)
        people = [make_user(f"agent{round_number}{number}", "Agent") for number in (1, 2)]
        for person in people:
            answer(leases.lease_next(person), person, category)
        gold_labels.collect_from_decisions()
        assert GoldLabel.objects.get().category.name == category
    assert Assignment.objects.values_list("number", flat=True).order_by("number").last() == 8
    assert_consistent()


def test_disputed_and_retired_labels_cannot_be_disputed(of_ticket: GoldLabel) -> None:
    disputes.dispute(of_ticket, None)
    with pytest.raises(CannotDispute):
        disputes.dispute(of_ticket, None)
    GoldLabel.objects.update(state=State.RETIRED)
    with pytest.raises(CannotDispute):
        disputes.dispute(of_ticket, None)


def test_dispute_creates_a_ticket_for_an_imported_label(ben: User, cy: User) -> None:
    configure_review()
    runs.load_built_in()
    label = GoldLabel.objects.filter(category__name="Billing").first()
    assert label
    disputes.dispute(label, None)
    ticket = Ticket.objects.get()
    assert (ticket.source, ticket.state, ticket.sealed) == ("benchmark", "needs_review", True)
    for person in (ben, cy):
        answer(leases.lease_next(person), person, "Account", "Positive")
    gold_labels.collect_from_decisions()
    label.refresh_from_db()
    assert (label.category.name, label.sentiment.name, label.state) == ("Account", "Positive", State.ACTIVE)
    assert state(ticket) == "settled"


def test_earlier_decision_cannot_be_undone_during_a_dispute(of_ticket: GoldLabel, ana: User) -> None:
    disputes.dispute(of_ticket, None)
    with pytest.raises(CannotUndo):
        undo(Decision.objects.get(), ana)


def test_disputed_label_is_hidden_from_everyone(of_ticket: GoldLabel, ben: User, client: Client) -> None:
    answered = Category.objects.get(name="Account")
    answered.description, answered.name = "", "Zanzibar"
    answered.save()
    disputes.dispute(of_ticket, None)
    client.force_login(ben)
    assert of_ticket.ticket
    page = client.get(of_ticket.ticket.get_absolute_url()).content.decode()
    assert "Zanzibar" not in page.split("<main")[1]


def test_disputes_are_left_out_of_the_agreement(of_ticket: GoldLabel, ben: User, cy: User) -> None:
    disputes.dispute(of_ticket, None)
    for person, category in ((ben, "Billing"), (cy, "Technical")):
        answer(leases.lease_next(person), person, category)
    assert all(axis.raw.n == 0 for axis in quality.quality_report().axes)


def test_dispute_can_change_the_sentiment(of_ticket: GoldLabel, ben: User, cy: User) -> None:
    disputes.dispute(of_ticket, None)
    for person in (ben, cy):
        answer(leases.lease_next(person), person, "Account", "Negative")
    gold_labels.collect_from_decisions()
    assert GoldLabel.objects.get().sentiment == Sentiment.objects.get(name="Negative")


# Whoever disputes a label is not asked


def test_person_who_disputes_never_gets_the_ticket(of_ticket: GoldLabel, ben: User, cy: User, lea: User) -> None:
    disputes.dispute(of_ticket, lea)
    skip(leases.lease_next(ben), ben)
    leases.reoffer_skipped(ben)
    leases.reoffer_skipped(lea)
    assert leases.lease_next(lea) is None
    with pytest.raises(NotAvailable):
        leases.lease_ticket(lea, of_ticket.ticket or make_ticket())
    answer(leases.lease_next(ben), ben, "Billing")
    answer(leases.lease_next(cy), cy, "Technical")
    assert leases.lease_next(lea, "leads") is None, "the choice between the two is not hers either"
    lou = make_user("lou", "Lead")
    answer(leases.lease_next(lou, "leads"), lou, "Technical")
    assert_consistent()


def test_escalated_dispute_does_not_go_to_the_lead_who_disputed(
    of_ticket: GoldLabel, ben: User, cy: User, lea: User
) -> None:
    disputes.dispute(of_ticket, lea)
    for person in (ben, cy):
        skip(leases.lease_next(person), person)
    assert set(Assignment.objects.open().values_list("lane", flat=True)) == {"leads"}
    assert leases.lease_next(lea, "leads") is None
    assert leases.lease_next(make_user("lou", "Lead"), "leads")


def test_disputed_ticket_cannot_be_opened_by_the_disputer_or_accepted_in_bulk(
    of_ticket: GoldLabel, ben: User, lea: User, client: Client
) -> None:
    disputes.dispute(of_ticket, lea)
    take = reverse("review:take", args=[of_ticket.ticket_id])
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


# Where a label comes from


def test_confirmed_label_keeps_its_origin(ana: User, ben: User, cy: User) -> None:
    configure_review(blind_share=1)
    (assignment,) = hold(make_ticket())
    Assignment.objects.update(share=0.095)
    answer(assignment, ana, "Account")
    gold_labels.collect_from_decisions()
    before = GoldLabel.objects.get()
    assert (before.origin, before.share) == ("blind", 0.095)
    disputes.dispute(before, None)
    for person in (ben, cy):
        answer(leases.lease_next(person), person, "Account")
    for _again in range(2):
        gold_labels.collect_from_decisions()
        label = GoldLabel.objects.get()
        assert (label.state, label.origin, label.share, label.people) == (State.ACTIVE, "blind", 0.095, 3)


def test_corrected_built_in_label_stays_built_in(ben: User, cy: User, lea: User) -> None:
    configure_review()
    runs.load_built_in()
    label = GoldLabel.objects.filter(category__name="Billing").first()
    assert label
    GoldLabel.objects.filter(pk=label.pk).update(share=0.3)
    disputes.dispute(label, None)
    for person, category in ((ben, "Account"), (cy, "Technical")):
        answer(leases.lease_next(person), person, category)
    answer(leases.lease_next(lea, "leads"), lea, "Account")
    for _again in range(2):
        gold_labels.collect_from_decisions()
        label.refresh_from_db()
        assert (label.state, label.origin, label.share) == (State.ACTIVE, "built_in", 0.3)
        assert (label.category.name, label.people) == ("Account", 2)


# A dispute taken back


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
    admin: Client, of_ticket: GoldLabel, ben: User, cy: User, action: str, then: str
) -> None:
    disputes.dispute(of_ticket, None, "Is it not billing?")
    answer(leases.lease_next(ben), ben, "Billing")
    leases.lease_next(cy)
    act(admin, action, of_ticket)
    ticket = Ticket.objects.get()
    assert (ticket.state, ticket.category and ticket.category.name, ticket.sealed) == ("settled", "Account", False)
    assert not Assignment.objects.open().exists()
    for _again in range(2):
        label = GoldLabel.objects.get()
        assert (label.state, label.category.name, label.origin, label.people) == (then, "Account", "decision", 1)
        gold_labels.collect_from_decisions()
    assert_consistent()


def test_withdrawn_dispute_deletes_the_ticket_it_created(admin: Client, ben: User, cy: User) -> None:
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
    assert leases.lease_next(cy) is None
    disputes.dispute(label, None)
    assert leases.lease_next(ben), "it can be disputed once more"


def test_a_withdrawn_dispute_keeps_the_label_of_two_answers(
    admin: Client, of_ticket: GoldLabel, ben: User, cy: User
) -> None:
    disputes.dispute(of_ticket, None)
    for person in (ben, cy):
        answer(leases.lease_next(person), person, "Billing")
    act(admin, "put_back", of_ticket)
    label = GoldLabel.objects.get()
    assert (label.state, label.category.name, label.people) == (State.ACTIVE, "Billing", 2)
    assert_consistent()


def test_label_of_a_reopened_ticket_cannot_be_disputed(of_ticket: GoldLabel, ana: User) -> None:
    undo(Decision.objects.get(), ana)
    gold_labels.collect_from_decisions()
    with pytest.raises(CannotDispute):
        disputes.dispute(of_ticket, None)
