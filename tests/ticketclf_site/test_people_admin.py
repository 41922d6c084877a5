"""What a person with the role Admin may do to accounts: nothing that makes them, or anyone, more than they are."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from tests.factories import PASSWORD, make_user
from tests.pages import form_values

pytestmark = pytest.mark.usefixtures("roles")


@pytest.fixture
def keeper() -> User:
    person = make_user("keeper", "Admin")
    User.objects.filter(pk=person.pk).update(is_staff=True)
    return person


@pytest.fixture
def browser(client: Client, keeper: User) -> Client:
    client.force_login(keeper)
    return client


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", password=PASSWORD)


def change(browser: Client, person: User, **values: Any) -> int:
    url = reverse("admin:auth_user_change", args=[person.pk])
    sent = form_values(browser.get(url).content.decode(), "user_form")
    for name, value in values.items():
        sent.setlist(name, value if isinstance(value, list) else [value])
    return browser.post(url, sent.urlencode(), "application/x-www-form-urlencoded").status_code


def test_an_admin_manages_people_and_their_roles(browser: Client, ana: User) -> None:
    lead = Group.objects.get(name="Lead")
    assert change(browser, ana, first_name="Ana", groups=[str(lead.pk)]) == 302
    ana.refresh_from_db()
    assert (ana.first_name, [group.name for group in ana.groups.all()]) == ("Ana", ["Lead"])


def test_an_admin_makes_nobody_a_superuser(browser: Client, keeper: User, ana: User) -> None:
    for person in (keeper, ana):
        assert change(browser, person, is_superuser="on") == 302
    assert not User.objects.filter(is_superuser=True).exists()


def test_an_admin_grants_no_permission_that_they_lack(browser: Client, keeper: User) -> None:
    lacked = Permission.objects.get(codename="delete_session")
    every = Group.objects.create(name="Everything")
    every.permissions.add(lacked)
    assert change(browser, keeper, user_permissions=[str(lacked.pk)]) == 200
    assert change(browser, keeper, groups=[str(every.pk)]) == 200
    group = reverse("admin:auth_group_change", args=[keeper.groups.get().pk])
    assert browser.post(group, {"name": "Admin", "permissions": [str(lacked.pk)]}).status_code == 200
    assert not User.objects.get(pk=keeper.pk).has_perm("sessions.delete_session")


def test_what_is_a_superusers_is_closed_to_an_admin(browser: Client, root: User) -> None:
    device = Authenticator.objects.create(user=root, type="totp", data={})
    posts = {
        reverse("admin:auth_user_change", args=[root.pk]): {"username": "mine"},
        reverse("admin:auth_user_password_change", args=[root.pk]): {
            "password1": "n3w-Passw0rd",
            "password2": "n3w-Passw0rd",
        },
        reverse("admin:auth_user_delete", args=[root.pk]): {"post": "yes"},
        reverse("admin:mfa_authenticator_delete", args=[device.pk]): {"post": "yes"},
    }
    assert {url: browser.post(url, values).status_code for url, values in posts.items()} == dict.fromkeys(posts, 403)
    assert browser.get(reverse("admin:auth_user_password_change", args=[root.pk])).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [root.pk], "post": "yes"}
    browser.post(reverse("admin:auth_user_changelist"), chosen)
    assert User.objects.get(pk=root.pk).check_password(PASSWORD)
    assert Authenticator.objects.filter(pk=device.pk).exists()
