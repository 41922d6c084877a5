"""API operations for certified auto-accept: its status, certificates and alarms."""

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
    """At least `target` of auto-accepted tickets are labelled correctly, except with probability `risk`."""

    target: float
    risk: float


class CertificateOut(Schema):
    """Tickets with at least this score were certified for auto-accept, from `granted_at` to `ended_at`."""

    id: int
    threshold: float
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
    """`stage`: "fixed" (certified auto-accept is off), "waiting", "uncertified", "certified", "suspended" or "revoked".

    The certificate is the current or suspended one; `needed` estimates how many error-free audits the next step takes.
    """

    stage: str
    accuracy_target: AccuracyTargetOut
    certificate: CertificateOut | None
    alarm: AlarmOut | None
    pending_audits: int
    needed: int | None


@router.get("/certificates/current", response=CertificationStatusOut, summary="Read the certification status", **_reads)
def read_certification_status(request: ApiRequest) -> Any:
    """The accuracy target, the current certificate and any open alarm."""
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
def list_certificates(request: ApiRequest, response: HttpResponse, params: PageQuery) -> Any:
    """Newest first."""
    return paginate(request, response, params, Certificate.objects.select_related("ledger"), _certificates)


@router.get("/certificates/alarms", response=Page[AlarmOut], summary="List alarms", **_reads)
def list_alarms(request: ApiRequest, response: HttpResponse, params: PageQuery) -> Any:
    """Newest first."""
    return paginate(request, response, params, Alarm.objects.all(), list)


def _certificates(certificates: Sequence[Certificate]) -> list[dict[str, Any]]:
    fields = ("threshold", "coverage", "audits", "errors", "granted_at", "ended_at", "ended_by")
    return [
        {"id": certificate.pk, "target": certificate.ledger.target}
        | {name: getattr(certificate, name) for name in fields}
        for certificate in certificates
    ]
