"""Finding a category on the review screen, and the guidelines."""

import pytest
from playwright.sync_api import Page, expect

from classifier.models import Category
from tests.browser.review_steps import make_six_tickets, open_first_ticket, verdicts

pytestmark = pytest.mark.browser


@pytest.fixture
def review_page(agent_page: Page) -> Page:
    Category.objects.filter(name="Account").update(description="Owners, members and everyone who signs in.")
    make_six_tickets()
    return agent_page


def chosen(page: Page) -> str:
    """The value of the selected category."""
    return str(page.locator("input[name=category]:checked").evaluate_all("all => all.map(radio => radio.value).join()"))


@pytest.mark.parametrize("way_back", ["Escape", "Backspace"])
def test_previous_choice_returns_if_nothing_matches(review_page: Page, way_back: str) -> None:
    open_first_ticket(review_page)
    before = chosen(review_page)
    review_page.keyboard.press("/")
    review_page.keyboard.type("x")
    assert (before.isdecimal(), chosen(review_page)) == (True, "other")
    review_page.keyboard.press(way_back)
    expect(review_page.locator("#find")).to_have_value("")
    assert chosen(review_page) == before
    expect(review_page.locator(".accept")).to_contain_text("Accept")


def test_category_is_found_by_words_of_its_description(review_page: Page) -> None:
    open_first_ticket(review_page)
    review_page.keyboard.press("/")
    review_page.keyboard.type("owner")
    expect(review_page.get_by_role("option").first).to_have_text("Account")
    review_page.keyboard.press("Enter")
    expect(review_page.locator("#find")).to_have_value("Account")


def test_shortcuts_work_after_clicking_a_match(review_page: Page) -> None:
    open_first_ticket(review_page)
    review_page.locator("#find").click()
    review_page.keyboard.type("tech")
    review_page.get_by_role("option", name="Technical").click()
    expect(review_page.locator("#heading")).to_be_focused()
    expect(review_page.locator("#find")).to_have_value("Technical")
    review_page.keyboard.press("Enter")
    expect(review_page.locator("#outcome")).to_contain_text("Technical")
    assert verdicts() == ["corrected"]


def test_help_scrolls_by_keyboard_and_closes_by_its_shortcut(review_page: Page) -> None:
    parent = Category.objects.get(name="General")
    Category.objects.bulk_create([Category(name=f"Part {number}", parent=parent) for number in range(80)])
    open_first_ticket(review_page)
    review_page.keyboard.press("?")
    expect(review_page.locator("#help")).to_be_focused()
    review_page.keyboard.press("PageDown")
    expect(review_page.locator("#help h2").first).not_to_be_in_viewport()
    assert review_page.evaluate("scrollY") == 0
    review_page.keyboard.press("1")
    expect(review_page.locator("#help")).to_be_visible()
    review_page.keyboard.press("?")
    expect(review_page.locator("#help")).to_be_hidden()
    expect(review_page.locator("#heading")).to_be_focused()
    assert verdicts() == []


def test_shortcut_opens_the_guidelines_of_the_selected_category(review_page: Page) -> None:
    open_first_ticket(review_page)
    review_page.keyboard.press("3")
    review_page.keyboard.press("g")
    line = review_page.locator("#help :focus")
    expect(line).to_contain_text("Account")
    expect(line).to_contain_text("Owners, members and everyone who signs in.")
    review_page.keyboard.press("Escape")
    expect(review_page.locator("#help")).to_be_hidden()
    expect(review_page.locator("#heading")).to_be_focused()
