"""API keys: creating, using, limiting and revoking them."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from classifier.api import keys
from classifier.models import ApiKey
from tests.api.caller import Caller, caller, problem

pytestmark = pytest.mark.postgresql


def test_a_key_is_shown_once_and_only_its_digest_is_stored(
    admin: User, lea: User, catalogue: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    client = Client()
    client.force_login(admin)
    form = {"name": "Help desk", "user": lea.pk, "scopes": ["taxonomy:read"], "per_minute": 5}
    page = client.post("/admin/classifier/apikey/add/", form)
    (shown,) = re.findall(r"tclf_\w+?_[\w-]{43}", page.content.decode())
    assert "no-store" in page["Cache-Control"]
    key = ApiKey.objects.get()
    assert (key.user, key.created_by, key.scopes, key.per_minute) == (lea, admin, ["taxonomy:read"], 5)
    answer = Client().get("/api/v1/taxonomy", headers={"Authorization": f"Bearer {shown}"})
    assert answer.status_code == 200
    secret = shown[-43:]
    for path in ("", f"{key.pk}/change/", f"{key.pk}/history/"):
        assert secret not in client.get(f"/admin/classifier/apikey/{path}").content.decode()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names of our own tables
            assert secret not in repr(cursor.fetchall()), table
    assert secret not in caplog.text


def test_a_revoked_key_is_dead_at_once(admin: User, lead_api: Caller) -> None:
    client = Client()
    client.force_login(admin)
    assert lead_api.get("/taxonomy").status_code == 200
    client.post("/admin/classifier/apikey/", {"action": "revoke", "_selected_action": lead_api.key.pk})
    problem(lead_api.get("/taxonomy"), 401)
    assert client.post(f"/admin/classifier/apikey/{lead_api.key.pk}/delete/").status_code == 403


def test_an_ordinary_admin_cannot_create_a_key_of_a_superuser(admin: User, lea: User, catalogue: None) -> None:
    lea.is_staff = True
    lea.save()
    lea.user_permissions.set(Permission.objects.filter(codename__endswith="_apikey"))
    client = Client()
    client.force_login(lea)
    form = {"name": "Mine", "user": admin.pk, "scopes": ["taxonomy:read"], "per_minute": 5}
    assert client.post("/admin/classifier/apikey/add/", form).status_code == 200
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("change", ["expired", "inactive person", "other secret", "no secret", "X-API-Key", "alive"])
def test_only_an_active_key_gives_access(lead_api: Caller, change: str) -> None:
    headers = lead_api.headers
    match change:
        case "expired":
            ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        case "inactive person":
            User.objects.filter(pk=lead_api.key.user_id).update(is_active=False)
        case "other secret":
            headers = {"Authorization": f"Bearer {lead_api.shown[:-1]}{'a' if lead_api.shown[-1] != 'a' else 'b'}"}
        case "no secret":
            headers = {"Authorization": f"Bearer tclf_{lead_api.key.prefix}_"}
        case "X-API-Key":
            headers = {"X-API-Key": lead_api.shown}
        case "alive":
            ApiKey.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    answer = lead_api.client.get("/api/v1/taxonomy", headers=headers)
    if change in ("alive", "X-API-Key"):
        assert answer.status_code == 200
    else:
        problem(answer, 401)
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_session_gives_no_api_access(admin: User, catalogue: None) -> None:
    client = Client()
    client.force_login(admin)
    problem(client.get("/api/v1/taxonomy"), 401)
    problem(client.post("/api/v1/tickets", "{}", "application/json"), 401)


def test_use_of_a_key_is_recorded_at_most_once_a_minute(lead_api: Caller) -> None:
    lead_api.get("/taxonomy")
    first = ApiKey.objects.get().last_used_at
    assert first
    with CaptureQueriesContext(connection) as queries:
        lead_api.get("/taxonomy")
    assert ApiKey.objects.get().last_used_at == first
    assert not any("UPDATE" in query["sql"] and "last_used_at" in query["sql"] for query in queries)
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    lead_api.get("/taxonomy")
    again = ApiKey.objects.get().last_used_at
    assert again
    assert again > first - timedelta(minutes=1)


def test_the_command_prints_a_key_that_works(lea: User, catalogue: None) -> None:
    printed = StringIO()
    call_command("api_key", "Nightly", user="lea", scopes=["taxonomy:read", "models:read"], days=30, stdout=printed)
    key = keys.find_by_token(printed.getvalue().strip())
    assert key
    assert (key.name, key.user, key.scopes) == ("Nightly", lea, ["taxonomy:read", "models:read"])
    assert key.expires_at
    assert timedelta(days=29) < key.expires_at - timezone.now() <= timedelta(days=30)
    with pytest.raises(CommandError, match="No active user"):
        call_command("api_key", "Nightly", user="nobody", scopes=["classify"])


def test_each_answer_states_the_rate_limit_and_excess_requests_must_wait(
    lea: User, catalogue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, other = caller(lea, per_minute=2), caller(lea, per_minute=0)
    monkeypatch.setattr("classifier.api.rate_limits.time.time", lambda: 60 * 1_000.0 + 18)
    answers = [lead.get("/taxonomy") for _time in range(3)]
    assert [answer["RateLimit"] for answer in answers] == ['"key";r=1;t=42', '"key";r=0;t=42', '"key";r=0;t=42']
    assert answers[0]["RateLimit-Policy"] == '"key";q=2;w=60'
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    problem(answers[2], 429, "rate-limit")
    assert answers[2]["Retry-After"] == "42"
    assert "RateLimit" not in other.get("/taxonomy")
    monkeypatch.setattr("classifier.api.rate_limits.time.time", lambda: 60 * 1_001.0)
    assert lead.get("/taxonomy")["RateLimit"] == '"key";r=1;t=60'
    # A clock that is set back locks nobody out.
    monkeypatch.setattr("classifier.api.rate_limits.time.time", lambda: 60 * 10.0)
    assert lead.get("/taxonomy").status_code == 200
