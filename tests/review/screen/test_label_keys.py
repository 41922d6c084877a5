"""The keys of labels on the review screen: each label keeps its own, whatever happens to others."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import Category, Sentiment
from classifier.taxonomy import drafts, importing, label_changes
from classifier.taxonomy.files import reading
from tests.factories import make_ticket, send_to_review
from tests.review.screen_client import SCREEN, category

pytestmark = pytest.mark.usefixtures("single_reviews")

SHIPPED = {"1": "Billing", "2": "Technical", "3": "Account", "4": "General"}


@pytest.fixture
def reviewer(agent_client: Client) -> Client:
    send_to_review(make_ticket())
    return agent_client


def keys(client: Client, axis: str = "category") -> dict[str, str]:
    """The label that each key selects, in the order in which the page lists them."""
    page = client.get(SCREEN).content.decode()
    labels = re.findall(rf'title="([^"]+)"><input type="radio" name="{axis}"[^>]*> <kbd>(.)</kbd>', page)
    return {key: name.replace("&gt;", ">") for name, key in labels}


def test_a_new_category_gets_the_next_key_wherever_it_is_in_the_tree(reviewer: Client) -> None:
    assert keys(reviewer) == SHIPPED
    Category.objects.create(name="Refunds", parent=category("Billing"))
    Category.objects.create(name="First", position=1)
    assert list(keys(reviewer).items()) == [*SHIPPED.items(), ("5", "Billing > Refunds"), ("6", "First")]


def test_moving_and_renaming_a_category_moves_no_key(reviewer: Client) -> None:
    account = category("Account")
    account.parent, account.position = category("Billing"), 50
    account.save()
    assert keys(reviewer) == SHIPPED | {"3": "Billing > Account"}


def test_the_key_of_a_retired_category_is_free_for_the_next_new_one(reviewer: Client) -> None:
    label_changes.retire(category("Technical"))
    rest = {key: name for key, name in SHIPPED.items() if key != "2"}
    assert keys(reviewer) == rest
    Category.objects.create(name="Sales")
    assert keys(reviewer) == rest | {"2": "Sales"}
    label_changes.restore(category("Technical"))
    assert keys(reviewer) == rest | {"2": "Sales", "5": "Technical"}


def test_a_restored_category_has_its_key_again_if_it_is_free(reviewer: Client) -> None:
    label_changes.retire(category("Technical"))
    label_changes.restore(category("Technical"))
    assert keys(reviewer) == SHIPPED


def test_merging_a_category_moves_no_key(reviewer: Client) -> None:
    label_changes.merge(category("Billing"), category("General"))
    assert keys(reviewer) == {key: name for key, name in SHIPPED.items() if key != "1"}


def test_a_published_draft_moves_no_key_and_its_new_labels_take_the_keys_of_dropped_ones(reviewer: Client) -> None:
    file = "axis,name,retired\n,Sales,\n,Billing > Refunds,\n,Account,yes\nsentiment,Angry,\n"
    draft = importing.create_draft(reading.read(file.encode(), "labels.csv"), "Sales", None)
    assert draft
    drafts.publish(draft, None)
    assert keys(reviewer) == SHIPPED | {"3": "Billing > Refunds", "5": "Sales"}
    assert keys(reviewer, "sentiment")["r"] == "Angry"


def test_a_tenth_category_has_no_key(reviewer: Client) -> None:
    for number in range(6):
        Category.objects.create(name=f"More {number}")
    assert list(keys(reviewer)) == list("123456789")
    assert Category.objects.get(name="More 5").shortcut is None


def test_sentiments_keep_their_keys_too(reviewer: Client) -> None:
    before = keys(reviewer, "sentiment")
    Sentiment.objects.create(name="Furious", position=1)
    assert keys(reviewer, "sentiment") == before | {"rty"[len(before) - 3]: "Furious"}


def test_an_admin_gives_a_category_another_free_key(reviewer: Client, admin_client: Client) -> None:
    page = reverse("admin:classifier_category_change", args=[category("General").pk])
    values = {"name": "General", "description": "", "examples": "", "position": 4, "parent": ""}
    refused = admin_client.post(page, values | {"shortcut": "1"}).content.decode()
    assert "Another label has this shortcut; clear it there first." in refused
    assert "numbered from 1 to 9" in admin_client.post(page, values | {"shortcut": "10"}).content.decode()
    assert admin_client.post(page, values | {"shortcut": "9"}).status_code == 302
    assert keys(reviewer) == {"1": "Billing", "2": "Technical", "3": "Account", "9": "General"}
