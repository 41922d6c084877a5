"""Finding a label at the review screen, and what is said to belong to it."""

import pytest
from playwright.sync_api import Page, expect

from classifier.models import Category
from tests.browser.morning import six_wait, start, verdicts

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(agent: Page) -> Page:
    Category.objects.filter(name="Account").update(description="Owners, seats and whoever signs in.")
    six_wait()
    return agent


def chosen(page: Page) -> str:
    """The category that Enter would record."""
    return str(page.locator("input[name=category]:checked").evaluate_all("all => all.map(one => one.value).join()"))


@pytest.mark.parametrize("way_back", ["Escape", "Backspace"])
def test_what_was_chosen_before_is_chosen_again_when_nothing_is_found(desk: Page, way_back: str) -> None:
    start(desk)
    before = chosen(desk)
    desk.keyboard.press("/")
    desk.keyboard.type("x")
    assert (before.isdecimal(), chosen(desk)) == (True, "other")
    desk.keyboard.press(way_back)
    expect(desk.locator("#find")).to_have_value("")
    assert chosen(desk) == before
    expect(desk.locator(".accept")).to_contain_text("Accept")


def test_words_of_the_description_find_a_category(desk: Page) -> None:
    start(desk)
    desk.keyboard.press("/")
    desk.keyboard.type("owner")
    expect(desk.get_by_role("option").first).to_have_text("Account")
    desk.keyboard.press("Enter")
    expect(desk.locator("#find")).to_have_value("Account")


def test_after_a_click_on_what_was_found_the_keys_work(desk: Page) -> None:
    start(desk)
    desk.locator("#find").click()
    desk.keyboard.type("tech")
    desk.get_by_role("option", name="Technical").click()
    expect(desk.locator("#heading")).to_be_focused()
    expect(desk.locator("#find")).to_have_value("Technical")
    desk.keyboard.press("Enter")
    expect(desk.locator("#outcome")).to_contain_text("Technical")
    assert verdicts() == ["corrected"]


def test_the_help_is_read_by_keyboard_and_its_key_closes_it(desk: Page) -> None:
    parent = Category.objects.get(name="General")
    Category.objects.bulk_create([Category(name=f"Part {number}", parent=parent) for number in range(80)])
    start(desk)
    desk.keyboard.press("?")
    expect(desk.locator("#help")).to_be_focused()
    desk.keyboard.press("PageDown")
    expect(desk.locator("#help h2").first).not_to_be_in_viewport()
    assert desk.evaluate("scrollY") == 0
    desk.keyboard.press("1")
    expect(desk.locator("#help")).to_be_visible()
    desk.keyboard.press("?")
    expect(desk.locator("#help")).to_be_hidden()
    expect(desk.locator("#heading")).to_be_focused()
    assert verdicts() == []


def test_a_key_leads_to_what_belongs_to_the_selected_category(desk: Page) -> None:
    start(desk)
    desk.keyboard.press("3")
    desk.keyboard.press("g")
    line = desk.locator("#help :focus")
    expect(line).to_contain_text("Account")
    expect(line).to_contain_text("Owners, seats and whoever signs in.")
    desk.keyboard.press("Escape")
    expect(desk.locator("#help")).to_be_hidden()
    expect(desk.locator("#heading")).to_be_focused()
