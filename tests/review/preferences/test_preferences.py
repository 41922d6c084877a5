"""The preferences page over HTTP."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from review.models import Preferences, shortcuts
from review.preferences.forms import action_name

pytestmark = pytest.mark.usefixtures("catalogue")

URL = reverse("review:preferences")


def shown(agent_client: Client) -> dict[str, str]:
    """The values of the form, as a browser would send them."""
    form = agent_client.get(URL).context["form"]
    values = {field.name: field.value() for field in form}
    return {name: str(value) for name, value in values.items() if value not in (None, False)}


def errors(agent_client: Client, **changes: str) -> dict[str, list[str]]:
    response = agent_client.post(URL, shown(agent_client) | changes)
    assert response.status_code == 200
    assert "Not saved" in response.content.decode()
    return dict(response.context["form"].errors)


def test_every_action_has_a_name_and_a_field(agent_client: Client) -> None:
    content = agent_client.get(URL).content.decode()
    for action in shortcuts.DEFAULTS.keys() - shortcuts.FIXED:
        assert f'name="{action}"' in content, action
        assert action_name(action) in content, action
    assert len({action_name(action) for action in shortcuts.DEFAULTS}) == len(shortcuts.DEFAULTS)


def test_saving_defaults_stores_no_changes(agent_client: Client, ana: User) -> None:
    assert agent_client.post(URL, shown(agent_client)).status_code == 302
    assert Preferences.objects.get(user=ana).changed_keys == {}
    assert Preferences.for_user(ana).active == shortcuts.DEFAULTS


def test_changed_shortcut_is_stored_in_lower_case_and_shown(agent_client: Client, ana: User) -> None:
    response = agent_client.post(URL, shown(agent_client) | {"skip": "K", "undo": "é"}, follow=True)
    assert "Shortcuts saved." in response.content.decode()
    assert Preferences.objects.get(user=ana).changed_keys == {"skip": "k", "undo": "é"}
    assert shown(agent_client)["skip"] == "k"
    assert Preferences.for_user(ana).active["skip"] == "k"


def test_two_shortcuts_can_be_swapped_at_once(agent_client: Client, ana: User) -> None:
    agent_client.post(URL, shown(agent_client) | {"skip": "x", "escalate": "s"})
    assert Preferences.objects.get(user=ana).changed_keys == {"skip": "x", "escalate": "s"}


def test_shortcut_used_twice_is_rejected_at_both_fields(agent_client: Client) -> None:
    messages = errors(agent_client, skip="X")
    assert messages == {
        "skip": ["“x” is already used for “Escalate”."],
        "escalate": ["“x” is already used for “Skip”."],
    }
    assert not Preferences.objects.exists()


def test_rejected_shortcut_stays_in_the_form(agent_client: Client) -> None:
    content = agent_client.post(URL, shown(agent_client) | {"skip": "x", "note": "k"}).content.decode()
    assert 'name="note" value="k"' in content
    assert 'aria-describedby="id_skip_error"' in content
    assert 'id="id_skip_error"' in content


@pytest.mark.parametrize("typed", [" ", "ab", "\t", "\u200b"])
def test_shortcut_of_several_characters_is_rejected(agent_client: Client, typed: str) -> None:
    assert set(errors(agent_client, skip=typed)) == {"skip"}


def test_empty_field_restores_the_default_shortcut(agent_client: Client, ana: User) -> None:
    agent_client.post(URL, shown(agent_client) | {"skip": "k"})
    agent_client.post(URL, shown(agent_client) | {"skip": ""})
    assert Preferences.objects.get(user=ana).changed_keys == {}


def test_default_shortcut_in_use_elsewhere_cannot_be_restored(agent_client: Client) -> None:
    agent_client.post(URL, shown(agent_client) | {"skip": "k", "undo": "s"})
    assert set(errors(agent_client, skip="")) == {"skip", "undo"}


def test_shortcuts_can_be_turned_off_and_on(agent_client: Client, ana: User) -> None:
    form = shown(agent_client) | {"skip": "k"}
    del form["keys_on"]
    agent_client.post(URL, form)
    assert Preferences.for_user(ana).active == {}
    assert "keys_on" not in shown(agent_client)
    agent_client.post(URL, shown(agent_client) | {"keys_on": "on"})
    assert Preferences.for_user(ana).active["skip"] == "k"


def test_all_shortcuts_can_be_reset(agent_client: Client, ana: User) -> None:
    agent_client.post(URL, {"skip": "k"})
    response = agent_client.post(URL, shown(agent_client) | {"skip": "not read", "reset": "yes"}, follow=True)
    assert "reset to their defaults" in response.content.decode()
    assert Preferences.for_user(ana).active == shortcuts.DEFAULTS


def test_shortcuts_of_other_people_stay_unchanged(agent_client: Client, ana: User, ben: User) -> None:
    agent_client.post(URL, shown(agent_client) | {"skip": "k"})
    assert Preferences.for_user(ben).active == shortcuts.DEFAULTS
    agent_client.force_login(ben)
    agent_client.post(URL, {"reset": "yes"})
    assert Preferences.for_user(ana).active["skip"] == "k"


def test_unknown_fields_are_ignored(agent_client: Client, ana: User) -> None:
    agent_client.post(URL, shown(agent_client) | {"submit": "k", "made_up": "y"})
    assert Preferences.objects.get(user=ana).changed_keys == {}


def test_language_is_stored_for_this_browser(agent_client: Client) -> None:
    content = agent_client.get(URL).content.decode()
    assert '<option value="en" selected lang="en">English</option>' in content
    assert '<option value="de" lang="de">Deutsch</option>' in content
    response = agent_client.post(reverse("set_language"), {"language": "de", "next": URL})
    assert response["Location"] == URL
    assert '<html lang="de"' in agent_client.get(URL).content.decode()
    assert '<html lang="en"' in Client().get(reverse("login")).content.decode()
