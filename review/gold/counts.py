"""Counts gold labels by side and state."""

from dataclasses import dataclass

from review.models import GoldLabel, Side

State = GoldLabel.State


MOST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldLabelCounts:
    """Usable labels by side, unusable ones by state, and labels `to_look_at` after a change of the taxonomy.

    Every count stops at MOST.
    """

    benchmark: int
    training: int
    neither: int
    by_state: dict[str, int]
    to_look_at: int

    @property
    def usable(self) -> int:
        return self.benchmark + self.training


def count_gold_labels() -> GoldLabelCounts:
    """One query for each count."""
    usable, active = GoldLabel.objects.usable(), GoldLabel.objects.filter(state=State.ACTIVE)
    out_of_use = {
        str(state.label): GoldLabel.objects.filter(state=state).count_to(MOST)
        for state in State
        if state != State.ACTIVE
    }
    return GoldLabelCounts(
        benchmark=usable.on_side(Side.BENCHMARK).count_to(MOST),
        training=usable.on_side(Side.TRAINING).count_to(MOST),
        neither=active.filter(group=None).count_to(MOST),
        by_state={state: number for state, number in out_of_use.items() if number},
        to_look_at=GoldLabel.objects.needing_review().count_to(MOST),
    )
