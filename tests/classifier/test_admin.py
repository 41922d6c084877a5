"""The admin, through its pages."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier.models import Category, Gate, ModelSpec, Provider, Ticket
from tests.factories import make_prediction, make_ticket
from tests.servers import OpenAIServer, error

pytestmark = pytest.mark.usefixtures("catalogue")

PAGES = ["category", "sentiment", "provider", "modelspec", "ticket", "prediction", "failure", "verdict", "epoch"]


@pytest.fixture
def site(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def act(site: Client, model: str, action: str, *objects: Any, **values: Any) -> str:
    """Run an admin action on rows of a list; the text of the page that follows."""
    data = {"action": action, "_selected_action": [row.pk for row in objects]} | values
    response = site.post(reverse(f"admin:classifier_{model}_changelist"), data, follow=True)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("model", [*PAGES, "contractversion"])
def test_every_list_opens(site: Client, model: str) -> None:
    make_prediction(make_ticket())
    assert site.get(reverse(f"admin:classifier_{model}_changelist")).status_code == 200


@pytest.mark.parametrize("model", PAGES)
def test_a_list_costs_the_same_whatever_its_length(
    site: Client, model: str, django_assert_max_num_queries: Any
) -> None:
    for _number in range(30):
        make_prediction(make_ticket())
    with django_assert_max_num_queries(14):
        site.get(reverse(f"admin:classifier_{model}_changelist"))


def test_a_stranger_sees_nothing(client: Client, tom: User) -> None:
    client.force_login(tom)
    assert client.get(reverse("admin:classifier_gate_change", args=[1])).status_code == 302


def test_merging_asks_where_to_and_says_what_moves(site: Client) -> None:
    billing, general = Category.objects.get(name="Billing"), Category.objects.get(name="General")
    make_prediction(make_ticket(), category=billing)
    asked = act(site, "category", "merge", billing)
    assert "1 predictions" in asked
    assert "Billing is merged into General" in act(site, "category", "merge", billing, into=general.pk)
    billing.refresh_from_db()
    assert billing.merged_into == general


def test_a_refusal_is_a_sentence(site: Client) -> None:
    everything = Category.objects.all()
    assert "is the last one" in act(site, "category", "retire", *everything)
    assert Category.objects.active().count() == 1


def test_a_label_in_use_has_no_delete_page(site: Client) -> None:
    used, unused = Category.objects.all()[:2]
    make_prediction(make_ticket(), category=used)
    assert site.get(reverse("admin:classifier_category_delete", args=[used.pk])).status_code == 403
    assert site.get(reverse("admin:classifier_category_delete", args=[unused.pk])).status_code == 200


def test_changes_of_the_taxonomy_are_in_the_history(site: Client, admin: User) -> None:
    billing = Category.objects.get(name="Billing")
    values = {"name": "Payments", "description": "Money.", "examples": "", "position": 1, "parent": ""}
    response = site.post(reverse("admin:classifier_category_change", args=[billing.pk]), values, follow=True)
    assert "under a new contract" in response.content.decode()
    record = billing.history.latest()
    assert (record.name, record.history_user) == ("Payments", admin)
    assert site.get(reverse("admin:classifier_category_history", args=[billing.pk])).status_code == 200


def test_a_name_twice_under_one_parent_is_a_field_error(site: Client) -> None:
    values = {"name": "Billing", "description": "", "examples": "", "position": 9, "parent": ""}
    response = site.post(reverse("admin:classifier_category_add"), values)
    assert "There is a category of this name here already" in response.content.decode()


def test_the_key_of_a_provider_is_named_and_never_shown(site: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    page = reverse("admin:classifier_provider_changelist")
    assert "missing OXLO_API_KEY" in site.get(page).content.decode()
    monkeypatch.setenv("OXLO_API_KEY", "sk-very-secret")
    content = site.get(page).content.decode()
    assert "missing OXLO_API_KEY" not in content
    assert "sk-very-secret" not in content


def test_a_key_typed_in_place_of_its_variable_is_refused(site: Client) -> None:
    provider = Provider.objects.get(name="OpenAI")
    values = {"name": "OpenAI", "kind": "chat", "base_url": provider.base_url, "api_key_env": "sk-abc123"}
    response = site.post(reverse("admin:classifier_provider_change", args=[provider.pk]), values)
    assert "not the key itself" in response.content.decode()


def test_another_base_url_has_the_json_mode_found_out_again(site: Client) -> None:
    provider = Provider.objects.get(name="Local server")
    provider.specs.update(json_mode="json_object")
    values = {"name": provider.name, "kind": "chat", "base_url": "http://127.0.0.1:9999/v1", "api_key_env": ""}
    site.post(reverse("admin:classifier_provider_change", args=[provider.pk]), values)
    assert provider.specs.get().json_mode == "unknown"


def test_the_second_opinion_comes_from_another_family(site: Client) -> None:
    primary = ModelSpec.objects.get(name="llama-3.3-70b")
    values = {"primary": primary.pk, "second_opinion": primary.pk, "threshold": 0.9}
    response = site.post(reverse("admin:classifier_gate_change", args=[1]), values)
    assert "another family" in response.content.decode()
    values["second_opinion"] = ModelSpec.objects.get(name="qwen-3-32b").pk
    site.post(reverse("admin:classifier_gate_change", args=[1]), values)
    assert Gate.current().threshold == 0.9


@pytest.mark.parametrize("threshold", ["1.01", "-0.1", "high"])
def test_a_threshold_outside_0_1_is_refused(site: Client, threshold: str) -> None:
    values = {"primary": ModelSpec.objects.embedded().pk, "second_opinion": "", "threshold": threshold}
    site.post(reverse("admin:classifier_gate_change", args=[1]), values)
    assert Gate.current().threshold == 0.85


def test_pinging_shows_the_latency_or_the_exact_error(site: Client, primary: Callable[..., ModelSpec]) -> None:
    with OpenAIServer() as server:
        spec = primary(server)
        assert "First: ok" in act(site, "modelspec", "ping", spec)
    with OpenAIServer([error(401, "bad key")]) as server:
        Provider.objects.filter(pk=spec.provider_id).update(base_url=server.base_url)
        assert "wrong_key: 401" in act(site, "modelspec", "ping", spec)


@pytest.mark.parametrize("text", ["", "   \n "])
def test_a_ticket_without_text_is_refused(site: Client, text: str) -> None:
    values = {"text": text, "source": "app", "received_at_0": "2026-01-01", "received_at_1": "10:00:00"}
    response = site.post(reverse("admin:classifier_ticket_add"), values)
    assert response.status_code == 200
    assert not Ticket.objects.exists()


def test_a_stored_text_cannot_be_edited(site: Client) -> None:
    ticket = make_ticket("as it came")
    values = {"text": "changed", "received_at_0": "2026-01-01", "received_at_1": "10:00:00", "channel": "chat"}
    empty = {
        f"{name}-{key}": 0
        for name in ("predictions", "failures", "verdicts")
        for key in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    site.post(reverse("admin:classifier_ticket_change", args=[ticket.pk]), values | empty)
    ticket.refresh_from_db()
    assert (ticket.text, ticket.channel) == ("as it came", "chat")


def test_tickets_are_classified_again(site: Client) -> None:
    ticket = make_ticket()
    Ticket.objects.update(state="held")
    assert "1 tickets will be classified again" in act(site, "ticket", "classify_again", ticket)
    ticket.refresh_from_db()
    assert ticket.state == "new"


def test_a_ticket_found_by_its_text_external_id_or_customer(site: Client) -> None:
    make_ticket("the printer smokes", external_id="X-1", customer="kim@example.org")
    make_ticket("all is well")
    for query in ("smokes", "X-1", "kim@example.org"):
        content = site.get(reverse("admin:classifier_ticket_changelist"), {"q": query}).content.decode()
        assert "the printer smokes" in content
        assert "all is well" not in content
