"""The admin, through its pages."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst

from classifier.contract.types import Dialect, JsonMode
from classifier.models import Category, Failure, Gate, LanguageModel, Provider, Sentiment, Spend, Ticket
from classifier.taxonomy import label_changes
from classifier.text import LONGEST_TICKET
from classifier.web.pagination import BoundedPaginator
from tests.factories import make_prediction, make_ticket, make_user, make_verdict
from tests.servers import OpenAIServer, error

pytestmark = pytest.mark.usefixtures("catalogue")

RECORDS = ["prediction", "failure", "verdict", "contractversion", "epoch"]
KEPT = ["category", "sentiment", "provider", "languagemodel", "gate"]
DECIDES = {"mode": "confidence", "about": "both", "score_threshold": 0.95}
"""What the form of the gate sends besides the models."""
PAGES = ["category", "sentiment", "provider", "languagemodel", "ticket", *RECORDS]


@pytest.fixture
def admin_client(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def act(admin_client: Client, model: str, action: str, *objects: Any, **values: Any) -> str:
    """Run an admin action on rows of a list; returns the text of the next page."""
    data = {"action": action, "_selected_action": [row.pk for row in objects]} | values
    response = admin_client.post(reverse(f"admin:classifier_{model}_changelist"), data, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def page(admin_client: Client, model: str, name: str = "changelist", *args: object) -> str:
    response = admin_client.get(reverse(f"admin:classifier_{model}_{name}", args=args))
    assert response.status_code == 200
    return response.content.decode()


def make_rows(numbers: range) -> None:
    """Add a row with its own related rows to every table."""
    for number in numbers:
        category = Category.objects.create(name=f"Category {number}", parent=Category.objects.first())
        sentiment = Sentiment.objects.create(name=f"Sentiment {number}")
        provider = Provider.objects.create(name=f"Provider {number}", base_url="http://127.0.0.1:9/v1")
        language_model = LanguageModel.objects.create(provider=provider, name=f"model {number}", family="f")
        prediction = make_prediction(
            make_ticket(), category=category, sentiment=sentiment, language_model=language_model
        )
        make_verdict(prediction)
        asked = {"ticket": prediction.ticket, "language_model": language_model, "contract": prediction.contract}
        Failure.objects.create(**asked, kind="timeout", detail="No answer.")


@pytest.mark.parametrize("model", PAGES)
def test_a_list_costs_the_same_at_3_and_at_30_rows(admin_client: Client, model: str) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            page(admin_client, model)
        return len(queries)

    make_rows(range(3))
    page(admin_client, model)
    few = cost()
    make_rows(range(3, 30))
    assert cost() == few


def test_the_page_of_a_ticket_costs_the_same_with_many_predictions(admin_client: Client) -> None:
    make_rows(range(8))
    short, long = make_prediction(make_ticket()).ticket, make_ticket()
    for language_model in LanguageModel.objects.all():
        make_prediction(long, language_model=language_model)

    def cost(ticket: Ticket) -> int:
        with CaptureQueriesContext(connection) as queries:
            page(admin_client, "ticket", "change", ticket.pk)
        return len(queries)

    cost(short)
    assert cost(short) == cost(long)


def test_counting_a_list_stops_at_a_limit(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedPaginator, "MOST", 20)
    Ticket.objects.bulk_create([Ticket(text="hello") for _number in range(25)])
    assert "20 tickets" in page(admin_client, "ticket")


@pytest.mark.parametrize("model", RECORDS)
def test_records_are_read_only(admin_client: Client, model: str) -> None:
    make_rows(range(1))
    row = {name: LanguageModel._meta.apps.get_model("classifier", name) for name in RECORDS}[model].objects.first()
    page(admin_client, model, "change", row.pk)
    for name, args in [("add", []), ("change", [row.pk]), ("delete", [row.pk])]:
        assert (
            admin_client.post(reverse(f"admin:classifier_{model}_{name}", args=args), {"post": "yes"}).status_code
            == 403
        )


@pytest.mark.parametrize("model", KEPT)
def test_the_history_is_shown_and_reverts_nothing(admin_client: Client, model: str) -> None:
    row = LanguageModel._meta.apps.get_model("classifier", model).objects.first()
    version = row.history.earliest().pk
    page(admin_client, model, "history", row.pk)
    assert 'value="Revert"' not in page(admin_client, model, "simple_history", row.pk, version)
    assert (
        admin_client.post(reverse(f"admin:classifier_{model}_simple_history", args=[row.pk, version])).status_code
        == 403
    )


def test_a_stranger_sees_nothing(client: Client, tom: User) -> None:
    client.force_login(tom)
    assert client.get(reverse("admin:classifier_gate_change", args=[1])).status_code == 302


def test_view_permission_allows_no_action(client: Client) -> None:
    looker = make_user("lou")
    User.objects.filter(pk=looker.pk).update(is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename__in=["view_category", "view_languagemodel"]))
    client.force_login(looker)
    billing, language_model = Category.objects.get(name="Billing"), LanguageModel.objects.zero_shot()
    page(client, "category", "change", billing.pk)
    page(client, "languagemodel", "change", language_model.pk)
    for model, action, row in [("category", "retire", billing), ("languagemodel", "ping", language_model)]:
        assert f'value="{action}"' not in act(client, model, action, row)
    assert Category.objects.active().filter(name="Billing").exists()


def test_merging_asks_for_the_target_and_says_what_moves(admin_client: Client) -> None:
    billing, general = Category.objects.get(name="Billing"), Category.objects.get(name="General")
    make_prediction(make_ticket(), category=billing)
    asked = act(admin_client, "category", "merge", billing)
    assert "1 prediction<" in asked
    assert " style=" not in asked
    assert "<script>" not in asked
    assert "Billing is merged into General" in act(admin_client, "category", "merge", billing, into=general.pk)
    billing.refresh_from_db()
    assert billing.merged_into == general


def test_merging_offers_full_names_since_two_may_share_the_last_part(admin_client: Client) -> None:
    for name in ("Technical", "Account"):
        Category.objects.create(name="Other", parent=Category.objects.get(name=name))
    asked = act(admin_client, "category", "merge", Category.objects.get(name="Billing"))
    assert "Technical &gt; Other" in asked
    assert "Account &gt; Other" in asked


def test_several_labels_are_merged_at_once_and_refusals_say_why(admin_client: Client) -> None:
    billing, technical = Category.objects.get(name="Billing"), Category.objects.get(name="Technical")
    child = Category.objects.create(name="Refunds", parent=billing)
    done = act(admin_client, "category", "merge", billing, technical, into=child.pk)
    assert "Technical is merged into Billing &gt; Refunds" in done
    assert "Refunds is inside Billing" in done
    assert Category.objects.active().filter(name="Billing").exists()


def test_sentiments_merge_on_the_same_page(admin_client: Client) -> None:
    neutral, negative = Sentiment.objects.get(name="Neutral"), Sentiment.objects.get(name="Negative")
    assert "Neutral is merged into Negative" in act(admin_client, "sentiment", "merge", neutral, into=negative.pk)


def test_a_label_is_retired_and_restored_by_actions_alone(admin_client: Client) -> None:
    billing = Category.objects.get(name="Billing")
    assert "Billing is retired" in act(admin_client, "category", "retire", billing)
    assert "Billing is active again" in act(admin_client, "category", "restore", billing)
    values = {"name": "Billing", "description": "", "examples": "", "position": 1, "parent": "", "retired": "on"}
    admin_client.post(reverse("admin:classifier_category_change", args=[billing.pk]), values)
    assert Category.objects.active().filter(name="Billing").exists()


def test_a_merged_label_is_not_brought_back_through_its_history(admin_client: Client) -> None:
    billing = Category.objects.get(name="Billing")
    version = billing.history.earliest().pk
    label_changes.merge(billing, Category.objects.get(name="General"))
    values = {"name": "Billing", "description": "", "examples": "", "position": 1, "parent": ""}
    admin_client.post(reverse("admin:classifier_category_simple_history", args=[billing.pk, version]), values)
    assert not Category.objects.active().filter(name="Billing").exists()


def test_a_category_is_not_put_below_a_retired_one(admin_client: Client) -> None:
    parent = Category.objects.create(name="Old")
    label_changes.retire(parent)
    values = {"name": "Billing", "description": "", "examples": "", "position": 9, "parent": parent.pk}
    response = admin_client.post(reverse("admin:classifier_category_add"), values)
    assert "Old is retired; restore it first" in response.content.decode()
    assert Category.objects.filter(name="Billing").count() == 1


def test_the_list_is_a_tree_however_long(admin_client: Client) -> None:
    parents = [Category.objects.create(name=f"P{number}", position=9) for number in range(110)]
    Category.objects.bulk_create(Category(name="C", parent=parent, position=500) for parent in parents)
    content = page(admin_client, "category")
    places = [content.index(f">{name}<") for name in ("P0", "P0 &gt; C", "P109", "P109 &gt; C", "P99 &gt; C")]
    assert places == sorted(places)


def test_a_refusal_is_a_sentence(admin_client: Client) -> None:
    everything = Category.objects.all()
    assert "is the last active label" in act(admin_client, "category", "retire", *everything)
    assert Category.objects.active().count() == 1


def test_a_label_in_use_has_no_delete_page(admin_client: Client) -> None:
    used, unused = Category.objects.all()[:2]
    make_prediction(make_ticket(), category=used)
    assert admin_client.get(reverse("admin:classifier_category_delete", args=[used.pk])).status_code == 403
    assert admin_client.get(reverse("admin:classifier_category_delete", args=[unused.pk])).status_code == 200
    assert "1 prediction. Retire or merge it;" in page(admin_client, "category", "change", used.pk)


def test_a_selection_of_labels_is_not_deleted(admin_client: Client) -> None:
    assert 'value="delete_selected"' not in page(admin_client, "category")
    act(admin_client, "category", "delete_selected", *Category.objects.all(), post="yes")
    assert Category.objects.count() == 4


def test_changes_of_the_taxonomy_are_in_the_history(admin_client: Client, admin: User) -> None:
    billing = Category.objects.get(name="Billing")
    values = {"name": "Payments", "description": "Money.", "examples": "", "position": 1, "parent": ""}
    response = admin_client.post(reverse("admin:classifier_category_change", args=[billing.pk]), values, follow=True)
    assert "a new prompt version" in response.content.decode()
    record = billing.history.latest()
    assert (record.name, record.history_user) == ("Payments", admin)
    assert admin_client.get(reverse("admin:classifier_category_history", args=[billing.pk])).status_code == 200


def test_a_name_twice_under_one_parent_is_a_field_error(admin_client: Client) -> None:
    values = {"name": "Billing", "description": "", "examples": "", "position": 9, "parent": ""}
    response = admin_client.post(reverse("admin:classifier_category_add"), values)
    assert "A category with this name already exists here" in response.content.decode()


def test_the_key_of_a_provider_is_named_and_never_shown(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    page = reverse("admin:classifier_provider_changelist")
    assert "missing OXLO_API_KEY" in admin_client.get(page).content.decode()
    monkeypatch.setenv("OXLO_API_KEY", "sk-very-secret")
    content = admin_client.get(page).content.decode()
    assert "missing OXLO_API_KEY" not in content
    assert "sk-very-secret" not in content


def test_the_page_of_a_provider_says_what_it_cost_today(admin_client: Client) -> None:
    provider = Provider.objects.get(name="OpenAI")
    Spend.objects.create(provider=provider, day=timezone.now().date(), cost="1.25")
    Spend.objects.create(provider=provider, day="2020-01-01", cost="7")
    content = page(admin_client, "provider", "change", provider.pk)
    assert "1.2500" in content
    assert "missing OPENAI_API_KEY" in content
    assert "1.2500" in page(admin_client, "provider")


def test_an_endpoint_without_url_is_refused(admin_client: Client) -> None:
    provider = Provider.objects.get(name="OpenAI")
    values = {"name": "OpenAI", "base_url": "", "api_key_env": "OPENAI_API_KEY"}
    response = admin_client.post(reverse("admin:classifier_provider_change", args=[provider.pk]), values)
    assert "An endpoint needs a base URL" in response.content.decode()


def test_the_fallback_model_can_be_neither_deleted_nor_moved(admin_client: Client) -> None:
    language_model = LanguageModel.objects.zero_shot()
    Gate.objects.update(second_opinion=None)
    assert (
        admin_client.post(
            reverse("admin:classifier_languagemodel_delete", args=[language_model.pk]), {"post": "yes"}
        ).status_code
        == 403
    )
    data = {"action": "delete_selected", "_selected_action": [language_model.pk], "post": "yes"}
    assert admin_client.post(reverse("admin:classifier_languagemodel_changelist"), data).status_code == 403
    values = {"name": "moved", "kind": "chat", "base_url": "http://127.0.0.1:9/v1", "api_key_env": ""}
    admin_client.post(reverse("admin:classifier_provider_change", args=[language_model.provider_id]), values)
    admin_client.post(
        reverse("admin:classifier_languagemodel_change", args=[language_model.pk]),
        language_model_values(language_model, provider=1),
    )
    assert LanguageModel.objects.zero_shot() == language_model
    assert Provider.objects.get(pk=language_model.provider_id).name == "moved"


def language_model_values(language_model: LanguageModel, **values: object) -> dict[str, object]:
    """The values that a model's form sends."""
    names = ["name", "family", "temperature", "max_tokens", "timeout", "max_in_flight", "json_mode", "examples"]
    names += ["price_per_request", "price_input", "price_output"]
    sent = {name: getattr(language_model, name) for name in names} | {
        "provider": language_model.provider_id,
        "extra": json.dumps(language_model.extra),
    }
    return {name: "" if value is None else value for name, value in (sent | values).items()}


def test_changing_the_model_detects_its_json_mode_again(admin_client: Client) -> None:
    language_model = LanguageModel.objects.get(name="qwen-3-32b")
    language_model.remember(Dialect(json_mode=JsonMode.OBJECT))
    where = reverse("admin:classifier_languagemodel_change", args=[language_model.pk])
    admin_client.post(where, language_model_values(language_model, timeout=12.5))
    language_model.refresh_from_db()
    assert (language_model.timeout, language_model.json_mode) == (12.5, "json_object")
    admin_client.post(where, language_model_values(language_model, name="qwen-4"))
    language_model.refresh_from_db()
    assert (language_model.name, language_model.json_mode) == ("qwen-4", "unknown")


def test_a_key_in_place_of_a_variable_name_is_refused(admin_client: Client) -> None:
    provider = Provider.objects.get(name="OpenAI")
    values = {"name": "OpenAI", "kind": "chat", "base_url": provider.base_url, "api_key_env": "sk-abc123"}
    response = admin_client.post(reverse("admin:classifier_provider_change", args=[provider.pk]), values)
    assert "not the secret itself" in response.content.decode()


def test_changing_the_base_url_detects_the_json_mode_again(admin_client: Client) -> None:
    provider = Provider.objects.get(name="Local server")
    provider.language_models.update(json_mode="json_object")
    values = {"name": provider.name, "kind": "chat", "base_url": "http://127.0.0.1:9999/v1", "api_key_env": ""}
    admin_client.post(reverse("admin:classifier_provider_change", args=[provider.pk]), values)
    assert provider.language_models.get().json_mode == "unknown"


def test_the_second_opinion_comes_from_another_family(admin_client: Client) -> None:
    primary = LanguageModel.objects.get(name="llama-3.3-70b")
    values = DECIDES | {"primary": primary.pk, "second_opinion": primary.pk, "threshold": 0.9, "front_threshold": 0.97}
    response = admin_client.post(reverse("admin:classifier_gate_change", args=[1]), values)
    assert "another model family" in response.content.decode()
    values["second_opinion"] = LanguageModel.objects.get(name="qwen-3-32b").pk
    admin_client.post(reverse("admin:classifier_gate_change", args=[1]), values)
    assert Gate.current().threshold == 0.9


def test_choosing_a_front_model_is_recorded_in_the_history(admin_client: Client, admin: User) -> None:
    embedded, primary = LanguageModel.objects.zero_shot(), LanguageModel.objects.get(name="llama-3.3-70b")
    where = reverse("admin:classifier_gate_change", args=[1])
    values = DECIDES | {"primary": primary.pk, "second_opinion": "", "threshold": 0.85, "front": primary.pk}
    refused = admin_client.post(where, values | {"front_threshold": 0.9}).content.decode()
    assert "must differ from the primary" in refused
    admin_client.post(where, values | {"front": embedded.pk, "front_threshold": 0.9})
    gate = Gate.current()
    assert (gate.front, gate.front_threshold) == (embedded, 0.9)
    record = gate.history.latest()
    assert (record.front, record.front_threshold, record.history_user) == (embedded, 0.9, admin)


@pytest.mark.parametrize("threshold", ["1.01", "-0.1", "high", ""])
def test_a_front_threshold_outside_0_1_is_refused(admin_client: Client, threshold: str) -> None:
    values = DECIDES | {"primary": LanguageModel.objects.zero_shot().pk, "second_opinion": "", "threshold": 0.85}
    admin_client.post(reverse("admin:classifier_gate_change", args=[1]), values | {"front_threshold": threshold})
    assert Gate.current().front_threshold == 0.95


def test_the_gate_says_why_the_front_model_is_not_asked(admin_client: Client) -> None:
    Gate.objects.update(front=LanguageModel.objects.get(name="specialist"))
    assert "none: it has not learned anything yet" in page(admin_client, "gate", "change", 1)
    Gate.objects.update(front=LanguageModel.objects.get(name="qwen-3-32b"))
    assert "none: OXLO_API_KEY is missing" in page(admin_client, "gate", "change", 1)


def test_endpoints_offer_examples_and_embedded_models_offer_learning(admin_client: Client) -> None:
    endpoint = page(admin_client, "languagemodel", "change", LanguageModel.objects.get(name="qwen-3-32b").pk)
    embedded = page(admin_client, "languagemodel", "change", LanguageModel.objects.zero_shot().pk)
    assert ('name="examples"' in endpoint, 'name="learning"' in endpoint) == (True, False)
    assert ('name="examples"' in embedded, 'name="learning"' in embedded) == (False, True)


@pytest.mark.parametrize(
    ("provider", "values", "refusal"),
    [
        ("Oxlo", {"learning": "specialist", "examples": 0}, "Only embedded models learn"),
        ("Embedded", {"learning": "", "examples": 3}, "Only chat endpoints are shown labelled examples"),
        ("Oxlo", {"learning": "", "examples": 21}, "less than or equal to 20"),
    ],
)
def test_a_new_model_with_settings_of_both_kinds_is_refused(
    admin_client: Client, provider: str, values: dict[str, object], refusal: str
) -> None:
    sent = language_model_values(LanguageModel.objects.get(name="qwen-3-32b"), name="new", **values)
    sent["provider"] = Provider.objects.get(name__startswith=provider).pk
    content = admin_client.post(reverse("admin:classifier_languagemodel_add"), sent).content.decode()
    assert refusal in content
    assert not LanguageModel.objects.filter(name="new").exists()


def test_the_gate_is_one_row_that_names_the_active_models(admin_client: Client) -> None:
    response = admin_client.get(reverse("admin:classifier_gate_changelist"), follow=True)
    content = response.content.decode()
    assert response.redirect_chain == [(reverse("admin:classifier_gate_change", args=[1]), 302)]
    assert "No key in OXLO_API_KEY: the embedded model answers in place of llama-3.3-70b" in content
    assert "none: no key in OXLO_API_KEY for kimi-k2.6" in content
    assert admin_client.get(reverse("admin:classifier_gate_add")).status_code == 403
    assert admin_client.post(reverse("admin:classifier_gate_delete", args=[1]), {"post": "yes"}).status_code == 403


def test_the_gate_names_both_models_once_their_keys_are_set(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OXLO_API_KEY", "sk-very-secret")
    content = page(admin_client, "gate", "change", 1)
    assert '<div class="readonly">llama-3.3-70b</div>' in content
    assert '<div class="readonly">kimi-k2.6</div>' in content


def test_an_embedded_gate_lacks_nothing(admin_client: Client, embedded_gate: Gate) -> None:
    content = page(admin_client, "gate", "change", 1)
    assert f'<div class="readonly">{embedded_gate.primary}</div>' in content
    assert '<div class="readonly">none chosen</div>' in content
    assert "No key in" not in content


@pytest.mark.parametrize("threshold", ["1.01", "-0.1", "high"])
def test_a_threshold_outside_0_1_is_refused(admin_client: Client, threshold: str) -> None:
    values = DECIDES | {"primary": LanguageModel.objects.zero_shot().pk, "second_opinion": "", "front_threshold": 0.95}
    admin_client.post(reverse("admin:classifier_gate_change", args=[1]), values | {"threshold": threshold})
    assert Gate.current().threshold == 0.85


def test_pinging_shows_the_latency_or_the_exact_error(
    admin_client: Client, primary: Callable[..., LanguageModel]
) -> None:
    with OpenAIServer() as server:
        language_model = primary(server)
        assert "First: ok" in act(admin_client, "languagemodel", "ping", language_model)
    with OpenAIServer([error(401, "bad key")]) as server:
        Provider.objects.filter(pk=language_model.provider_id).update(base_url=server.base_url)
        assert "unauthorized: 401" in act(admin_client, "languagemodel", "ping", language_model)


def test_pinging_without_a_key_names_the_variable(admin_client: Client) -> None:
    assert (
        "OXLO_API_KEY"
        in act(admin_client, "languagemodel", "ping", LanguageModel.objects.get(name="kimi-k2.6")).split("no_key")[1]
    )


def test_the_embedded_model_can_be_pinged(admin_client: Client) -> None:
    language_model = LanguageModel.objects.zero_shot()
    assert f"{capfirst(language_model.name)}: ok, " in act(admin_client, "languagemodel", "ping", language_model)


def add_ticket(admin_client: Client, text: str, **values: str) -> Any:
    sent = {"text": text, "source": "app", "received_at_0": "2026-01-01", "received_at_1": "10:00:00"} | values
    return admin_client.post(reverse("admin:classifier_ticket_add"), sent)


@pytest.mark.parametrize(
    "text", ["", "   \n ", "x" * (LONGEST_TICKET + 1), "nul \0 byte"], ids=["empty", "blank", "too long", "nul"]
)
def test_an_invalid_ticket_text_is_a_field_error(admin_client: Client, text: str) -> None:
    response = add_ticket(admin_client, text)
    assert list(response.context["adminform"].errors) == ["text"]
    assert not Ticket.objects.exists()


def test_an_added_ticket_is_new_whatever_the_form_says(admin_client: Client) -> None:
    add_ticket(admin_client, "first line\r\nsecond", external_id="X-1", customer="kim", state="settled")
    add_ticket(admin_client, "no external id")
    add_ticket(admin_client, "again no external id")
    first, *others = Ticket.objects.order_by("pk")
    assert (first.text, first.external_id, first.state) == ("first line\nsecond", "X-1", "new")
    assert [ticket.external_id for ticket in others] == [None, None]


def test_a_second_ticket_of_one_external_id_is_refused(admin_client: Client) -> None:
    add_ticket(admin_client, "first", external_id="X-1")
    assert add_ticket(admin_client, "second", external_id="X-1").status_code == 200
    assert Ticket.objects.get().text == "first"


def test_the_page_of_a_ticket_lists_its_predictions_and_verdicts(admin_client: Client) -> None:
    prediction = make_prediction(make_ticket(state=Ticket.State.AUTO_ACCEPTED), reasoning="It speaks of money.")
    make_verdict(prediction)
    asked = {"ticket": prediction.ticket, "language_model": prediction.language_model, "contract": prediction.contract}
    Failure.objects.create(**asked, kind="timeout", detail="No answer in time.")
    content = page(admin_client, "ticket", "change", prediction.ticket_id)
    for part in ("It speaks of money.", "No answer in time.", "confident enough"):
        assert part in content
    listed = page(admin_client, "ticket")
    assert f"{prediction.category} | {prediction.sentiment}" in listed
    assert "confident enough" in listed


def test_a_stored_text_cannot_be_edited(admin_client: Client) -> None:
    ticket = make_ticket("as it came")
    values = {"text": "changed", "received_at_0": "2026-01-01", "received_at_1": "10:00:00", "channel": "chat"}
    empty = {
        f"{name}-{key}": 0
        for name in ("predictions", "failures", "verdicts")
        for key in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    admin_client.post(reverse("admin:classifier_ticket_change", args=[ticket.pk]), values | empty)
    ticket.refresh_from_db()
    assert (ticket.text, ticket.channel) == ("as it came", "chat")


def test_tickets_are_classified_again(admin_client: Client) -> None:
    ticket = make_ticket()
    Ticket.objects.update(state="needs_review")
    assert "1 ticket will be classified again" in act(admin_client, "ticket", "classify_again", ticket)
    ticket.refresh_from_db()
    assert ticket.state == "new"


def test_a_ticket_is_found_by_its_text_external_id_or_customer(admin_client: Client) -> None:
    make_ticket("the printer smokes", external_id="X-1", customer="kim@example.org")
    make_ticket("all is well")
    for query in ("smokes", "X-1", "kim@example.org"):
        content = admin_client.get(reverse("admin:classifier_ticket_changelist"), {"q": query}).content.decode()
        assert "the printer smokes" in content
        assert "all is well" not in content


def test_the_gates_mode_is_chosen_with_what_it_needs(admin_client: Client) -> None:
    values = DECIDES | {"primary": LanguageModel.objects.zero_shot().pk, "threshold": 0.85, "front_threshold": 0.95}
    values |= {"mode": "score", "about": "category", "score_threshold": 0.9}
    admin_client.post(reverse("admin:classifier_gate_change", args=[1]), values)
    gate = Gate.current()
    assert (gate.mode, gate.about, gate.score_threshold) == ("score", "category", 0.9)
