"""A ticket's further categories, from model and people to everything downstream."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier.integrations.helpdesks.write_back import _fields
from classifier.integrations.webhooks.payloads import ticket_payloads
from classifier.models import ContractVersion, Gate, HelpDesk, Prediction, Ticket
from classifier.pipeline import runner
from classifier.taxonomy import label_changes
from review.datasets import exporting, importing
from review.datasets.formats.registry import FORMATS
from review.datasets.reading import RecordReader
from review.gold import gold_labels, snapshots
from review.models import Assignment, Decision, GoldLabel
from review.workflow import decisions
from tests.api.caller import Caller
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import label, reload, undo
from tests.review.screen_client import DECIDE, HTMX, SCREEN, category, shown
from tests.servers import OpenAIServer, say

pytestmark = pytest.mark.usefixtures("catalogue")


@pytest.fixture(autouse=True)
def turned_on(catalogue: None) -> None:
    configure_review()
    Gate.objects.update(further_categories=True)


def pks(*names: str) -> list[int]:
    return [category(name).pk for name in names]


def decide(assignment: Assignment, person: User, *further: str, **values: str) -> Decision:
    return decisions.decide(assignment, person, label(**values)._replace(further=pks(*further)), key=uuid4())


def settle(person: User, *further: str, text: str = "You charged me twice and the app crashes") -> Ticket:
    (assignment,) = send_to_review(make_ticket(text))
    decide(assignment, person, *further)
    return Ticket.objects.get(pk=assignment.ticket_id)


def test_a_model_names_them_and_its_prediction_has_them(primary: Any) -> None:
    make_ticket()
    values = {"category": "Billing", "sentiment": "Negative", "confidence": 0.95, "reasoning": "Charged twice."}
    with OpenAIServer([say(json.dumps(values | {"further_categories": ["Technical", "Account"]}))]) as server:
        primary(server)
        runner.classify_next_batch()
    prediction = Prediction.objects.get()
    assert prediction.further_categories == pks("Technical", "Account")
    assert prediction.contract.answer_schema["required"][-1] == "further_categories"
    assert ContractVersion.objects.get(pk=prediction.contract_id).loaded().terms.further_categories
    assert Ticket.objects.get().state == Ticket.State.AUTO_ACCEPTED
    (payload,) = ticket_payloads([prediction.ticket_id])
    assert (payload.category, payload.further_categories) == ("Billing", ["Technical", "Account"])


def test_turning_them_on_and_off_changes_the_prompt_version() -> None:
    on = ContractVersion.objects.current()
    Gate.objects.update(further_categories=False)
    off = ContractVersion.objects.current()
    assert on.digest != off.digest
    assert "further_categories" not in off.options


def test_the_card_has_the_models_selected_and_accepting_takes_them(agent_client: Client) -> None:
    send_to_review(make_ticket(), category=category("Billing"), further_categories=pks("Technical"))
    page = agent_client.get(SCREEN).content.decode()
    assert f'name="further" value="{category("Technical").pk}" checked' in page
    assert "Also Account" in page
    values = {"further": pks("Technical")}
    agent_client.post(DECIDE, shown(agent_client) | values, headers=HTMX)
    decision, ticket = Decision.objects.get(), Ticket.objects.get()
    assert (decision.verdict, decision.further_categories, ticket.further_categories) == (
        "accepted",
        pks("Technical"),
        pks("Technical"),
    )


def test_a_reviewer_adds_one_by_typing_and_the_main_category_is_never_among_them(agent_client: Client) -> None:
    send_to_review(make_ticket(), category=category("Billing"))
    values = {"further": pks("Billing", "Technical"), "further_typed": "accou"}
    agent_client.post(DECIDE, shown(agent_client) | values, headers=HTMX)
    assert Decision.objects.get().further_categories == pks("Technical", "Account")


@pytest.mark.parametrize(
    ("values", "message"),
    [({"further_typed": "zebra"}, "There is no category “zebra”."), ({"further": [0]}, "Select a valid choice")],
)
def test_an_unknown_one_is_explained_and_nothing_is_decided(
    agent_client: Client, values: dict[str, Any], message: str
) -> None:
    send_to_review(make_ticket())
    response = agent_client.post(DECIDE, shown(agent_client) | values, headers=HTMX)
    assert response.status_code == 422
    assert message in response.content.decode()
    assert not Decision.objects.exists()


def test_without_the_setting_the_screen_offers_none(agent_client: Client) -> None:
    Gate.objects.update(further_categories=False)
    send_to_review(make_ticket())
    assert 'name="further' not in agent_client.get(SCREEN).content.decode()


def test_undoing_takes_them_back(ana: User) -> None:
    ticket = settle(ana, "Technical")
    undo(Decision.objects.get(), ana)
    ticket.refresh_from_db()
    assert ticket.further_categories == []


def test_two_who_agree_on_the_category_name_them_together(ana: User, ben: User) -> None:
    configure_review(double_share=1)
    first, second = send_to_review(make_ticket())
    decide(first, ana, "Technical")
    decide(second, ben, "Account")
    ticket = Ticket.objects.get()
    assert ticket.state == Ticket.State.SETTLED
    assert set(ticket.further_categories) == set(pks("Technical", "Account"))


def test_accepting_suggestions_in_bulk_takes_the_models(ana: User) -> None:
    assignments = send_to_review(make_ticket("one"), make_ticket("two"), further_categories=pks("Technical"))
    decisions.decide_many(assignments, ana)
    assert [ticket.further_categories for ticket in Ticket.objects.all()] == [pks("Technical")] * 2


def test_in_bulk_a_label_that_names_none_on_purpose_takes_none(ana: User) -> None:
    one, two = send_to_review(make_ticket("one"), make_ticket("two"), further_categories=pks("Technical"))
    decisions.decide_many([one], ana, decisions.label_from(reload(one)))
    own = decisions.label_from(reload(two))._replace(further=[])
    decisions.decide_many([two], ana, own)
    assert [ticket.further_categories for ticket in Ticket.objects.order_by("pk")] == [pks("Technical"), []]


def test_relabelling_and_merging_keep_them_right(ana: User) -> None:
    ticket = settle(ana, "Technical", "Account")
    label_changes.merge(category("Technical"), category("General"))
    label_changes.merge(category("Account"), category("Billing"))
    (payload,) = ticket_payloads([ticket.pk])
    assert (payload.category, payload.further_categories) == ("Billing", ["General"])


def test_the_api_reads_and_writes_them(lead_api: Caller) -> None:
    (assignment,) = send_to_review(make_ticket())
    body = {"ticket": assignment.ticket_id, "category": "Billing", "sentiment": "Neutral"}
    assert lead_api.post("/decisions", body | {"further_categories": ["Zebra"]}).status_code == 422
    made = lead_api.post("/decisions", body | {"further_categories": ["Technical"]})
    assert (made.status_code, made.json()["further_categories"]) == (201, ["Technical"])
    assert lead_api.get(f"/tickets/{assignment.ticket_id}").json()["label"]["further_categories"] == ["Technical"]
    assert lead_api.get("/decisions").json()["items"][0]["further_categories"] == ["Technical"]


def test_a_help_desk_gets_their_names(ana: User) -> None:
    ticket = settle(ana, "Technical", "Account")
    (payload,) = ticket_payloads([ticket.pk])
    desk = HelpDesk(category_field="topic", further_categories_field="topics")
    assert _fields(desk, payload) == {"topic": "Billing", "topics": "Technical; Account"}


def test_the_tickets_page_shows_them(ana: User, agent_client: Client) -> None:
    ticket = settle(ana, "Technical")
    page = agent_client.get(reverse("classifier:ticket", args=[ticket.pk])).content.decode()
    assert page.count('also <span class="label">Technical</span>') == 2  # beside its label, and in its history


def test_a_sealed_ticket_hides_them(ana: User) -> None:
    configure_review(double_share=1)
    first, _second = send_to_review(make_ticket(), further_categories=pks("Account"))
    decide(first, ana, "Technical")
    (payload,) = ticket_payloads([first.ticket_id])
    assert payload.further_categories == ()


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet", "labelstudio", "spacy", "openai"])
def test_exports_have_them_and_imports_bring_them_back(ana: User, format: str, tmp_path: Any) -> None:
    settle(ana, "Technical", "Account")
    settle(ana, text="Only one thing")
    snapshot = snapshots.create_snapshot()
    content = b"".join(exporting.stream(snapshot, FORMATS[format]))
    path = tmp_path / "file"
    path.write_bytes(content)
    with path.open("rb") as stream:
        records = list(RecordReader(stream, "file"))
    named = {record.text: record.further_categories for record in records}
    assert named["You charged me twice and the app crashes"] == "Technical\nAccount"
    assert named["Only one thing"] == ""
    snapshot.items.all().delete()
    GoldLabel.objects.all().delete()
    importing.import_labels(records)
    imported = GoldLabel.objects.get(text="You charged me twice and the app crashes")
    assert imported.further_categories == pks("Technical", "Account")


def test_gold_labels_follow_the_decision(ana: User) -> None:
    settle(ana, "Technical")
    gold_labels.collect_from_decisions()
    assert GoldLabel.objects.get().further_categories == pks("Technical")


def test_a_snapshot_without_any_has_the_digest_that_it_had() -> None:
    values: list[object] = ["1", None, "training", [], "0" * 64]
    assert snapshots._bytes(values) == json.dumps(["1", None, "training", "0" * 64]).encode()


def test_tickets_without_any_cost_no_further_query(ana: User, django_assert_num_queries: Any) -> None:
    ticket = settle(ana)
    with django_assert_num_queries(3):
        ticket_payloads([ticket.pk])
