"""`doctor` reports each problem with what to do, and fails if something must be fixed."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

from classifier.models import Delivery, Event, Gate, ProcessHeartbeat, Ticket, Webhook
from tests.conftest import UseServer
from tests.factories import make_ticket
from tests.servers import OpenAIServer, error
from ticketclf_site.observability import readiness
from ticketclf_site.operations.doctor import disk_space
from ticketclf_site.processes import registry

pytestmark = pytest.mark.postgresql

Findings = dict[str, tuple[str, str]]


def run_doctor(*options: str) -> tuple[Findings, bool]:
    """Level and text of each finding by check, and whether the command failed."""
    out, failed = StringIO(), False
    try:
        call_command("doctor", "--json", *options, stdout=out)
    except SystemExit as end:
        failed = end.code == 1
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    return {row["check"]: (row["level"], f"{row['summary']} {row['action']}") for row in rows}, failed


def test_a_healthy_installation_passes(primary: UseServer, admin: User, settings: Any) -> None:
    registry.beat("worker")
    settings.ALLOWED_HOSTS = settings.THIS_MACHINE
    with OpenAIServer() as server:
        primary(server)
        findings, failed = run_doctor()
    assert not failed, findings
    assert findings["model first"][0] == findings["workers"][0] == findings["database"][0] == "OK"
    out = StringIO()
    call_command("doctor", "--offline", stdout=out)
    assert "OK   workers: 1 alive." in out.getvalue()


def test_doctor_names_the_command_that_makes_the_first_account(catalogue: None) -> None:
    level, text = run_doctor("--offline")[0]["accounts"]
    assert level == "FAIL"
    assert "manage.py createsuperuser" in text


def test_doctor_reports_model_errors_unless_offline(primary: UseServer) -> None:
    with OpenAIServer([error(401, "no")]) as server:
        primary(server)
        assert run_doctor("--offline")[0]["model first"] == ("OK", "not checked (offline). ")
        assert not server.requests
        level, summary = run_doctor()[0]["model first"]
    assert level == "FAIL"
    assert "unauthorized" in summary


def test_a_process_is_registered_only_while_it_runs(db: None) -> None:
    with registry.registered("worker"):
        assert ProcessHeartbeat.objects.alive().count() == 1
    assert not ProcessHeartbeat.objects.exists()


def test_missing_workers_a_stuck_queue_and_failed_webhooks_are_reported(catalogue: None) -> None:
    findings, failed = run_doctor("--offline")
    assert failed
    assert findings["workers"] == (
        "FAIL",
        "none alive. Run manage.py work, or manage.py serve, which includes a worker.",
    )
    ProcessHeartbeat.objects.create(name="worker x 1", beat_at=timezone.now() - timedelta(minutes=5))
    Ticket.objects.filter(pk=make_ticket().pk).update(available_at=timezone.now() - timedelta(hours=1))
    event = Event.objects.create(kind="webhook.test", data={})
    webhook = Webhook.objects.create(name="crm", url="https://crm.example/", secret_env="CRM")
    Delivery.objects.create(event=event, destination=webhook, state="given_up", settled_at=timezone.now())
    findings, _failed = run_doctor("--offline")
    assert "last heartbeat" in findings["workers"][1]
    assert findings["queue"][0] == "FAIL"
    assert findings["webhooks"] == (
        "WARN",
        "requests failed for good: 1, being retried: 0. The admin shows the responses and can send them again.",
    )
    assert "OXLO_API_KEY" in findings["models"][1]


def test_unsafe_settings_are_reported(catalogue: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS, settings.SESSION_COOKIE_SECURE = True, ["*"], False
    settings.METRICS_TOKEN = ""
    settings.EMAIL_HOST, settings.EMAIL_BACKEND = "127.0.0.1", "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 9
    monkeypatch.setenv("TICKETCLF_SECRET_KEY", "short")
    settings.SECRET_KEY = "short"
    monkeypatch.setattr(disk_space, "CRITICAL_BYTES", 2**60)
    findings, failed = run_doctor("--offline")
    assert failed
    wrong = {check for check, (level, _text) in findings.items() if level == "FAIL"}
    assert {"debug", "secret key", "hosts", "encryption", "e-mail", "disk space for files"} <= wrong
    assert findings["metrics"][0] == "WARN"
    assert "ConnectionRefusedError" in findings["e-mail"][1]


def test_the_service_is_not_checked_before_migrations_are_applied(
    catalogue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "unapplied", lambda: ["classifier.0099_more"])
    findings, failed = run_doctor()
    assert failed
    assert findings["migrations"] == ("FAIL", "1 not applied, starting with classifier.0099_more. Run manage.py setup.")
    assert "workers" not in findings
    monkeypatch.undo()
    Gate.objects.all().delete()
    assert run_doctor()[0]["catalogue"][0] == "FAIL"
