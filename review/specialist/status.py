"""Where the specialist stands, as its page tells it: what serves, what comes next, and what more labels would bring."""

from __future__ import annotations

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
from review.benchmark.formatting import AXIS_NAMES, Share
from review.models import ReviewSettings
from review.specialist import curve_chart, label_needs, learning_curve, training
from review.specialist.curve_chart import Curve, Scales
from review.specialist.label_issue_page import Left
from review.specialist.label_needs import AxisState
from review.specialist.learning_curve import MORE, Point
from review.stats import intervals
from review.stats.intervals import Estimate

MOST_POINTS = 200
RECIPES = {
    "shifted": gettext_lazy("descriptions of the labels, moved towards their examples"),
    "linear": gettext_lazy("descriptions moved towards their examples, with a correction by all of them"),
    "linear and words": gettext_lazy("descriptions, a correction by all examples, and the words of the text"),
}


class Serving(NamedTuple):
    """The version in service, and in words how it tells each axis."""

    version: SpecialistVersion
    recipes: list[tuple[str, str]]

    @classmethod
    def now(cls) -> Serving | None:
        """One query."""
        version = SpecialistVersion.objects.without_weights().select_related("pinned_by").filter(live=True).first()
        if version is None:
            return None
        figures = [(str(name), version.figures.get(axis) or {}) for axis, name in AXIS_NAMES.items()]
        return cls(version, [(name, _recipe(one, version.promoted)) for name, one in figures])


def _recipe(figures: dict[str, Any], promoted: bool) -> str:
    # An axis of a promoted version that was no better is what served before: only the weights know its recipe.
    known = RECIPES.get(figures.get("recipe", "")) if figures.get("wins") or not promoted else None
    return str(known or _("nothing new was better, so it is as it was before"))


class Next(NamedTuple):
    """The next training: in a sentence when it comes, and whether it may begin at once."""

    sentence: str
    possible: bool
    under_way: bool

    @classmethod
    def now(cls, last: SpecialistVersion | None) -> Next:
        """Eight queries, none of which counts further than it takes a training to be due."""
        if leases.is_held(training.LEASE):
            return cls(_("A training is under way; look again in a minute."), possible=False, under_way=True)
        possible = enough_to_learn()
        if training.is_due():
            return cls(_("A training is due, and begins within a minute or two."), possible, under_way=False)
        return cls(_awaited(last, ReviewSettings.current().training_minutes), possible, under_way=False)


TOO_FEW = gettext_lazy("There is too little to learn from: it takes ten labels to learn from, of two categories.")


def enough_to_learn() -> bool:
    """Whether a training that is not due would find anything to learn (three queries)."""
    return training.taught().count_to(FEWEST) == FEWEST and training.of_two_categories()


def _awaited(last: SpecialistVersion | None, minutes: int) -> str:
    if more := training.missing(last):
        said = ngettext(
            "The next training comes after %s more label.", "The next training comes after %s more labels.", more
        )
        return said % number_format(more, force_grouping=True)
    if last:
        said = ngettext(
            "The next training comes once %d minute has passed since the last.",
            "The next training comes once %d minutes have passed since the last.",
            minutes,
        )
        return said % minutes
    return _("The first training comes once two categories have labels.")


def asked() -> str:
    """In which role what was learned answers, in a sentence (a handful of queries)."""
    gate = Gate.objects.with_models().first()
    if gate and gate.active_primary().learning:
        return _("It labels every ticket.")
    if gate and gate.front and gate.front.learning and not gate.front_inactive_reason:
        return _("It is asked first: what it is sure of passes, and %s is spared the call.") % gate.active_primary()
    if gate and (second := gate.active_second_opinion()) and second.learning:
        return _("It gives the second opinion where the primary is unsure.")
    return _("No model that learns is asked at present; an admin can choose one under Gate.")


class Measured(NamedTuple):
    """What one version got right on the benchmark side."""

    pk: int
    trained_at: datetime
    labels: int
    shares: list[Share]


class Axis(NamedTuple):
    """The learning curve of an axis, and in a sentence how it will go on."""

    key: str
    name: str
    drawn: Curve
    expected: str


class Progress(NamedTuple):
    """What learning has brought so far: rows are the versions, latest first."""

    rows: list[Measured]
    axes: list[Axis]

    @classmethod
    def so_far(cls) -> Progress:
        """Of the latest versions (one query)."""
        latest = SpecialistVersion.objects.order_by("-pk")
        found = list(latest.values_list("pk", "trained_at", "labels", "figures__benchmark")[:MOST_POINTS])
        kept = [(pk, trained_at, labels, counts) for pk, trained_at, labels, counts in found if counts]
        rows = [Measured(pk, trained_at, labels, _shares(counts)) for pk, trained_at, labels, counts in kept]
        points = {
            axis: [Point(labels, counts[axis], counts["items"]) for _pk, _when, labels, counts in reversed(kept)]
            for axis in AXIS_NAMES
        }
        scales = Scales.over([point for of_axis in points.values() for point in of_axis])
        return cls(rows, [_axis(axis, points[axis], scales) for axis in AXIS_NAMES] if rows else [])


def _shares(counts: dict[str, int]) -> list[Share]:
    return [Share(intervals.share(counts[name], counts["items"])) for name in (*AXIS_NAMES, "both")]


def _axis(axis: str, points: Sequence[Point], scales: Scales) -> Axis:
    law = learning_curve.fit(points)
    gain = law.gain(max(points[-1].labels, 1)) if law else None
    return Axis(axis, str(AXIS_NAMES[axis]), curve_chart.draw(points, law, scales), expected(gain))


def expected(gain: Estimate | None) -> str:
    """What the next labels will bring, in a sentence."""
    if gain is None or gain.estimate is None or gain.low is None or gain.high is None:
        return _("Not enough to tell yet what the next %d labels will bring.") % MORE
    points = {"more": MORE} | {
        name: number_format(max(100 * value, 0), 1)
        for name, value in (("gain", gain.estimate), ("low", gain.low), ("high", gain.high))
    }
    if gain.low > 0:
        return (
            _("The next %(more)d labels will bring about %(gain)s percentage points, between %(low)s and %(high)s.")
            % points
        )
    if gain.high > 0:
        return _("The next %(more)d labels may bring nothing, and at most about %(high)s percentage points.") % points
    return _("The next %(more)d labels will bring nothing that could be measured.") % points


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All that the page tells but for the list of versions."""

    last: SpecialistVersion | None
    serving: Serving | None
    asked: str
    next: Next
    progress: Progress
    axes: list[AxisState]
    label_issues: Left
    first_after: int
    held_out: int
    """In percent."""

    @classmethod
    def now(cls) -> Standing:
        """The same number of queries whatever there is, none of which grows."""
        last = SpecialistVersion.objects.without_weights().order_by("-pk").first()
        return cls(
            last=last,
            serving=Serving.now(),
            asked=asked(),
            next=Next.now(last),
            progress=Progress.so_far(),
            axes=label_needs.of(last) if last else [],
            label_issues=Left.now(),
            first_after=training.FEWEST_NEW,
            held_out=round(100 * ReviewSettings.current().benchmark_share),
        )
