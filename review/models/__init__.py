"""The tables of review."""

from review.models.assignment import Assignment
from review.models.certification import AccuracyTarget, Alarm, Audit, CarriedAudit, Certificate, Ledger
from review.models.decision import Decision, SkipReason
from review.models.duplicates import Band, DuplicateGroup, Side
from review.models.gold import GoldLabel
from review.models.label_import import LabelImport
from review.models.label_issue import LabelIssue
from review.models.preferences import Preferences
from review.models.review_settings import ReviewSettings
from review.models.run import Contender, Result, Run
from review.models.snapshot import Snapshot, SnapshotItem
