"""Status of the specialist for its page: live version, next training, learning curve and label needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from classifier.learning.training import FEWEST
from classifier.leases import leases
from classifier.models import Gate, SpecialistVersion
from review.benchmark.formatting import AXIS_NAMES
from review.models import ReviewSettings
from review.specialist import curve_chart, label_issues, label_needs, learning_curve, training
from review.specialist.curve_chart import Curve, Scales
from review.specialist.label_issue_page import RemainingCount
from review.specialist.label_needs import AxisNeeds
from review.specialist.learning_curve import LABELS_AHEAD, Point
from review.stats.intervals import Estimate, share

MOST_POINTS = 200
RECIPES = {
    "shifted": gettext_lazy("descriptions of the labels, moved towards their examples"),
    "linear": gettext_lazy("descriptions moved towards their examples, with a correction by all of them"),
    "linear and words": gettext_lazy("descriptions, a correction by all examples, and the words of the text"),
}


class LiveVersion(NamedTuple):
    """The live version, and in words how it classifies each axis."""

    version: SpecialistVersion
    methods: list[tuple[str, str]]

    @classmethod
    def load(cls) -> "LiveVersion | None":
        """One query."""
        version = SpecialistVersion.objects.without_weights().select_related("pinned_by").filter(live=True).first()
        if version is None:
            return None
        figures = [(str(name), version.figures.get(axis) or {}) for axis, name in AXIS_NAMES.items()]
        return cls(version, [(name, _method(axis_figures, version.promoted)) for name, axis_figures in figures])


def _method(figures: dict[str, Any], promoted: bool) -> str:
    # A promoted version keeps the live head of an axis that was no better; only the weights know that head's recipe.
    known = RECIPES.get(figures.get("recipe", "")) if figures.get("wins") or not promoted else None
    return str(known or _("unchanged, since nothing new was better"))


class NextTraining(NamedTuple):
    """When the next training comes, in a sentence, and whether it can be started by hand."""

    sentence: str
    can_start: bool
    is_running: bool

    @classmethod
    def load(cls, last: SpecialistVersion | None) -> "NextTraining":
        """At most eight queries, which stop counting once a training is due."""
        if leases.is_held(training.LEASE):
            return cls(_("Training is running. Check back in a minute."), can_start=False, is_running=True)
        possible = has_enough_labels()
        if training.is_due():
            return cls(_("Training is due and starts within a minute or two."), possible, is_running=False)
        return cls(_waiting_sentence(last, ReviewSettings.current().training_minutes), possible, is_running=False)


TOO_FEW = gettext_lazy("Not enough labels: training needs at least ten training labels in two categories.")


def has_enough_labels() -> bool:
    """Whether there is enough to learn from, due or not (three queries)."""
    return training.training_labels().count_to(FEWEST) == FEWEST and training.has_two_categories()


def _waiting_sentence(last: SpecialistVersion | None, minutes: int) -> str:
    if more := training.labels_until_due(last):
        sentence = ngettext(
            "The next training comes after %s more label.", "The next training comes after %s more labels.", more
        )
        return sentence % number_format(more, force_grouping=True)
    if last:
        sentence = ngettext(
            "The next training comes once %d minute has passed since the last.",
            "The next training comes once %d minutes have passed since the last.",
            minutes,
        )
        return sentence % minutes
    return _("Training starts once two categories have labels.")


def role_sentence() -> str:
    """The specialist's role in the gate, in a sentence (a handful of queries)."""
    gate = Gate.objects.with_models().first()
    if gate and gate.active_primary().learning:
        return _("It labels every ticket.")
    if gate and gate.front and gate.front.learning and not gate.front_inactive_reason:
        return (
            _("It is asked first and answers when it is confident enough; the rest goes to %s.") % gate.active_primary()
        )
    if gate and (second := gate.active_second_opinion()) and second.learning:
        return _("It gives the second opinion when the primary model is unsure.")
    return _("No model that learns is in use. An admin can choose one under Gate.")


class VersionAccuracy(NamedTuple):
    """A version's accuracy on the benchmark labels."""

    pk: int
    trained_at: datetime
    labels: int
    shares: list[Estimate]


class AxisCurve(NamedTuple):
    """The learning curve of an axis, and the expected gain in a sentence."""

    key: str
    name: str
    chart: Curve
    expected_gain: str


class LearningProgress(NamedTuple):
    """Accuracy of the versions, latest first, and the learning curve of each axis."""

    rows: list[VersionAccuracy]
    axes: list[AxisCurve]

    @classmethod
    def load(cls) -> "LearningProgress":
        """One query."""
        latest = SpecialistVersion.objects.order_by("-pk")
        versions = list(latest.values_list("pk", "trained_at", "labels", "figures__benchmark")[:MOST_POINTS])
        evaluated = [(pk, trained_at, labels, counts) for pk, trained_at, labels, counts in versions if counts]
        rows = [
            VersionAccuracy(pk, trained_at, labels, [share(*counts[name]) for name in (*AXIS_NAMES, "both")])
            for pk, trained_at, labels, counts in evaluated
        ]
        points = {
            axis: [Point(labels, *counts[axis]) for _pk, _when, labels, counts in reversed(evaluated)]
            for axis in AXIS_NAMES
        }
        scales = Scales.over([point for of_axis in points.values() for point in of_axis])
        return cls(rows, [_axis(axis, points[axis], scales) for axis in AXIS_NAMES] if rows else [])


def _axis(axis: str, points: Sequence[Point], scales: Scales) -> AxisCurve:
    law = learning_curve.fit_power_law(points)
    gain = law.gain(max(points[-1].labels, 1)) if law else None
    return AxisCurve(axis, str(AXIS_NAMES[axis]), curve_chart.draw(points, law, scales), expected_gain(gain))


def expected_gain(gain: Estimate | None) -> str:
    """The expected gain of the next labels, in a sentence."""
    if gain is None or gain.estimate is None or gain.low is None or gain.high is None:
        return _("Not enough to tell yet what the next %d labels will bring.") % LABELS_AHEAD
    points = {"more": LABELS_AHEAD} | {
        name: number_format(max(100 * value, 0), 1)
        for name, value in (("gain", gain.estimate), ("low", gain.low), ("high", gain.high))
    }
    if gain.low > 0:
        return (
            _("The next %(more)d labels will bring about %(gain)s percentage points, between %(low)s and %(high)s.")
            % points
        )
    if gain.high > 0:
        return _("The next %(more)d labels may bring nothing, or up to about %(high)s percentage points.") % points
    return _("The next %(more)d labels will bring nothing that could be measured.") % points


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialistStatus:
    """Content of the specialist's page, except for its list of versions."""

    last: SpecialistVersion | None
    live: LiveVersion | None
    role_sentence: str
    next_training: NextTraining
    progress: LearningProgress
    axes: list[AxisNeeds]
    label_issues: RemainingCount
    first_after: int
    held_out: int
    """In percent."""

    @classmethod
    def load(cls) -> "SpecialistStatus":
        """A constant number of queries."""
        last = SpecialistVersion.objects.without_weights().order_by("-pk").first()
        return cls(
            last=last,
            live=LiveVersion.load(),
            role_sentence=role_sentence(),
            next_training=NextTraining.load(last),
            progress=LearningProgress.load(),
            axes=label_needs.label_needs(last) if last else [],
            label_issues=RemainingCount.of(label_issues.pending()),
            first_after=training.FEWEST_NEW,
            held_out=round(100 * ReviewSettings.current().benchmark_share),
        )
