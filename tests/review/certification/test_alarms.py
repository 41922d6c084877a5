"""An alarm stops auto-accept until audits clear or confirm it."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import override_settings

from classifier.models import AuditDraw, Epoch, Event, Ticket, Verdict, Webhook
from review.certification import alarm_emails, alarms, cycle, drift
from review.models import Alarm, Certificate, Ledger
from tests.review.certification.auditing import ENOUGH, SURE, arrive, audit, certify, epoch_now, make_grid, open_audits

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise alarms after fewer tickets than in production; test_drift covers the real figures."""
    monkeypatch.setattr(drift, "BASELINE_TICKETS", 30)
    monkeypatch.setattr(drift, "QUIET_TICKETS", 100)
    monkeypatch.setattr(drift, "QUIET_AUDITS", 20)


@pytest.fixture
def certified(ana: User) -> Certificate:
    certify()
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * 2 * ENOUGH)))
    cycle.run_certification()
    return Certificate.objects.get(ended_at=None)


def second_family_disagrees() -> list[Ticket]:
    """The second family stops agreeing, while scores stay the same."""
    return arrive(*[SURE] * 40, agrees=False)


@pytest.mark.postgresql
def test_no_alarm_is_raised_while_nothing_changes(certified: Certificate) -> None:
    arrive(*[SURE] * 60)
    cycle.run_certification()
    assert not Alarm.objects.exists()
    assert epoch_now().certified_threshold == certified.threshold


def test_what_passes_is_audited_while_a_change_is_suspected(
    certified: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "QUIET_TICKETS", 10**90)
    second_family_disagrees()
    cycle.run_certification()
    assert not Alarm.objects.exists()
    assert epoch_now().certified_threshold == certified.threshold
    draws = AuditDraw.objects.filter(verdict__ticket__in=arrive(*[SURE] * 10), verdict__auto_accepted=True)
    assert [(draw.share, draw.audited) for draw in draws] == [(1.0, True)] * 10


@pytest.mark.postgresql
def test_a_change_across_all_tickets_suspends_the_certificate_and_audits_everything(
    certified: Certificate,
) -> None:
    changed = second_family_disagrees()
    cycle.run_certification()
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.state) == (Alarm.Kind.AGREEMENT, Alarm.State.OPEN)
    assert AuditDraw.objects.get(pk=alarm.since).verdict.ticket in changed
    assert epoch_now().certified_threshold is None
    tickets = arrive(*[SURE] * 5)
    assert not Verdict.objects.filter(ticket__in=tickets, auto_accepted=True).exists()
    assert len(open_audits(tickets)) == 5
    certified.refresh_from_db()
    assert certified.ended_at is None, "an open alarm suspends, but does not revoke"


@pytest.mark.postgresql
def test_an_alarm_is_cleared_by_evidence_that_would_grant_a_certificate(certified: Certificate, ana: User) -> None:
    second_family_disagrees()
    cycle.run_certification()
    needed = Alarm.objects.get().figures["needed"]
    assert needed > ENOUGH, "clearing is a claim of its own"
    tickets = arrive(*[SURE] * needed)
    audit(ana, open_audits(tickets[1:]))
    cycle.run_certification()
    assert Alarm.objects.get().state == Alarm.State.OPEN, "an unanswered audit counts as wrong"
    audit(ana, open_audits(tickets[:1]))
    cycle.run_certification()
    assert Alarm.objects.get().state == Alarm.State.CLEARED
    assert epoch_now().certified_threshold == certified.threshold
    cycle.run_certification()
    assert Alarm.objects.count() == 1, "a cleared change must not raise another alarm"


def test_audits_with_errors_confirm_the_alarm_and_end_the_epoch(certified: Certificate, ana: User, ben: User) -> None:
    second_family_disagrees()
    cycle.run_certification()
    before = epoch_now()
    assignments = open_audits(arrive(*[SURE] * 12))
    audit(ana, assignments, wrong=12)
    audit(ben, open_audits([assignment.ticket for assignment in assignments]), wrong=12)
    cycle.run_certification()
    assert Alarm.objects.get().state == Alarm.State.CONFIRMED
    certified.refresh_from_db()
    assert certified.ended_by == Certificate.End.ALARM
    after = epoch_now()
    assert after != before
    assert after.certified_threshold is None
    assert Epoch.objects.get(pk=before.pk).ended_at
    make_grid()
    ledger = Ledger.objects.get(closed_at=None)
    assert not ledger.carried.exists(), "audits from before a confirmed alarm are not reused"


def test_too_many_errors_in_ordinary_audits_revoke_the_certificate(
    certified: Certificate, ana: User, ben: User
) -> None:
    assignments: list[Any] = []
    while len(assignments) < 15:
        assignments += open_audits(arrive(*[SURE] * 30))
        audit(ana, open_audits([assignment.ticket for assignment in assignments]), wrong=99)
        audit(ben, open_audits([assignment.ticket for assignment in assignments]), wrong=99)
    cycle.run_certification()
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.state) == (Alarm.Kind.ERRORS, Alarm.State.OPEN)
    assert epoch_now().certified_threshold is None
    tickets = arrive(*[SURE] * 12)
    audit(ana, open_audits(tickets), wrong=12)
    audit(ben, open_audits(tickets), wrong=12)
    cycle.run_certification()
    certified.refresh_from_db()
    assert certified.ended_by == Certificate.End.ALARM


def test_tickets_auto_accepted_since_the_change_are_listed(certified: Certificate) -> None:
    before = arrive(*[SURE] * 20)
    changed = second_family_disagrees()
    cycle.run_certification()
    offered = set(alarms.auto_accepted_since(Alarm.objects.get()))
    unaudited = set(
        Ticket.objects.in_state(Ticket.State.AUTO_ACCEPTED).filter(sealed=False).values_list("pk", flat=True)
    )
    assert offered
    assert offered <= unaudited & {ticket.pk for ticket in changed}
    assert not offered & {ticket.pk for ticket in before}


def set_email(lead: User) -> None:
    lead.email = "lea@example.org"
    lead.save()


def test_leads_are_emailed_once_about_an_alarm(certified: Certificate, lea: User) -> None:
    set_email(lea)
    second_family_disagrees()
    with override_settings(SITE_URL="https://tickets.example.org"):
        cycle.run_certification()
        cycle.run_certification()
    (message,) = mail.outbox
    assert message.to == ["lea@example.org"]
    assert "https://tickets.example.org/review/certification/" in message.body
    assert Alarm.objects.get().emailed_at


@pytest.fixture
def webhook(db: None) -> Webhook:
    return Webhook.objects.create(name="operators", url="http://127.0.0.1:9/", secret_env="HOOK_SECRET")


def test_a_confirmed_alarm_is_emailed_again_and_sent_to_webhooks(
    webhook: Webhook, certified: Certificate, ana: User, ben: User, lea: User
) -> None:
    set_email(lea)
    second_family_disagrees()
    cycle.run_certification()
    assignments = open_audits(arrive(*[SURE] * 12))
    audit(ana, assignments, wrong=12)
    audit(ben, open_audits([assignment.ticket for assignment in assignments]), wrong=12)
    cycle.run_certification()
    assert len(mail.outbox) == 2
    events = Event.objects.filter(deliveries__destination=webhook, ticket=None).order_by("pk")
    assert [event.kind for event in events] == ["certificate.granted", "alarm.raised", "certificate.revoked"]
    granted, raised, revoked = (event.data for event in events)
    assert (granted["certificate"], granted["threshold"]) == (certified.pk, certified.threshold)
    assert (granted["target"], granted["risk"], granted["errors"]) == (0.8, 0.05, 0)
    assert raised["kind"] == "agreement"
    assert (revoked["certificate"], revoked["reason"]) == (certified.pk, "alarm")


def test_a_failed_email_is_retried_and_stops_nothing(
    certified: Certificate, lea: User, caplog: pytest.LogCaptureFixture
) -> None:
    set_email(lea)
    second_family_disagrees()
    unreachable_server = {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": 9,
    }
    with override_settings(**unreachable_server):
        cycle.run_certification()
    assert "could not be e-mailed" in caplog.text
    assert Alarm.objects.get().emailed_at is None
    assert epoch_now().certified_threshold is None
    alarm_emails.send_pending()
    assert Alarm.objects.get().emailed_at
