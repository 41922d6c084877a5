"""Decisions are written once, never edited, and undone by another record."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.models import Category, Prediction, Verdict
from review.models import Assignment, Decision, SkipReason
from review.workflow import decisions, leases
from review.workflow.decision_records import Presented
from review.workflow.decisions import CannotUndo, TooLate
from tests.factories import configure_review, make_ticket, make_user, send_to_review
from tests.review.actions import answer, count_queries, escalate, expire_leases, label, reload, skip, state, undo

pytestmark = [pytest.mark.usefixtures("consistent_reviews"), pytest.mark.postgresql]


@pytest.fixture
def third_agent(db: None) -> User:
    """A third agent."""
    return make_user("third_agent", "Agent")


@pytest.fixture
def assignment(catalogue: None) -> Assignment:
    """For a ticket that the model labels Billing and Positive."""
    return send_to_review(make_ticket())[0]


def presented(assignment: Assignment) -> Presented:
    return Presented(prediction=Prediction.objects.get(ticket=assignment.ticket_id))


def open_assignment(person: User) -> Assignment | None:
    return Assignment.objects.held_by(person).first()


# One label


def test_an_answer_settles_the_ticket_with_its_label(ana: User, assignment: Assignment) -> None:
    decision = answer(assignment, ana, "Account", "Negative", note="Looks like a bot.")
    ticket = reload(assignment).ticket
    assert (ticket.state, ticket.category.name, ticket.sentiment.name) == ("settled", "Account", "Negative")
    assert (reload(assignment).state, reload(assignment).reviewer, reload(assignment).leased_until) == (
        "answered",
        ana,
        None,
    )
    assert (decision.reviewer, decision.purpose, decision.note) == (ana, "review", "Looks like a bot.")
    assert decisions.final_decision(ticket) == decision


def test_label_equal_to_the_suggestion_is_accepted_and_any_other_corrected(ana: User) -> None:
    for chosen, verdict in ((("Billing", "Positive"), "accepted"), (("Billing", "Negative"), "corrected")):
        (assignment,) = send_to_review(make_ticket(f"one to be {verdict}"))
        assert answer(assignment, ana, *chosen, shown=presented(assignment)).verdict == verdict


def test_label_without_a_suggestion_is_a_correction(ana: User, assignment: Assignment) -> None:
    assert answer(assignment, ana, "Billing", "Positive").verdict == "corrected"


def test_decision_records_the_suggestion_shown_and_the_time_taken(ana: User) -> None:
    (assignment,) = send_to_review(make_ticket(), second=Category.objects.last())
    first, second = Prediction.objects.order_by("pk")
    since = timezone.now() - timedelta(seconds=9)
    decision = answer(
        assignment, ana, shown=Presented(prediction=first, second_opinion=second, second_first=True, since=since)
    )
    assert (decision.prediction, decision.second_opinion, decision.second_first) == (first, second, True)
    assert decision.seconds == pytest.approx(9, abs=5)
    assert not decision.blind


def test_time_taken_is_never_negative(ana: User, assignment: Assignment) -> None:
    assert answer(assignment, ana, shown=Presented(since=timezone.now() + timedelta(hours=1))).seconds == 0


def test_resent_answer_is_recorded_once(ana: User, assignment: Assignment) -> None:
    key = uuid4()
    first = answer(assignment, ana, key=key)
    assert answer(assignment, ana, key=key) == first
    assert answer(assignment, ana, "Account", key=key) == first
    assert Decision.objects.count() == 1


@pytest.mark.parametrize("act", [skip, escalate])
def test_resent_skip_or_escalation_is_recorded_once(
    ana: User, ben: User, assignment: Assignment, act: Callable[..., Decision]
) -> None:
    key = uuid4()
    first = act(assignment, ana, key=key)
    leases.lease_next(ben)
    assert act(assignment, ana, key=key) == first
    assert Decision.objects.count() == 1


def test_resent_answer_stays_undone(ana: User, assignment: Assignment) -> None:
    key = uuid4()
    first = answer(assignment, ana, key=key)
    undo(first, ana)
    assert answer(assignment, ana, key=key) == first
    assert state(assignment.ticket) == "needs_review"


# Late answers


def test_late_answer_counts_if_nobody_else_has_answered(ana: User, ben: User, assignment: Assignment) -> None:
    leases.lease_next(ana)
    expire_leases(assignment)
    assert leases.lease_next(ben) == assignment
    assert answer(assignment, ana).reviewer == ana
    assert reload(assignment).reviewer == ana
    assert open_assignment(ben) is None


def test_second_answer_is_refused_with_the_first_label(ana: User, ben: User, assignment: Assignment) -> None:
    leases.lease_next(ana)
    expire_leases(assignment)
    leases.lease_next(ben)
    decision = answer(assignment, ana, "Account")
    with pytest.raises(TooLate) as late:
        answer(assignment, ben, "Billing")
    assert late.value.final_decision == decision
    assert late.value.ticket == assignment.ticket
    assert Decision.objects.count() == 1


def test_late_answer_keeps_the_lease_on_another_ticket(ana: User, ben: User) -> None:
    first, second = send_to_review(make_ticket("one"), make_ticket("double_assignments"))
    leases.lease_ticket(ana, first.ticket)
    leases.lease_ticket(ana, second.ticket)
    answer(first, ana)
    assert open_assignment(ana) == second


@pytest.mark.parametrize("act", [skip, escalate])
def test_late_skip_does_not_release_another_persons_lease(
    ana: User, ben: User, assignment: Assignment, act: Callable[..., Decision]
) -> None:
    leases.lease_next(ana)
    expire_leases(assignment)
    leases.lease_next(ben)
    with pytest.raises(TooLate) as late:
        act(assignment, ana)
    assert late.value.final_decision is None
    assert (reload(assignment).lane, open_assignment(ben)) == ("agents", assignment)


@pytest.mark.parametrize("act", [answer, skip, escalate])
def test_an_answered_ticket_stays_answered(
    ana: User, ben: User, assignment: Assignment, act: Callable[..., Decision]
) -> None:
    decision = answer(assignment, ana)
    with pytest.raises(TooLate) as late:
        act(assignment, ben)
    assert late.value.final_decision == decision


# Skipping and escalating


def test_a_skipped_ticket_goes_to_someone_else(ana: User, ben: User, assignment: Assignment) -> None:
    leases.lease_next(ana)
    decision = skip(assignment, ana, note="I do not know our partners.")
    assert (decision.verdict, decision.skip_reason) == ("skipped", "unclear")
    assert (decision.category, decision.note) == (None, "I do not know our partners.")
    assert leases.lease_next(ana) is None
    assert leases.lease_next(ben) == assignment


def test_a_ticket_skipped_by_two_people_goes_to_a_lead(
    ana: User, ben: User, third_agent: User, lea: User, assignment: Assignment
) -> None:
    skip(leases.lease_next(ana), ana)
    skip(leases.lease_next(ben), ben)
    assert leases.lease_next(third_agent) is None
    assert leases.lease_next(lea, "leads") == assignment
    answer(assignment, lea)
    assert state(assignment.ticket) == "settled"


def test_an_escalated_ticket_goes_to_a_lead_with_its_note(
    ana: User, ben: User, lea: User, assignment: Assignment
) -> None:
    decision = escalate(leases.lease_next(ana), ana)
    assert (decision.verdict, decision.note) == ("escalated", "Is this a threat?")
    assert leases.lease_next(ben) is None
    assert leases.lease_next(lea, "leads") == assignment


def test_between_two_leads_a_skipped_ticket_goes_to_the_other(ana: User, lea: User, assignment: Assignment) -> None:
    leo = make_user("leo", "Lead")
    escalate(assignment, ana)
    skip(leases.lease_next(lea, "leads"), lea)
    assert leases.lease_next(lea, "leads") is None
    skip(leases.lease_next(leo, "leads"), leo)
    assert leases.lease_next(leo, "leads") is None
    assert leases.lease_next(lea, "leads") == assignment


# Undo


def test_undo_keeps_the_decision_and_leases_its_ticket_again(ana: User, ben: User, assignment: Assignment) -> None:
    decision = answer(assignment, ana)
    (undoing,) = undo(decision, ana)
    assert (undoing.verdict, undoing.undoes, undoing.category) == ("undone", decision, None)
    assert (reload(assignment).state, open_assignment(ana)) == ("open", assignment)
    ticket = reload(assignment).ticket
    assert (ticket.state, ticket.category, ticket.sentiment) == ("needs_review", None, None)
    assert decisions.final_decision(ticket) is None
    assert leases.lease_next(ben) is None
    assert answer(assignment, ana, "Account") == decisions.final_decision(ticket)


def test_repeated_undo_goes_back_step_by_step_with_one_lease_at_a_time(ana: User) -> None:
    assignments = send_to_review(*(make_ticket(f"number {word}") for word in ("one", "double_assignments", "three")))
    for _assignment in assignments[:2]:
        answer(leases.lease_next(ana), ana)
    skip(leases.lease_next(ana), ana)
    for assignment in reversed(assignments):
        last = decisions.latest_decision(ana)
        assert last
        undo(last, ana)
        assert open_assignment(ana) == assignment
    assert decisions.latest_decision(ana) is None
    assert [state(assignment.ticket) for assignment in assignments] == ["needs_review"] * 3
    assert leases.lease_next(ana) == assignments[0]


def test_an_undone_decision_cannot_be_undone_again(ana: User, assignment: Assignment) -> None:
    decision = answer(assignment, ana)
    (undoing,) = undo(decision, ana)
    for undoable in (decision, undoing):
        with pytest.raises(CannotUndo):
            undo(undoable, ana)


def test_resent_undo_changes_nothing(ana: User, ben: User, assignment: Assignment) -> None:
    decision, key = answer(assignment, ana), uuid4()
    first = decisions.undo(decision, ana, key=key)
    leases.release(ana)
    leases.lease_next(ben)
    assert decisions.undo(decision, ana, key=key) == first
    assert open_assignment(ben) == assignment


def test_decision_of_another_person_cannot_be_undone(ana: User, ben: User, assignment: Assignment) -> None:
    decision = answer(assignment, ana)
    with pytest.raises(CannotUndo):
        undo(decision, ben)


def test_undone_skip_returns_the_ticket_to_the_person_who_skipped_it(
    ana: User, ben: User, assignment: Assignment
) -> None:
    decision = skip(leases.lease_next(ana), ana)
    undo(decision, ana)
    assert open_assignment(ana) == assignment
    leases.release(ana)
    assert leases.lease_next(ana) == assignment


def test_undoing_the_second_skip_keeps_the_first(ana: User, ben: User, assignment: Assignment) -> None:
    skip(leases.lease_next(ana), ana)
    undo(skip(leases.lease_next(ben), ben), ben)
    assert (reload(assignment).lane, open_assignment(ben)) == ("agents", assignment)
    leases.release(ben)
    assert leases.lease_next(ana) is None


def test_undone_escalation_takes_the_ticket_back_from_the_leads(ana: User, lea: User, assignment: Assignment) -> None:
    undo(escalate(leases.lease_next(ana), ana), ana)
    assert leases.lease_next(lea, "leads") is None
    assert leases.lease_next(ana) == assignment


def test_undone_answer_of_a_lead_is_leased_to_the_lead_again(ana: User, lea: User, assignment: Assignment) -> None:
    escalate(assignment, ana)
    undo(answer(leases.lease_next(lea, "leads"), lea), lea)
    assert reload(assignment).lane == "leads"
    assert leases.lease_next(lea, "leads") == assignment


@pytest.mark.parametrize("act", [skip, escalate])
def test_skip_cannot_be_undone_while_another_person_has_the_ticket(
    ana: User, ben: User, lea: User, assignment: Assignment, act: Callable[..., Decision]
) -> None:
    decision = act(assignment, ana)
    assert leases.lease_next(ben) or leases.lease_next(lea, "leads")
    with pytest.raises(CannotUndo):
        undo(decision, ana)
    expire_leases(assignment)
    undo(decision, ana)
    assert open_assignment(ana) == assignment


@pytest.mark.parametrize("act", [answer, skip, escalate])
def test_skip_cannot_be_undone_once_another_person_has_acted(
    ana: User, ben: User, assignment: Assignment, act: Callable[..., Decision]
) -> None:
    decision = skip(assignment, ana)
    act(assignment, ben)
    before = state(assignment.ticket)
    with pytest.raises(CannotUndo):
        undo(decision, ana)
    assert state(assignment.ticket) == before


def test_earlier_decision_is_not_undone_before_the_later_one(ana: User, assignment: Assignment) -> None:
    first = skip(assignment, ana)
    leases.reoffer_skipped(ana)
    answer(leases.lease_next(ana), ana)
    with pytest.raises(CannotUndo):
        undo(first, ana)
    assert state(assignment.ticket) == "settled"


def test_unnamed_undo_reaches_back_one_workday(ana: User, assignment: Assignment) -> None:
    decision = answer(assignment, ana)
    assert decisions.latest_decision(ana) == decision
    Decision.objects.update(created_at=timezone.now() - timedelta(hours=13))
    assert decisions.latest_decision(ana) is None


# Bulk decisions


def test_bulk_decision_labels_free_tickets_and_leaves_out_the_others(ana: User, ben: User) -> None:
    assignments = send_to_review(*(make_ticket(f"number {number}") for number in range(6)))
    leases.lease_ticket(ben, assignments[0].ticket)
    answer(assignments[1], ben)
    leases.lease_ticket(ana, assignments[2].ticket)
    made = decisions.decide_many(assignments, ana, label("Account"))
    assert {decision.assignment for decision in made} == set(assignments[2:])
    assert {state(assignment.ticket) for assignment in assignments[2:]} == {"settled"}
    assert len({decision.batch for decision in made}) == 1
    assert {decision.verdict for decision in made} == {"corrected"}
    assert open_assignment(ben) == assignments[0]


def test_bulk_decision_without_a_label_accepts_each_suggestion(ana: User) -> None:
    billing = send_to_review(make_ticket("one"), category=Category.objects.get(name="Billing"))
    account = send_to_review(make_ticket("double_assignments"), category=Category.objects.get(name="Account"))
    made = decisions.decide_many([*billing, *account], ana)
    assert {(decision.assignment, decision.category.name, decision.verdict) for decision in made} == {
        (billing[0], "Billing", "accepted"),
        (account[0], "Account", "accepted"),
    }
    assert reload(account[0]).ticket.category.name == "Account"


@pytest.mark.parametrize("review_settings", [{"blind_share": 1}, {"double_share": 1}])
def test_blind_and_double_reviews_are_never_decided_in_bulk(ana: User, review_settings: dict[str, float]) -> None:
    configure_review(**review_settings)
    assignments = send_to_review(make_ticket("one"), make_ticket("double_assignments"))
    assert decisions.decide_many(assignments, ana, label()) == []
    assert {state(assignment.ticket) for assignment in assignments} == {"needs_review"}


def test_a_ticket_waiting_for_a_lead_is_not_decided_in_bulk(ana: User, ben: User, assignment: Assignment) -> None:
    escalate(assignment, ana)
    assert decisions.decide_many([assignment], ben, label()) == []


def test_a_bulk_decision_is_undone_together(ana: User) -> None:
    assignments = send_to_review(*(make_ticket(f"number {number}") for number in range(4)))
    leases.lease_ticket(ana, assignments[0].ticket)
    made = decisions.decide_many(assignments[1:], ana)
    key = uuid4()
    undone = decisions.undo(made[1], ana, key=key)
    assert {undoing.undoes for undoing in undone} == set(made)
    assert [state(assignment.ticket) for assignment in assignments] == ["needs_review"] * 4
    assert open_assignment(ana) == assignments[0], "a bulk decision keeps the current lease"
    assert Assignment.objects.free(timezone.now()).count() == 3
    assert decisions.undo(made[1], ana, key=key) == undone
    with pytest.raises(CannotUndo):
        undo(made[0], ana)


def test_bulk_decision_is_limited_in_size(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "MOST_AT_ONCE", 3)
    assignments = send_to_review(*(make_ticket(f"number {number}") for number in range(5)))
    assert [decision.assignment for decision in decisions.decide_many(assignments, ana)] == assignments[:3]


# Blind


@pytest.fixture
def blind(assignment: Assignment) -> Assignment:
    """A blind one, for a ticket that the model labels Billing and Positive."""
    configure_review(blind_share=1)
    return send_to_review(make_ticket("one to be looked at with fresh eyes"))[0]


@pytest.mark.parametrize("field", ["category", "sentiment", "confidence", "language_model", "reason"])
def test_blind_assignment_cannot_store_the_suggestion(blind: Assignment, field: str) -> None:
    prediction = Prediction.objects.get(ticket=blind.ticket_id)
    value = getattr(prediction, field, "below_threshold")
    with pytest.raises(IntegrityError), transaction.atomic():
        Assignment.objects.filter(pk=blind.pk).update(**{field: value})


@pytest.mark.parametrize(("chosen", "verdict"), [("Billing", "accepted"), ("Account", "corrected")])
def test_blind_answer_is_compared_with_the_hidden_prediction(
    ana: User, blind: Assignment, chosen: str, verdict: str
) -> None:
    decision = answer(blind, ana, chosen, "Positive")
    assert (decision.blind, decision.verdict) == (True, verdict)
    assert decision.prediction == Prediction.objects.get(ticket=blind.ticket_id)
    assert not reload(blind).ticket.sealed


def test_skipped_blind_ticket_goes_to_others_and_then_to_a_lead(
    ana: User, ben: User, lea: User, blind: Assignment
) -> None:
    for person in (ana, ben):
        assert leases.lease_ticket(person, blind.ticket) == blind
        assert skip(blind, person).blind
        assert reload(blind).blind
        assert reload(blind).ticket.sealed
    assert leases.lease_next(lea, "leads") == blind
    assert answer(blind, lea).blind


def test_second_answer_after_settling_is_not_blind(ana: User, blind: Assignment) -> None:
    undo(answer(blind, ana), ana)
    assert not reload(blind).blind
    assert not answer(blind, ana).blind


def test_undone_skip_keeps_a_blind_ticket_blind(ana: User, blind: Assignment) -> None:
    undo(skip(blind, ana), ana)
    assert reload(blind).blind
    assert answer(blind, ana).blind


# Double labelling


@pytest.fixture
def double_assignments(catalogue: None) -> list[Assignment]:
    """Both assignments of a double-labelled ticket."""
    configure_review(double_share=1)
    return send_to_review(make_ticket())


def test_double_labelling_asks_two_different_people(
    ana: User, ben: User, third_agent: User, double_assignments: list[Assignment]
) -> None:
    first = leases.lease_next(ana)
    assert leases.lease_ticket(ana, first.ticket) == first
    second = leases.lease_next(ben)
    assert {first, second} == set(double_assignments)
    assert leases.lease_next(third_agent) is None


def test_ticket_is_sealed_until_the_second_label(ana: User, ben: User, double_assignments: list[Assignment]) -> None:
    answer(leases.lease_next(ana), ana)
    ticket = reload(double_assignments[0]).ticket
    assert (ticket.state, ticket.sealed) == ("needs_review", True)
    assert leases.lease_next(ana) is None
    with pytest.raises(leases.NotAvailable):
        leases.lease_ticket(ana, ticket)
    assert leases.lease_next(ben) == double_assignments[1]


def test_two_equal_labels_settle_the_ticket(ana: User, ben: User, double_assignments: list[Assignment]) -> None:
    for person in (ana, ben):
        assert answer(leases.lease_next(person), person, "Account").blind
    ticket = reload(double_assignments[0]).ticket
    assert (ticket.state, ticket.category.name, ticket.sealed) == ("settled", "Account", False)
    assert Assignment.objects.count() == 2


def test_a_late_second_label_does_not_reveal_the_first(
    ana: User, ben: User, double_assignments: list[Assignment]
) -> None:
    assignment = leases.lease_next(ana)
    answer(assignment, ana)
    with pytest.raises(TooLate) as late:
        answer(assignment, ben)
    assert late.value.final_decision is None


def test_same_person_cannot_answer_both_assignments(ana: User, ben: User, double_assignments: list[Assignment]) -> None:
    answer(double_assignments[0], ana)
    for act in (answer, skip, escalate):
        with pytest.raises(TooLate):
            act(double_assignments[1], ana)


def test_late_answer_to_one_assignment_releases_the_other(
    ana: User, ben: User, double_assignments: list[Assignment]
) -> None:
    first = leases.lease_next(ana)
    expire_leases(first)
    assert leases.lease_next(ben) == first
    second = leases.lease_ticket(ana, first.ticket)
    assert second in double_assignments
    assert second != first
    answer(first, ana)
    assert open_assignment(ana) is None
    leases.release(ben)
    assert leases.lease_next(ben) == second


@pytest.fixture
def disagreement(ana: User, ben: User, double_assignments: list[Assignment]) -> tuple[Decision, Decision]:
    """Two different labels of one ticket, by Ana and Ben."""
    return answer(leases.lease_next(ana), ana, "Billing"), answer(leases.lease_next(ben), ben, "Account")


def test_disagreement_goes_to_a_lead(
    disagreement: tuple[Decision, Decision], ana: User, ben: User, third_agent: User, lea: User
) -> None:
    ticket = disagreement[0].ticket
    assert state(ticket) == "needs_review"
    assert leases.lease_next(third_agent) is None
    assignment = leases.lease_next(lea, "leads")
    assert (assignment.purpose, assignment.blind, assignment.ticket_id) == ("adjudication", True, ticket.pk)
    assert reload(assignment).ticket.sealed
    decision = answer(assignment, lea, "Account")
    settled = reload(assignment).ticket
    assert (settled.state, settled.category.name, settled.sealed) == ("settled", "Account", False)
    assert decisions.final_decision(settled) == decision


def test_author_of_a_disputed_label_cannot_adjudicate(
    disagreement: tuple[Decision, Decision], ana: User, ben: User
) -> None:
    choice = Assignment.objects.get(purpose="adjudication")
    for person in (ana, ben):
        assert leases.lease_next(person, "leads") is None
        with pytest.raises(leases.NotAvailable):
            leases.lease_ticket(person, choice.ticket, "leads")
        with pytest.raises(TooLate):
            answer(choice, person)


def test_skipped_adjudication_stays_with_the_leads(disagreement: tuple[Decision, Decision], lea: User) -> None:
    choice = leases.lease_next(lea, "leads")
    skip(choice, lea)
    assert (reload(choice).lane, reload(choice).state) == ("leads", "open")
    leases.reoffer_skipped(lea)
    assert leases.lease_next(lea, "leads") == choice


def test_first_of_two_labels_can_be_undone_before_the_second(
    ana: User, ben: User, double_assignments: list[Assignment]
) -> None:
    first = answer(leases.lease_next(ana), ana)
    undo(first, ana)
    assert open_assignment(ana) == first.assignment
    assert answer(first.assignment, ana).blind, "nothing has been revealed yet"
    assert answer(leases.lease_next(ben), ben).blind


@pytest.mark.parametrize("who", [0, 1])
def test_either_label_can_be_undone_before_the_adjudication(
    disagreement: tuple[Decision, Decision], ana: User, ben: User, lea: User, who: int
) -> None:
    person = (ana, ben)[who]
    undo(disagreement[who], person)
    assert leases.lease_next(lea, "leads") is None
    assert Assignment.objects.get(purpose="adjudication").state == "withdrawn"
    assert answer(disagreement[who].assignment, person, ("Account", "Billing")[who]).blind
    assert state(disagreement[who].ticket) == "settled"


def test_renewed_disagreement_goes_to_a_lead_again(
    disagreement: tuple[Decision, Decision], ben: User, lea: User
) -> None:
    choice = Assignment.objects.get(purpose="adjudication")
    undo(disagreement[1], ben)
    answer(disagreement[1].assignment, ben, "General")
    assert leases.lease_next(lea, "leads") == choice


def test_label_cannot_be_undone_while_a_lead_has_the_adjudication_open(
    disagreement: tuple[Decision, Decision], ana: User, lea: User
) -> None:
    choice = leases.lease_next(lea, "leads")
    with pytest.raises(CannotUndo):
        undo(disagreement[0], ana)
    answer(choice, lea)
    assert state(disagreement[0].ticket) == "settled"


def test_label_cannot_be_undone_after_the_adjudication(
    disagreement: tuple[Decision, Decision], ana: User, ben: User, lea: User
) -> None:
    answer(leases.lease_next(lea, "leads"), lea, "Billing")
    for decision, person in zip(disagreement, (ana, ben), strict=True):
        with pytest.raises(CannotUndo):
            undo(decision, person)
    assert state(disagreement[0].ticket) == "settled"


def test_adjudication_can_be_undone_and_repeated(disagreement: tuple[Decision, Decision], ana: User, lea: User) -> None:
    choice = leases.lease_next(lea, "leads")
    undo(answer(choice, lea, "Billing"), lea)
    assert (reload(choice).lane, open_assignment(lea)) == ("leads", choice)
    assert state(choice.ticket) == "needs_review"
    again = answer(choice, lea, "Account")
    assert decisions.final_decision(choice.ticket) == again
    undo(again, lea)
    leases.release(lea)
    undo(disagreement[0], ana)
    assert open_assignment(ana) == disagreement[0].assignment


@pytest.mark.parametrize("who", [0, 1])
def test_undoing_a_settled_double_label_makes_the_next_one_not_blind(
    ana: User, ben: User, double_assignments: list[Assignment], who: int
) -> None:
    people = (ana, ben)
    made = [answer(leases.lease_next(person), person, "Account") for person in people]
    undo(made[who], people[who])
    assert state(double_assignments[0].ticket) == "needs_review"
    assert open_assignment(people[who]) == made[who].assignment
    again = answer(made[who].assignment, people[who], "Billing")
    assert not again.blind, "the labels were visible once it was settled"
    assert Assignment.objects.open().get().purpose == "adjudication"


def test_both_double_labels_can_be_undone(ana: User, ben: User, double_assignments: list[Assignment]) -> None:
    made = [answer(leases.lease_next(person), person, "Account") for person in (ana, ben)]
    undo(made[0], ana)
    undo(made[1], ben)
    assert {open_assignment(ana), open_assignment(ben)} == set(double_assignments)
    answer(made[1].assignment, ben)
    answer(made[0].assignment, ana)
    assert state(double_assignments[0].ticket) == "settled"


def test_skipping_one_assignment_of_a_ticket_skips_the_other(
    ana: User, ben: User, third_agent: User, double_assignments: list[Assignment]
) -> None:
    skip(leases.lease_next(ana), ana)
    assert leases.lease_next(ana) is None
    assert {leases.lease_next(ben), leases.lease_next(third_agent)} == set(double_assignments)


def test_skip_keeps_the_lease_on_the_other_assignment(
    ana: User, ben: User, third_agent: User, double_assignments: list[Assignment]
) -> None:
    mine = leases.lease_next(ben)
    skip(leases.lease_next(ana), ana)
    skip(leases.lease_next(third_agent), third_agent)
    assert leases.lease_next(ben) == mine
    answer(mine, ben)
    assert state(mine.ticket) == "needs_review", "one label does not settle a double-labelled ticket"


def test_lead_settles_a_double_ticket_that_two_people_skipped(
    ana: User, ben: User, lea: User, double_assignments: list[Assignment]
) -> None:
    for person in (ana, ben):
        skip(leases.lease_next(person), person)
    decision = answer(leases.lease_next(lea, "leads"), lea)
    assert state(double_assignments[0].ticket) == "settled"
    undo(decision, lea)
    assert {assignment.state for assignment in map(reload, double_assignments)} == {"open"}
    answer(leases.lease_next(lea, "leads"), lea)


def test_label_of_a_lead_on_an_escalated_ticket_overrides_the_other_label(
    ana: User, ben: User, lea: User, double_assignments: list[Assignment]
) -> None:
    first = answer(leases.lease_next(ana), ana, "Billing")
    escalate(leases.lease_next(ben), ben)
    word = answer(leases.lease_next(lea, "leads"), lea, "Account")
    ticket = reload(double_assignments[0]).ticket
    assert (ticket.state, ticket.category.name) == ("settled", "Account")
    assert decisions.final_decision(ticket) == word
    with pytest.raises(CannotUndo):
        undo(first, ana)


# Queries


@pytest.mark.parametrize("waiting", [10, 1_000])
def test_queries_of_a_decision_do_not_grow_with_the_queue(ana: User, waiting: int) -> None:
    assignments = send_to_review(*(make_ticket(f"number {number}") for number in range(waiting)))
    chosen = label()
    made: list[Decision] = []

    def decide(assignment: Assignment) -> None:
        made.append(decisions.decide(assignment, ana, chosen, key=uuid4()))

    assert count_queries(lambda: decide(assignments[0])) == 7, (
        "ticket, assignment, decision, merges, assignment, ticket, listeners"
    )
    assert count_queries(lambda: undo(made[0], ana)) == 13
    assert count_queries(lambda: skip(assignments[1], ana)) == 7
    assert count_queries(lambda: decisions.decide_many(assignments[2:6], ana, chosen)) == 10
    assert count_queries(lambda: decisions.latest_decision(ana)) == 1


def test_bulk_decision_of_many_takes_as_many_queries_as_of_two(ana: User) -> None:
    assignments = send_to_review(*(make_ticket(f"number {number}") for number in range(42)))
    few = count_queries(lambda: decisions.decide_many(assignments[:2], ana))
    assert few == count_queries(lambda: decisions.decide_many(assignments[2:], ana))
    first, *_others, last = Decision.objects.all()
    assert count_queries(lambda: undo(first, ana)) == count_queries(lambda: undo(last, ana))


# Database constraints


def values(assignment: Assignment, person: User, **changes: Any) -> dict[str, Any]:
    return {
        "ticket": assignment.ticket,
        "assignment": assignment,
        "reviewer": person,
        "key": uuid4(),
        "verdict": "corrected",
        "purpose": "review",
        "blind": False,
        "category": Category.objects.get(name="Billing"),
        "sentiment": label().sentiment,
    } | changes


NO_LABEL = {"category": None, "sentiment": None}


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("decision_labels_where_labelled", NO_LABEL),
        ("decision_labels_where_labelled", {"sentiment": None}),
        ("decision_labels_where_labelled", {"verdict": "skipped", "skip_reason": "unclear"}),
        ("decision_accepts_something", {"verdict": "accepted"}),
        ("decision_undoes_one", {"verdict": "undone"} | NO_LABEL),
        ("decision_skipped_for_a_reason", {"verdict": "skipped"} | NO_LABEL),
        ("decision_skipped_for_a_reason", {"skip_reason": "unclear"}),
        ("decision_escalated_says_why", {"verdict": "escalated"} | NO_LABEL),
        ("decision_takes_time", {"seconds": -0.1}),
    ],
)
def test_database_rejects_an_inconsistent_decision(
    ana: User, assignment: Assignment, constraint: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Decision.objects.create(**values(assignment, ana, **changes))


def test_database_allows_one_decision_per_key_and_one_undo_per_decision(ana: User, assignment: Assignment) -> None:
    decision = answer(assignment, ana)
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.create(**values(assignment, ana, key=decision.key))
    undo(decision, ana)
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.create(**values(assignment, ana, verdict="undone", undoes=decision, **NO_LABEL))


def test_only_an_undo_refers_to_another_decision(ana: User, assignment: Assignment) -> None:
    decision = answer(assignment, ana)
    with pytest.raises(IntegrityError, match="decision_undoes_one"), transaction.atomic():
        Decision.objects.create(**values(assignment, ana, undoes=decision))


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("assignment_answered_by_somebody", {"state": "answered"}),
        ("assignment_independent_is_blind", {"purpose": "double", "blind": False}),
    ],
)
def test_database_rejects_an_inconsistent_assignment(
    assignment: Assignment, constraint: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Assignment.objects.filter(pk=assignment.pk).update(**changes)


def test_database_allows_one_assignment_per_person_and_number(ana: User, double_assignments: list[Assignment]) -> None:
    answer(double_assignments[0], ana)
    with pytest.raises(IntegrityError), transaction.atomic():
        Assignment.objects.filter(pk=double_assignments[1].pk).update(reviewer=ana)
    with pytest.raises(IntegrityError), transaction.atomic():
        Assignment.objects.filter(pk=double_assignments[1].pk).update(number=1)


def test_reviewers_and_shown_predictions_cannot_be_deleted(ana: User, assignment: Assignment) -> None:
    answer(assignment, ana, shown=presented(assignment))
    with pytest.raises(IntegrityError):
        ana.delete()
    Verdict.objects.all().delete()
    with pytest.raises(IntegrityError):
        Prediction.objects.all().delete()
    assert SkipReason.values
