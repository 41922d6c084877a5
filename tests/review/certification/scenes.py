"""The stages of a promise, as people at the desk bring them about."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from classifier.models import AuditDraw, Epoch, Ticket
from review.certification import cycle
from review.models import Alarm, Certificate
from tests.review.certification.auditing import ENOUGH, SURE, arrive, audit, certify, epoch_now, make_grid, open_audits


def begun(**accuracy_target: Any) -> Epoch:
    """Enough tickets have come for a grid; nothing has been audited yet."""
    certify(**accuracy_target)
    return make_grid()


def certified(person: User, *, number: int = ENOUGH, **accuracy_target: Any) -> Certificate:
    """So many surest tickets were audited, and what the books say of that is in force."""
    begun(**accuracy_target)
    audited(person, number)
    return Certificate.objects.get(ended_at=None)


def audited(person: User, number: int, *, wrong: int = 0, by: User | None = None) -> None:
    """Further tickets come by; those drawn are audited, the first of them as wrong, which another person confirms."""
    tickets = arrive(*[SURE] * number)
    audit(person, open_audits(tickets), wrong=wrong)
    if by and wrong:
        audit(by, open_audits(tickets), wrong=wrong)
    cycle.run_certification()


def passing(number: int) -> list[Ticket]:
    """Of so many sure tickets those that pass unseen."""
    tickets = arrive(*[SURE] * number)
    unseen = AuditDraw.objects.filter(verdict__ticket__in=tickets, verdict__auto_accepted=True, audited=False)
    return list(Ticket.objects.filter(pk__in=list(unseen.values_list("verdict__ticket", flat=True))).order_by("pk"))


def alarmed(**values: Any) -> Alarm:
    """Something is noticed about all tickets since the first that passed."""
    epoch = epoch_now()
    first = AuditDraw.objects.filter(epoch=epoch, passes_from__isnull=False).earliest("pk")
    last = AuditDraw.objects.filter(epoch=epoch).latest("pk")
    Epoch.objects.filter(pk=epoch.pk).update(passes_from=None)
    return Alarm.objects.create(**{"epoch": epoch, "kind": "agreement", "since": first.pk, "at": last.pk} | values)


def recorded() -> None:
    """A row of everything that a promise stands on, without anybody's work."""
    epoch = begun()
    passes_from = epoch.ledgers.get().grid[0]
    Epoch.objects.filter(pk=epoch.pk).update(passes_from=passes_from)
    Certificate.objects.create(
        ledger=epoch.ledgers.get(), passes_from=passes_from, coverage=0.4, audits=150, errors=0, until=0
    )
    passing(30)
    alarmed()
