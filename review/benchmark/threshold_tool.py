"""The threshold tool: what each threshold would auto-accept of a contender's answers."""

from typing import NamedTuple

from django.utils.translation import gettext as _

from classifier.models import Gate, LanguageModel
from review.benchmark.formatting import GateOutcome, auto_accepted_at
from review.models import Contender
from review.stats import charts

SHOWN_STEP = 0.05


class ThresholdStep(NamedTuple):
    threshold: float
    gated: GateOutcome


class ThresholdTool:
    """What each threshold would auto-accept of a contender's answers, and the chosen one in detail."""

    def __init__(self, contender: Contender, threshold: float | None = None) -> None:
        """Rounds `threshold` to a hundredth; None means the gate's."""
        self.contender, self._gate = contender, Gate.current()
        self._curve, self._n = contender.figures["confidence"], contender.figures["n"]
        step = round(100 * (self.gate_threshold if threshold is None else threshold))
        self.threshold = step / 100
        self.chosen = self._at(step)

    @property
    def gate_threshold(self) -> float:
        return self._gate.threshold

    @property
    def other_primary(self) -> LanguageModel | None:
        """The gate's primary model, if it is not the contender's."""
        asked = self._gate.active_primary()
        return None if asked.pk == self.contender.language_model_id else asked

    def _at(self, step: int) -> GateOutcome:
        return GateOutcome(
            auto_accepted_at(step / 100, self._n, self._curve["accepted"][step], self._curve["wrong"][step])
        )

    @property
    def steps(self) -> list[ThresholdStep]:
        return [ThresholdStep(step / 100, self._at(step)) for step in range(0, 101, round(100 * SHOWN_STEP))]

    @property
    def chart(self) -> charts.RiskCoverage:
        return charts.risk_coverage(self._n, self._curve["accepted"], self._curve["wrong"], self.chosen.passed)

    @property
    def is_the_gates(self) -> bool:
        return self.threshold == self.gate_threshold

    @property
    def reason(self) -> str:
        """The reason for the gate's history."""
        passed = self.chosen.passed
        return _("Run %(run)d, %(model)s: %(accepted)d of %(n)d auto-accepted, %(wrong)d wrong") % {
            "run": self.contender.run_id,
            "model": self.contender,
            "accepted": passed.accepted,
            "n": passed.n,
            "wrong": passed.wrong,
        }
