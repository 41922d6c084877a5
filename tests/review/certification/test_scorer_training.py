"""A new scorer is fitted on labelled tickets, and deployed only if it is better."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User

from classifier.contract.types import Contract
from classifier.inference.backends.specialist_predictor import LabelProbabilities, SpecialistPredictions
from classifier.learning.weights import SpecialistWeights, dump
from classifier.leases import leases
from classifier.models import Gate, LanguageModel, Lease, Prediction, Score, Scorer, Ticket
from classifier.pipeline import scoring
from classifier.scoring.signals import AxisSignals, Signals
from review.certification import cycle, scorer_training
from review.models import AccuracyTarget, Audit, Ledger
from tests.factories import configure_review, make_prediction, make_ticket, make_version
from tests.review.certification.auditing import ENOUGH, SURE, arrive, audit, certify, epoch_now, make_grid, open_audits
from tests.stalling import is_untouched, overtake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]

FEWEST = 60


@pytest.fixture(autouse=True)
def fewer_answers_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer_training, "MIN_ANSWERS", FEWEST)


@pytest.fixture
def agreement_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals in which agreement decides whether an answer is right; answers to tickets with an even key are wrong."""

    def seen_of(labelled: Any, scorer: Scorer, version: Any) -> list[Signals]:
        return [
            Signals(confidence=0.9, category=axis, sentiment=AxisSignals(agrees=True))
            for axis in (AxisSignals(agrees=bool(outcome.ticket.pk % 2), margin=0.0) for outcome in labelled)
        ]

    monkeypatch.setattr(scoring, "signals_for", seen_of)


def label_tickets(person: User, number: int) -> None:
    """Label tickets that are not audits; half of the answers are wrong."""
    configure_review()
    tickets = Ticket.objects.in_state(Ticket.State.NEEDS_REVIEW).filter(audits=None).order_by("pk")[:number]
    assert len(tickets) == number
    for ticket in tickets:
        prediction = ticket.predictions.get()
        name = "Account" if ticket.pk % 2 == 0 else prediction.category.name
        category = type(prediction.category).objects.get(name=name)
        Ticket.objects.filter(pk=ticket.pk).update(
            state=Ticket.State.SETTLED, category=category, sentiment=prediction.sentiment
        )


def spoil_audits(*people: User) -> None:
    """Have both people find the live scorer's surest answers wrong, so that it is far from a certificate."""
    spoiled = arrive(*[SURE] * 8)
    for person in people:
        audit(person, open_audits(spoiled), wrong=8)
    cycle.run_certification()


def train() -> Scorer | None:
    with leases.hold_named("certification") as lease:
        assert lease
        return scorer_training.train_scorer(
            epoch_now(), Ledger.objects.get(closed_at=None), AccuracyTarget.current(), lease
        )


@pytest.fixture
def installed(agreement_decides: None) -> None:
    certify()
    make_grid()


@pytest.mark.postgresql
def test_a_better_scorer_is_deployed_and_starts_an_epoch(installed: None, ana: User, ben: User) -> None:
    spoil_audits(ana, ben)
    label_tickets(ana, 80)
    before = epoch_now()
    scorer = train()
    assert scorer
    assert scorer.labels == 80 + Audit.objects.filter(held_out=False).count()
    assert Scorer.objects.get(live=True) == scorer
    assert epoch_now() != before
    fitted = scorer.load_weights()
    agreeing, other = (
        fitted.probabilities(Signals(confidence=0.9, category=AxisSignals(agrees=agrees, margin=0.0)), 1).category
        for agrees in (True, False)
    )
    assert agreeing > 0.7
    assert other < 0.4


@pytest.mark.postgresql
def test_a_scorer_is_not_deployed_after_its_lease_was_lost(installed: None, ana: User) -> None:
    label_tickets(ana, 80)
    with leases.hold_named("certification") as lease:
        assert lease
        successor = overtake(Lease)
        assert (
            scorer_training.train_scorer(
                epoch_now(), Ledger.objects.get(closed_at=None), AccuracyTarget.current(), lease
            )
            is None
        )
    assert not Scorer.objects.filter(live=True, labels=80).exists()
    assert is_untouched(successor)


def test_too_few_labels_fit_no_scorer(installed: None, ana: User) -> None:
    label_tickets(ana, FEWEST - 1)
    assert train() is None
    assert Scorer.objects.count() == 1


def test_a_scorer_that_is_not_better_is_not_deployed_and_not_retried_at_once(
    installed: None, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    label_tickets(ana, 80)
    with monkeypatch.context() as patched:
        patched.setattr(scorer_training, "MIN_STANDARD_ERRORS", 1_000.0)
        assert train() is None
    assert Scorer.objects.get().tried == FEWEST
    assert train() is None, "it would be better now, but there are too few new answers"


def test_scorers_are_never_fitted_on_held_out_audits(installed: None, ana: User) -> None:
    audit(ana, open_audits(arrive(*[SURE] * 60)))
    held_out = set(Audit.objects.filter(held_out=True).values_list("ticket", flat=True))
    used = set(scorer_training._labelled_tickets(epoch_now()).values_list("pk", flat=True))
    assert held_out
    assert used
    assert not held_out & used


def test_a_scorer_that_certifies_less_does_not_replace_a_certified_one(installed: None, ana: User) -> None:
    audit(ana, open_audits(arrive(*[SURE] * ENOUGH)))
    cycle.run_certification()
    certificate = Ledger.objects.get().certificates.get(ended_at=None)
    Audit.objects.update(held_out=False)
    label_tickets(ana, 80)
    assert train() is None, "no held-out audit could certify anything for it"
    certificate.refresh_from_db()
    assert certificate.ended_at is None
    assert Scorer.objects.count() == 1
    assert not Score.objects.exclude(scorer=Scorer.objects.get()).exists()


class TestAnswerers:
    """A specialist that is right about every ticket, and a first model that is wrong about half of them."""

    @pytest.fixture(autouse=True)
    def clever_specialist(self, monkeypatch: pytest.MonkeyPatch) -> None:
        weights = dump(SpecialistWeights.untrained())
        make_version(weights=weights, sha256=hashlib.sha256(weights).hexdigest(), live=True)
        Gate.objects.update(primary=LanguageModel.objects.zero_shot())
        monkeypatch.setattr(scoring, "specialist_predictor", lambda _version: CleverSpecialist())
        certify()
        make_grid()

    def test_the_specialist_answers_once_its_labels_are_better(self, ana: User, ben: User) -> None:
        spoil_audits(ana, ben)
        label_tickets(ana, 80)
        scorer = train()
        assert scorer
        assert (scorer.category_by, scorer.sentiment_by) == ("specialist", "first")
        assert scorer.figures["right"]["category"] > 0.9

    def test_a_scorer_that_is_not_deployed_leaves_no_predictions(self, ana: User) -> None:
        audit(ana, open_audits(arrive(*[SURE] * ENOUGH)))
        cycle.run_certification()
        Audit.objects.update(held_out=False)
        label_tickets(ana, 80)
        assert train() is None
        assert not Prediction.objects.exclude(first=None).exists()


class CleverSpecialist:
    """Knows what `label_tickets` will say, and nothing about the sentiment."""

    def predict(self, texts: Sequence[str], contract: Contract, _vectors: Any = None) -> SpecialistPredictions:
        right = {ticket.text: ticket.pk % 2 == 0 for ticket in Ticket.objects.filter(text__in=texts)}
        names = [option.name for option in contract.categories]
        pattern = make_prediction(make_ticket()).category.name
        shares = np.full((len(texts), len(names)), 0.1 / (len(names) - 1))
        for row, text in enumerate(texts):
            shares[row, names.index("Account" if right[text] else pattern)] = 0.9
        moods = np.full((len(texts), len(contract.sentiments)), 1 / len(contract.sentiments))
        return SpecialistPredictions(
            LabelProbabilities(shares, None),
            LabelProbabilities(moods, None),
            np.full(len(texts), 0.7),
            [False] * len(texts),
        )
