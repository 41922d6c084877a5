"""Fit a new scorer on tickets that people have labelled, and deploy it if it is better. It also says who answers: the
first model, the specialist, or both together.

Held-out audits, by which epochs are judged, and tickets that the specialist has learned from are left out. A new scorer
is better if its log loss on held-out folds is lower by more than chance, and if the held-out audits certify at least as
much of it as all audits have certified of the live one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef

from classifier.embeddings import vector_store
from classifier.learning.vector_space import Embeddings
from classifier.leases import leases
from classifier.models import (
    Category,
    ContractVersion,
    Epoch,
    Example,
    Lease,
    Prediction,
    Score,
    Scorer,
    SpecialistVersion,
    Ticket,
)
from classifier.models.ticket import TicketQuerySet
from classifier.pipeline import answering, scoring
from classifier.pipeline.predict import TicketOutcome
from classifier.scoring import scorer as fitted
from classifier.scoring.answerer import Answerer
from classifier.scoring.scorer import JudgedAnswers
from review.certification import epoch_opening, evidence_ledger, second_looks
from review.certification.sequential_test import DrawBatch, Floats, SequentialTest, risk_for_claim
from review.models import AccuracyTarget, Audit, Ledger
from review.workflow.audits import is_same_or_below

MIN_ANSWERS, GROWTH = 300, 1.5
"""The fewest judged answers for a first scorer, and the growth in answers after which another is fitted."""
MAX_ANSWERS = 5_000
FOLDS = 5
MIN_STANDARD_ERRORS = 1.645
"""Standard errors by which the log loss has to be lower."""


class SurpriseReduction(NamedTuple):
    """How much lower the new scorer's log loss is on unseen answers, in nats, and the standard error of that mean."""

    mean: float
    error: float

    @property
    def is_better(self) -> bool:
        return self.mean > MIN_STANDARD_ERRORS * self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A scorer that is not live, and how it compares with the one that is."""

    scorer: Scorer
    compared: SurpriseReduction


def train_scorer(epoch: Epoch, ledger: Ledger, accuracy_target: AccuracyTarget, lease: Lease) -> Scorer | None:
    """Fit a scorer if there are enough new answers. Returns it if it was deployed, else None."""
    assert epoch.scorer  # noqa: S101 - an epoch of this mode has one
    tried = _answers_if_due(epoch)
    if not tried:
        return None
    # The next attempt waits until there are that many more answers.
    Scorer.objects.filter(pk=epoch.scorer.pk).update(tried=tried)
    candidate = fit(epoch, tried)
    if (
        candidate is None
        or not candidate.compared.is_better
        or not _certifies_as_much(epoch, ledger, accuracy_target, candidate.scorer)
    ):
        return None
    return _deploy(candidate, lease)


def _answers_if_due(epoch: Epoch) -> int:
    """How many judged answers there are, at least, if they are enough for another scorer; else 0."""
    assert epoch.scorer  # noqa: S101 - an epoch of this mode has one
    wanted = max(MIN_ANSWERS, int(GROWTH * epoch.scorer.tried))
    return wanted if _labelled_tickets(epoch).order_by()[:wanted].count() == wanted else 0


def _labelled_tickets(epoch: Epoch) -> TicketQuerySet:
    """Labelled tickets with a prediction by this model and contract, without held-out audits."""
    held_out = Audit.objects.filter(ticket=OuterRef("pk"), held_out=True)
    predictions = Prediction.objects.filter(
        ticket=OuterRef("pk"), language_model=epoch.language_model, contract=epoch.contract, version=epoch.version_id
    )
    return Ticket.objects.in_state(Ticket.State.SETTLED).filter(Exists(predictions)).exclude(Exists(held_out))


def fit(epoch: Epoch, tried: int) -> Candidate | None:
    """Fit a scorer with the live specialist as its second opinion; None if there are too few answers."""
    assert epoch.scorer  # noqa: S101 - an epoch of this mode has one
    live = SpecialistVersion.objects.filter(live=True).first()
    before = epoch.scorer
    latest = _labelled_tickets(epoch).order_by("-pk").values_list("pk", flat=True)[:MAX_ANSWERS]
    answers = _Answers.load(epoch, _unlearned(list(latest), live, before.specialist_version))
    if len(answers.pairs) < MIN_ANSWERS // 3:
        return None
    new = _best_answerers(answers, Scorer(language_model=epoch.language_model, specialist_version=live))
    judged, rivals = answers.judged(new), answers.rivals["both"]
    old_losses = fitted.log_loss(before.load_weights(), answers.judged(before), rivals=rivals)
    reductions = old_losses - _held_out_losses(judged, answers.rivals)["both"]
    compared = SurpriseReduction(float(reductions.mean()), float(reductions.std() / np.sqrt(len(reductions))))
    new.weights, new.labels, new.tried = fitted.fit(judged).as_json(), len(judged), tried
    new.figures = {"surprise": {"less by": compared.mean, "error": compared.error}, "right": _accuracy(judged)}
    return Candidate(scorer=new, compared=compared)


def _best_answerers(answers: "_Answers", scorer: Scorer) -> Scorer:
    """The scorer with whoever gives the best labels of each part: who leaves the least log-loss of the right label."""
    if scorer.specialist_version is None or scorer.language_model.learning:
        return scorer
    losses = {}
    for answerer in Answerer:
        scorer.category_by = scorer.sentiment_by = answerer.value
        losses[answerer.value] = _held_out_losses(answers.judged(scorer), answers.rivals)
    scorer.category_by, scorer.sentiment_by = (
        min(losses, key=lambda answerer: float(losses[answerer][part].mean())) for part in ("category", "sentiment")
    )
    return scorer


def _held_out_losses(judged: JudgedAnswers, rivals: Mapping[str, int]) -> dict[str, Floats]:
    """By part, the log-loss of each answer under weights fitted to the other folds."""
    losses = {part: np.zeros(len(judged)) for part in rivals}
    places = np.random.default_rng(0).permutation(len(judged))
    for fold in range(FOLDS):
        test_fold = [int(place) for place in places[fold::FOLDS]]
        weights = fitted.fit(judged.part([int(place) for place in np.setdiff1d(places, test_fold)]))
        for part, number in rivals.items():
            losses[part][test_fold] = fitted.log_loss(weights, judged.part(test_fold), part, number)
    return losses


def _accuracy(judged: JudgedAnswers) -> dict[str, float]:
    parts = {"category": judged.category_right, "sentiment": judged.sentiment_right, "both": judged.both_right}
    return {name: float(np.mean(right)) for name, right in parts.items()}


def _unlearned(ticket_pks: list[int], *versions: SpecialistVersion | None) -> list[Ticket]:
    """The tickets that none of these versions has learned from."""
    taught = [np.frombuffer(version.taught, np.int64).reshape(3, -1)[0] for version in versions if version]
    keys = {int(key) for version_keys in taught for key in version_keys}
    learned = set(Example.objects.filter(pk__in=keys).values_list("ticket", flat=True)) if keys else set()
    wanted = [pk for pk in ticket_pks if pk not in learned]
    return list(Ticket.objects.filter(pk__in=wanted).order_by("pk"))


class _Answers(NamedTuple):
    """Labelled tickets with the first model's predictions, the embeddings of their texts, and how many other labels an
    answer could have given, by part.
    """

    pairs: list[TicketOutcome]
    embeddings: Embeddings
    version: ContractVersion
    rivals: dict[str, int]

    @classmethod
    def load(cls, epoch: Epoch, tickets: list[Ticket]) -> "_Answers":
        version = ContractVersion.objects.get(pk=epoch.contract_id).loaded()
        predictions = Prediction.objects.filter(
            ticket__in=tickets, language_model=epoch.language_model, contract=epoch.contract, version=epoch.version_id
        )
        by_ticket = {prediction.ticket_id: prediction for prediction in predictions}
        pairs = [TicketOutcome(ticket, by_ticket[ticket.pk]) for ticket in tickets if ticket.pk in by_ticket]
        categories, sentiments = len(version.terms.categories), len(version.terms.sentiments)
        rivals = {"category": categories - 1, "sentiment": sentiments - 1, "both": categories * sentiments - 1}
        return cls(pairs, vector_store.embeddings_for([ticket.text for ticket, _outcome in pairs]), version, rivals)

    def judged(self, scorer: Scorer) -> JudgedAnswers:
        """The answers that this scorer's answerers give: their signals, and whether each is right."""
        outcomes = answering.unstored_answers(self.pairs, scorer, self.version, self.embeddings)
        answers = [(ticket, prediction) for ticket, prediction in outcomes if isinstance(prediction, Prediction)]
        parents = dict(Category.objects.values_list("pk", "parent"))
        return JudgedAnswers(
            signals=scoring.signals_for(outcomes, scorer, self.version),
            categories=[prediction.category_id for _ticket, prediction in answers],
            category_right=[
                is_same_or_below(prediction.category_id, ticket.category_id, parents) for ticket, prediction in answers
            ],
            sentiment_right=[prediction.sentiment_id == ticket.sentiment_id for ticket, prediction in answers],
        )


class Progress(NamedTuple):
    """The share of tickets that may be auto-accepted, and minus the clean audits that the next step takes."""

    share: float
    less_needed: float

    @classmethod
    def from_test(cls, test: SequentialTest, coverage: Sequence[float]) -> "Progress":
        needed = test.clean_audits_to_next()
        return cls(coverage[test.certified - 1] if test.certified else 0.0, -np.inf if needed is None else -needed)


def _certifies_as_much(epoch: Epoch, ledger: Ledger, accuracy_target: AccuracyTarget, scorer: Scorer) -> bool:
    """Whether held-out audits certify at least as much under the new scorer as all audits do under the live one."""
    # Scores and combined predictions are stored with their scorer, and deleted with it if it is not deployed.
    scorer.live = False
    scorer.save()
    evidence = epoch_opening.opening_evidence(epoch, scorer)
    ledger.refresh_from_db()
    reached = Progress.from_test(evidence_ledger.settled_test(ledger), ledger.coverage)
    as_far = evidence is not None and _progress_from(evidence, accuracy_target, epoch.about) >= reached
    if not as_far:
        Score.objects.filter(scorer=scorer).delete()
        Prediction.objects.filter(scorer=scorer).delete()
        scorer.delete()
    return as_far


def _progress_from(evidence: epoch_opening.OpeningEvidence, accuracy_target: AccuracyTarget, about: str) -> Progress:
    """What the held-out audits would certify. That is a claim, whether or not it is used."""
    risk = risk_for_claim(accuracy_target.risk, AccuracyTarget.next_claim())
    test = SequentialTest.start(evidence.grid, second_looks.error_limit(accuracy_target, about), risk)
    test.add(DrawBatch.carried((audit.value, audit.wrong, audit.repeat) for audit in evidence.carried))
    return Progress.from_test(test, evidence.coverage)


@transaction.atomic
def _deploy(candidate: Candidate, lease: Lease) -> Scorer | None:
    """Make the scorer live; the next ticket then starts an epoch. Returns None if the lease was lost meanwhile."""
    if not leases.renew([lease]):
        return None
    scorer = candidate.scorer
    Scorer.objects.select_for_update().filter(language_model=scorer.language_model_id, live=True).update(live=False)
    scorer.live = True
    scorer.save()
    return scorer
