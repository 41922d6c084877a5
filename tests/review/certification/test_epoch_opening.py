"""A new epoch is judged by audits of earlier ones where that is fair, and costs nobody's time then."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from classifier.models import Category, Score, Scorer
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

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]


@pytest.fixture
def audited(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audits that are kept, all of them."""
    monkeypatch.setattr(audits, "HELD_OUT_SHARE", 1.0)
    certify(early_share=1.0)
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * 2 * ENOUGH)))
    cycle.run_certification()
    assert Audit.objects.judged().filter(held_out=True).count() == 2 * ENOUGH


def another_scorer() -> Scorer:
    """One that scores every answer as the first does."""
    first = Scorer.objects.get(live=True)
    Scorer.objects.update(live=False)
    other = Scorer.objects.create(
        language_model=first.language_model, weights=first.weights, specialist_version=first.specialist_version
    )
    known = Score.objects.filter(scorer=first).select_related("prediction__ticket")
    epoch = epoch_now()
    Score.objects.bulk_create(score(epoch, one.prediction, one.both) for one in known)
    return other


def test_there_is_no_grid_before_enough_tickets_have_come(ana: User) -> None:
    certify()
    arrive(*SPREAD[:99])
    cycle.run_certification()
    assert not Ledger.objects.exists()
    assert epoch_now().audits_from is None
    assert not Audit.objects.exists()
    arrive(UNSURE)
    cycle.run_certification()
    assert Ledger.objects.get().grid == sorted(Ledger.objects.get().grid, reverse=True)


def test_a_new_scorer_is_judged_by_the_audits_that_were_kept(audited: None) -> None:
    other = another_scorer()
    cycle.run_certification()
    ledger = Ledger.objects.get(closed_at=None)
    assert ledger.epoch.scorer == other
    kept = set(Audit.objects.judged().filter(held_out=True))
    assert {one.audit for one in ledger.carried.select_related("audit")} == kept
    assert (ledger.attempt, ledger.risk) == (1, AccuracyTarget.current().risk / 2)
    assert ledger.certificates.filter(ended_at=None).exists(), "at no cost of anybody's time"
    assert Certificate.objects.filter(ended_by=Certificate.End.CHANGED).exists()


def test_each_use_of_the_same_audits_leaves_less_of_the_risk(audited: None) -> None:
    spent = []
    for _time in range(3):
        another_scorer()
        cycle.run_certification()
        spent.append(Ledger.objects.get(closed_at=None).risk)
    assert spent == [0.05 / 2, 0.05 / 6, pytest.approx(0.05 / 12)]


def test_audits_whose_label_is_out_of_use_count_against_the_new_epoch(audited: None) -> None:
    epoch = epoch_now()
    scorer = another_scorer()
    assert not any(one.wrong for one in epoch_opening.rescored_audits(epoch, scorer))
    Category.objects.filter(name="Billing").update(retired=True)
    found = epoch_opening.rescored_audits(epoch, scorer)
    assert found
    assert all(one.wrong for one in found)


def test_audits_follow_a_label_that_is_merged(audited: None) -> None:
    billing, account = (Category.objects.get(name=name) for name in ("Billing", "Account"))
    epoch = epoch_now()
    scorer = another_scorer()
    label_changes.merge(billing, account)
    found = epoch_opening.rescored_audits(epoch, scorer)
    assert found
    assert not any(one.wrong for one in found)


def test_old_audits_are_no_evidence_for_what_comes_now(audited: None) -> None:
    Audit.objects.update(judged_at=timezone.now() - timedelta(days=200))
    another_scorer()
    cycle.run_certification()
    assert not CarriedAudit.objects.exists()
    assert Ledger.objects.get(closed_at=None).attempt == 0


def test_a_finer_answer_than_the_expected_one_is_right() -> None:
    parent = Category.objects.get(name="Billing")
    child = Category.objects.create(name="Refunds", parent=parent, position=90)
    parents = dict(Category.objects.values_list("pk", "parent"))
    assert is_same_or_below(child.pk, parent.pk, parents)
    assert not is_same_or_below(parent.pk, child.pk, parents)
    assert not is_same_or_below(parent.pk, None, parents)
