"""Attributes from the admin's form to the ticket's page and the API, through every kind of model."""

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse

from classifier.inference.ask_models import ask
from classifier.models import (
    Attribute,
    AttributeOption,
    Category,
    ContractVersion,
    Gate,
    LanguageModel,
    Prediction,
    Provider,
    Ticket,
)
from classifier.pipeline import runner
from classifier.privacy import erasure
from classifier.taxonomy import attribute_changes, label_changes
from classifier.tickets.attribute_values import AttributeReader
from tests.api.caller import Caller
from tests.conftest import UseServer
from tests.factories import make_attribute, make_ticket
from tests.servers import OpenAIServer, answer, decision

pytestmark = pytest.mark.usefixtures("catalogue")

TEXT = "Order A-12345 never came, I want my money back."
VALUES = {"priority": "High", "refund": True, "products": ["Desk", "Lamp"], "order": "A-12345"}


@pytest.fixture
def attributes(catalogue: None) -> dict[str, Attribute]:
    return {
        "priority": make_attribute("priority", "one_of", "Low", "High"),
        "refund": make_attribute(
            "refund", "yes_no", examples="I want my money back.", counterexamples="How do I sign in?"
        ),
        "products": make_attribute("products", "several_of", "Lamp", "Desk", "Sofa"),
        "order": make_attribute("order", "text", pattern="A-[0-9]{5}"),
    }


def option(name: str) -> AttributeOption:
    return AttributeOption.objects.get(name=name)


def classified(primary: UseServer, values: Any, **model_values: Any) -> Prediction:
    """The prediction of a model that answers these values for attributes."""
    ticket = make_ticket(TEXT)
    with OpenAIServer([answer(category="Billing", attributes=values)]) as server:
        primary(server, **model_values)
        runner.classify_next_batch()
    return Prediction.objects.get(ticket=ticket)


def typed(prediction: Prediction) -> dict[str, Any]:
    return AttributeReader([prediction.attributes]).typed(prediction.attributes)


def test_the_answers_of_a_model_are_stored_by_key_and_read_by_name(
    attributes: dict[str, Attribute], primary: UseServer
) -> None:
    prediction = classified(primary, VALUES)
    assert prediction.attributes == {
        str(attributes["priority"].pk): option("High").pk,
        str(attributes["refund"].pk): True,
        str(attributes["products"].pk): [option("Lamp").pk, option("Desk").pk],
        str(attributes["order"].pk): "A-12345",
    }
    assert typed(prediction) == VALUES | {"products": ["Lamp", "Desk"]}
    assert prediction.repaired is False


def test_an_unusable_answer_stays_empty_and_is_counted(attributes: dict[str, Attribute], primary: UseServer) -> None:
    prediction = classified(primary, VALUES | {"priority": "Now", "order": "B-1"})
    assert typed(prediction).keys() == {"refund", "products"}
    assert set(prediction.unusable) == {attributes["priority"].pk, attributes["order"].pk}
    assert str(prediction.category) == "Billing"


def test_one_request_asks_for_all_and_leaves_room_for_the_answer(
    attributes: dict[str, Attribute], primary: UseServer
) -> None:
    ticket = make_ticket(TEXT)
    with OpenAIServer([answer(attributes=VALUES)]) as server:
        primary(server, max_tokens=100)
        runner.classify_next_batch()
    [request] = [request for request in server.requests if request.ticket == ticket.text]
    assert request.body["max_tokens"] > 200
    schema = request.body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]["attributes"]["properties"]) == list(attributes)


def test_masked_texts_come_back_unmasked_and_are_then_checked(
    attributes: dict[str, Attribute], primary: UseServer
) -> None:
    Attribute.objects.filter(key="order").update(pattern=".*@example[.]org")
    ticket = make_ticket("Write to ana@example.org.")
    with OpenAIServer([answer(attributes=VALUES | {"order": "[email 1]"})]) as server:
        primary(server)
        Provider.objects.filter(base_url=server.base_url).update(mask=True)
        runner.classify_next_batch()
    assert "ana@" not in json.dumps([request.body for request in server.requests])
    assert typed(Prediction.objects.get(ticket=ticket))["order"] == "ana@example.org"


def test_the_decisions_protocol_answers_choices_and_patterns(
    attributes: dict[str, Attribute], primary: UseServer
) -> None:
    reply = decision(
        category={"Billing": 1.0},
        sentiment={"Negative": 1.0},
        priority={"Low": 0.2, "High": 0.8},
        refund={"yes": 0.9, "no": 0.1},
    )
    with OpenAIServer([reply]) as server:
        language_model = primary(server)
        Provider.objects.filter(pk=language_model.provider_id).update(kind=Provider.Kind.DECISIONS)
        asked = LanguageModel.objects.select_related("provider").get(pk=language_model.pk)
        result: Any = ask(TEXT, asked, ContractVersion.objects.current())
    assert result.attributes == {"priority": "High", "refund": True, "order": "A-12345"}
    assert not result.unusable


def test_the_embedded_model_answers_what_it_can_and_leaves_the_rest_empty(
    attributes: dict[str, Attribute], embedded_gate: Gate
) -> None:
    AttributeOption.objects.filter(name="Low").update(description="A question or a wish that can wait.")
    AttributeOption.objects.filter(name="High").update(description="Nothing works, everybody is blocked, an outage.")
    ticket = make_ticket(TEXT)
    blocked = make_ticket("The whole team is blocked, nothing works since the outage.")
    runner.classify_next_batch()
    assert typed(ticket.predictions.get()) == {"refund": True, "order": "A-12345"} | typed(ticket.predictions.get())
    assert typed(blocked.predictions.get())["priority"] == "High"
    assert "products" not in typed(ticket.predictions.get())


def test_an_attribute_begins_a_new_prompt_version_and_retiring_it_returns_to_the_earlier_one(
    attributes: dict[str, Attribute],
) -> None:
    with_all = ContractVersion.objects.current()
    assert all(attribute_changes.set_retired(attribute, retired=True) for attribute in attributes.values())
    without = ContractVersion.objects.current()
    assert "attributes" not in without.options
    assert not attribute_changes.set_retired(attributes["order"], retired=True)
    Attribute.objects.update(retired=False)
    assert ContractVersion.objects.current() == with_all != without
    assert ContractVersion.objects.get(pk=with_all.pk).loaded().terms == with_all.terms


def test_attributes_without_options_or_with_retired_categories_only_are_not_asked() -> None:
    make_attribute("empty", "one_of")
    technical = make_attribute("machine", "text")
    technical.categories.add(Category.objects.get(name="Technical"))
    asked = ContractVersion.objects.current().terms.attributes
    assert [(attribute.key, attribute.categories) for attribute in asked] == [("machine", ("Technical",))]
    label_changes.retire(Category.objects.get(name="Technical"))
    assert not ContractVersion.objects.current().terms.attributes


@pytest.mark.postgresql
def test_merged_and_renamed_options_change_no_stored_answer_but_how_it_reads(
    attributes: dict[str, Attribute], primary: UseServer
) -> None:
    prediction = classified(primary, VALUES)
    stored = prediction.attributes
    label_changes.merge(option("Lamp"), option("Sofa"))
    label_changes.merge(option("Sofa"), option("Desk"))
    AttributeOption.objects.filter(name="High").update(name="Urgent")
    prediction.refresh_from_db()
    assert prediction.attributes == stored
    assert typed(prediction) == VALUES | {"priority": "Urgent", "products": ["Desk"]}


def test_options_of_different_attributes_cannot_be_merged(attributes: dict[str, Attribute]) -> None:
    with pytest.raises(ValidationError, match="another attribute"):
        label_changes.merge(option("Low"), option("Lamp"))


def test_a_merged_category_takes_its_attributes_along(attributes: dict[str, Attribute]) -> None:
    billing, general = (Category.objects.get(name=name) for name in ("Billing", "General"))
    attributes["priority"].categories.set([billing, general])
    attributes["order"].categories.set([billing])
    label_changes.merge(billing, general)
    assert all(list(attributes[key].categories.all()) == [general] for key in ("priority", "order"))


def test_the_last_option_cannot_be_retired_and_names_are_unique(attributes: dict[str, Attribute]) -> None:
    label_changes.retire(option("Low"))
    with pytest.raises(ValidationError, match="last active"):
        label_changes.retire(option("High"))
    with pytest.raises(IntegrityError), transaction.atomic():
        AttributeOption.objects.create(attribute=attributes["priority"], name="High")


def test_attributes_and_options_are_never_deleted(attributes: dict[str, Attribute]) -> None:
    for delete in (
        attributes["order"].delete,
        Attribute.objects.all().delete,
        option("Low").delete,
        AttributeOption.objects.filter(name="Low").delete,
    ):
        with pytest.raises(ProtectedError):
            delete()


@pytest.mark.parametrize(
    "values",
    [
        {"key": "category", "kind": "text"},
        {"key": "Order No", "kind": "text"},
        {"key": "order", "kind": "yes_no", "pattern": "A"},
        {"key": "order", "kind": "text", "pattern": "("},
        {"key": "order", "kind": "text", "is_scale": True},
    ],
)
def test_an_attribute_that_makes_no_sense_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Attribute(name="Order", **values).full_clean()


@pytest.mark.postgresql
def test_erasure_removes_texts_and_masking_masks_them(attributes: dict[str, Attribute], primary: UseServer) -> None:
    Attribute.objects.filter(key="order").update(pattern="")
    prediction = classified(primary, VALUES | {"order": "ana@example.org"})
    erasure.erase(Ticket.objects.all(), masks=True)
    prediction.refresh_from_db()
    assert "@" not in typed(prediction)["order"]
    Ticket.objects.update(state=Ticket.State.AUTO_ACCEPTED)
    erasure.erase(Ticket.objects.all())
    prediction.refresh_from_db()
    assert typed(prediction).keys() == {"priority", "refund", "products"}


def test_the_ticket_page_and_the_api_show_the_answers(
    attributes: dict[str, Attribute], primary: UseServer, lead_api: Caller, lead_client: Client
) -> None:
    prediction = classified(primary, VALUES | {"refund": "perhaps"})
    page = lead_client.get(prediction.ticket.get_absolute_url()).content.decode()
    assert "Lamp, Desk" in page
    assert "1 attribute had an unusable answer." in page
    wanted = {"priority": "High", "products": ["Lamp", "Desk"], "order": "A-12345"}
    assert lead_api.get(f"/tickets/{prediction.ticket_id}").json()["label"]["attributes"] == wanted
    [listed] = lead_api.get(f"/tickets/{prediction.ticket_id}/predictions").json()["items"]
    assert listed["attributes"] == wanted
    [priority, *_others] = lead_api.get("/taxonomy").json()["attributes"]
    assert (priority["key"], [option["name"] for option in priority["options"]]) == ("priority", ["Low", "High"])


def test_an_admin_makes_an_attribute_with_options_and_tests_a_pattern(admin_client: Client) -> None:
    rows: dict[str, Any] = {"options-TOTAL_FORMS": 2, "options-INITIAL_FORMS": 0}
    rows |= {f"options-{place}-name": name for place, name in enumerate(["Low", "High"])}
    rows |= {f"options-{place}-position": "0" for place in range(2)}
    form = {"key": "priority", "name": "Priority", "kind": "one_of", "position": 0} | rows
    assert admin_client.post(reverse("admin:classifier_attribute_add"), form).status_code == 302
    attribute = Attribute.objects.get(key="priority")
    assert [made.name for made in attribute.options.all()] == ["Low", "High"]
    refused = admin_client.post(reverse("admin:classifier_attribute_add"), form | {"key": "yes", "kind": "yes_no"})
    assert "have options" in refused.content.decode()
    assert admin_client.get(reverse("admin:classifier_attribute_change", args=[attribute.pk])).status_code == 200
    page = admin_client.post(reverse("admin:classifier_attribute_test"), {"pattern": "A-[0-9]+", "text": TEXT})
    assert "<mark>A-12345</mark>" in page.content.decode()
    assert (
        "Not a pattern"
        in admin_client.post(
            reverse("admin:classifier_attribute_test"), {"pattern": "(", "text": TEXT}
        ).content.decode()
    )
