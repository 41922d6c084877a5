"""Shortcuts in a real browser: from the preferences to the review screen."""

import re

import pytest
from playwright.sync_api import Page, expect

from review.models import Decision
from tests.factories import configure_review, make_ticket, send_to_review

pytestmark = pytest.mark.browser


def test_changed_shortcut_works_on_the_review_screen(agent_page: Page) -> None:
    configure_review()
    send_to_review(make_ticket("The first one."), make_ticket("The second one."))
    agent_page.goto("/review/preferences/")
    agent_page.get_by_label("Sentiment 3").click()
    agent_page.keyboard.type("k")
    expect(agent_page.get_by_label("Sentiment 3")).to_have_value("k")
    agent_page.keyboard.press("Enter")
    expect(agent_page.get_by_text("Shortcuts saved.")).to_be_visible()
    agent_page.goto("/review/")
    expect(agent_page.locator("#heading")).to_be_focused()
    agent_page.keyboard.press("k")
    agent_page.keyboard.press("Enter")
    expect(agent_page.locator("#outcome")).to_contain_text("Billing")
    assert Decision.objects.get().sentiment.name == "Negative"


def test_shortcut_error_appears_beside_its_field(agent_page: Page) -> None:
    agent_page.goto("/review/preferences/")
    agent_page.get_by_label("Skip").fill("u")
    agent_page.get_by_role("button", name="Save").click()
    expect(agent_page.get_by_role("alert")).to_be_visible()
    expect(agent_page.get_by_label("Skip")).to_have_accessible_description(re.compile("already used for “Undo”"))
    expect(agent_page.get_by_label("Undo")).to_have_accessible_description(re.compile("already used for “Skip”"))


def test_page_uses_the_chosen_language(agent_page: Page) -> None:
    agent_page.goto("/review/preferences/")
    agent_page.get_by_label("Interface language").select_option("Deutsch")
    agent_page.get_by_role("button", name="Change language").click()
    expect(agent_page.locator("html")).to_have_attribute("lang", "de")
