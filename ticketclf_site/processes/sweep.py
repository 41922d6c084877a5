"""What is done every few seconds, by one worker for all: take up what dead processes left."""

import logging

import classifier.tasks
import review.sweep

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 15


def sweep() -> None:
    """What fails in one part holds up no other, and is tried again the next time."""
    for part in (classifier.tasks.sweep, review.sweep.sweep):
        try:
            part()
        except Exception:
            logger.exception("Sweeping up (%s) failed; it is tried again.", part.__module__)
