"""Exported labels have their full paths, so two categories of the same name stay distinct."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models.functions import Now

from classifier import tasks
from classifier.integrations import outbox
from classifier.models import Category, Gate, HelpDesk, Sentiment, Ticket, Webhook, WriteBack
from review.workflow import decisions
from review.workflow.decision_records import Label
from tests.api.caller import Caller
from tests.factories import configure_review, make_language_model, make_ticket, send_to_review
from tests.receivers import Receiver
from tests.servers import OpenAIServer, answer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("inline_classification")]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("CRM_SECRET", "whsec_c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXM=")
    with Receiver(200) as receiver:
        yield receiver


@pytest.fixture
def others(catalogue: None) -> dict[str, Category]:
    """Two categories of one name, by the names of their parents."""
    parents = Category.objects.filter(name__in=["Billing", "Technical"])
    return {parent.name: Category.objects.create(name="Other", parent=parent) for parent in parents}


@pytest.fixture
def held(others: dict[str, Category], receiver: Receiver) -> Ticket:
    """A ticket with the suggestion "Billing > Other", and a webhook and help desk that receive it."""
    configure_review()
    Webhook.objects.create(name="CRM", url=f"{receiver.url}/hook", secret_env="CRM_SECRET")
    fields = {"category_field": "category", "sentiment_field": "sentiment", "state_field": "state"}
    back = {"write_back": True, "base_url": receiver.url, "token_env": "CRM_SECRET", "secret_env": "CRM_SECRET"}
    HelpDesk.objects.create(kind="zammad", name="Zammad", slug="support", **fields, **back)
    (assignment,) = send_to_review(make_ticket(source="support", external_id="7"), category=others["Billing"])
    return assignment.ticket


def sent(receiver: Receiver) -> list[str]:
    """The categories that the webhook and help desk received, in that order."""
    receiver.got.clear()
    WriteBack.objects.waiting().update(available_at=Now())
    outbox.send_due(tasks.ROUTES)
    by_path = sorted((got.json for got in receiver.got), key=lambda payload: "type" not in payload)
    return [(payload.get("data") or payload)["category"] for payload in by_path]


def test_webhooks_help_desks_and_the_api_name_the_full_path(
    held: Ticket, others: dict[str, Category], receiver: Receiver, lead_api: Caller, ana: User
) -> None:
    assert sent(receiver) == ["Billing > Other"] * 2
    assert lead_api.get(f"/tickets/{held.pk}").json()["label"]["category"] == "Billing > Other"
    assert lead_api.get(f"/tickets/{held.pk}/predictions").json()["items"][0]["category"] == "Billing > Other"
    label = Label(others["Technical"], Sentiment.objects.get(name="Neutral"))
    decisions.decide(held.assignments.get(), ana, label, key=uuid4())
    assert sent(receiver) == ["Technical > Other"] * 2
    (row,) = lead_api.get("/tickets").json()["items"]
    assert (row["label"]["category"], row["label"]["by"]) == ("Technical > Other", "people")
    assert lead_api.get("/decisions").json()["items"][0]["category"] == "Technical > Other"


def test_classifying_at_once_names_the_full_path(others: dict[str, Category], lead_api: Caller, tmp_path: Path) -> None:
    with OpenAIServer([answer("Technical > Other")]) as server:
        Gate.objects.update(primary=make_language_model(server, name="first", family="first"), second_opinion=None)
        (unstored,) = lead_api.post("/classify", {"text": "Hello?", "store": False}).json()["results"]
        path, printed = tmp_path / "texts.txt", StringIO()
        path.write_text("Hello?\n")
        call_command("classify", str(path), json=True, stdout=printed)
    assert unstored["category"] == json.loads(printed.getvalue())["category"] == "Technical > Other"
