"""Guards of the certificate: nothing can make the evidence look better than it is."""

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
    """The audit of a ticket with a high score."""
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


def test_an_audit_counts_as_wrong_until_it_is_answered(ana: User) -> None:
    assignment = one_audit()
    waiting = ledger_test().log_wealth()[0]
    assert waiting < 0
    answer(assignment, ana, "Billing", assignment.ticket.predictions.get().sentiment.name)
    assert ledger_test().log_wealth()[0] > 0


def test_a_skipped_audit_goes_to_someone_else_and_counts_as_wrong_meanwhile(ana: User, ben: User) -> None:
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


def test_a_reviewer_who_disagrees_with_the_model_needs_a_second_one(ana: User, ben: User) -> None:
    assignment = one_audit()
    audit(ana, [assignment], wrong=1)
    assert Audit.objects.pending().exists()
    assert assignment.ticket.sealed
    (other,) = open_audits()
    assert other.pk != assignment.pk
    assert not Assignment.objects.answerable_by(ana).filter(pk=other.pk).exists()
    audit(ben, [other], wrong=1)
    judged = Audit.objects.get()
    assert (judged.category_right, judged.sentiment_right) == (False, True)


def test_a_lead_settles_audits_on_which_two_reviewers_disagree(ana: User, ben: User, lea: User) -> None:
    assignment = one_audit()
    audit(ana, [assignment], wrong=1)
    audit(ben, open_audits())
    assert Audit.objects.pending().exists()
    word = Assignment.objects.open().get(purpose=Assignment.Purpose.ADJUDICATION)
    assert word.lane == Assignment.Lane.LEADS
    audit(lea, [word])
    assert Audit.objects.get().category_right


def test_agreements_drawn_for_a_double_check_go_to_a_second_reviewer(ana: User, ben: User) -> None:
    certify(double_check_share=1.0)
    make_grid()
    arrive(SURE)
    audit(ana, open_audits())
    assert Audit.objects.pending().exists()
    audit(ben, open_audits())
    assert Audit.objects.get().category_right


def test_a_ticket_edited_after_its_prediction_counts_as_wrong(ana: User) -> None:
    assignment = one_audit()
    Ticket.objects.filter(pk=assignment.ticket_id).update(text="Quite another matter.")
    audit(ana, [assignment])
    judged = Audit.objects.get()
    assert (judged.category_right, judged.flaw) == (False, EDITED)


def test_a_reviewer_who_has_seen_the_suggestion_cannot_audit(ana: User, ben: User) -> None:
    certify()
    make_grid()
    configure_review(blind_share=0)
    # A ticket that was shown with a suggestion before it is drawn.
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
    judged = Audit.objects.get(ticket=ticket)
    assert (judged.category_right, judged.flaw) == (False, SUGGESTION_SEEN)


def test_an_undone_answer_makes_the_ledger_recount(ana: User) -> None:
    assignment = one_audit()
    decision = answer(assignment, ana, "Billing", assignment.ticket.predictions.get().sentiment.name)
    better = ledger_test().log_wealth()[0]
    assert Ledger.objects.get().until == AuditDraw.objects.get().pk
    undo(decision, ana)
    assert Audit.objects.pending().count() == 1
    assert Ledger.objects.get().until == 0
    assert ledger_test().log_wealth()[0] < 0 < better


def test_held_out_audits_are_never_learned_from(ana: User) -> None:
    certify()
    make_grid()
    configure_review(benchmark_share=0)
    tickets = arrive(*[SURE] * 40)
    audit(ana, open_audits(tickets))
    gold_labels.collect_from_decisions()
    published_examples.publish_examples()
    held_out = set(Audit.objects.filter(held_out=True).values_list("ticket", flat=True))
    learned = set(Example.objects.values_list("ticket", flat=True))
    assert held_out
    assert learned
    assert not held_out & learned


def test_held_out_audits_are_a_fair_sample_of_all_scores() -> None:
    certify()
    epoch = make_grid()
    arrive(*[SURE, UNSURE] * 100)
    audit_records = Audit.objects.select_related("draw")
    assert all(record.held_out == (record.draw.number < min(record.draw.floor, 0.3)) for record in audit_records)
    assert epoch.audit_share == 0.3
    held_out_scores = [record.draw.value for record in audit_records if record.held_out]
    assert 10 < sum(value == SURE for value in held_out_scores) < 50
    assert 10 < sum(value == UNSURE for value in held_out_scores) < 50


def test_a_ticket_is_drawn_once() -> None:
    certify()
    epoch = make_grid()
    (ticket,) = arrive(UNSURE)
    (draw,) = AuditDraw.objects.all()
    assert draw.number == epoch.draw(ticket.pk)
    label_changes.classify_again(Ticket.objects.filter(pk=ticket.pk))
    prediction = ticket.predictions.get()
    gate.record_verdicts(
        epoch, gate.score_outcomes(epoch, [TicketOutcome(ticket, prediction)], epoch.contract.loaded()), {}
    )
    assert Verdict.objects.filter(ticket=ticket).count() == 2
    assert AuditDraw.objects.get() == draw


def test_a_crash_after_the_draw_leaves_nothing_behind_and_the_next_draw_is_the_same(
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
    scored = gate.score_outcomes(epoch, [TicketOutcome(ticket, ticket.predictions.get())], epoch.contract.loaded())
    gate.record_verdicts(epoch, scored, {})
    assert AuditDraw.objects.get().number == epoch.draw(ticket.pk)
    assert Audit.objects.get().ticket == ticket


def test_retiring_a_label_ends_the_epoch_and_its_certificate(ana: User) -> None:
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
    assert after.certified_threshold is None
    cycle.run_certification()
    assert Certificate.objects.get().ended_by == Certificate.End.CHANGED


def test_a_new_scorer_starts_an_epoch_without_a_certificate(ana: User) -> None:
    certify()
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * ENOUGH)))
    cycle.run_certification()
    first = Scorer.objects.get()
    assert epoch_now().certified_threshold is not None
    Scorer.objects.update(live=False)
    Scorer.objects.create(
        language_model=first.language_model, weights=first.weights, specialist_version=first.specialist_version
    )
    assert epoch_now().certified_threshold is None
    assert [verdict.auto_accepted for verdict in Verdict.objects.filter(ticket__in=arrive(SURE))] == [False]


def test_the_order_of_evidence_does_not_depend_on_any_clock(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
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
