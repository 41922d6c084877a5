"""The promise about what passes unseen: what was certified when, and what speaks against it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from ninja import Router, Schema

from classifier.api.authentication import ApiRequest, requires
from classifier.api.pagination import Page, PageQuery, paginate
from classifier.models.api_keys import Scope
from review.certification.status import CertificationStatus
from review.models import Alarm, Certificate

router = Router(tags=["Certificates"])

_reads = requires(Scope.CERTIFICATES_READ, "review.view_certificate")


class AccuracyTargetOut(Schema):
    """At least `target` of what passes unseen is right; the risk that this is claimed and false is at most `risk`."""

    target: float
    risk: float


class CertificateOut(Schema):
    """From which score on tickets were certified to pass, from when to when, and what it stood on."""

    id: int
    passes_from: float
    target: float
    coverage: float
    audits: int
    errors: int
    granted_at: datetime
    ended_at: datetime | None
    ended_by: str


class AlarmOut(Schema):
    id: int
    kind: str
    state: str
    raised_at: datetime
    closed_at: datetime | None


class CertificationStatusOut(Schema):
    """`stage` is "fixed" (nothing is promised), "waiting", "uncertified", "certified", "suspended" or "revoked".

    The certificate is the one in force or suspended; `needed` is about how many clean audits the next step takes.
    """

    stage: str
    accuracy_target: AccuracyTargetOut
    certificate: CertificateOut | None
    alarm: AlarmOut | None
    pending_audits: int
    needed: int | None


@router.get("/certificates/current", response=CertificationStatusOut, summary="Where the promise stands", **_reads)
def read_standing(request: ApiRequest) -> Any:
    """What is promised, certified and in doubt now."""
    status = CertificationStatus.current()
    return {
        "stage": status.stage.value,
        "accuracy_target": status.accuracy_target,
        "certificate": _certificates([status.certificate])[0] if status.certificate else None,
        "alarm": status.alarm,
        "pending_audits": status.progress.pending if status.progress else 0,
        "needed": status.needed,
    }


@router.get("/certificates", response=Page[CertificateOut], summary="List certificates", **_reads)
def list_certificates(request: ApiRequest, response: HttpResponse, turn: PageQuery) -> Any:
    """All that were granted, newest first."""
    return paginate(request, response, turn, Certificate.objects.select_related("ledger"), _certificates)


@router.get("/certificates/alarms", response=Page[AlarmOut], summary="List alarms", **_reads)
def list_alarms(request: ApiRequest, response: HttpResponse, turn: PageQuery) -> Any:
    """All that were raised, newest first."""
    return paginate(request, response, turn, Alarm.objects.all(), list)


def _certificates(found: Sequence[Certificate]) -> list[dict[str, Any]]:
    told = ("passes_from", "coverage", "audits", "errors", "granted_at", "ended_at", "ended_by")
    return [
        {"id": one.pk, "target": 1 - one.ledger.error} | {name: getattr(one, name) for name in told} for one in found
    ]
