"""The tables of review, from the ground up: desk, likeness, seats, decisions; preferences; gold, doubts,
snapshots, runs;
promise, audits, ledgers, certificates, alarms."""

from review.models.assignment import Seat
from review.models.certification import (
    Alarm,
    Audit,
    CarriedAudit,
    Certificate,
    Ledger,
    Promise,
)
from review.models.decision import Decision, SkipReason
from review.models.gold import (
    Band,
    Family,
    GoldLabel,
    Side,
)
from review.models.label_issue import Doubt
from review.models.near_duplicate import Likeness
from review.models.preferences import Preferences
from review.models.review_settings import Desk
from review.models.run import Contender, Result, Run
from review.models.snapshot import Snapshot, SnapshotItem

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
