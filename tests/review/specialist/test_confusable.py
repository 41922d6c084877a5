"""Categories that are taken for each other, or described alike, are shown with what shows it and what can be done."""

from itertools import count

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from classifier.models import Category, Sentiment, Ticket
from review.models import DuplicateGroup, GoldLabel, Side
from tests.factories import make_ticket

pytestmark = pytest.mark.usefixtures("catalogue")

NONE, NOTHING_TO_COMPARE = "models tell them apart", "no labels with a model prediction"
_numbers = count(1)


@pytest.fixture
def office(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def category(name: str) -> Category:
    return Category.objects.get(name=name)


def labelled(right: str, predicted: str, times: int = 1, ticket: Ticket | None = None) -> None:
    """Gold labels for which a model had said something before people did."""
    sentiment = Sentiment.objects.get(name="Neutral")
    for _time in range(times):
        text = f"Message {next(_numbers)}: <i>{right}</i>, taken for {predicted}"
        GoldLabel.objects.create(
            text=text,
            digest=GoldLabel.digest_of(text),
            category=category(right),
            sentiment=sentiment,
            predicted_category=category(predicted),
            predicted_sentiment=sentiment,
            predicted_confidence=0.5,
            origin=GoldLabel.Origin.DECISION,
            group=DuplicateGroup.objects.create(side=Side.TRAINING),
            ticket=ticket,
        )


def page(client: Client) -> str:
    response = client.get(reverse("review:confusable_categories"))
    assert response.status_code == 200
    return response.content.decode()


def test_categories_confused_in_both_directions_are_shown_with_texts(lead_client: Client) -> None:
    ticket = make_ticket()
    labelled("Billing", "Account", 3)
    labelled("Account", "Billing", 1)
    labelled("Account", "Billing", 1, ticket=ticket)
    labelled("Billing", "Billing", 5)
    shown = page(lead_client)
    assert "Confused in 5 of 10 labels (50%)." in shown
    assert "reviewers: Account; model: Billing" in shown
    assert ticket.get_absolute_url() in shown
    assert "&lt;i&gt;Account&lt;/i&gt;" in shown


@pytest.mark.parametrize(("there", "back", "right"), [(9, 0, 0), (9, 1, 0), (2, 2, 90)])
def test_one_sided_single_or_rare_confusions_do_not_make_a_pair(
    lead_client: Client, there: int, back: int, right: int
) -> None:
    labelled("Billing", "Account", there)
    labelled("Account", "Billing", back)
    labelled("Billing", "Billing", right)
    assert NONE in page(lead_client)


def test_categories_with_nearly_the_same_description_are_shown(lead_client: Client) -> None:
    Category.objects.create(name="Refunds", description="The customer wants money back for something they paid.")
    Category.objects.create(name="Reimbursements", description="The customer wants to get money back that they paid.")
    (overlap,) = lead_client.get(reverse("review:confusable_categories")).context["confusable"].pairs
    assert {side.name for side in overlap.members} == {"Refunds", "Reimbursements"}
    assert "Nearly the same description" in page(lead_client)


def test_nothing_is_called_unconfusable_that_was_not_compared(lead_client: Client) -> None:
    assert NOTHING_TO_COMPARE in page(lead_client)


def test_a_category_and_its_descendant_are_not_a_confusable_pair(lead_client: Client) -> None:
    Category.objects.create(name="Billing again", parent=category("Billing"), description="")
    Category.objects.filter(name="Billing again").update(description=category("Billing").description)
    labelled("Billing", "Billing again", 4)
    labelled("Billing again", "Billing", 4)
    assert NONE in page(lead_client)


def test_predictions_of_sealed_tickets_do_not_count(lead_client: Client) -> None:
    labelled("Billing", "Account", 3)
    labelled("Account", "Billing", 1)
    labelled("Account", "Billing", 1, ticket=make_ticket(sealed=True))
    assert NONE in page(lead_client)


def test_labels_that_are_no_longer_in_use_do_not_count(lead_client: Client) -> None:
    labelled("Billing", "Account", 3)
    labelled("Account", "Billing", 3)
    Category.objects.filter(name="Account").update(retired=True)
    assert NOTHING_TO_COMPARE in page(lead_client)
    Category.objects.filter(name="Account").update(retired=False)
    GoldLabel.objects.update(state=GoldLabel.State.DISPUTED)
    assert NOTHING_TO_COMPARE in page(lead_client)


def test_an_admin_gets_a_link_to_merge_the_categories(office: Client) -> None:
    labelled("Billing", "Account", 3)
    labelled("Account", "Billing", 3)
    shown = page(office)
    billing = category("Billing")
    assert f'name="_selected_action" value="{billing.pk}"' in shown
    assert reverse("admin:classifier_category_change", args=[billing.pk]) in shown
    assert reverse("admin:classifier_draft_add") in shown
    sent = {"action": "merge", "index": "0", "_selected_action": str(billing.pk)}
    asked = office.post(reverse("admin:classifier_category_changelist"), sent).content.decode()
    assert "Merge into" in asked
    assert not category("Billing").retired


def test_a_lead_learns_who_can_merge_the_categories(lead_client: Client) -> None:
    labelled("Billing", "Account", 3)
    labelled("Account", "Billing", 3)
    shown = page(lead_client)
    assert "An admin can merge" in shown
    assert "_selected_action" not in shown


def test_the_page_costs_the_same_however_many_labels_there_are(lead_client: Client) -> None:
    labelled("Billing", "Account", 2)
    labelled("Account", "Billing", 2)
    page(lead_client)
    with CaptureQueriesContext(connection) as few:
        page(lead_client)
    for left, right in (("Billing", "Account"), ("Technical", "General"), ("General", "Billing")):
        labelled(left, right, 20)
        labelled(right, left, 20)
    with CaptureQueriesContext(connection) as many:
        page(lead_client)
    assert len(many) == len(few)
