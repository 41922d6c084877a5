"""Train the specialist, compare it with the live version, and deploy it if it is better."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.inference import specialist_deployment
from classifier.learning.comparison import Comparison, compare
from classifier.learning.novelty import novelty_thresholds
from classifier.learning.training import Candidate, learn
from classifier.learning.weights import SpecialistWeights, dump
from classifier.leases import leases
from classifier.models import Epoch, GateMode, Lease, Scorer, SpecialistVersion
from review.gold import gold_labels
from review.models import GoldLabel, ReviewSettings
from review.models.gold import GoldLabelQuerySet
from review.specialist import evaluation, label_issues, published_examples, self_confidence, training_data
from review.specialist.training_data import AXES, TrainingData

FEWEST_NEW, SHARE_NEW = 20, 0.05
SHARE_NEW_CERTIFIED = 0.5
LEASE = "training"
THOROUGH_AFTER = timedelta(days=1)


class TrainingInProgress(Exception):
    def __str__(self) -> str:
        return _("Another training is running. Wait for it to finish.")


class TooFewLabels(Exception):
    """There are too few labels to train; the message says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """A training's weights, the comparison of each axis with the live version, and the figures."""

    learned: SpecialistWeights
    comparisons: dict[str, Comparison]
    on_benchmark: evaluation.BenchmarkEvaluation
    figures: dict[str, Any]
    version: SpecialistVersion | None = None
    deployed: bool = False

    @property
    def promoted(self) -> bool:
        return any(comparison.wins for comparison in self.comparisons.values())


def is_due() -> bool:
    """Whether enough labels and time have passed since the last training, and none is running (six queries)."""
    if leases.is_held(LEASE):
        return False
    last = SpecialistVersion.objects.without_weights().first()
    if last and timezone.now() - last.trained_at < timedelta(minutes=ReviewSettings.current().training_minutes):
        return False
    return labels_until_due(last) == 0 and has_two_categories()


def has_two_categories() -> bool:
    """Whether the training labels have at least two categories (two queries)."""
    first = training_labels().order_by("pk").values_list("category", flat=True).first()
    return training_labels().exclude(category=first).exists()


def training_labels() -> GoldLabelQuerySet:
    return GoldLabel.objects.for_training()


def labels_until_due(last: SpecialistVersion | None) -> int:
    """How many more labels the next training needs after the last one (two queries)."""
    fresh = training_labels()
    if last:
        fresh = fresh.filter(Q(labelled_at__gt=last.trained_at) | Q(created_at__gt=last.trained_at))
    wanted = max(FEWEST_NEW, round(_share_new() * last.labels)) if last else FEWEST_NEW
    return wanted - fresh.count_to(wanted)


def _share_new() -> float:
    # Every new version must be certified again, so certified specialists are trained less often.
    certified = Epoch.objects.running().filter(mode=GateMode.CERTIFIED, version__isnull=False)
    return SHARE_NEW_CERTIFIED if certified.exists() else SHARE_NEW


def train(*, dry_run: bool = False, report: Callable[[str], None] = lambda _line: None) -> TrainingResult:
    """Train a version and deploy it if it is better than the live one. A `dry_run` stores no version.

    Raises TrainingInProgress, TooFewLabels, EmptyTaxonomy, CorruptEncoder.
    """
    with leases.hold_named(LEASE) as lease:
        if lease is None:
            raise TrainingInProgress
        begun = time.monotonic()
        gold_labels.collect_from_decisions()
        published_examples.publish_examples()
        learned_from = training_data.load_training_data()
        report(_("%d labelled examples.") % len(learned_from))
        live = SpecialistVersion.objects.filter(live=True).first()
        thorough = _is_thorough_due()
        trials = {
            name: learn(learned_from.examples[name], learned_from.offered[name], thorough=thorough) for name in AXES
        }
        if not any(trials.values()):
            raise TooFewLabels(_("Not enough labels: label at least ten tickets in two categories."))
        result = _evaluate(
            learned_from, trials, live.load_weights_or_untrained() if live else SpecialistWeights.untrained()
        )
        result.figures["thorough"] = thorough
        for name, comparison in result.comparisons.items():
            report(_comparison_line(name, comparison))
        if dry_run:
            return result
        return _store(learned_from, trials, result, time.monotonic() - begun, live, lease)


def _evaluate(
    learned_from: TrainingData, trials: dict[str, Candidate | None], before: SpecialistWeights
) -> TrainingResult:
    """Choose each axis separately: the candidate if it wins, else the live head. If neither wins, keep the candidates,
    so that people can see their figures.
    """
    incumbents = {"category": before.category, "sentiment": before.sentiment}
    comparisons = {
        name: compare(trial.head, incumbents[name], learned_from.examples[name], learned_from.offered[name])
        if trial
        else Comparison.nothing()
        for name, trial in trials.items()
    }
    promoted = any(comparison.wins for comparison in comparisons.values())
    category, sentiment = (
        trial.head if (trial := trials[name]) and (comparisons[name].wins or not promoted) else incumbents[name]
        for name in AXES
    )
    known = novelty_thresholds(category, learned_from.offered["category"], learned_from.examples["category"])
    learned = SpecialistWeights(category=category, sentiment=sentiment, novelty_thresholds=known)
    on_benchmark = evaluation.evaluate_on_benchmark(learned, learned_from)
    figures: dict[str, Any] = {"benchmark": on_benchmark.figures}
    for name in AXES:
        figures[name] = evaluation.axis_figures(trials[name], comparisons[name], learned_from.examples[name])
    return TrainingResult(learned=learned, comparisons=comparisons, on_benchmark=on_benchmark, figures=figures)


def _is_thorough_due() -> bool:
    since = timezone.now() - THOROUGH_AFTER
    return not SpecialistVersion.objects.filter(trained_at__gt=since, figures__thorough=True).exists()


@transaction.atomic
def _store(
    learned_from: TrainingData,
    trials: dict[str, Candidate | None],
    result: TrainingResult,
    seconds: float,
    live: SpecialistVersion | None,
    lease: Lease,
) -> TrainingResult:
    if not leases.renew([lease]):
        raise TrainingInProgress
    weights = dump(result.learned)
    version = SpecialistVersion.objects.create(
        seconds=seconds,
        labels=len(learned_from),
        data=learned_from.data_digest,
        taught=learned_from.taught,
        figures=result.figures,
        weights=weights,
        sha256=hashlib.sha256(weights).hexdigest(),
        promoted=result.promoted,
    )
    _discard_weights_before(version)
    deployed = result.promoted and not (live and live.pinned_by_id)
    if deployed:
        specialist_deployment.deploy(version)
    label_issues.record_self_confidence(
        version,
        chain(self_confidence.from_training(learned_from, trials), self_confidence.from_benchmark(result.on_benchmark)),
    )
    return replace(result, version=version, deployed=deployed)


def _discard_weights_before(version: SpecialistVersion) -> None:
    """Discard the weights of earlier versions that were not promoted, unless a live scorer asks them."""
    asked = Scorer.objects.filter(live=True, specialist_version__isnull=False).values("specialist_version")
    passed_over = SpecialistVersion.objects.filter(pk__lt=version.pk, promoted=False, live=False)
    passed_over.exclude(pk__in=asked).update(weights=None, sha256="")


def _comparison_line(name: str, comparison: Comparison) -> str:
    axis = {"category": _("Category"), "sentiment": _("Sentiment")}[name]
    figures = {"axis": axis, "items": comparison.items}
    figures |= {"before": f"{comparison.accuracy_before:.1%}", "after": f"{comparison.accuracy:.1%}"}
    if comparison.wins:
        return _("%(axis)s: %(after)s right on %(items)d held-out labels, %(before)s before: better.") % figures
    return _("%(axis)s: %(after)s right on %(items)d held-out labels, %(before)s before: unchanged.") % figures
