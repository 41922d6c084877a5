"""What audits found at each threshold of the grid, and how much of its evidence is there."""

from dataclasses import dataclass

from review.certification import bounds
from review.certification.status import LedgerProgress
from review.stats.intervals import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdStep:
    """A threshold of the grid. `evidence` is log wealth as a share of what a certificate takes, from 0 to 1."""

    threshold: float
    coverage: float
    audits: int
    errors: int
    wrong: Estimate
    evidence: float
    certified: bool

    @property
    def coverage_percent(self) -> float:
        return 100 * self.coverage

    @property
    def evidence_percent(self) -> float:
        return 100 * self.evidence


def threshold_steps(progress: LedgerProgress) -> list[ThresholdStep]:
    """The steps of the grid, strictest first."""
    answered, log_wealth = progress.evidence.answered(), progress.test.log_wealth()
    steps = []
    for place, (threshold, coverage) in enumerate(zip(progress.ledger.grid, progress.ledger.coverage, strict=True)):
        audited = answered.audited & (answered.value >= threshold)
        reached = progress.test.reached[place] is not None
        share = float(log_wealth[place]) / progress.test.required_log_wealth(place)
        steps.append(
            ThresholdStep(
                threshold=threshold,
                coverage=coverage,
                audits=int(audited.sum()),
                errors=int((audited & answered.wrong).sum()),
                wrong=bounds.estimated_error(answered, threshold),
                evidence=1.0 if reached else min(max(share, 0.0), 1.0),
                certified=place < progress.test.certified,
            )
        )
    return steps
