"""Periodic work that one worker does for all: pick up what dead processes left, and clean up."""

import logging

import classifier.tasks
import review.sweep

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 15


def sweep() -> None:
    """Run each part; one that fails does not stop the others and is retried next time."""
    for part in (classifier.tasks.sweep, review.sweep.sweep):
        try:
            part()
        except Exception:
            logger.exception("The sweep of %s failed and will be retried.", part.__module__)
