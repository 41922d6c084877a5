"""Past certificates and alarms, page by page, and notices of alarms that need attention."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.models import AuditDraw
from classifier.text import key_from
from review.certification import alarms
from review.certification.formatting import percent
from review.models import Alarm, Certificate

PAGE_SIZE = 20
MAX_NOTICES = 5

Record = TypeVar("Record", Certificate, Alarm)


class CertificateRow(NamedTuple):
    """A certificate as shown; `coverage` is in percent."""

    certificate: Certificate
    target: str
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One page of each, newest first; the keys of the next pages are None at the end."""

    certificates: list[CertificateRow]
    certificates_before: int | None
    alarms: list[Alarm]
    alarms_before: int | None

    @classmethod
    def load(cls, certificates_before: str = "", alarms_before: str = "") -> "History":
        """The pages before these keys; the first page if a key is invalid (two queries)."""
        certificates, next_certificate = _page(Certificate.objects.select_related("ledger"), certificates_before)
        raised, next_alarm = _page(Alarm.objects.select_related("seen_by"), alarms_before)
        issued = [
            CertificateRow(certificate, percent(certificate.ledger.target), 100 * certificate.coverage)
            for certificate in certificates
        ]
        return cls(certificates=issued, certificates_before=next_certificate, alarms=raised, alarms_before=next_alarm)


def _page(rows: QuerySet[Record], before: str) -> tuple[list[Record], int | None]:
    if key := key_from(before):
        rows = rows.filter(pk__lt=key)
    records = list(rows.order_by("-pk")[: PAGE_SIZE + 1])
    return records[:PAGE_SIZE], records[PAGE_SIZE - 1].pk if len(records) > PAGE_SIZE else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmNotice:
    """An alarm that needs attention, and the tickets auto-accepted since it began."""

    alarm: Alarm
    description: str
    since: datetime
    progress: str
    auto_accepted: int
    more: bool
    """Whether there may be more than are offered at a time."""

    @property
    def is_open(self) -> bool:
        return self.alarm.state == Alarm.State.OPEN

    @property
    def audits(self) -> int:
        """Audits answered since the alarm."""
        return int(self.alarm.figures.get("audits", 0))

    @property
    def audits_to_clear(self) -> int:
        """The audits that the alarm takes if no further one finds an error."""
        return self.audits + int(self.alarm.figures.get("needed", 0))

    @classmethod
    def all(cls) -> "list[AlarmNotice]":
        """Open alarms, and confirmed ones that no one has acknowledged (one query, and two per alarm)."""
        needs_attention = Q(state=Alarm.State.OPEN) | Q(state=Alarm.State.CONFIRMED, seen_by=None)
        alarms_to_show = Alarm.objects.filter(needs_attention).select_related("seen_by").order_by("-pk")
        return [cls.for_alarm(alarm) for alarm in alarms_to_show[:MAX_NOTICES]]

    @classmethod
    def for_alarm(cls, alarm: Alarm) -> "AlarmNotice":
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
    figures = {"audits": 0, "errors": 0, "needed": 0} | alarm.figures
    if alarm.state == Alarm.State.CONFIRMED:
        message: str = ngettext(
            "Confirmed by %(audits)d audit, errors: %(errors)d. The certificate is revoked.",
            "Confirmed by %(audits)d audits, errors: %(errors)d. The certificate is revoked.",
            figures["audits"],
        )
        return str(message % figures)
    message = _(
        "%(audits)d audits answered, errors: %(errors)d. Nothing is auto-accepted until they show as surely as for a "
        "certificate that the accuracy target is met: after about %(needed)d more without an error."
    )
    return str(message % figures)
