"""What the page of the promise computes: stages, figures, steps, and what other targets would take."""

import numpy as np
import pytest
from django.contrib.auth.models import User

from classifier.models import Epoch, Gate, GateMode
from review.certification import (
    cycle,
    epoch_opening,
    evidence_columns,
    evidence_ledger,
    messages,
    threshold_steps,
    what_if,
)
from review.certification.evidence_columns import EvidenceColumns
from review.certification.report import CertificationReport
from review.certification.sequential_test import risk_for_attempt
from review.certification.status import CertificationStatus, LedgerProgress, Stage
from review.models import AccuracyTarget, Alarm, Certificate, Ledger
from tests.factories import make_prediction, make_ticket, make_verdict
from tests.review.certification.auditing import ENOUGH, SURE, UNSURE, arrive, certify, epoch_now, open_audits
from tests.review.certification.scenes import alarmed, audited, begun, certified, passing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


def ledger() -> Ledger:
    return Ledger.objects.get(closed_at=None)


class TestEvidence:
    def test_it_is_what_the_books_are_kept_of(self, ana: User, ben: User) -> None:
        begun(target=0.97)
        audited(ana, 30, wrong=2, by=ben)
        arrive(*[UNSURE] * 20, *[SURE] * 5)
        draws = list(evidence_ledger.ledger_draws(ledger()))
        found = EvidenceColumns.latest(ledger())
        assert [tuple(row) for row in zip(*found.batch, strict=True)] == [
            (*row[:5], draw.audited and row[5]) for draw in draws for row in [draw.row()]
        ]
        assert list(found.pending) == [draw.audited and draw.wrong is None for draw in draws]
        assert list(found.draws) == [draw.pk for draw in draws]

    def test_without_what_waits_its_book_is_the_certifiers(self, ana: User, ben: User) -> None:
        begun(target=0.97)
        audited(ana, 30, wrong=2, by=ben)
        found = ledger()
        assert found.until
        settled = EvidenceColumns.latest(found).replay(found)
        assert np.allclose(settled.wealth, np.array(found.wealth))
        found.until = 0
        assert np.allclose(EvidenceColumns.latest(found).replay(found).wealth, settled.wealth), (
            "counted anew it is the same"
        )

    def test_it_reads_no_more_than_so_many_draws(self, ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
        begun(target=0.97)
        audited(ana, 20)
        whole = EvidenceColumns.latest(ledger())
        monkeypatch.setattr(evidence_columns, "MAX_DRAWS", 15)
        latest, earliest = EvidenceColumns.latest(ledger()), EvidenceColumns.earliest(ledger())
        assert (latest.more, earliest.more, whole.more) == (True, True, False)
        assert list(latest.draws) == list(whole.draws[-15:])
        assert list(earliest.draws) == list(whole.draws[:15])
        assert np.allclose(latest.replay(ledger()).wealth, whole.replay(ledger()).wealth), (
            "what is counted stays counted"
        )

    def test_carried_audits_come_first_and_are_no_part_of_the_axes(self, ana: User) -> None:
        begun(target=0.97)
        audited(ana, 30)
        AccuracyTarget.objects.update(target=0.96)
        first = ledger()
        audit_of_it = first.epoch.audits.order_by("pk").first()
        assert audit_of_it
        first.carried.create(audit=audit_of_it, value=SURE, wrong=True, category_id=None)
        found = EvidenceColumns.latest(first)
        assert (found.carried, found.batch.wrong[0], len(found.draws)) == (1, True, 31)
        assert len(found.with_errors(found.category_wrong).value) == 30


class TestStanding:
    def test_every_stage_is_told_apart(self, ana: User) -> None:
        assert CertificationStatus.current().stage == Stage.FIXED
        certify()
        assert CertificationStatus.current().stage == Stage.WAITING
        begun()
        assert CertificationStatus.current().stage == Stage.UNCERTIFIED
        audited(ana, ENOUGH)
        assert CertificationStatus.current().stage == Stage.CERTIFIED
        passing(20)
        alarm = alarmed()
        assert CertificationStatus.current().stage == Stage.SUSPENDED
        Alarm.objects.filter(pk=alarm.pk).delete()
        epoch_opening.close_ledgers([ledger().pk], Certificate.End.ALARM)  # as a confirmed alarm does
        Epoch.objects.running().update(ended_at=alarm.raised_at)
        assert CertificationStatus.current().stage == Stage.REVOKED

    def test_needed_is_what_then_certifies(self, ana: User) -> None:
        begun()
        needed = CertificationStatus.current().needed
        assert needed == ENOUGH or needed is not None
        audited(ana, needed - 1)
        assert CertificationStatus.current().needed == 1
        audited(ana, 1)
        assert CertificationStatus.current().stage == Stage.CERTIFIED

    def test_leaving_certified_is_seen_at_once(self, ana: User) -> None:
        certified(ana)
        Gate.objects.update(mode=GateMode.SCORE)
        assert CertificationStatus.current().stage == Stage.FIXED


class TestFigures:
    def test_the_numbers_of_the_certificate_are_those_of_the_sentence(self, ana: User) -> None:
        certificate = certified(ana)
        report = CertificationReport.current()
        assert report.details[0] == messages.evidence_summary(certificate)
        assert str(certificate.audits) in report.details[0]

    def test_effort_counts_what_is_held_and_what_is_audited(self, ana: User) -> None:
        certified(ana)
        tickets = arrive(*[SURE] * 60, *[UNSURE] * 40)
        audits = len([assignment for assignment in open_audits(tickets) if assignment.ticket.state == "auto_accepted"])
        flow = CertificationReport.current().flow
        assert (flow.auto_accepted.percent, flow.looked_at.percent) == pytest.approx((60 - audits, 40 + audits))

    def test_what_passed_before_certificates_decided_does_not_count(self) -> None:
        for number in range(5):
            make_verdict(make_prediction(make_ticket(f"number {number}")))
        assert CertificationReport.current().flow.auto_accepted.percent == 100
        begun()
        flow = CertificationReport.current().flow
        assert (flow.auto_accepted.percent, flow.looked_at.percent) == (0, 100)

    def test_each_audit_stands_for_as_many_tickets_as_it_was_drawn_from(self, ana: User) -> None:
        certified(ana)
        before = CertificationReport.current()
        assert before.wrong is not None
        assert (before.wrong.percent, before.wrong.n) == (0, ENOUGH)
        assert [part.share.percent for part in before.right] == [100, 100, 100]

    def test_expected_effort_is_what_is_not_covered_and_the_late_share_of_the_rest(self, ana: User) -> None:
        begun()
        coverage = ledger().coverage[0]
        assert CertificationReport.current().expected == pytest.approx(100 * (1 - coverage * 0.95))


class TestSteps:
    def test_they_are_the_grid_with_what_is_certified_of_it(self, ana: User) -> None:
        certificate = certified(ana)
        found = threshold_steps.threshold_steps(LedgerProgress.for_ledger(ledger()))
        assert [step.threshold for step in found] == ledger().grid
        assert min(step.threshold for step in found if step.certified) == certificate.passes_from
        assert [step.evidence == 1 for step in found] == [step.certified for step in found]
        assert found[0].audits == ENOUGH

    def test_evidence_that_speaks_against_it_is_none(self, ana: User, ben: User) -> None:
        begun(target=0.97)
        audited(ana, 5, wrong=5, by=ben)
        first = threshold_steps.threshold_steps(LedgerProgress.for_ledger(ledger()))[0]
        assert (first.evidence, first.errors, first.wrong.percent) == (0, 5, 100)


class TestWhatIf:
    def test_the_promise_in_force_gives_what_is_in_force(self, ana: User) -> None:
        certificate = certified(ana)
        tried = what_if.try_out(LedgerProgress.for_ledger(ledger()), AccuracyTarget.current(), 0.8, 0.05)
        assert tried.chosen.in_force
        assert (tried.chosen.threshold, tried.chosen.coverage) == (certificate.passes_from, certificate.coverage)

    def test_another_target_may_spend_only_what_is_left(self, ana: User) -> None:
        certified(ana)
        tried = what_if.try_out(LedgerProgress.for_ledger(ledger()), AccuracyTarget.current(), 0.9, 0.05)
        assert tried.available_risk == risk_for_attempt(0.05, 1) == 0.025

    def test_what_it_says_comes_true(self, ana: User) -> None:
        begun()
        audited(ana, 60)
        tried = what_if.try_out(LedgerProgress.for_ledger(ledger()), AccuracyTarget.current(), 0.9, 0.05).chosen
        assert tried.threshold is not None
        AccuracyTarget.objects.update(target=0.9)
        cycle.run_certification()
        assert epoch_now().passes_from == tried.threshold

    def test_stricter_targets_take_more(self, ana: User) -> None:
        begun()
        audited(ana, 30)
        rows = what_if.try_out(LedgerProgress.for_ledger(ledger()), AccuracyTarget.current(), 0.9, 0.05).rows
        assert [row.target for row in rows] == [0.8, 0.9, 0.95, 0.96, 0.97, 0.98, 0.99]
        needed = [row.needed for row in rows if row.threshold is None and row.needed]
        assert needed == sorted(needed)
        assert [row.coverage for row in rows] == sorted((row.coverage for row in rows), reverse=True)
