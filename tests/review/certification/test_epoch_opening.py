"""A new epoch is judged by held-out audits of earlier ones."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from classifier.models import Category, Score, Scorer, Verdict
from classifier.taxonomy import label_changes
from review.certification import cycle, epoch_opening
from review.models import AccuracyTarget, Audit, CarriedAudit, Certificate, Ledger
from review.workflow import audits
from review.workflow.audits import is_same_or_below
from tests.review.certification.auditing import (
    ENOUGH,
    SPREAD,
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


@pytest.fixture
def audited(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certified, with all audits held out."""
    monkeypatch.setattr(audits, "HELD_OUT_SHARE", 1.0)
    certify(early_share=1.0)
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * 2 * ENOUGH)))
    cycle.run_certification()
    assert Audit.objects.judged().filter(held_out=True).count() == 2 * ENOUGH


def another_scorer() -> Scorer:
    """Deploy a scorer that scores every answer as the first does."""
    first = Scorer.objects.get(live=True)
    Scorer.objects.update(live=False)
    other = Scorer.objects.create(
        language_model=first.language_model, weights=first.weights, specialist_version=first.specialist_version
    )
    known_scores = Score.objects.filter(scorer=first).select_related("prediction__ticket")
    epoch = epoch_now()
    Score.objects.bulk_create(score(epoch, known_score.prediction, known_score.both) for known_score in known_scores)
    return other


@pytest.mark.postgresql
def test_no_ledger_is_opened_before_there_are_enough_tickets(ana: User) -> None:
    certify()
    arrive(*SPREAD[:99])
    cycle.run_certification()
    assert not Ledger.objects.exists()
    assert epoch_now().audits_from is None
    assert not Audit.objects.exists()
    arrive(UNSURE)
    cycle.run_certification()
    assert Ledger.objects.get().grid == sorted(Ledger.objects.get().grid, reverse=True)


@pytest.mark.postgresql
def test_a_new_scorer_is_judged_by_held_out_audits(audited: None) -> None:
    other = another_scorer()
    cycle.run_certification()
    ledger = Ledger.objects.get(closed_at=None)
    assert ledger.epoch.scorer == other
    held_out = set(Audit.objects.judged().filter(held_out=True))
    assert {carried_audit.audit for carried_audit in ledger.carried.select_related("audit")} == held_out
    assert ledger.claim == 1
    assert ledger.risk == pytest.approx(AccuracyTarget.current().risk * 0.15)
    assert ledger.certificates.filter(ended_at=None).exists(), "certified without another review"
    assert Certificate.objects.filter(ended_by=Certificate.End.CHANGED).exists()


@pytest.mark.postgresql
def test_each_claim_may_spend_less_of_the_risk(audited: None) -> None:
    spent = []
    for _time in range(3):
        another_scorer()
        cycle.run_certification()
        spent.append(Ledger.objects.get(closed_at=None).risk)
    assert spent == pytest.approx([0.3 * 0.05 / 2, 0.3 * 0.05 / 6, 0.3 * 0.05 / 12])


def test_unanswered_audits_count_as_wrong_in_the_next_epoch_until_they_are_answered(
    ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "HELD_OUT_SHARE", 1.0)
    certify(early_share=1.0)
    make_grid()
    waiting, answered = arrive(*[SURE] * ENOUGH), arrive(*[SURE] * ENOUGH)
    audit(ana, open_audits(answered))
    another_scorer()
    cycle.run_certification()
    ledger = Ledger.objects.get(closed_at=None)
    assert ledger.carried.filter(pending=True, wrong=True).count() == ENOUGH
    assert not ledger.certificates.exists()
    audit(ana, open_audits(waiting))
    cycle.run_certification()
    assert not ledger.carried.filter(wrong=True).exists()
    assert ledger.certificates.exists()


def test_the_grid_of_a_candidate_counts_all_tickets_that_are_not_held_out(ana: User) -> None:
    certify()
    epoch = make_grid()
    arrive(*[SURE] * epoch_opening.MAX_SCORES)
    evidence = epoch_opening.opening_evidence(epoch, another_scorer())
    assert evidence
    assert evidence.grid


def test_audits_with_a_retired_label_count_as_errors(audited: None) -> None:
    epoch = epoch_now()
    scorer = another_scorer()
    assert not any(rescored_audit.wrong for rescored_audit in epoch_opening.rescored_audits(epoch, scorer))
    Category.objects.filter(name="Billing").update(retired=True)
    rescored = epoch_opening.rescored_audits(epoch, scorer)
    assert rescored
    assert all(rescored_audit.wrong for rescored_audit in rescored)


def test_audits_follow_a_merged_label(audited: None) -> None:
    billing, account = (Category.objects.get(name=name) for name in ("Billing", "Account"))
    epoch = epoch_now()
    scorer = another_scorer()
    label_changes.merge(billing, account)
    rescored = epoch_opening.rescored_audits(epoch, scorer)
    assert rescored
    assert not any(rescored_audit.wrong for rescored_audit in rescored)


def test_audits_older_than_half_a_year_are_not_reused(audited: None) -> None:
    Verdict.objects.update(created_at=timezone.now() - timedelta(days=200))
    another_scorer()
    cycle.run_certification()
    assert not CarriedAudit.objects.exists()


def test_a_finer_answer_than_the_expected_one_is_right() -> None:
    parent = Category.objects.get(name="Billing")
    child = Category.objects.create(name="Refunds", parent=parent, position=90)
    parents = dict(Category.objects.values_list("pk", "parent"))
    assert is_same_or_below(child.pk, parent.pk, parents)
    assert not is_same_or_below(parent.pk, child.pk, parents)
    assert not is_same_or_below(parent.pk, None, parents)
