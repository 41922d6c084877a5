"""From the first ticket to a certificate, and to its end."""

from collections.abc import Sequence

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from classifier.models import AuditDraw, Criterion, Epoch, Gate, GateMode, Ticket, Verdict
from classifier.pipeline import gate
from classifier.pipeline.predict import TicketOutcome
from review.certification import cycle
from review.models import AccuracyTarget, Audit, Certificate, Ledger
from review.workflow import decision_records, leases
from review.workflow.relabelling import relabel
from tests.factories import make_user
from tests.review.actions import answer, label, skip
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
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


def classify_again(tickets: Sequence[Ticket]) -> None:
    """Judge waiting tickets as a worker does; their answers and scores are known."""
    epoch = epoch_now()
    labelled = [TicketOutcome(ticket, ticket.predictions.get()) for ticket in tickets]
    gate.record_verdicts(epoch, gate.score_outcomes(epoch, labelled, epoch.contract.loaded()), {})


@pytest.mark.postgresql
def test_auto_accept_starts_only_after_enough_clean_audits(ana: User) -> None:
    certify()
    epoch = make_grid()
    assert epoch.audits_from is not None
    tickets = arrive(*[SURE] * 10, *[UNSURE] * 20)
    assert not Verdict.objects.filter(auto_accepted=True).exists()
    assignments = open_audits(tickets[:10])
    assert len(assignments) == 10
    audit(ana, assignments)
    cycle.run_certification()
    assert not Certificate.objects.exists()
    audit(ana, open_audits(arrive(*[SURE] * 10)))
    cycle.run_certification()
    certificate = Certificate.objects.get()
    assert (certificate.audits, certificate.errors) == (20, 0)
    unsure = arrive(*[UNSURE] * 10)
    assert not Verdict.objects.filter(ticket__in=unsure, auto_accepted=True).exists()
    passed = arrive(*[SURE] * 60)
    auto_accepted = Verdict.objects.filter(ticket__in=passed, auto_accepted=True)
    assert auto_accepted.count() == 60
    assert 5 < AuditDraw.objects.filter(verdict__in=auto_accepted, audited=True).count() < 35
    sealed = Ticket.objects.filter(pk__in=[ticket.pk for ticket in passed], sealed=True)
    assert sealed.count() == Audit.objects.pending().filter(ticket__in=passed).count()


@pytest.mark.postgresql
def test_more_evidence_certifies_a_lower_threshold(ana: User) -> None:
    certify()
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * ENOUGH)))
    cycle.run_certification()
    first = Certificate.objects.get()
    audit(ana, open_audits(arrive(*[0.55, 0.58] * 15)))
    cycle.run_certification()
    audit(ana, open_audits(arrive(*[SURE] * 60)))
    cycle.run_certification()
    latest = Certificate.objects.get(ended_at=None)
    first.refresh_from_db()
    assert first.ended_by == Certificate.End.EXTENDED
    assert latest.threshold < first.threshold
    assert latest.coverage > first.coverage
    assert epoch_now().certified_threshold == latest.threshold


@pytest.mark.postgresql
def test_tickets_waiting_for_an_audit_are_auto_accepted_once_certified(ana: User) -> None:
    certify()
    make_grid()
    early = arrive(*[SURE] * ENOUGH)
    late = arrive(*[SURE] * 40)
    audit(ana, open_audits(early))
    assert cycle.run_certification(), "tickets go back to the gate"
    new = Ticket.objects.new()
    assert set(new) == set(late)
    classify_again(late)
    assert (
        Ticket.objects.in_state(Ticket.State.AUTO_ACCEPTED).filter(pk__in=[ticket.pk for ticket in late]).count() == 40
    )
    assert AuditDraw.objects.filter(void=True).count() == 40
    assert AuditDraw.objects.valid().filter(verdict__ticket__in=late).count() == 40
    assert len(open_audits(late)) == Audit.objects.pending().filter(ticket__in=late).count() < 25


def test_started_audits_stay_audits(ana: User, ben: User) -> None:
    certify()
    make_grid()
    early = arrive(*[SURE] * ENOUGH)
    begun, skipped = arrive(*[SURE] * 2)
    leases.lease_ticket(ben, begun)
    skip(open_audits([skipped])[0], ana)
    audit(ana, open_audits(early))
    cycle.run_certification()
    assert set(Ticket.objects.in_state(Ticket.State.NEEDS_REVIEW).filter(pk__in=[begun.pk, skipped.pk])) == {
        begun,
        skipped,
    }
    assert Audit.objects.pending().count() == 2


def test_corrected_audits_can_end_the_certificate(ana: User, lea: User) -> None:
    certify()
    make_grid()
    tickets = arrive(*[SURE] * ENOUGH)
    audit(ana, open_audits(tickets))
    cycle.run_certification()
    certificate = Certificate.objects.get()
    for ticket in tickets[:10]:
        with transaction.atomic():
            relabel(decision_records.lock_ticket(ticket.pk), lea, label("Account"))
    cycle.run_certification()
    certificate.refresh_from_db()
    assert certificate.ended_by == Certificate.End.CORRECTED
    assert epoch_now().certified_threshold is None


def test_a_new_target_is_judged_by_the_same_audits_at_a_smaller_risk(ana: User) -> None:
    certify()
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * 2 * ENOUGH)))
    cycle.run_certification()
    before = Ledger.objects.get()
    AccuracyTarget.objects.update(target=0.7)
    cycle.run_certification()
    after = Ledger.objects.get(closed_at=None)
    assert (before.claim, after.claim) == (0, 1)
    assert [before.risk, after.risk] == pytest.approx([0.03, 0.0075])
    assert after.error == pytest.approx(0.3)
    assert after.grid == before.grid
    assert after.certificates.filter(ended_at=None).exists()
    assert Certificate.objects.get(ledger=before).ended_by == Certificate.End.CHANGED


def test_leaving_certified_mode_ends_the_certificate(ana: User) -> None:
    certify()
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * ENOUGH)))
    cycle.run_certification()
    Gate.objects.update(mode=GateMode.CONFIDENCE)
    cycle.run_certification()
    assert Certificate.objects.get().ended_by == Certificate.End.CHANGED
    assert Epoch.objects.certifying() is None


def test_sentiment_errors_do_not_count_if_only_the_category_has_to_be_right(ana: User) -> None:
    certify()
    Gate.objects.update(about=Criterion.CATEGORY)
    make_grid()
    assignments = open_audits(arrive(*[SURE] * ENOUGH))
    for assignment in assignments:
        answer(assignment, ana, "Billing", "Negative")
    for assignment in open_audits():
        answer(assignment, make_user(f"second {assignment.pk}", "Agent"), "Billing", "Negative")
    cycle.run_certification()
    assert Audit.objects.judged().filter(sentiment_right=False).count() == ENOUGH
    assert Certificate.objects.get().errors == 0


def test_updating_the_ledger_takes_the_same_number_of_queries_whatever_its_size(
    ana: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    certify()
    make_grid()
    arrive(*[SURE] * 10)
    with django_assert_max_num_queries(45) as few:
        cycle.run_certification()
    arrive(*[SURE] * 60)
    with django_assert_max_num_queries(len(few)):
        cycle.run_certification()
