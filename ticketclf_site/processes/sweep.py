"""Periodic work that one worker does for all: pick up what dead processes left, and clean up."""

import classifier.tasks
import review.sweep

SWEEP_SECONDS = 15


def sweep() -> None:
    """Run each part; one that fails does not stop the others and is retried next time."""
    classifier.tasks.sweep()
    review.sweep.sweep()
