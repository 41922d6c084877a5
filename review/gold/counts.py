"""Counts gold labels by side and state."""

from typing import Any

from django.utils.functional import Promise

from review.models import GoldLabel, Side

MOST = 100_000
"""Every count stops here, so that no page grows with the table."""


def count_gold_labels() -> dict[str, Any]:
    """Usable labels by side, unusable ones `by_state`, and those `to_look_at` (one query for each count)."""
    usable, active = GoldLabel.objects.usable(), GoldLabel.objects.filter(state=GoldLabel.State.ACTIVE)
    by_state: dict[str | Promise, int] = {
        state.label: GoldLabel.objects.filter(state=state).count_to(MOST)
        for state in GoldLabel.State
        if state != GoldLabel.State.ACTIVE
    }
    sides = {str(side): usable.on_side(side).count_to(MOST) for side in Side}
    return sides | {
        "usable": sum(sides.values()),
        "neither": active.filter(group=None).count_to(MOST),
        "by_state": {state: number for state, number in by_state.items() if number},
        "to_look_at": GoldLabel.objects.needing_review().count_to(MOST),
    }
