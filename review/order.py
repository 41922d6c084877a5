"""In which order people get tickets. Pure; replace `value` to have another order.

First comes what is due soon, by its due time; then what an answer is worth most for.
"""

from typing import NamedTuple

RARE = 200
"""From so many waiting tickets with the same suggestion on, one more is nothing rare."""


class Signals(NamedTuple):
    """What is known of a ticket when it comes to the desk. `confidence` is None where no model could answer."""

    confidence: float | None
    disagreement: bool
    waiting_alike: int
    """How many tickets wait with the same suggested category, counted up to RARE."""


def drawn(draw: float) -> float:
    """The value of a blind seat, from a number in [0, 1): its place tells nothing, and lies among those of others."""
    return 0.5 * draw


def value(signals: Signals) -> float:
    """In [0, 1]: half for doubt, 0.3 for models that disagree, 0.2 for a rare suggestion."""
    doubt = 1.0 if signals.confidence is None else 1.0 - signals.confidence
    rarity = 1.0 - min(signals.waiting_alike, RARE) / RARE
    return 0.5 * doubt + 0.3 * signals.disagreement + 0.2 * rarity
