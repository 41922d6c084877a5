"""The doctor says of each thing how it stands, and what to do; and fails where something has to be mended."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
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

Found = dict[str, tuple[str, str]]


def examined(*options: str) -> tuple[Found, bool]:
    """By what it is about, the level and all that is said; and whether the command failed."""
    out, failed = StringIO(), False
    try:
        call_command("doctor", "--json", *options, stdout=out)
    except SystemExit as end:
        failed = end.code == 1
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    return {row["about"]: (row["level"], f"{row['said']} {row['to_do']}") for row in rows}, failed


def test_a_sound_installation_passes(primary: UseServer, settings: Any) -> None:
    registry.beat("worker")
    settings.ALLOWED_HOSTS = settings.THIS_MACHINE
    with OpenAIServer() as server:
        primary(server)
        found, failed = examined()
    assert not failed, found
    assert found["model first"][0] == found["workers"][0] == found["database"][0] == "OK"
    out = StringIO()
    call_command("doctor", "--offline", stdout=out)
    assert "OK   workers: 1 alive." in out.getvalue()


def test_models_are_not_asked_offline_and_their_fault_is_told(primary: UseServer) -> None:
    with OpenAIServer([error(401, "no")]) as server:
        primary(server)
        assert examined("--offline")[0]["model first"] == ("OK", "not asked. ")
        assert not server.requests
        level, said = examined()[0]["model first"]
    assert level == "FAIL"
    assert "wrong_key" in said


def test_a_process_is_missed_only_while_it_should_be_there(db: None) -> None:
    with registry.alive("worker"):
        assert ProcessHeartbeat.objects.alive().count() == 1
    assert not ProcessHeartbeat.objects.exists()


def test_what_goes_on_is_looked_at(catalogue: None) -> None:
    found, failed = examined("--offline")
    assert failed
    assert found["workers"] == ("FAIL", "none is alive. Run manage.py work, or serve, which starts one.")
    ProcessHeartbeat.objects.create(name="worker x 1", beat_at=timezone.now() - timedelta(minutes=5))
    Ticket.objects.filter(pk=make_ticket().pk).update(available_at=timezone.now() - timedelta(hours=1))
    event = Event.objects.create(kind="webhook.test", data={})
    webhook = Webhook.objects.create(name="crm", url="https://crm.example/", secret_env="CRM")
    Delivery.objects.create(event=event, destination=webhook, state="given_up", settled_at=timezone.now())
    found, _failed = examined("--offline")
    assert "the last was heard of at" in found["workers"][1]
    assert found["queue"][0] == "FAIL"
    assert found["webhooks"] == (
        "WARN",
        "1 requests were given up, 0 are tried again. "
        "See in the admin what was answered; there they can be sent once more.",
    )
    assert "OXLO_API_KEY" in found["models"][1]


def test_what_is_set_from_outside_is_looked_at(catalogue: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS, settings.SESSION_COOKIE_SECURE = True, ["*"], False
    settings.METRICS_TOKEN = ""
    settings.EMAIL_HOST, settings.EMAIL_BACKEND = "127.0.0.1", "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 9
    monkeypatch.setenv("TICKETCLF_SECRET_KEY", "short")
    settings.SECRET_KEY = "short"
    monkeypatch.setattr(disk_space, "HARDLY_ANY", 2**60)
    found, failed = examined("--offline")
    assert failed
    wrong = {about for about, (level, _said) in found.items() if level == "FAIL"}
    assert {"debug", "secret key", "hosts", "encryption", "e-mail", "room for files"} <= wrong
    assert found["metrics"][0] == "WARN"
    assert "ConnectionRefusedError" in found["e-mail"][1]


def test_what_stands_in_a_database_that_is_behind_is_not_asked_for(
    catalogue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "unapplied", lambda: ["classifier.0099_more"])
    found, failed = examined()
    assert failed
    assert found["migrations"] == ("FAIL", "1 are missing, classifier.0099_more first. Run manage.py setup.")
    assert "workers" not in found
    monkeypatch.undo()
    Gate.objects.all().delete()
    assert examined()[0]["catalogue"][0] == "FAIL"
