"""Each assumption of the promise has a guard: what would make the evidence better than things are does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from classifier.models import AuditDraw, Category, Example, Scorer, Ticket, Verdict
from classifier.pipeline import gate
from classifier.pipeline.predict import TicketOutcome
from classifier.taxonomy import label_changes
from review.certification import cycle, evidence_ledger
from review.gold import gold_labels
from review.models import Assignment, Audit, Certificate, Decision, DuplicateGroup, Ledger
from review.specialist import published_examples
from review.workflow import audits
from review.workflow.audits import EDITED, SUGGESTION_SEEN
from review.workflow.decision_records import Presented
from tests.factories import configure_review, make_prediction, make_ticket, make_verdict
from tests.review.actions import answer, escalate, skip, undo
from tests.review.certification.auditing import (
    ENOUGH,
    SURE,
    UNSURE,
    arrive,
    audit,
    certify,
    epoch_now,
    make_grid,
    open_audits,
    score,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


def ledger_test() -> Any:
    return evidence_ledger.update_ledger(Ledger.objects.get(closed_at=None))


def one_audit() -> Assignment:
    """Of a ticket that would pass."""
    certify()
    make_grid()
    (ticket,) = arrive(SURE)
    (assignment,) = open_audits([ticket])
    return assignment


def test_an_audit_is_blind_and_its_ticket_sealed() -> None:
    assignment = one_audit()
    assert assignment.blind
    assert assignment.ticket.sealed
    assert (assignment.category, assignment.confidence, assignment.reason) == (None, None, "")
    assert assignment.share == 1


def test_what_is_audited_counts_as_wrong_until_somebody_has_answered(ana: User) -> None:
    assignment = one_audit()
    waiting = ledger_test().log_wealth()[0]
    assert waiting < 0
    answer(assignment, ana, "Billing", assignment.ticket.predictions.get().sentiment.name)
    assert ledger_test().log_wealth()[0] > 0


def test_a_skipped_audit_goes_to_somebody_else_and_counts_as_wrong_meanwhile(ana: User, ben: User) -> None:
    assignment = one_audit()
    skip(assignment, ana)
    assert ledger_test().log_wealth()[0] < 0
    assert not Assignment.objects.open().answerable_by(ana).filter(pk=assignment.pk).exists()
    assert Assignment.objects.open().answerable_by(ben).filter(pk=assignment.pk).exists()
    skip(Assignment.objects.get(pk=assignment.pk), ben)
    assignment.refresh_from_db()
    assert (assignment.state, assignment.lane) == (Assignment.State.OPEN, Assignment.Lane.LEADS)
    assert Audit.objects.pending().count() == 1


def test_an_escalated_audit_counts_as_wrong_until_a_lead_has_answered(ana: User, lea: User) -> None:
    assignment = one_audit()
    escalate(assignment, ana)
    assert ledger_test().log_wealth()[0] < 0
    audit(lea, open_audits())
    assert ledger_test().log_wealth()[0] > 0


def test_a_reviewer_who_says_something_else_is_not_believed_alone(ana: User, ben: User) -> None:
    assignment = one_audit()
    audit(ana, [assignment], wrong=1)
    assert Audit.objects.pending().exists()
    assert assignment.ticket.sealed
    (other,) = open_audits()
    assert other.pk != assignment.pk
    assert not Assignment.objects.answerable_by(ana).filter(pk=other.pk).exists()
    audit(ben, [other], wrong=1)
    found = Audit.objects.get()
    assert (found.category_right, found.sentiment_right) == (False, True)


def test_two_who_differ_are_settled_by_a_lead_who_sees_neither_name(ana: User, ben: User, lea: User) -> None:
    assignment = one_audit()
    audit(ana, [assignment], wrong=1)
    audit(ben, open_audits())
    assert Audit.objects.pending().exists()
    word = Assignment.objects.open().get(purpose=Assignment.Purpose.ADJUDICATION)
    assert word.lane == Assignment.Lane.LEADS
    audit(lea, [word])
    assert Audit.objects.get().category_right


def test_agreements_that_were_drawn_are_looked_at_twice(ana: User, ben: User) -> None:
    certify(double_check_share=1.0)
    make_grid()
    arrive(SURE)
    audit(ana, open_audits())
    assert Audit.objects.pending().exists()
    audit(ben, open_audits())
    assert Audit.objects.get().category_right


def test_a_ticket_that_was_edited_after_it_was_answered_for_counts_as_wrong(ana: User) -> None:
    assignment = one_audit()
    Ticket.objects.filter(pk=assignment.ticket_id).update(text="Quite another matter.")
    audit(ana, [assignment])
    found = Audit.objects.get()
    assert (found.category_right, found.flaw) == (False, EDITED)


def test_who_had_seen_the_suggestion_audits_nothing(ana: User, ben: User) -> None:
    certify()
    make_grid()
    configure_review(blind_share=0)
    # A ticket that was first shown with what a model says of it, and then is drawn.
    ticket = make_ticket("It was shown before it was drawn.")
    first = make_prediction(ticket)
    Ticket.objects.filter(pk=ticket.pk).update(state=Ticket.State.NEEDS_REVIEW)
    make_verdict(first)
    shown = Assignment.objects.create(
        ticket=ticket,
        number=1,
        value=0.5,
        group=DuplicateGroup.objects.create(),
        received_at=timezone.now(),
        reviewer=ana,
    )
    label_changes.classify_again(Ticket.objects.filter(pk=ticket.pk))
    epoch = epoch_now()
    score(epoch, first, SURE).save()
    gate.record_verdicts(epoch, gate.score_outcomes(epoch, [TicketOutcome(ticket, first)], epoch.contract.loaded()), {})
    shown.refresh_from_db()
    assert (shown.purpose, shown.blind) == (Assignment.Purpose.AUDIT, True)
    answer(shown, ana, first.category.name, first.sentiment.name, shown=Presented(prediction=first))
    assert not Decision.objects.get().blind
    found = Audit.objects.get(ticket=ticket)
    assert (found.category_right, found.flaw) == (False, SUGGESTION_SEEN)


def test_an_answer_that_is_taken_back_is_counted_once_more(ana: User) -> None:
    assignment = one_audit()
    decision = answer(assignment, ana, "Billing", assignment.ticket.predictions.get().sentiment.name)
    better = ledger_test().log_wealth()[0]
    assert Ledger.objects.get().until == AuditDraw.objects.get().pk
    undo(decision, ana)
    assert Audit.objects.pending().count() == 1
    assert Ledger.objects.get().until == 0
    assert ledger_test().log_wealth()[0] < 0 < better


def test_what_is_kept_to_judge_by_is_never_learned_from(ana: User) -> None:
    certify()
    make_grid()
    configure_review(benchmark_share=0)
    tickets = arrive(*[SURE] * 40)
    audit(ana, open_audits(tickets))
    gold_labels.collect_from_decisions()
    published_examples.publish_examples()
    kept = set(Audit.objects.filter(held_out=True).values_list("ticket", flat=True))
    learned = set(Example.objects.values_list("ticket", flat=True))
    assert kept
    assert learned
    assert not kept & learned


def test_what_is_kept_is_a_fair_sample_whatever_it_scored() -> None:
    certify()
    epoch = make_grid()
    arrive(*[SURE, UNSURE] * 100)
    found = Audit.objects.select_related("draw")
    assert all(one.held_out == (one.draw.number < min(one.draw.floor, 0.3)) for one in found)
    assert epoch.audit_share == 0.3
    kept = [one.draw.value for one in found if one.held_out]
    assert 10 < sum(value == SURE for value in kept) < 50
    assert 10 < sum(value == UNSURE for value in kept) < 50


def test_the_lot_of_a_ticket_is_drawn_once() -> None:
    certify()
    epoch = make_grid()
    (ticket,) = arrive(UNSURE)
    (draw,) = AuditDraw.objects.all()
    assert draw.number == epoch.draw(ticket.pk)
    label_changes.classify_again(Ticket.objects.filter(pk=ticket.pk))
    said = ticket.predictions.get()
    gate.record_verdicts(epoch, gate.score_outcomes(epoch, [TicketOutcome(ticket, said)], epoch.contract.loaded()), {})
    assert Verdict.objects.filter(ticket=ticket).count() == 2
    assert AuditDraw.objects.get() == draw


def test_a_crash_after_the_draw_leaves_nothing_behind_and_the_draw_comes_out_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certify()
    epoch = make_grid()

    def crash(*_given: Any) -> None:
        raise RuntimeError("the machine is gone")

    with monkeypatch.context() as patched:
        patched.setattr(audits, "create_audits", crash)
        with pytest.raises(RuntimeError, match="gone"):
            arrive(SURE)
    assert not AuditDraw.objects.exists()
    ticket = Ticket.objects.new().get()
    assert not Verdict.objects.filter(ticket=ticket).exists()
    weighed = gate.score_outcomes(epoch, [TicketOutcome(ticket, ticket.predictions.get())], epoch.contract.loaded())
    gate.record_verdicts(epoch, weighed, {})
    assert AuditDraw.objects.get().number == epoch.draw(ticket.pk)
    assert Audit.objects.get().ticket == ticket


def test_a_label_retired_in_mid_epoch_begins_an_epoch_whose_audits_count_against_it(ana: User) -> None:
    certify()
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * ENOUGH)))
    cycle.run_certification()
    assert Certificate.objects.filter(ended_at=None).exists()
    before = epoch_now()
    billing = Category.objects.get(name="Billing")
    label_changes.retire(billing)
    after = epoch_now()
    before.refresh_from_db()
    assert after != before
    assert before.ended_at
    assert after.passes_from is None
    cycle.run_certification()
    assert Certificate.objects.get().ended_by == Certificate.End.CHANGED


def test_another_scorer_is_another_epoch_that_starts_with_nothing_certified(ana: User) -> None:
    certify()
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * ENOUGH)))
    cycle.run_certification()
    first = Scorer.objects.get()
    assert epoch_now().passes_from is not None
    Scorer.objects.update(live=False)
    Scorer.objects.create(
        language_model=first.language_model, weights=first.weights, specialist_version=first.specialist_version
    )
    assert epoch_now().passes_from is None
    assert [one.auto_accepted for one in Verdict.objects.filter(ticket__in=arrive(SURE))] == [False]


def test_the_order_of_evidence_does_not_go_by_any_clock(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    certify()
    make_grid()
    first, second = arrive(SURE), arrive(SURE)
    past = timezone.now() - timedelta(days=400)
    audit(ana, open_audits(second))
    with monkeypatch.context() as patched:
        patched.setattr("django.utils.timezone.now", lambda: past)
        audit(ana, open_audits(first), wrong=0)
    draws = list(evidence_ledger.ledger_draws(Ledger.objects.get()))
    assert [draw.pk for draw in draws] == sorted(draw.pk for draw in draws)
    assert [draw.wrong for draw in draws] == [False, False]
