"""Certificates and alarms as the page tells them, newest first, page by page; and alarms that call for somebody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.models import AuditDraw
from review.certification import alarms, drift
from review.certification.formatting import percent
from review.models import Alarm, Certificate

PAGE_SIZE = 20
MAX_NOTICES = 5

Record = TypeVar("Record", Certificate, Alarm)


class CertificateRow(NamedTuple):
    """A certificate; the share of tickets that it let pass is in percent."""

    certificate: Certificate
    target: str
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A page of each; the keys to go on before are None at the end."""

    certificates: list[CertificateRow]
    certificates_before: int | None
    alarms: list[Alarm]
    alarms_before: int | None

    @classmethod
    def of(cls, certificates_before: str = "", alarms_before: str = "") -> History:
        """What came before these keys; what is no key means the first page (two queries)."""
        certificates, next_certificate = _page(Certificate.objects.select_related("ledger"), certificates_before)
        raised, next_alarm = _page(Alarm.objects.select_related("seen_by"), alarms_before)
        issued = [CertificateRow(one, percent(1 - one.ledger.error), 100 * one.coverage) for one in certificates]
        return cls(certificates=issued, certificates_before=next_certificate, alarms=raised, alarms_before=next_alarm)


def _page(rows: QuerySet[Record], before: str) -> tuple[list[Record], int | None]:
    if before.isdecimal() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows.order_by("-pk")[: PAGE_SIZE + 1])
    return found[:PAGE_SIZE], found[PAGE_SIZE - 1].pk if len(found) > PAGE_SIZE else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmNotice:
    """An alarm that calls for somebody: what was noticed, since when, how far audits are, and what passed since."""

    alarm: Alarm
    description: str
    since: datetime
    progress: str
    auto_accepted: int
    more: bool
    """Whether more passed than are offered at a time."""

    @property
    def is_open(self) -> bool:
        return self.alarm.state == Alarm.State.OPEN

    @property
    def audits(self) -> int:
        """Those that count for whether it is confirmed, as far as they are needed."""
        return min(int(self.alarm.figures.get("audits", 0)), drift.BURST_AUDITS)

    @property
    def burst_audits(self) -> int:
        return drift.BURST_AUDITS

    @classmethod
    def all(cls) -> list[AlarmNotice]:
        """Alarms that are open, and confirmed ones that nobody has seen (one query, and two for each)."""
        calling = Q(state=Alarm.State.OPEN) | Q(state=Alarm.State.CONFIRMED, seen_by=None)
        found = Alarm.objects.filter(calling).select_related("seen_by").order_by("-pk")
        return [cls.of(alarm) for alarm in found[:MAX_NOTICES]]

    @classmethod
    def of(cls, alarm: Alarm) -> AlarmNotice:
        """Two queries."""
        first = AuditDraw.objects.filter(pk=alarm.since).values_list("verdict__created_at", flat=True).first()
        auto_accepted = len(alarms.auto_accepted_since(alarm))
        return cls(
            alarm=alarm,
            description=_description(alarm),
            since=first or alarm.raised_at,
            progress=_progress(alarm),
            auto_accepted=auto_accepted,
            more=auto_accepted == alarms.MAX_REOPENED,
        )


def _description(alarm: Alarm) -> str:
    kinds = {
        Alarm.Kind.ERRORS: _("Audits of auto-accepted tickets find more errors than the accuracy target allows."),
        Alarm.Kind.AGREEMENT: _("The second model family agrees with the answers less often than before."),
        Alarm.Kind.SCORES: _("Answers are less certain than before."),
        Alarm.Kind.UNKNOWN: _("More tickets than usual are unlike any known ticket."),
        Alarm.Kind.LABELS: _("The mix of predicted categories has changed."),
    }
    return kinds[Alarm.Kind(alarm.kind)]


def _progress(alarm: Alarm) -> str:
    figures = {"audits": 0, "errors": 0} | alarm.figures
    if alarm.state == Alarm.State.CONFIRMED:
        said: str = ngettext(
            "Confirmed by %(audits)d audit, errors: %(errors)d. The certificate is revoked.",
            "Confirmed by %(audits)d audits, errors: %(errors)d. The certificate is revoked.",
            figures["audits"],
        )
        return str(said % figures)
    said = _(
        "%(audits)d of at least %(most)d audits answered, errors: %(errors)d. Nothing is auto-accepted "
        "until they show whether the accuracy target is still met."
    )
    return str(said % (figures | {"most": drift.BURST_AUDITS}))
