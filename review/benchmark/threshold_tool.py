"""The threshold tool: what each threshold would auto-accept of a contender's answers."""

from django.utils.translation import gettext as _

from classifier.models import Gate, LanguageModel
from review.benchmark import metrics
from review.models import Contender
from review.stats import charts
from review.stats.calibration import ThresholdOutcome

SHOWN_STEP = 5
"""In hundredths."""


class ThresholdTool:
    """What each threshold would auto-accept of a contender's answers, and the chosen one in detail."""

    def __init__(self, contender: Contender, threshold: float | None = None) -> None:
        """Rounds `threshold` to a hundredth; None means the gate's."""
        self.contender, self._gate = contender, Gate.current()
        self.chosen = self._at(round(100 * (self.gate_threshold if threshold is None else threshold)))
        self.threshold = self.chosen.threshold

    @property
    def gate_threshold(self) -> float:
        return self._gate.threshold

    @property
    def other_primary(self) -> LanguageModel | None:
        """The gate's primary model, if it is not the contender's."""
        asked = self._gate.active_primary()
        return None if asked.pk == self.contender.language_model_id else asked

    def _at(self, hundredths: int) -> ThresholdOutcome:
        return metrics.outcome_at(self.contender.figures, hundredths)

    @property
    def steps(self) -> list[ThresholdOutcome]:
        return [self._at(hundredths) for hundredths in range(0, 101, SHOWN_STEP)]

    @property
    def chart(self) -> charts.RiskCoverage:
        return charts.risk_coverage([self._at(hundredths) for hundredths in range(101)], self.chosen)

    @property
    def is_the_gates(self) -> bool:
        return self.threshold == self.gate_threshold

    @property
    def reason(self) -> str:
        """The reason for the gate's history."""
        passed = self.chosen
        return _("Run %(run)d, %(model)s: %(accepted)d of %(n)d auto-accepted, %(wrong)d wrong") % {
            "run": self.contender.run_id,
            "model": self.contender,
            "accepted": passed.accepted,
            "n": passed.n,
            "wrong": passed.wrong,
        }
