"""Bring certification to each of its stages, as reviewers would."""

from typing import Any

from django.contrib.auth.models import User

from classifier.models import AuditDraw, Epoch, Ticket
from review.certification import cycle
from review.models import Alarm, Certificate
from tests.review.certification.auditing import ENOUGH, SURE, arrive, audit, certify, epoch_now, make_grid, open_audits


def begun(**accuracy_target: Any) -> Epoch:
    """Turn on certification with enough tickets for a grid and no audits."""
    certify(**accuracy_target)
    return make_grid()


def certified(person: User, *, number: int = ENOUGH, **accuracy_target: Any) -> Certificate:
    """Audit `number` sure tickets and return the certificate in force."""
    begun(**accuracy_target)
    audited(person, number)
    return Certificate.objects.get(ended_at=None)


def audited(person: User, number: int, *, wrong: int = 0, by: User | None = None) -> None:
    """Let tickets arrive and audit those drawn, the first `wrong` of them as errors, which `by` confirms."""
    tickets = arrive(*[SURE] * number)
    audit(person, open_audits(tickets), wrong=wrong)
    if by and wrong:
        audit(by, open_audits(tickets), wrong=wrong)
    cycle.run_certification()


def passing(number: int) -> list[Ticket]:
    """Let sure tickets arrive; returns those auto-accepted without an audit."""
    tickets = arrive(*[SURE] * number)
    unaudited = AuditDraw.objects.filter(verdict__ticket__in=tickets, verdict__auto_accepted=True, audited=False)
    return list(Ticket.objects.filter(pk__in=list(unaudited.values_list("verdict__ticket", flat=True))).order_by("pk"))


def alarmed(**values: Any) -> Alarm:
    """Raise an alarm that began with the first auto-accepted ticket."""
    epoch = epoch_now()
    first = AuditDraw.objects.filter(epoch=epoch, certified_threshold__isnull=False).earliest("pk")
    last = AuditDraw.objects.filter(epoch=epoch).latest("pk")
    Epoch.objects.filter(pk=epoch.pk).update(certified_threshold=None)
    return Alarm.objects.create(
        **{"epoch": epoch, "kind": "agreement", "since": first.pk, "at": last.pk, "risk": 0.005} | values
    )


def recorded() -> None:
    """Create a row of every table of certification, without audits by people."""
    epoch = begun()
    threshold = epoch.ledgers.get().grid[0]
    Epoch.objects.filter(pk=epoch.pk).update(certified_threshold=threshold)
    Certificate.objects.create(
        ledger=epoch.ledgers.get(), threshold=threshold, coverage=0.4, audits=150, errors=0, until=0
    )
    passing(30)
    alarmed()
