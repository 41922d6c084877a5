"""The certificate that a ticket was auto-accepted under, for its page."""

from typing import Any

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from classifier.models import GateMode, Verdict
from review.certification.formatting import percent
from review.certification.messages import evidence_summary
from review.models import Certificate


def explain_certificate(verdict: Verdict, **_signal: Any) -> list[str]:
    """Sentences about the certificate in force when the verdict was made (one query)."""
    if verdict.epoch.mode != GateMode.CERTIFIED or verdict.threshold is None:
        return []
    in_force = Q(ended_at=None) | Q(ended_at__gte=verdict.created_at)
    certificates = Certificate.objects.filter(
        in_force, ledger__epoch=verdict.epoch_id, threshold=verdict.threshold, granted_at__lte=verdict.created_at
    )
    certificate = certificates.select_related("ledger").order_by("-pk").first()
    return [_certificate_terms(certificate), evidence_summary(certificate)] if certificate else []


def _certificate_terms(certificate: Certificate) -> str:
    return _("A certificate of %(since)s was in force: at least %(target)s%% right, at a risk of %(risk)s%%.") % {
        "since": date_format(localtime(certificate.granted_at), "j M Y"),
        "target": percent(certificate.ledger.target),
        "risk": percent(certificate.ledger.target_risk),
    }
