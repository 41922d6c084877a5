"""Figures as the benchmark pages show them: percentages, gate outcomes and label names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from classifier.models import Gate
from review.models import Contender, Run
from review.stats.calibration import ThresholdOutcome
from review.stats.intervals import Estimate, share

NO_LABEL = "none"
"""In URLs, stands for answers that name none of the labels."""

AXIS_NAMES = {"category": gettext_lazy("Category"), "sentiment": gettext_lazy("Sentiment")}
_KINDS = {"category": "categories", "sentiment": "sentiments"}


@dataclass(frozen=True, slots=True)
class Share:
    """A share in percent."""

    figure: Estimate

    @classmethod
    def from_list(cls, values: Sequence[Any]) -> "Share":
        return cls(Estimate(*values))

    @property
    def n(self) -> int:
        return self.figure.n

    @property
    def percent(self) -> float | None:
        return _percent(self.figure.estimate)

    @property
    def low(self) -> float | None:
        return _percent(self.figure.low)

    @property
    def high(self) -> float | None:
        return _percent(self.figure.high)


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


@dataclass(frozen=True, slots=True)
class MacroF1:
    """Macro-F1 over the classes with enough items; `unknown` names the others."""

    value: float | None
    known: int
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """What a threshold auto-accepts, and how much of it is right."""

    passed: ThresholdOutcome

    @property
    def waiting(self) -> int:
        return self.passed.n - self.passed.accepted

    @property
    def coverage(self) -> Share:
        return Share(self.passed.coverage)

    @property
    def risk(self) -> Share:
        return Share(self.passed.risk)

    @property
    def accuracy(self) -> Share:
        return Share(share(self.passed.accepted - self.passed.wrong, self.passed.accepted))


class LabelNames:
    """Names of labels by key, as of the snapshot, plus those that the contender was offered."""

    def __init__(self, run: Run, contender: Contender | None = None) -> None:
        options = (contender and contender.contract.options) or {}
        self._names = {
            axis: {pk: name for pk, name, *_rest in options.get(kind, []) if pk is not None} | run.snapshot.names(kind)
            for axis, kind in _KINDS.items()
        }

    def for_axis(self, axis: str) -> dict[int, str]:
        return self._names[axis]

    def name(self, axis: str, pk: int | None) -> str:
        if pk is None:
            return _("none of these")
        return self._names[axis].get(pk) or _("label %d") % pk

    def macro(self, axis: str, figures: Mapping[str, Any]) -> MacroF1:
        return MacroF1(figures["value"], figures["known"], tuple(self.name(axis, pk) for pk in figures["unknown"]))


def contenders_with_names(run: Run) -> list[Contender]:
    contenders = list(run.contenders.select_related("language_model__provider", "contract"))
    for contender in contenders:
        contender.run = run
    add_providers_to_equal_names(contenders)
    return contenders


def add_providers_to_equal_names(contenders: Sequence[Contender]) -> None:
    """Make contenders with equal names show their providers too."""
    names = Counter(str(contender) for contender in contenders)
    repeated = [contender for contender in contenders if names[str(contender)] > 1]
    for contender in repeated:
        contender.names_provider = True


def gate_threshold() -> float:
    threshold: float = Gate.objects.values_list("threshold", flat=True).get(pk=1)
    return threshold


def auto_accepted_at(threshold: float, n: int, accepted: int, wrong: int) -> ThresholdOutcome:
    return ThresholdOutcome(threshold, n, accepted, wrong, share(accepted, n), share(wrong, accepted))
