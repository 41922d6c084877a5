"""The tables of review, from the ground up: desk, likeness, seats, decisions; preferences; benchmark."""

from .benchmark import BenchmarkItem
from .decision import Decision, SkipReason
from .desk import Desk
from .likeness import Likeness
from .preferences import Preferences
from .seat import Seat

__all__ = ["BenchmarkItem", "Decision", "Desk", "Likeness", "Preferences", "Seat", "SkipReason"]
