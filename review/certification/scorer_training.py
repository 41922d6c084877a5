"""The scorer learns: a new one is fitted on what people said of the model's answers, and takes over if it is better.

It never sees the audits by which its own epoch is judged: those are kept from learning, and what the specialist has
learned from says nothing of how it answers otherwise. Better is what is surprised less by labels held out; and the
audits that were kept must bring it at least as far as the live one has come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef

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
from classifier.pipeline import scoring
from classifier.pipeline.predict import TicketOutcome
from classifier.scoring import scorer as fitted
from classifier.scoring.scorer import JudgedAnswers, ScorerWeights
from review.certification import epoch_opening, evidence_ledger
from review.certification.sequential_test import DrawBatch, Floats, SequentialTest, risk_for_attempt
from review.models import AccuracyTarget, Audit, Ledger
from review.workflow.audits import is_same_or_below

MIN_ANSWERS, GROWTH = 300, 1.5
"""Answers that people judged, before the first scorer is fitted; and the growth after which there is another."""
MAX_ANSWERS = 5_000
FOLDS = 5
MIN_STANDARD_ERRORS = 1.645
"""Standard errors by which the new one has to be surprised less."""


class SurpriseReduction(NamedTuple):
    """How much less the new scorer is surprised by an answer it has not seen, in nats: on average, and how far that may
    be chance.
    """

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
    """Fit a scorer where there is enough that is new, and deploy it if it is better. Returns it then."""
    assert epoch.scorer  # noqa: S101 - an epoch of this mode has one
    tried = _answers_if_due(epoch)
    if not tried:
        return None
    # So that the next one is fitted only once there is much more to fit it on.
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
    """Tickets that people have labelled, without the audits that are kept; with an answer by this model under this
    contract.
    """
    held_out = Audit.objects.filter(ticket=OuterRef("pk"), held_out=True)
    said = Prediction.objects.filter(
        ticket=OuterRef("pk"), language_model=epoch.language_model, contract=epoch.contract, version=epoch.version_id
    )
    return Ticket.objects.in_state(Ticket.State.SETTLED).filter(Exists(said)).exclude(Exists(held_out))


def fit(epoch: Epoch, tried: int) -> Candidate | None:
    """A new scorer, whose witness is the specialist as it serves now; None where there is too little to fit it on."""
    assert epoch.scorer  # noqa: S101 - an epoch of this mode has one
    serving = SpecialistVersion.objects.filter(live=True).first()
    before, now = epoch.scorer, Scorer(language_model=epoch.language_model, specialist_version=serving)
    latest = _labelled_tickets(epoch).order_by("-pk").values_list("pk", flat=True)[:MAX_ANSWERS]
    tickets = _unlearned(list(latest), serving, before.specialist_version)
    if len(tickets) < MIN_ANSWERS // 3:
        return None
    judged, judged_before = _judged_answers(epoch, tickets, now), _judged_answers(epoch, tickets, before)
    found = np.concatenate(list(_held_out(judged, judged_before, before.load_weights())))
    compared = SurpriseReduction(float(found.mean()), float(found.std() / np.sqrt(len(found))))
    now.weights, now.labels, now.tried = fitted.fit(judged).as_json(), len(judged), tried
    now.figures = {"surprise": {"less by": compared.mean, "error": compared.error}, "right": _accuracy(judged)}
    return Candidate(scorer=now, compared=compared)


def _held_out(judged: JudgedAnswers, judged_before: JudgedAnswers, before: ScorerWeights) -> Iterator[Floats]:
    """By how much less the new one is surprised, fold by fold."""
    places = np.random.default_rng(0).permutation(len(judged))
    for fold in range(FOLDS):
        held = [int(one) for one in places[fold::FOLDS]]
        rest = [int(one) for one in np.setdiff1d(places, held)]
        new = fitted.log_loss(fitted.fit(judged.part(rest)), judged.part(held))
        yield fitted.log_loss(before, judged_before.part(held)) - new


def _accuracy(judged: JudgedAnswers) -> dict[str, float]:
    parts = {"category": judged.category_right, "sentiment": judged.sentiment_right, "both": judged.both_right}
    return {name: float(np.mean(right)) for name, right in parts.items()}


def _unlearned(ticket_pks: list[int], *versions: SpecialistVersion | None) -> list[Ticket]:
    """Those that none of these versions has learned from."""
    taught = [np.frombuffer(version.taught, np.int64).reshape(3, -1)[0] for version in versions if version]
    keys = {int(key) for of_version in taught for key in of_version}
    learned = set(Example.objects.filter(pk__in=keys).values_list("ticket", flat=True)) if keys else set()
    wanted = [pk for pk in ticket_pks if pk not in learned]
    return list(Ticket.objects.filter(pk__in=wanted).order_by("pk"))


def _judged_answers(epoch: Epoch, tickets: list[Ticket], scorer: Scorer) -> JudgedAnswers:
    """The answers of the epoch's model to these tickets, as the scorer sees them, and what of them was right."""
    version = ContractVersion.objects.get(pk=epoch.contract_id).loaded()
    said = Prediction.objects.filter(
        ticket__in=tickets, language_model=epoch.language_model, contract=epoch.contract, version=epoch.version_id
    )
    by_ticket = {one.ticket_id: one for one in said}
    pairs = [(ticket, by_ticket[ticket.pk]) for ticket in tickets if ticket.pk in by_ticket]
    signals = scoring.signals_for([TicketOutcome(*pair) for pair in pairs], scorer, version)
    parents = dict(Category.objects.values_list("pk", "parent"))
    return JudgedAnswers(
        signals=signals,
        categories=[one.category_id for _ticket, one in pairs],
        category_right=[is_same_or_below(one.category_id, ticket.category_id, parents) for ticket, one in pairs],
        sentiment_right=[one.sentiment_id == ticket.sentiment_id for ticket, one in pairs],
    )


class Progress(NamedTuple):
    """How far books have come: the share of tickets that may pass, and how little the next step still takes."""

    share: float
    less_needed: float

    @classmethod
    def of(cls, test: SequentialTest, coverage: Sequence[float]) -> Progress:
        needed = test.clean_audits_to_next()
        return cls(coverage[test.certified - 1] if test.certified else 0.0, -np.inf if needed is None else -needed)


def _certifies_as_much(epoch: Epoch, ledger: Ledger, accuracy_target: AccuracyTarget, scorer: Scorer) -> bool:
    """Whether the audits that were kept bring the new scorer at least as far as all audits have brought this one."""
    # Scores are stored with their scorer; of one that does not take over they go again.
    scorer.live = False
    scorer.save()
    beginning = epoch_opening.opening_evidence(epoch, scorer)
    ledger.refresh_from_db()
    reached = Progress.of(evidence_ledger.settled_test(ledger), ledger.coverage)
    as_far = beginning is not None and _progress_from(beginning, accuracy_target) >= reached
    if not as_far:
        Score.objects.filter(scorer=scorer).delete()
        scorer.delete()
    return as_far


def _progress_from(beginning: epoch_opening.OpeningEvidence, accuracy_target: AccuracyTarget) -> Progress:
    attempt = epoch_opening.reuse_count() + 1 if beginning.carried else 0
    test = SequentialTest.start(beginning.grid, accuracy_target.error, risk_for_attempt(accuracy_target.risk, attempt))
    test.add(DrawBatch.audits([one.value for one in beginning.carried], [one.wrong for one in beginning.carried]))
    return Progress.of(test, beginning.coverage)


@transaction.atomic
def _deploy(candidate: Candidate, lease: Lease) -> Scorer | None:
    """The next ticket begins an epoch of its own. None where the lease was lost meanwhile."""
    if not leases.renew([lease]):
        return None
    scorer = candidate.scorer
    Scorer.objects.select_for_update().filter(language_model=scorer.language_model_id, live=True).update(live=False)
    scorer.live = True
    scorer.save()
    return scorer
