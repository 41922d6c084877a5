"""Others' failed attempts don't lock a person out on a device where they have signed in before."""

from datetime import timedelta
from http.cookies import Morsel

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.factories import PASSWORD
from ticketclf_site.sign_in import known_device, throttle

pytestmark = pytest.mark.usefixtures("catalogue")

SIGN_IN = reverse("login")


def sign_in(client: Client, password: str = PASSWORD, name: str = "ana", **headers: str) -> int:
    return client.post(SIGN_IN, {"username": name, "password": password}, headers=headers).status_code


def lock_out(name: str = "ana") -> None:
    """Somebody else at the same address guesses until the name is locked."""
    stranger = Client()
    for _time in range(throttle.LIMIT):
        sign_in(stranger, "guess", name)
    assert sign_in(stranger, name=name) == 429


def cookies(client: Client) -> list["Morsel[str]"]:
    return [cookie for name, cookie in client.cookies.items() if name.startswith(known_device.PREFIX)]


@pytest.fixture
def device(client: Client, ana: User) -> Client:
    """A browser in which Ana has signed in and out."""
    sign_in(client)
    client.post(reverse("logout"))
    return client


def test_a_person_gets_in_on_a_known_device_and_nowhere_else(device: Client) -> None:
    lock_out()
    assert sign_in(Client()) == 429
    assert sign_in(device) == 302
    # That does not help whoever guesses.
    assert sign_in(Client()) == 429


def test_a_known_device_has_a_limit_of_its_own(device: Client) -> None:
    for _time in range(throttle.LIMIT_OF_KNOWN_DEVICE):
        sign_in(device, "guess")
    assert sign_in(device) == 429
    assert sign_in(Client()) == 302


@pytest.mark.parametrize("name", ["ben", "nobody"])
def test_a_device_is_known_for_its_person_only(device: Client, ben: User, name: str) -> None:
    lock_out(name)
    assert sign_in(device, name=name) == 429


def test_a_new_password_ends_it(device: Client, ana: User) -> None:
    lock_out()
    ana.set_password("another long password")
    ana.save()
    assert sign_in(device, "another long password") == 429


def test_it_ends_in_time(device: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    lock_out()
    monkeypatch.setattr(known_device, "LIFETIME", timedelta(seconds=-1))
    assert sign_in(device) == 429


def test_a_cookie_that_was_forged_or_is_another_persons_is_nothing(device: Client, ben: User) -> None:
    lock_out()
    (cookie,) = cookies(device)
    forged = Client()
    forged.cookies[cookie.key] = cookie.value[:-1] + ("A" if cookie.value[-1] != "A" else "B")
    assert sign_in(forged) == 429
    other = Client()
    sign_in(other, name="ben")
    forged.cookies[cookie.key] = cookies(other)[0].value
    assert sign_in(forged) == 429
    assert sign_in(Client(), **{"user-agent": cookie.value}) == 429


def test_only_a_complete_sign_in_makes_a_device_known(client: Client, ana: User) -> None:
    TOTP.activate(ana, generate_totp_secret())
    sign_in(client)
    assert not cookies(client)
    sign_in(client, "guess")
    assert not cookies(client)


def test_the_cookie_says_nothing_and_scripts_cannot_read_it(device: Client, ana: User) -> None:
    (cookie,) = cookies(device)
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["max-age"]) == ("Lax", 90 * 24 * 3600)
    assert "ana" not in cookie.value
    assert not AccessAttempt.objects.exists()
