"""The tables of review, from the ground up: desk, likeness, assignments, decisions; preferences; gold, doubts,
snapshots, runs;
promise, audits, ledgers, certificates, alarms."""

from review.models.assignment import Assignment
from review.models.certification import (
    AccuracyTarget,
    Alarm,
    Audit,
    CarriedAudit,
    Certificate,
    Ledger,
)
from review.models.decision import Decision, SkipReason
from review.models.gold import (
    Band,
    Family,
    GoldLabel,
    Side,
)
from review.models.label_issue import LabelIssue
from review.models.near_duplicate import Likeness
from review.models.preferences import Preferences
from review.models.review_settings import ReviewSettings
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
    "ReviewSettings",
    "LabelIssue",
    "Family",
    "GoldLabel",
    "Ledger",
    "Likeness",
    "Preferences",
    "AccuracyTarget",
    "Result",
    "Run",
    "Assignment",
    "Side",
    "SkipReason",
    "Snapshot",
    "SnapshotItem",
]
