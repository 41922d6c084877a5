"""The whole way: from the first ticket to a certificate, and from an alarm to the next one."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from classifier.models import AuditDraw, Ticket, Verdict
from review.assurance import keeping
from review.models import Audit, Certificate, Ledger

from .auditing import SURE, UNSURE, arrive, audit, certify, epoch_now, make_grid, open_audits

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


def test_nothing_passes_before_enough_audits_were_clean_and_then_it_does(ana: User) -> None:
    certify()
    epoch = make_grid()
    assert epoch.audits_from is not None
    tickets = arrive(*[SURE] * 90, *[UNSURE] * 20)
    assert not Verdict.objects.filter(accepted=True).exists()
    seats = open_audits(tickets[:90])
    assert len(seats) == 90
    audit(ana, seats)
    keeping.keep_promise()
    assert not Certificate.objects.exists()
    more = arrive(*[SURE] * 60)
    audit(ana, open_audits(more))
    keeping.keep_promise()
    certificate = Certificate.objects.get()
    assert (certificate.audits, certificate.errors) == (150, 0)
    passed = arrive(*[SURE] * 100)
    accepted = Verdict.objects.filter(ticket__in=passed, accepted=True)
    assert accepted.count() == 100
    assert 10 < AuditDraw.objects.filter(verdict__in=accepted, audited=True).count() < 60
    assert Ticket.objects.filter(pk__in=[one.pk for one in passed], sealed=True).count() == Audit.objects.pending().filter(ticket__in=passed).count()
    print(Ledger.objects.get().grid, epoch_now().passes_from)
