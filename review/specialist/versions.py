"""A version of the specialist with its figures, for the list of versions."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from classifier.learning.comparison import CRITICAL_VALUE
from classifier.models import SpecialistVersion
from review.benchmark.formatting import AXIS_NAMES
from review.stats.intervals import Estimate, share


class AxisComparison(NamedTuple):
    """An axis compared with the version live at the time, on labels that neither had seen; shares in percent."""

    before: float
    after: float
    gain: str
    noise: str
    better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """A version; an axis that could not be compared is None."""

    version: SpecialistVersion
    axes: list[AxisComparison | None]
    benchmark: list[Estimate]
    """Category, then sentiment; empty without benchmark labels."""
    outcome: str

    @property
    def can_deploy(self) -> bool:
        return bool(self.version.sha256) and not self.version.live


def version_row(version: SpecialistVersion) -> VersionRow:
    counts = version.figures.get("benchmark")
    return VersionRow(
        version=version,
        axes=[_compared(version.figures.get(axis)) for axis in AXIS_NAMES],
        benchmark=[share(*counts[axis]) for axis in AXIS_NAMES] if counts else [],
        outcome=_outcome(version),
    )


def _compared(comparison: Any) -> AxisComparison | None:
    if not comparison or not comparison["items"]:
        return None
    gain, noise = comparison["gain"], CRITICAL_VALUE * comparison["error"]
    return AxisComparison(
        before=100 * comparison["accuracy_before"],
        after=100 * comparison["accuracy"],
        gain=f"{'-' if round(gain, 3) < 0 else '+'}{number_format(abs(gain), 3)}",
        noise=number_format(noise, 3),
        better=comparison["wins"],
    )


def _outcome(version: SpecialistVersion) -> str:
    if version.live:
        return _("live")
    if version.live_since:
        return _("previously live")
    if version.promoted:
        return _("better, but not deployed")
    return _("no better than the live version")
