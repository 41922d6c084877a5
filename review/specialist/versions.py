"""List of specialist versions with their figures, latest first, in pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from classifier.learning.training import CRITICAL_VALUE
from classifier.models import SpecialistVersion
from review.benchmark.formatting import AXIS_NAMES, Share
from review.stats import intervals

SIZE = 50


class AxisComparison(NamedTuple):
    """An axis of a version beside what served then, on labels that neither had seen; shares are in percent."""

    before: float
    after: float
    gain: str
    noise: str
    better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version. An axis that could not be compared is None."""

    version: SpecialistVersion
    axes: list[AxisComparison | None]
    benchmark: list[Share]
    """Category, then sentiment; empty where nothing is held out."""
    outcome: str

    @property
    def can_deploy(self) -> bool:
        return bool(self.version.sha256) and not self.version.live


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """`next_before` is the key to go on before; None at the end."""

    rows: list[VersionRow]
    next_before: int | None

    @classmethod
    def before(cls, before: str = "") -> VersionPage:
        """The versions whose key is below `before`; what is no key means the first page (one query)."""
        versions = SpecialistVersion.objects.without_weights().order_by("-pk")
        if before.isdecimal() and len(before) < 19:
            versions = versions.filter(pk__lt=int(before))
        found = list(versions[: SIZE + 1])
        rows = [_row(version) for version in found[:SIZE]]
        return cls(rows=rows, next_before=rows[-1].version.pk if len(found) > SIZE else None)


def _row(version: SpecialistVersion) -> VersionRow:
    counts = version.figures.get("benchmark")
    return VersionRow(
        version=version,
        axes=[_compared(version.figures.get(axis)) for axis in AXIS_NAMES],
        benchmark=[Share(intervals.share(counts[axis], counts["items"])) for axis in AXIS_NAMES] if counts else [],
        outcome=_outcome(version),
    )


def _compared(kept: Any) -> AxisComparison | None:
    if not kept or not kept["items"]:
        return None
    gain, noise = kept["gain"], CRITICAL_VALUE * kept["error"]
    return AxisComparison(
        before=100 * kept["accuracy_before"],
        after=100 * kept["accuracy"],
        gain=f"{'-' if round(gain, 3) < 0 else '+'}{number_format(abs(gain), 3)}",
        noise=number_format(noise, 3),
        better=kept["wins"],
    )


def _outcome(version: SpecialistVersion) -> str:
    if version.live:
        return _("live")
    if version.live_since:
        return _("previously live")
    if version.promoted:
        return _("better, but not deployed")
    return _("no better than the live version")
