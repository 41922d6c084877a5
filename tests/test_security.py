"""Security headers, sign-in lockout, and forms saved while a user signs in."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signing import TimestampSigner
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from classifier import form_recovery
from classifier.models import Ticket
from tests.factories import PASSWORD, configure_review, make_ticket, make_user, send_to_review

pytestmark = pytest.mark.usefixtures("catalogue")

INBOX, NEW, SIGN_IN = reverse("classifier:inbox"), reverse("classifier:new_ticket"), reverse("login")
ADMIN_SIGN_IN = "/admin/login/"
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}


# Headers


def assert_guarded(response: Any) -> None:
    assert set(response["Content-Security-Policy"].split("; ")) == POLICY
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "url", [INBOX, NEW, "/models/", "/review/preferences/", "/admin/", "/admin/classifier/category/", "/nothing/"]
)
def test_every_page_has_security_headers(client: Client, admin: User, url: str) -> None:
    client.force_login(admin)
    response = client.get(url)
    assert_guarded(response)
    assert "no-store" in response["Cache-Control"]


def test_sign_in_pages_and_static_files_have_security_headers(client: Client) -> None:
    for url in (SIGN_IN, ADMIN_SIGN_IN, INBOX, "/static/css/app.css"):
        assert_guarded(client.get(url))


def test_refusals_and_errors_have_security_headers(
    client: Client, tom: User, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(tom)
    refused = client.get(INBOX)
    client.force_login(ana)
    answers = [refused, client.get("/tickets/99/"), client.get(INBOX, headers={"host": "elsewhere.example"})]
    answers.append(client.post(INBOX))
    monkeypatch.setattr("classifier.web.views.TicketPage.load", lambda *_, **__: 1 / 0)
    client.raise_request_exception = False
    answers.append(client.get(INBOX))
    assert [answer.status_code for answer in answers] == [403, 404, 400, 405, 500]
    for answer in answers:
        assert_guarded(answer)


# Request size


def test_an_oversized_file_is_refused_before_it_is_read(client: Client) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nabc\r\n--x--\r\n'
    claimed: dict[str, Any] = {"content_type": "multipart/form-data; boundary=x", "CONTENT_LENGTH": str(300 * 1024**2)}
    visitor = Client(enforce_csrf_checks=True, raise_request_exception=False)
    visitor.get(SIGN_IN)
    assert visitor.post(SIGN_IN, head, **claimed).status_code in (400, 413)
    assert client.post(SIGN_IN, b"x=" + b"y" * 6 * 1024**2, "application/x-www-form-urlencoded").status_code == 400


# Lockout


def sign_in(client: Client, password: str = PASSWORD, *, name: str = "ana", url: str = SIGN_IN, **values: Any) -> Any:
    return client.post(url, {"username": name, "password": password}, **values)


def fail(client: Client, times: int = 8, **values: Any) -> Any:
    for _time in range(times):
        response = sign_in(client, "wrong-and-secret", **values)
    return response


def let_pass(time: timedelta) -> None:
    for attempt in AccessAttempt.objects.all():
        AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=attempt.attempt_time - time)


def test_seven_failures_are_forgiven(client: Client, ana: User) -> None:
    assert fail(client, 7).status_code == 200
    assert sign_in(client).status_code == 302
    client.logout()
    # Old failures are deleted too.
    assert fail(client, 7).status_code == 200


@pytest.mark.parametrize("url", [SIGN_IN, ADMIN_SIGN_IN])
def test_after_eight_failures_even_the_right_password_must_wait(client: Client, ana: User, url: str) -> None:
    throttled = fail(client, url=url)
    assert throttled.status_code == 429
    assert_guarded(throttled)
    assert "Try again in 10 minutes" in throttled.content.decode()
    assert 590 <= int(throttled["Retry-After"]) <= 600
    for door in (SIGN_IN, ADMIN_SIGN_IN):
        assert sign_in(client, url=door).status_code == 429
    assert "_auth_user_id" not in client.session


def test_the_locked_sign_in_page_says_how_long_to_wait(client: Client, ana: User) -> None:
    fail(client)
    let_pass(timedelta(minutes=9, seconds=5))
    assert "Try again in 1 minute;" in sign_in(client).content.decode()
    let_pass(timedelta(seconds=56))
    assert sign_in(client).status_code == 302


def test_attempts_while_waiting_do_not_prolong_the_wait(client: Client, ana: User) -> None:
    fail(client)
    let_pass(timedelta(minutes=6))
    assert "Try again in 4 minutes" in fail(client, 20).content.decode()


def test_the_wait_doubles_with_each_further_failure(client: Client, ana: User) -> None:
    fail(client)
    for minutes in (20, 40, 80):
        let_pass(timedelta(minutes=minutes))
        assert f"Try again in {minutes} minutes" in fail(client, 1).content.decode()
    assert sign_in(Client(), REMOTE_ADDR="10.0.0.7").status_code == 302


def test_whoever_must_wait_can_sign_in_without_a_password(client: Client, ana: User, settings: Settings) -> None:
    settings.OIDC_NAME = "Example ID"
    page = fail(client).content.decode()
    assert "Use a passkey" in page
    assert "Sign in with Example ID" in page
    passkey = client.get(reverse("mfa_login_webauthn"), headers={"x-requested-with": "XMLHttpRequest"})
    assert "request_options" in passkey.json()


def test_other_users_are_not_locked_out(client: Client, ana: User, ben: User) -> None:
    fail(client)
    assert sign_in(client, name="ben").status_code == 302
    assert sign_in(Client(), REMOTE_ADDR="10.0.0.7").status_code == 302


def test_another_browser_at_the_same_address_must_wait_too(client: Client, ana: User) -> None:
    fail(client, 4, headers={"user-agent": "one"})
    assert fail(client, 4, headers={"user-agent": "other"}).status_code == 429


def test_a_forged_forwarded_address_does_not_avoid_the_wait(client: Client, ana: User) -> None:
    for number in range(8):
        response = fail(client, 1, headers={"x-forwarded-for": f"10.0.0.{number}"})
    assert response.status_code == 429


def test_a_locked_sign_in_tells_scripts_no_more_than_people(client: Client, ana: User) -> None:
    fail(client)
    response = sign_in(client, headers={"x-requested-with": "XMLHttpRequest"})
    assert response.status_code == 429
    assert "Access-Control-Allow-Origin" not in response
    assert "Too many attempts" in response.content.decode()


def test_failed_sign_ins_store_name_and_address_but_nothing_that_was_sent(client: Client, ana: User) -> None:
    client.post(f"{SIGN_IN}?next=/secret/", {"username": "ana", "password": "nearly-right", "passwort": "nearly-right"})
    fail(client, 2)
    (row,) = AccessAttempt.objects.values()
    assert (row["username"], row["ip_address"], row["failures_since_start"]) == ("ana", "127.0.0.1", 3)
    assert row["get_data"] == row["post_data"] == ""
    assert "secret" not in str(row)
    assert "right" not in str(row)


def test_failed_sign_ins_are_deleted_at_a_later_sign_in(client: Client, ana: User, ben: User) -> None:
    fail(client)
    let_pass(timedelta(days=1))
    sign_in(client, name="ben")
    assert not AccessAttempt.objects.exists()


def test_only_people_who_are_signed_in_can_store_large_files(
    client: Client, ana: User, tmp_path: Path, settings: Settings
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "missing")  # storing a file fails

    content = bytes(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    assert client.post(SIGN_IN, {"file": SimpleUploadedFile("large.csv", content)}).status_code == 400
    client.force_login(ana)
    with pytest.raises(FileNotFoundError):
        client.post(reverse("set_language"), {"file": SimpleUploadedFile("large.csv", content)})


# Form recovery


@pytest.fixture
def form(client: Client, ana: User) -> dict[str, str]:
    """The form of a new ticket as Ana typed it before her session ended."""
    client.force_login(ana)
    (token,) = re.findall('name="form_token" value="([^"]+)"', client.get(NEW).content.decode())
    Session.objects.all().delete()
    return {
        "text": "one\r\n\r\n  two 字",
        "customer": "c@example.org",
        "due_at": "2027-01-01T10:00",
        "form_token": token,
    }


def test_a_form_is_restored_after_signing_in_again(client: Client, form: dict[str, str]) -> None:
    response = client.post(NEW, form)
    assert response["Location"] == f"{SIGN_IN}?next={NEW}"
    response = sign_in(client, url=response["Location"])
    assert response["Location"] == NEW
    page = client.get(NEW)
    assert "You were signed out" in page.content.decode()
    assert page.context["form"]["text"].value() == "one\r\n\r\n  two 字"
    assert 'value="2027-01-01T10:00"' in page.content.decode()
    assert "aria-invalid" not in page.content.decode()
    assert not Ticket.objects.exists()
    # It is restored once.
    assert client.get(NEW).context["form"]["text"].value() is None


def test_another_user_does_not_get_a_saved_form(client: Client, form: dict[str, str], ben: User) -> None:
    client.post(NEW, form)
    sign_in(client, name="ben")
    assert "字" not in client.get(NEW).content.decode()
    assert form_recovery.SESSION_KEY not in client.session
    client.force_login(User.objects.get(username="ana"))
    assert "字" not in client.get(NEW).content.decode()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda form: form.pop("form_token"),
        lambda form: form.update(form_token="1:forged:token"),
        lambda form: form.update(form_token=TimestampSigner(salt="another form").sign("1")),
        lambda form: form.update(text="x" * (form_recovery.MAX_CHARACTERS + 1)),
    ],
    ids=["no token", "a forged token", "a token for something else", "too long"],
)
def test_forms_without_a_valid_token_are_not_saved(
    client: Client, form: dict[str, str], spoil: Callable[[dict[str, str]], Any]
) -> None:
    spoil(form)
    assert client.post(NEW, form).status_code == 302
    assert not Session.objects.exists()


def test_a_form_token_is_valid_as_long_as_a_session(client: Client, form: dict[str, str], settings: Settings) -> None:
    settings.SESSION_COOKIE_AGE = 0
    client.post(NEW, form)
    assert not Session.objects.exists()


def test_forms_of_deactivated_users_are_not_saved(client: Client, form: dict[str, str], ana: User) -> None:
    User.objects.filter(pk=ana.pk).update(is_active=False)
    client.post(NEW, form)
    assert not Session.objects.exists()


def test_a_form_with_the_longest_ticket_is_restored(client: Client, form: dict[str, str]) -> None:
    client.post(NEW, form | {"text": "字" * 1_048_576})
    sign_in(client)
    assert client.get(NEW).context["form"]["text"].value() == "字" * 1_048_576


def test_saved_forms_contain_no_tokens_or_files(client: Client, form: dict[str, str]) -> None:
    client.post(NEW, form | {"csrfmiddlewaretoken": "x"})
    assert set(client.session[form_recovery.SESSION_KEY]["fields"]) == {"text", "customer", "due_at"}


def test_a_form_sent_by_htmx_is_saved_too(client: Client, form: dict[str, str]) -> None:
    answer = {"category": "3", "note": "typed", "form_token": form["form_token"]}
    response = client.post(reverse("review:decide"), answer, headers={"hx-request": "true"})
    assert response["HX-Redirect"] == f"{SIGN_IN}?next={reverse('review:screen')}"
    sign_in(client)
    assert form_recovery.restore_form(client.get(INBOX).wsgi_request, "review:decide").dict() == {
        "category": "3",
        "note": "typed",
    }


def test_a_form_from_before_a_sign_in_in_another_tab_is_restored(ana: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    stale = {"text": "typed before", "form_token": form_recovery.form_token(ana), "csrfmiddlewaretoken": "x" * 64}
    assert client.post(NEW, stale)["Location"] == NEW
    assert client.get(NEW).context["form"]["text"].value() == "typed before"
    assert not Ticket.objects.exists()


def test_a_form_of_another_user_is_out_of_date(ana: User, ben: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ben)
    response = client.post(NEW, {"text": "typed before", "form_token": form_recovery.form_token(ana)})
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()
    assert form_recovery.SESSION_KEY not in client.session


def test_a_saved_form_waits_for_its_own_page(client: Client, form: dict[str, str], ana: User) -> None:
    client.post(NEW, form)
    sign_in(client)
    request = client.get(INBOX).wsgi_request
    assert form_recovery.restore_form(request, "review:decide") is None
    assert form_recovery.restore_form(request, "classifier:new_ticket").get("customer") == "c@example.org"


# Redirects after signing in


def test_signing_in_leads_back_to_a_page(client: Client, ana: User) -> None:
    url = client.get("/?state=needs_review")["Location"]
    assert sign_in(client, url=url)["Location"] == "/?state=needs_review"


def test_signing_in_never_leads_to_an_address_that_takes_no_get(client: Client, ana: User) -> None:
    url = client.post(reverse("review:undo"))["Location"]
    assert sign_in(client, url=url)["Location"] == INBOX


def test_signing_in_never_leads_to_another_site(client: Client, ana: User) -> None:
    assert sign_in(client, url=f"{SIGN_IN}?next=https://elsewhere.example/")["Location"] == INBOX


@pytest.mark.parametrize(
    ("headers", "back"),
    [
        ({"hx-current-url": "http://testserver/review/queue/?page=2"}, "/review/queue/%3Fpage%3D2"),
        ({"hx-current-url": "http://elsewhere.example/"}, ""),
        ({}, ""),
    ],
)
def test_a_page_fragment_is_never_replaced_by_the_sign_in_page(
    client: Client, headers: dict[str, str], back: str
) -> None:
    for ask in (client.get, client.post):
        response = ask(reverse("review:renew_lease"), headers={"hx-request": "true"} | headers)
        assert response.status_code == 200
        assert response["HX-Redirect"] == f"{SIGN_IN}?next={back}"
        assert response.content == b""


def test_the_inbox_focuses_the_link_to_the_review_queue(client: Client, ana: User) -> None:
    configure_review()
    send_to_review(make_ticket(), make_ticket())
    sign_in(client)
    page = client.get(INBOX).content.decode()
    assert f'<a class="button" href="{reverse("review:screen")}" autofocus>Review 2 tickets</a>' in page
    assert "autofocus" not in client.get(INBOX, {"state": "needs_review"}).content.decode()


def test_the_review_link_needs_permission_and_waiting_tickets(client: Client, ana: User) -> None:
    client.force_login(ana)
    assert "autofocus" not in client.get(INBOX).content.decode()
    reader = make_user("reader")
    reader.user_permissions.add(Permission.objects.get(codename="view_ticket"))
    configure_review()
    send_to_review(make_ticket())
    client.force_login(reader)
    page = client.get(INBOX).content.decode()
    assert "Review 1 ticket" not in page
    assert "autofocus" not in page
