"""Sessions are read with every request, so changes take effect at once."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
SCREEN = reverse("review:screen")


@pytest.fixture
def agent_client(client: Client, ana: User) -> Client:
    client.force_login(ana)
    assert client.get(SCREEN).status_code == 200
    return client


def test_a_session_ended_elsewhere_is_refused_at_once(agent_client: Client) -> None:
    Session.objects.all().delete()
    assert agent_client.get(SCREEN).status_code == 302


def test_an_expired_session_is_refused_at_once(agent_client: Client) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert agent_client.get(SCREEN).status_code == 302


def test_a_deactivated_user_is_refused_at_once(agent_client: Client) -> None:
    User.objects.update(is_active=False)
    assert agent_client.get(SCREEN).status_code == 302


def test_a_revoked_permission_is_lost_at_once(agent_client: Client, ana: User) -> None:
    ana.groups.clear()
    assert agent_client.get(SCREEN).status_code == 403
