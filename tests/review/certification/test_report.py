"""The figures of the certification page: stages, evidence and steps."""

import numpy as np
import pytest
from django.contrib.auth.models import User

from classifier.models import Epoch, Gate, GateMode
from review.certification import (
    epoch_opening,
    evidence_columns,
    evidence_ledger,
    messages,
)
from review.certification.evidence_columns import EvidenceColumns
from review.certification.report import CertificationReport, threshold_steps
from review.certification.status import CertificationStatus, LedgerProgress, Stage
from review.models import AccuracyTarget, Alarm, Certificate, Ledger
from tests.factories import make_prediction, make_ticket, make_verdict
from tests.review.certification.auditing import ENOUGH, SURE, UNSURE, arrive, audit, certify, open_audits
from tests.review.certification.scenes import alarmed, audited, begun, certified, passing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


def ledger() -> Ledger:
    return Ledger.objects.get(closed_at=None)


class TestEvidence:
    def test_the_columns_are_the_draws_of_the_ledger(self, ana: User, ben: User) -> None:
        begun(target=0.97)
        audited(ana, 30, wrong=2, by=ben)
        arrive(*[UNSURE] * 20, *[SURE] * 5)
        draws = list(evidence_ledger.ledger_draws(ledger()))
        columns = EvidenceColumns.latest(ledger())
        assert [tuple(row) for row in zip(*columns.batch, strict=True)] == [
            (*row[:5], draw.audited and row[5], row[6]) for draw in draws for row in [draw.row()]
        ]
        assert list(columns.pending) == [draw.audited and draw.wrong is None for draw in draws]
        assert list(columns.draws) == [draw.pk for draw in draws]

    def test_the_replay_equals_the_ledger_without_pending_audits(self, ana: User, ben: User) -> None:
        begun(target=0.97)
        audited(ana, 30, wrong=2, by=ben)
        open_ledger = ledger()
        assert open_ledger.until
        settled = EvidenceColumns.latest(open_ledger).replay(open_ledger)
        assert np.allclose(settled.wealth, np.array(open_ledger.wealth))
        open_ledger.until = 0
        assert np.allclose(EvidenceColumns.latest(open_ledger).replay(open_ledger).wealth, settled.wealth), (
            "a recount gives the same"
        )

    def test_at_most_max_draws_are_read(self, ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
        begun(target=0.97)
        audited(ana, 20)
        whole = EvidenceColumns.latest(ledger())
        monkeypatch.setattr(evidence_columns, "MAX_DRAWS", 15)
        latest, earliest = EvidenceColumns.latest(ledger()), EvidenceColumns.earliest(ledger())
        assert (latest.more, earliest.more, whole.more) == (True, True, False)
        assert list(latest.draws) == list(whole.draws[-15:])
        assert list(earliest.draws) == list(whole.draws[:15])
        assert np.allclose(latest.replay(ledger()).wealth, whole.replay(ledger()).wealth), (
            "draws counted for good stay counted"
        )

    def test_carried_audits_come_first_and_are_no_part_of_the_axes(self, ana: User) -> None:
        begun(target=0.97)
        audited(ana, 30)
        AccuracyTarget.objects.update(target=0.96)
        first = ledger()
        audit_of_it = first.epoch.audits.order_by("pk").first()
        assert audit_of_it
        first.carried.create(audit=audit_of_it, value=SURE, wrong=True, category_id=None)
        columns = EvidenceColumns.latest(first)
        assert (columns.carried, columns.batch.wrong[0], len(columns.draws)) == (1, True, 31)
        assert len(columns.with_errors(columns.category_wrong).value) == 30


class TestStatus:
    def test_each_stage_is_recognised(self, ana: User) -> None:
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

    def test_the_audits_needed_do_certify(self, ana: User) -> None:
        begun()
        needed = CertificationStatus.current().needed
        assert needed == ENOUGH or needed is not None
        audited(ana, needed - 1)
        assert CertificationStatus.current().needed == 1
        audited(ana, 1)
        assert CertificationStatus.current().stage == Stage.CERTIFIED

    def test_leaving_certified_mode_shows_at_once(self, ana: User) -> None:
        certified(ana)
        Gate.objects.update(mode=GateMode.SCORE)
        assert CertificationStatus.current().stage == Stage.FIXED


class TestFigures:
    def test_the_summary_has_the_numbers_of_the_certificate(self, ana: User) -> None:
        certificate = certified(ana)
        report = CertificationReport.current()
        assert report.details[0] == messages.evidence_summary(certificate)
        assert str(certificate.audits) in report.details[0]

    def test_the_page_says_how_many_tickets_that_passed_can_be_wrong(self, ana: User) -> None:
        certified(ana)
        assert len(CertificationReport.current().details) == 1, "nothing has passed yet"
        passed = len(passing(80))
        unanswered = EvidenceColumns.latest(ledger()).realised_errors(0.05)
        assert unanswered.passed == passed
        audit(ana, open_audits())
        realised = EvidenceColumns.latest(ledger()).realised_errors(0.05)
        assert 0 < realised.most_wrong < min(passed, unanswered.most_wrong)
        assert CertificationReport.current().details[1] == (
            f"Nobody has looked at the latest {passed} auto-accepted tickets. At most {realised.most_wrong} of them "
            "are wrong, whatever has happened meanwhile."
        )

    def test_reviewed_tickets_include_audits_of_auto_accepted_ones(self, ana: User) -> None:
        certified(ana)
        tickets = arrive(*[SURE] * 60, *[UNSURE] * 40)
        audits = len([assignment for assignment in open_audits(tickets) if assignment.ticket.state == "auto_accepted"])
        flow = CertificationReport.current().flow
        shares = (flow.auto_accepted.estimate, flow.looked_at.estimate)
        assert shares == pytest.approx((0.6 - audits / 100, 0.4 + audits / 100))

    def test_tickets_before_certification_do_not_count(self) -> None:
        for number in range(5):
            make_verdict(make_prediction(make_ticket(f"number {number}")))
        assert CertificationReport.current().flow.auto_accepted.estimate == 1
        begun()
        flow = CertificationReport.current().flow
        assert (flow.auto_accepted.estimate, flow.looked_at.estimate) == (0, 1)

    def test_accuracy_is_estimated_from_all_audits(self, ana: User) -> None:
        certified(ana)
        before = CertificationReport.current()
        assert before.wrong is not None
        assert (before.wrong.estimate, before.wrong.n) == (0, ENOUGH)
        assert [part.share.estimate for part in before.right] == [1, 1, 1]

    def test_expected_reviews_are_the_uncovered_tickets_and_the_later_audits(self, ana: User) -> None:
        begun()
        coverage = ledger().coverage[0]
        assert CertificationReport.current().expected == pytest.approx(100 * (1 - coverage * 0.97))


class TestSteps:
    def test_the_steps_are_the_grid_with_the_certified_thresholds(self, ana: User) -> None:
        certificate = certified(ana)
        steps = threshold_steps(LedgerProgress.for_ledger(ledger()))
        assert [step.threshold for step in steps] == ledger().grid
        assert min(step.threshold for step in steps if step.certified) == certificate.threshold
        assert [step.evidence == 1 for step in steps] == [step.certified for step in steps]
        assert steps[0].audits == ENOUGH

    def test_evidence_against_a_threshold_shows_as_none(self, ana: User, ben: User) -> None:
        begun(target=0.97)
        audited(ana, 5, wrong=5, by=ben)
        first = threshold_steps(LedgerProgress.for_ledger(ledger()))[0]
        assert (first.evidence, first.errors, first.wrong.estimate) == (0, 5, 1)
