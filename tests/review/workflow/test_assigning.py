"""Assignments open and close with the gate's verdicts, without losing started work."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier.models import Category, Prediction, Sentiment, Ticket, Verdict
from classifier.models.ticket import state_changed
from classifier.taxonomy import label_changes
from review.gold import gold_labels
from review.models import Assignment, Decision, DuplicateGroup, GoldLabel
from review.workflow import assigning, decisions, leases
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import (
    answer,
    escalate,
    label,
    queue_reclassification,
    reclassify,
    reload,
    skip,
    state,
    undo,
)

pytestmark = [pytest.mark.usefixtures("consistent_reviews"), pytest.mark.postgresql]


def test_ticket_needing_review_gets_an_assignment_with_the_queue_fields() -> None:
    ticket = make_ticket(language="en", due_at="2030-01-01T00:00:00Z")
    (assignment,) = send_to_review(ticket, confidence=0.4, category=Category.objects.get(name="Account"))
    assignment.refresh_from_db()
    ticket.refresh_from_db()
    assert (assignment.purpose, assignment.lane, assignment.state, assignment.blind, assignment.reviewer) == (
        "review",
        "agents",
        "open",
        False,
        None,
    )
    assert (assignment.category.name, assignment.confidence, assignment.reason) == ("Account", 0.4, "below_threshold")
    assert (assignment.language, assignment.received_at, assignment.due_at) == ("en", ticket.received_at, ticket.due_at)
    assert assignment.language_model == Prediction.objects.get().language_model
    assert not ticket.sealed


def test_auto_accepted_ticket_gets_no_assignment() -> None:
    ticket = make_ticket()
    assert send_to_review(ticket, confidence=0.95) == []
    assert state(ticket) == "auto_accepted"
    assert not Assignment.objects.exists()


def test_a_known_share_of_all_arrivals_is_reviewed_blind_auto_accepted_ones_too(ana: User) -> None:
    review_settings = configure_review(sample_share=0.4, blind_share=1, benchmark_share=1)
    tickets = [make_ticket(f"{name} has a question about {name}") for name in "abcdefghijkl"]
    send_to_review(*tickets[:6])
    send_to_review(*tickets[6:], confidence=0.95)
    drawn = {ticket.pk for ticket in tickets if review_settings.is_in_sample(ticket.pk)}
    sample = Assignment.objects.filter(purpose="sample", blind=True, share=0.4, ticket__sealed=True)
    assert set(sample.values_list("ticket", flat=True)) == drawn
    assert {state(ticket) for ticket in tickets if ticket.pk in drawn} == {"needs_review", "auto_accepted"}
    assert not Assignment.objects.filter(ticket__in=tickets[6:]).exclude(ticket__in=drawn).exists()
    for assignment in sample:
        answer(assignment, ana, "Technical")
    gold_labels.collect_from_decisions()
    labels = GoldLabel.objects.filter(ticket__in=drawn, origin="sample", share=0.4, ticket__state="settled")
    assert labels.count() == len(drawn)


def test_a_sampled_ticket_stays_in_the_sample_when_it_is_classified_again() -> None:
    ticket = make_ticket()
    send_to_review(ticket)
    configure_review(sample_share=1)
    assert [assignment.purpose for assignment in reclassify(ticket, confidence=0.95)] == ["sample"]
    assert state(ticket) == "auto_accepted"


def test_disagreement_of_models_is_the_reason_and_raises_the_priority() -> None:
    (doubtful,) = send_to_review(make_ticket("one"))
    (disputed,) = send_to_review(make_ticket("another"), second=Category.objects.get(name="Account"))
    assert disputed.reason == "disagreement"
    assert disputed.value > doubtful.value


def test_priority_falls_with_the_number_of_similar_waiting_tickets() -> None:
    first = send_to_review(make_ticket("one"))[0]
    send_to_review(*(make_ticket(f"more of {number}") for number in range(20)))
    assert send_to_review(make_ticket("the last"))[0].value == pytest.approx(first.value - 0.2 * 21 / 200)


def test_blind_assignment_stores_no_suggestion_and_seals_its_ticket() -> None:
    configure_review(blind_share=1)
    ticket = make_ticket()
    (assignment,) = send_to_review(ticket, second=Category.objects.last())
    assignment.refresh_from_db()
    assert assignment.blind
    assert (
        assignment.category,
        assignment.sentiment,
        assignment.confidence,
        assignment.language_model,
        assignment.reason,
    ) == (None, None, None, None, "")
    ticket.refresh_from_db()
    assert ticket.sealed


def test_priority_of_a_blind_assignment_is_independent_of_the_prediction() -> None:
    configure_review(blind_share=1)
    ticket = make_ticket()
    (assignment,) = send_to_review(ticket, confidence=0.1)
    (again,) = reclassify(ticket, confidence=0.8, category=Category.objects.last(), second=Category.objects.first())
    assert again == assignment
    assert again.value == assignment.value


def test_double_labelling_opens_two_blind_assignments() -> None:
    configure_review(double_share=1)
    ticket = make_ticket()
    assignments = send_to_review(ticket)
    assert [
        (assignment.number, assignment.purpose, assignment.blind, assignment.share) for assignment in assignments
    ] == [
        (1, "double", True, 1),
        (2, "double", True, 1),
    ]
    ticket.refresh_from_db()
    assert ticket.sealed


def test_answer_counts_while_the_ticket_is_reclassified(ana: User) -> None:
    ticket = make_ticket()
    send_to_review(ticket)
    assignment = leases.lease_next(ana)
    queue_reclassification(ticket)
    assert state(ticket) == "new"
    assert leases.lease_next(ana) == assignment
    answer(assignment, ana, "Account")
    assert state(ticket) == "settled"
    send_to_review(ticket, language_model=Prediction.objects.get().language_model, contract=_another_contract())
    ticket.refresh_from_db()
    assert (ticket.state, ticket.category.name) == ("settled", "Account")
    assert Verdict.objects.count() == 1


def _another_contract() -> object:
    Category.objects.create(name="Shipping")
    from classifier.models import ContractVersion

    return ContractVersion.objects.current()


def test_reclassified_ticket_keeps_its_assignment_and_lease(ana: User) -> None:
    ticket = make_ticket()
    send_to_review(ticket, confidence=0.3)
    assignment = leases.lease_next(ana)
    (again,) = reclassify(ticket, confidence=0.6, category=Category.objects.get(name="General"))
    assert (again, again.reviewer) == (assignment, ana)
    assert (again.confidence, again.category.name) == (0.6, "General")


def test_assignment_is_withdrawn_when_the_ticket_is_auto_accepted(ana: User) -> None:
    configure_review(blind_share=1)
    ticket = make_ticket()
    send_to_review(ticket)
    assignment = leases.lease_next(ana)
    assert reclassify(ticket, confidence=0.95) == []
    assert (reload(assignment).state, reload(assignment).reviewer) == ("withdrawn", None)
    assert not reload(assignment).ticket.sealed
    assert leases.lease_next(ana) is None


def test_answer_to_a_ticket_auto_accepted_meanwhile_settles_it(ana: User) -> None:
    ticket = make_ticket()
    send_to_review(ticket)
    assignment = leases.lease_next(ana)
    reclassify(ticket, confidence=0.95)
    answer(assignment, ana, "Technical")
    ticket.refresh_from_db()
    assert (ticket.state, ticket.category.name) == ("settled", "Technical")


def test_escalation_of_a_ticket_auto_accepted_meanwhile_reaches_the_leads(ana: User, lea: User) -> None:
    ticket = make_ticket()
    send_to_review(ticket)
    assignment = leases.lease_next(ana)
    reclassify(ticket, confidence=0.95)
    escalate(assignment, ana)
    assert state(ticket) == "needs_review"
    assert leases.lease_next(lea, "leads") == assignment


def test_second_label_is_still_wanted_when_models_become_confident(ana: User, ben: User) -> None:
    configure_review(double_share=1)
    ticket = make_ticket()
    send_to_review(ticket)
    answer(leases.lease_next(ana), ana)
    reclassify(ticket, confidence=0.95)
    assert state(ticket) == "needs_review"
    answer(leases.lease_next(ben), ben)
    assert state(ticket) == "settled"


@pytest.mark.parametrize("pass_on", [skip, escalate])
def test_skipped_ticket_stays_in_review_when_models_become_confident(
    ana: User, ben: User, lea: User, pass_on: Callable[..., Decision]
) -> None:
    ticket = make_ticket()
    send_to_review(ticket)
    pass_on(leases.lease_next(ana), ana)
    (assignment,) = reclassify(ticket, confidence=0.95)
    assert state(ticket) == "needs_review"
    assert (leases.lease_next(ben) or leases.lease_next(lea, "leads")) == assignment
    assert assignment.reason == "confident"


def test_late_answer_to_one_assignment_reopens_the_other(ana: User, ben: User) -> None:
    configure_review(double_share=1)
    ticket = make_ticket()
    send_to_review(ticket)
    assignment = leases.lease_next(ana)
    reclassify(ticket, confidence=0.95)
    decision = answer(assignment, ana)
    assert not decision.blind, "the model's answer was visible by then"
    assert state(ticket) == "needs_review"
    answer(leases.lease_next(ben), ben)
    assert state(ticket) == "settled"


def test_adjudication_is_not_reopened_after_a_label_was_undone(ana: User, ben: User) -> None:
    configure_review(double_share=1)
    ticket = make_ticket()
    send_to_review(ticket)
    answer(leases.lease_next(ana), ana, "Billing")
    undo(answer(leases.lease_next(ben), ben, "Account"), ben)
    assignments = reclassify(ticket)
    assert [assignment.purpose for assignment in assignments] == ["double"]


def test_assignments_are_opened_in_the_transaction_of_the_verdict() -> None:
    ticket = make_ticket()

    def refuse(**_signal: object) -> None:
        raise RuntimeError("The listener failed.")

    state_changed.connect(refuse)
    try:
        with pytest.raises(RuntimeError):
            send_to_review(ticket)
    finally:
        state_changed.disconnect(refuse)
    assert state(ticket) == "new"
    assert (Assignment.objects.count(), Verdict.objects.count(), DuplicateGroup.objects.count()) == (0, 0, 0)


def test_open_missing_finds_tickets_without_assignments(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = [make_ticket(f"number {word}") for word in ("one", "two", "three")]
    with monkeypatch.context() as before:
        # A receiver that reconnects runs last, but webhooks must run after review.
        before.setattr(state_changed, "receivers", [])
        send_to_review(*tickets)
    assert leases.lease_next(ana) is None
    assert assigning.open_missing() == 3
    assert assigning.open_missing() == 0
    assert leases.lease_next(ana)


def test_ticket_without_a_verdict_does_not_stop_open_missing() -> None:
    lost = make_ticket("without a verdict")
    Ticket.objects.filter(pk=lost.pk).update(state="needs_review")
    assert assigning.open_missing() == 0
    Ticket.objects.filter(pk=lost.pk).update(state="new")


def test_opening_takes_as_many_queries_for_many_as_for_few() -> None:
    def queries(number: int) -> int:
        tickets = [make_ticket(f"one of {number}") for _number in range(number)]
        with CaptureQueriesContext(connection) as captured:
            send_to_review(*tickets)
        return len(captured)

    queries(1)
    assert queries(2) == queries(30)


def test_merging_moves_suggestions_decisions_and_settled_labels(ana: User) -> None:
    account, billing = Category.objects.get(name="Account"), Category.objects.get(name="Billing")
    waiting, done = (send_to_review(make_ticket(text), category=account)[0] for text in ("one", "another"))
    decision = answer(done, ana, "Account")
    assert dict(label_changes.references(account))["decision"] == 1
    assert not label_changes.is_deletable(account)
    label_changes.merge(account, billing)
    decision.refresh_from_db()
    assert decision.category == reload(waiting).category == reload(done).ticket.category == billing
    assert label_changes.is_deletable(account), "nothing refers to it"


def test_merging_moves_sentiments(ana: User) -> None:
    neutral, positive = Sentiment.objects.get(name="Neutral"), Sentiment.objects.get(name="Positive")
    waiting, done = (send_to_review(make_ticket(text), sentiment=neutral)[0] for text in ("one", "another"))
    decision = answer(done, ana, "Account", "Neutral")
    label_changes.merge(neutral, positive)
    decision.refresh_from_db()
    assert decision.sentiment == reload(waiting).sentiment == reload(done).ticket.sentiment == positive


@pytest.mark.parametrize("by", ["suggestion", "decision"])
def test_label_in_use_by_review_cannot_be_deleted(ana: User, by: str) -> None:
    shipping = Category.objects.create(name="Shipping")
    assert label_changes.is_deletable(shipping)
    (assignment,) = send_to_review(make_ticket(), category=shipping if by == "suggestion" else Category.objects.first())
    if by == "decision":
        undo(answer(assignment, ana, "Shipping"), ana)
    assert not label_changes.is_deletable(shipping)


def test_retired_suggestion_stays_and_is_not_accepted_in_bulk(ana: User) -> None:
    account = Category.objects.get(name="Account")
    waiting, done = (send_to_review(make_ticket(text), category=account)[0] for text in ("one", "another"))
    answer(done, ana, "Account")
    label_changes.retire(account)
    assert reload(done).ticket.category == reload(waiting).category == account
    assert decisions.decide_many([waiting], ana) == []
    assert [decision.category.name for decision in decisions.decide_many([waiting], ana, label("Billing"))] == [
        "Billing"
    ]


def test_last_active_label_cannot_be_retired() -> None:
    for category in Category.objects.all()[1:]:
        label_changes.retire(category)
    with pytest.raises(ValidationError):
        label_changes.retire(Category.objects.get(retired=False))
