"""The tables of review, from the ground up: desk, likeness, seats, decisions; preferences; gold, doubts,
snapshots, runs."""

from .decision import Decision, SkipReason
from .desk import Desk
from .doubt import Doubt
from .gold import Band, Family, GoldLabel, Side
from .likeness import Likeness
from .preferences import Preferences
from .run import Contender, Result, Run
from .seat import Seat
from .snapshot import Snapshot, SnapshotItem

__all__ = [
    "Band",
    "Contender",
    "Decision",
    "Desk",
    "Doubt",
    "Family",
    "GoldLabel",
    "Likeness",
    "Preferences",
    "Result",
    "Run",
    "Seat",
    "Side",
    "SkipReason",
    "Snapshot",
    "SnapshotItem",
]
