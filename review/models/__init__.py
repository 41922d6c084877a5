"""The tables of review, from the ground up: desk, likeness, seats, decisions; preferences; gold, doubts,
snapshots, runs;
promise, audits, ledgers, certificates, alarms."""

from .assurance import Alarm, Audit, CarriedAudit, Certificate, Ledger, Promise
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
    "Alarm",
    "Audit",
    "Band",
    "CarriedAudit",
    "Certificate",
    "Contender",
    "Decision",
    "Desk",
    "Doubt",
    "Family",
    "GoldLabel",
    "Ledger",
    "Likeness",
    "Preferences",
    "Promise",
    "Result",
    "Run",
    "Seat",
    "Side",
    "SkipReason",
    "Snapshot",
    "SnapshotItem",
]
