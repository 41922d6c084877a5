"""Second factors, passkeys, sessions and OpenID Connect: who gets in and who does not."""

import base64
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec, module_from_spec
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.usersessions.models import UserSession
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as configured
from django.contrib.auth.models import Group, User
from django.core import checks
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from tests.factories import PASSWORD

pytestmark = pytest.mark.usefixtures("catalogue")

INBOX, SIGN_IN = reverse("classifier:inbox"), reverse("login")
SECOND = reverse("mfa_authenticate")


@pytest.fixture(autouse=True)
def no_earlier_attempts() -> None:
    cache.clear()


def sign_in(client: Client, name: str = "ana", url: str = SIGN_IN, password: str = PASSWORD) -> Any:
    return client.post(url, {"username": name, "password": password})


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def code(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


@pytest.fixture
def secret(ana: User) -> str:
    """The secret of Ana's authenticator app."""
    secret: str = generate_totp_secret()
    TOTP.activate(ana, secret)
    RecoveryCodes.activate(ana)
    return secret


# Account pages

VISITOR = {"mfa_authenticate": 302, "mfa_login_webauthn": 302, "account_inactive": 200}
VISITOR |= {"socialaccount_login_cancelled": 200, "socialaccount_login_error": 401}
SIGNED_IN = {"account_reauthenticate": 200, "account_change_password": 200, "account_set_password": 403}
SIGNED_IN |= {"mfa_index": 200, "mfa_activate_totp": 302, "mfa_deactivate_totp": 404, "mfa_reauthenticate": 302}
SIGNED_IN |= {"mfa_view_recovery_codes": 404, "mfa_download_recovery_codes": 404, "mfa_generate_recovery_codes": 302}
SIGNED_IN |= {"mfa_list_webauthn": 200, "mfa_add_webauthn": 302, "mfa_reauthenticate_webauthn": 302}
SIGNED_IN |= {"usersessions_list": 200}


@pytest.mark.parametrize("name", [*VISITOR, *SIGNED_IN])
def test_account_pages_need_a_sign_in_but_no_role(client: Client, tom: User, name: str) -> None:
    url = reverse(name)
    visited = client.get(url)
    if name in SIGNED_IN:
        assert visited["Location"] == f"{SIGN_IN}?next={url}"
    else:
        assert visited.status_code == VISITOR[name]
        assert "next" not in visited.get("Location", "")
    client.force_login(tom)
    if name in SIGNED_IN:
        assert client.get(url).status_code == SIGNED_IN[name]


@pytest.mark.parametrize("path", ["signup/", "email/", "password/reset/", "login/code/", "3rdparty/"])
def test_sign_up_and_password_reset_do_not_exist(client: Client, tom: User, path: str) -> None:
    client.force_login(tom)
    assert client.get(f"/account/{path}").status_code == 404


# Second factors


@pytest.mark.parametrize("door", [SIGN_IN, "/admin/login/"])
def test_people_with_a_second_factor_need_it_to_sign_in(client: Client, secret: str, door: str) -> None:
    assert sign_in(client, url=f"{door}?next=/review/queue/")["Location"] == SECOND
    assert not is_in(client)
    assert client.get(INBOX)["Location"].startswith(SIGN_IN)
    wrong = client.post(SECOND, {"code": "000000"})
    assert wrong.status_code == 200
    assert not is_in(client)
    assert client.post(SECOND, {"code": code(secret)})["Location"] == "/review/queue/"
    assert is_in(client)


def test_a_code_works_once(client: Client, secret: str) -> None:
    sign_in(client)
    used = code(secret)
    client.post(SECOND, {"code": used})
    other = Client()
    sign_in(other)
    other.post(SECOND, {"code": used})
    assert not is_in(other)


def test_guessing_codes_is_slowed_down(client: Client, secret: str) -> None:
    sign_in(client)
    for _time in range(5):
        client.post(SECOND, {"code": "000000"})
    client.post(SECOND, {"code": code(secret)})
    assert not is_in(client)


def test_a_recovery_code_works_once(client: Client, secret: str, ana: User) -> None:
    spare = Authenticator.objects.get(user=ana, type="recovery_codes").wrap().get_unused_codes()[0]
    for works in (True, False):
        client = Client()
        sign_in(client)
        client.post(SECOND, {"code": spare})
        assert is_in(client) is works


def test_secrets_of_second_factors_are_stored_encrypted(secret: str, ana: User, settings: Settings) -> None:
    for authenticator in Authenticator.objects.filter(user=ana):
        stored = authenticator.data.get("secret") or authenticator.data["seed"]
        assert stored.startswith("gAAAA")
        assert secret not in stored
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-secret-key"
    assert Authenticator.objects.get(user=ana, type="totp").wrap().validate_code(code(secret))


def test_after_a_change_of_secret_key_old_codes_are_rejected(client: Client, secret: str, settings: Settings) -> None:
    settings.SECRET_KEY = "another-secret-key"
    sign_in(client)
    assert client.post(SECOND, {"code": code(secret)}).status_code == 200
    assert not is_in(client)


def test_setting_up_a_second_factor_asks_for_the_password_again(client: Client, ana: User) -> None:
    sign_in(client)
    url = reverse("mfa_activate_totp")
    assert client.get(url)["Location"] == f"{reverse('account_reauthenticate')}?next={url.replace('/', '%2F')}"
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": url})
    page = client.get(url)
    assert 'src="data:image/svg+xml' in page.content.decode()
    client.post(url, {"code": code(client.session["mfa.totp.secret"])})
    assert set(Authenticator.objects.filter(user=ana).values_list("type", flat=True)) == {"totp", "recovery_codes"}


def test_a_required_second_factor_must_be_set_up_first(client: Client, ana: User, settings: Settings) -> None:
    settings.REQUIRE_MFA = True
    sign_in(client)
    for url in (INBOX, "/review/", "/admin/"):
        assert client.get(url)["Location"] == reverse("mfa_index")
    assert client.get(reverse("mfa_index")).status_code == 200
    TOTP.activate(ana, generate_totp_secret())
    assert client.get(INBOX).status_code == 200


def test_an_admin_can_remove_a_lost_second_factor_but_not_read_its_secret(
    client: Client, secret: str, admin: User
) -> None:
    client.force_login(admin)
    authenticator = Authenticator.objects.get(type="totp")
    page = client.get(f"/admin/mfa/authenticator/{authenticator.pk}/change/").content.decode()
    assert authenticator.data["secret"] not in page
    client.post(f"/admin/mfa/authenticator/{authenticator.pk}/delete/", {"post": "yes"})
    assert not Authenticator.objects.filter(type="totp").exists()
    for name in ("socialaccount/socialapp", "socialaccount/socialtoken", "account/emailaddress"):
        assert client.get(f"/admin/{name}/").status_code == 404


def test_the_admin_refuses_people_who_are_not_staff(client: Client, ana: User) -> None:
    assert sign_in(client, url="/admin/login/")["Location"] == "/admin/"
    assert client.get("/admin/", follow=True).status_code == 403


# Sessions and passwords


def test_people_see_their_sessions_and_end_the_others(client: Client, ana: User, ben: User) -> None:
    elsewhere, bens = Client(headers={"user-agent": "Elsewhere 1.0"}), Client()
    for browser, name in ((client, "ana"), (elsewhere, "ana"), (bens, "ben")):
        sign_in(browser, name)
    page = client.get(reverse("usersessions_list")).content.decode()
    assert "Elsewhere 1.0" in page
    client.post(reverse("usersessions_list"))
    assert [browser.get(INBOX).status_code for browser in (client, elsewhere, bens)] == [200, 302, 200]
    assert UserSession.objects.filter(user=ana).count() == 1


def test_a_new_password_must_be_strong_and_ends_other_sessions(client: Client, ana: User) -> None:
    elsewhere = Client()
    sign_in(client), sign_in(elsewhere)
    url = reverse("account_change_password")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": url})
    for weak in ("password123", "12345678901", "ana", "short"):
        client.post(url, {"oldpassword": PASSWORD, "password1": weak, "password2": weak})
        assert User.objects.get(pk=ana.pk).check_password(PASSWORD)
    better = "quite-another-password"
    client.post(url, {"oldpassword": PASSWORD, "password1": better, "password2": better})
    assert User.objects.get(pk=ana.pk).check_password(better)
    assert client.get(INBOX).status_code == 200
    assert elsewhere.get(INBOX).status_code == 302


# OpenID Connect


class _IdentityProvider(BaseHTTPRequestHandler):
    """An OpenID provider with discovery, tokens and keys; the server's `claims` describe the person."""

    server: Any

    def do_GET(self) -> None:
        root = f"http://127.0.0.1:{self.server.server_port}"
        if self.path.endswith("openid-configuration"):
            ends = {f"{name}_endpoint": f"{root}/{name}" for name in ("authorization", "token", "userinfo")}
            self._send_json({"issuer": root, "jwks_uri": f"{root}/keys", **ends})
        elif self.path == "/keys":
            self._send_json({"keys": [self.server.public | {"kid": "1", "use": "sig", "alg": "RS256"}]})
        else:
            self._send_json(self.server.claims)

    def do_POST(self) -> None:
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert sent["code"] == ["a-code"]
        root = f"http://127.0.0.1:{self.server.server_port}"
        claims = {"iss": root, "aud": "us", "exp": time.time() + 60, "iat": time.time(), **self.server.claims}
        token = jwt.encode(claims, self.server.private, "RS256", headers={"kid": "1"})
        self._send_json({"access_token": "t", "token_type": "Bearer", "id_token": token})

    def _send_json(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def identity(settings: Settings) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _IdentityProvider)
    server.private = rsa.generate_private_key(65537, 2048)
    server.public = jwt.algorithms.RSAAlgorithm.to_jwk(server.private.public_key(), as_dict=True)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    app = {"provider_id": "sso", "name": "Corp", "client_id": "us", "secret": "s"}
    app["settings"] = {"server_url": f"http://127.0.0.1:{server.server_port}"}  # type: ignore[assignment] # a tree
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
    yield server
    server.shutdown()
    server.server_close()


def sign_in_through(client: Client, identity: Any, **claims: Any) -> Any:
    identity.claims = {"sub": "42", "preferred_username": "ana.b", **claims}
    response = client.get(reverse("openid_connect_login", args=["sso"]))
    asked = parse_qs(urlsplit(response["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    answer = urlencode({"code": "a-code", "state": asked["state"][0]})
    return client.get(f"{reverse('openid_connect_callback', args=['sso'])}?{answer}")


def test_a_verified_e_mail_signs_in_the_person_with_that_address(client: Client, ana: User, identity: Any) -> None:
    User.objects.filter(pk=ana.pk).update(email="ana@corp.example")
    assert sign_in_through(client, identity, email="ana@corp.example", email_verified=True)["Location"] == INBOX
    assert client.session["_auth_user_id"] == str(ana.pk)
    assert client.get(INBOX).status_code == 200


def test_openid_users_still_need_their_second_factor(client: Client, ana: User, identity: Any, secret: str) -> None:
    User.objects.filter(pk=ana.pk).update(email="ana@corp.example")
    assert sign_in_through(client, identity, email="ana@corp.example", email_verified=True)["Location"] == SECOND
    assert not is_in(client)


def test_a_new_openid_user_has_no_permissions_without_a_role(client: Client, identity: Any) -> None:
    sign_in_through(client, identity, email="new@corp.example", email_verified=True)
    person = User.objects.get(email="new@corp.example")
    assert not person.groups.exists()
    assert not person.is_staff
    assert not person.has_usable_password()
    assert client.get(INBOX).status_code == 403
    # A password would still work after the account at the provider is closed.
    assert client.get(reverse("account_set_password")).status_code == 403
    person.groups.add(Group.objects.get(name="Agent"))
    assert client.get(INBOX).status_code == 200


def test_openid_users_can_set_up_a_second_factor_without_a_password(
    client: Client, identity: Any, settings: Settings
) -> None:
    settings.REQUIRE_MFA = True
    sign_in_through(client, identity, email="new@corp.example", email_verified=True)
    assert client.get(INBOX)["Location"] == reverse("mfa_index")
    assert client.get(reverse("mfa_activate_totp")).status_code == 200


def test_an_unverified_e_mail_is_refused(client: Client, ana: User, identity: Any) -> None:
    User.objects.filter(pk=ana.pk).update(email="ana@corp.example")
    refused = sign_in_through(client, identity, email="ana@corp.example", email_verified=False)
    assert refused.status_code == 403
    assert not is_in(client)
    assert User.objects.count() == 1


def test_an_openid_response_with_a_forged_state_is_refused(client: Client, ana: User, identity: Any) -> None:
    identity.claims = {"sub": "42", "email": "ana@corp.example", "email_verified": True}
    client.get(f"{reverse('openid_connect_callback', args=['sso'])}?code=a-code&state=forged")
    assert not is_in(client)


# Deployment


SECURE = ("SECURE_", "SESSION_COOKIE_", "CSRF_COOKIE_", "MIDDLEWARE", "X_FRAME", "DEBUG")


def test_with_https_the_deployment_check_passes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert configured.SECURE_HSTS_SECONDS == 0
    monkeypatch.setenv("TICKETCLF_HTTPS", "true")
    monkeypatch.delenv("DJANGO_ALLOW_ASYNC_UNSAFE", raising=False)
    spec = find_spec("ticketclf_site.settings")
    assert spec
    assert spec.loader
    fresh = module_from_spec(spec)
    spec.loader.exec_module(fresh)
    for name in filter(lambda name: name.startswith(SECURE), dir(fresh)):
        setattr(settings, name, getattr(fresh, name))
    settings.SECRET_KEY = base64.b64encode(bytes(range(60))).decode()
    assert [
        str(issue)
        for issue in checks.run_checks(include_deployment_checks=True)
        if issue.level >= checks.WARNING and not issue.is_silenced()
    ] == []
    assert settings.SESSION_COOKIE_SECURE
    assert Client().get(SIGN_IN)["Location"].startswith("https://")
    behind = Client(headers={"x-forwarded-proto": "https"}).get(SIGN_IN)
    assert behind.status_code == 200
    assert behind["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert behind.cookies["csrftoken"]["secure"]
