"""Nothing tells what models or people answered to a sealed ticket, nor whether it was auto-accepted, until all asked
have answered: over every page, every operation of the API, every admin page, and what is sent to others.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin as django_admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.integrations.webhooks.payloads import ticket_payloads
from classifier.models import Category, ContractVersion, LanguageModel, Ticket
from review.benchmark import execution, runs
from review.benchmark.runs import Entry
from review.gold import disputes, snapshots
from review.models import Assignment, ReviewSettings
from review.models.duplicates import DuplicateGroup
from tests.api.caller import Caller
from tests.api.test_roles import OPERATIONS
from tests.factories import configure_review, make_gold, make_ticket, send_to_review
from tests.review.actions import answer
from tests.test_roles import ACCESS_BY_URL

pytestmark = [pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]

SECRETS = re.compile(r"A secret of (?:the model|Ben)|(?<!\d)0\.(?:87|54)|\b(?:87|54)%|Zanzibar")
"""Not the seconds of a time, which may look like a confidence."""


@pytest.fixture
def sealed(ben: User) -> list[Ticket]:
    """One that was auto-accepted and one that needs review, both drawn for a blind review; and one that Ben has
    labelled as the first of two.
    """
    secret: dict[str, Any] = {
        "category": Category.objects.create(name="Zanzibar"),
        "reasoning": "A secret of the model.",
    }
    alike: dict[str, Any] = {"text": "Only the message.", "customer": "c", "received_at": timezone.now()}
    passed, held, half = (make_ticket(pk=pk, **alike) for pk in (5_001, 5_002, 5_003))
    configure_review(sample_share=1)
    send_to_review(passed, confidence=0.8765, **secret)
    send_to_review(held, confidence=0.5432, **secret)
    configure_review(double_share=1)
    first, _second = send_to_review(half, **secret)
    answer(first, ben, "Account", note="A secret of Ben.")
    tickets = list(Ticket.objects.order_by("pk"))
    assert [ticket.sealed for ticket in tickets] == [True] * 3
    assert [ticket.state for ticket in tickets] == ["auto_accepted", "needs_review", "needs_review"]
    return tickets


def read(response: Any) -> str:
    content: bytes = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode()


def told(content: str) -> list[str]:
    """The secrets in a page, apart from the lists of all categories that it offers."""
    offered = r"<(datalist|select|fieldset|nav)\b.*?</\1>|<dl class=\"guidelines\">.*?</dl>"
    return SECRETS.findall(re.sub(offered, "", content, flags=re.DOTALL))


def pages(tickets: list[Ticket]) -> Iterator[str]:
    for name, access in ACCESS_BY_URL.items():
        if "GET" in access.methods and not access.needs_key:
            yield reverse(name)
    for ticket in tickets:
        yield ticket.get_absolute_url()
        yield reverse("review:similar", args=[ticket.pk])
    for state in Ticket.State.values:
        yield f"/?state={state}"
    for query in ("q=message", "reason=blind", "sort=confidence", "category=1"):
        yield f"/review/queue/?{query}"


def admin_pages() -> Iterator[str]:
    for model in django_admin.site._registry:
        if model._meta.app_label not in ("classifier", "review") or model._meta.model_name in ("category", "draft"):
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        for pk in model._default_manager.values_list("pk", flat=True)[:20]:
            yield reverse(f"{name}_change", args=[pk])
            yield reverse(f"{name}_history", args=[pk])


def test_no_page_tells_what_is_sealed(client: Client, sealed: list[Ticket], ana: User, lea: User, admin: User) -> None:
    for person in (ana, lea, admin):
        client.force_login(person)
        answers = {url: read(client.get(url, follow=True)) for url in pages(sealed)}
        assert {url: told(content) for url, content in answers.items() if told(content)} == {}, person


def test_no_page_of_the_admin_tells_what_is_sealed(client: Client, sealed: list[Ticket], admin: User) -> None:
    client.force_login(admin)
    answers = {url: read(client.get(url, follow=True)) for url in admin_pages()}
    assert {url: told(content) for url, content in answers.items() if told(content)} == {}
    for model in ("classifier_prediction", "classifier_verdict", "review_decision", "review_assignment"):
        assert "5001" not in client.get(reverse(f"admin:{model}_changelist")).content.decode(), model


def test_no_operation_of_the_api_tells_what_is_sealed(lead_api: Caller, sealed: list[Ticket]) -> None:
    for operation in OPERATIONS:
        for ticket in sealed:
            if operation.method == "get":
                path = operation.path.replace("{pk}", str(ticket.pk)).replace("{digest}", "0" * 12)
                content = lead_api.get(path).content.decode()
                assert path == "/taxonomy" or told(content) == [], path


def test_lists_by_state_do_not_tell_whether_a_sealed_ticket_was_auto_accepted(
    lead_api: Caller, admin_client: Client, sealed: list[Ticket]
) -> None:
    keys = {str(ticket.pk) for ticket in sealed}
    for state in Ticket.State.values:
        expected = keys if state == "needs_review" else set()
        listed = {str(row["id"]) for row in lead_api.get("/tickets", state=state).json()["items"]}
        shown = set(re.findall(r"/tickets/(\d+)/", admin_client.get(f"/?state={state}").content.decode()))
        managed = admin_client.get(reverse("admin:classifier_ticket_changelist"), {"state": state}).content.decode()
        assert (listed, shown) == (expected, expected), state
        assert set(re.findall(r"classifier/ticket/(\d+)/change/", managed)) == expected, state
    for lookup in ("state__exact", "verdicts__auto_accepted", "predictions__confidence__gte", "category"):
        url = reverse("admin:classifier_ticket_changelist")
        assert admin_client.get(url, {lookup: "1"}, raise_request_exception=False).status_code in (302, 400), lookup


def test_a_sealed_ticket_looks_the_same_whether_it_was_auto_accepted_or_not(
    lead_api: Caller, admin_client: Client, sealed: list[Ticket]
) -> None:
    passed, held, _half = sealed

    def views(ticket: Ticket) -> list[str]:
        contents = [
            admin_client.get(ticket.get_absolute_url()).content.decode(),
            admin_client.get(reverse("admin:classifier_ticket_change", args=[ticket.pk])).content.decode(),
            lead_api.get(f"/tickets/{ticket.pk}").content.decode(),
            lead_api.get(f"/tickets/{ticket.pk}/predictions").content.decode(),
            str(ticket_payloads([ticket.pk])),
        ]
        without = r'csrfmiddlewaretoken" value="\w+"|initial-\w+|nonce="\w+"'
        return [re.sub(without, "", content.replace(str(ticket.pk), "")) for content in contents]

    assert views(passed) == views(held)


def test_the_api_does_not_tell_who_labels_blind_whether_they_agree(lead_api: Caller, sealed: list[Ticket]) -> None:
    stored = lead_api.post("/decisions", {"ticket": sealed[2].pk, "category": "Zanzibar", "sentiment": "Neutral"})
    configure_review(double_share=1)
    (first, _second) = send_to_review(make_ticket("Another"), category=Category.objects.get(name="Billing"))
    body = {"ticket": first.ticket_id, "category": "Billing", "sentiment": "Positive"}
    agreed = lead_api.post("/decisions", body)
    assert stored.status_code == agreed.status_code == 201
    assert (agreed.json()["verdict"], agreed.json()["purpose"]) == ("labelled", "review")


def test_every_record_of_the_admin_that_belongs_to_a_ticket_is_left_out_while_it_is_sealed() -> None:
    """Other kinds of records are listed here with what makes them harmless."""
    harmless = {
        "classifier.event": "holds what was sent, which is checked above",
        "classifier.writeback": "holds what was sent, which is checked above",
        "review.goldlabel": "hides its label, which is checked below",
    }
    ticket = apps.get_model("classifier", "ticket")
    for model, site in django_admin.site._registry.items():
        points = [field.name for field in model._meta.get_fields() if field.concrete and field.related_model is ticket]
        if points and model._meta.label_lower not in harmless:
            assert getattr(site, "ticket_path", "") in points, model


def test_a_disputed_gold_label_shows_nothing_of_the_label_that_people_may_change(
    admin_client: Client, admin: User, lea: User, ben: User
) -> None:
    zanzibar = Category.objects.create(name="Zanzibar")
    gold = make_gold("Only the message.", "Zanzibar")
    DuplicateGroup.objects.update(side="benchmark")
    entry = Entry(LanguageModel.objects.zero_shot(), ContractVersion.objects.current())
    run = runs.start_run(snapshots.create_snapshot(), [entry])
    execution.execute_run(run.pk)
    contender = run.contenders.get()
    contender.results.update(reasoning="A secret of the model.")
    disputes.dispute(gold, admin)
    listed = reverse("admin:review_goldlabel_changelist")
    answers = reverse("review:answers", args=[run.pk, contender.pk])
    urls = [listed, reverse("admin:review_goldlabel_change", args=[gold.pk]), answers]
    urls += [f"{listed}?{lookup}={zanzibar.pk}" for lookup in ("category__id__exact", "category", "o")]
    urls += [f"{answers}?category={zanzibar.pk}", f"{answers}?show=wrong"]
    pages = {url: read(admin_client.get(url, follow=True)) for url in urls}
    assert {url: told(content) for url, content in pages.items() if told(content)} == {}
    assert "Zanzibar" not in pages[urls[1]]
    assert all("Only the message." in pages[url] for url in urls[:3]), "the dispute can be withdrawn"
    for url in urls[3:5]:
        assert "Only the message." not in pages[url], url
    for person, assignment in zip((lea, ben), Assignment.objects.open(), strict=True):
        answer(assignment, person, "Zanzibar")
    assert "Zanzibar" in read(admin_client.get(urls[1]))


def test_settled_tickets_are_shown_again(admin_client: Client, ben: User, sealed: list[Ticket]) -> None:
    ReviewSettings.objects.update(double_share=0)
    answer(Assignment.objects.open().get(ticket=sealed[0]), ben, "Account")
    assert "/5001/" in admin_client.get("/?state=settled").content.decode()
    listed = admin_client.get(reverse("admin:review_decision_changelist")).content.decode()
    assert "5001" in listed
    assert "5003" not in listed
