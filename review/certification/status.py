"""The stage of certification, its evidence, and what the next step takes."""

from dataclasses import dataclass
from enum import StrEnum

from classifier.models import Epoch, Gate, GateMode, Prediction
from review.certification import epoch_opening
from review.certification.epoch_opening import MIN_SCORES
from review.certification.evidence_columns import EvidenceColumns
from review.certification.sequential_test import SequentialTest
from review.models import AccuracyTarget, Alarm, Certificate, Ledger


class Stage(StrEnum):
    FIXED = "fixed"
    WAITING = "waiting"
    UNCERTIFIED = "uncertified"
    CERTIFIED = "certified"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerProgress:
    """An open ledger, its evidence, and its test without unanswered audits."""

    ledger: Ledger
    evidence: EvidenceColumns
    test: SequentialTest

    @classmethod
    def for_ledger(cls, ledger: Ledger) -> "LedgerProgress":
        """Two queries."""
        evidence = EvidenceColumns.latest(ledger)
        return cls(ledger=ledger, evidence=evidence, test=evidence.replay(ledger))

    @property
    def pending(self) -> int:
        return int(self.evidence.pending.sum())

    @property
    def next_index(self) -> int:
        """The index of the next threshold to certify, or of the last one if all are certified."""
        return min(self.test.certified, len(self.ledger.grid) - 1)

    @property
    def is_complete(self) -> bool:
        return self.test.certified == len(self.ledger.grid)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationStatus:
    """The present state. While waiting for enough tickets for a grid, `scored_tickets` counts those so far."""

    gate: Gate
    accuracy_target: AccuracyTarget
    stage: Stage
    epoch: Epoch | None = None
    progress: LedgerProgress | None = None
    certificate: Certificate | None = None
    """In force, or suspended."""
    alarm: Alarm | None = None
    scored_tickets: int = 0

    @classmethod
    def current(cls) -> "CertificationStatus":
        """At most ten queries. Raises Gate.DoesNotExist before the catalogue is loaded."""
        gate, accuracy_target = Gate.current(), AccuracyTarget.current()
        if gate.mode != GateMode.CERTIFIED:
            return cls(gate=gate, accuracy_target=accuracy_target, stage=Stage.FIXED)
        epoch = Epoch.objects.certifying()
        ledger = epoch_opening.open_ledger_for(epoch, accuracy_target) if epoch else None
        if epoch is None or ledger is None:
            stage = Stage.REVOKED if _is_revoked() else Stage.WAITING
            scored = _count_scored(epoch) if epoch else 0
            return cls(gate=gate, accuracy_target=accuracy_target, stage=stage, epoch=epoch, scored_tickets=scored)
        certificate = ledger.certificates.filter(ended_at=None).first()
        alarm = Alarm.objects.filter(epoch=epoch, state=Alarm.State.OPEN).first()
        return cls(
            gate=gate,
            accuracy_target=accuracy_target,
            stage=_stage(certificate, alarm),
            epoch=epoch,
            progress=LedgerProgress.for_ledger(ledger),
            certificate=certificate,
            alarm=alarm,
        )

    @property
    def missing(self) -> int:
        """Tickets still missing before certification can start."""
        return max(MIN_SCORES - self.scored_tickets, 0)

    @property
    def threshold(self) -> float | None:
        """The certified threshold (even if suspended); else the next one to certify."""
        if self.certificate:
            return self.certificate.threshold
        return float(self.progress.ledger.grid[self.progress.next_index]) if self.progress else None

    @property
    def needed(self) -> int | None:
        """Audits without an error until the next step; None if too far to tell."""
        if self.progress is None or self.epoch is None:
            return None
        return self.progress.test.clean_audits_to_next(self.epoch.audit_share if self.certificate else 1.0)


def _stage(certificate: Certificate | None, alarm: Alarm | None) -> Stage:
    if certificate:
        return Stage.SUSPENDED if alarm else Stage.CERTIFIED
    return Stage.REVOKED if _is_revoked() else Stage.UNCERTIFIED


def _is_revoked() -> bool:
    """Whether an alarm ended the latest certificate."""
    latest = Certificate.objects.order_by("-pk").values_list("ended_by", flat=True).first()
    return latest == Certificate.End.ALARM


def _count_scored(epoch: Epoch) -> int:
    """Tickets that the epoch's model has answered, counted up to MIN_SCORES."""
    predictions = Prediction.objects.filter(
        language_model=epoch.language_model_id, contract=epoch.contract_id, version=epoch.version_id
    )
    return predictions[:MIN_SCORES].count()
