"""The layout of the review screen: the focus is always visible, and nothing jumps."""

import pytest
from playwright.sync_api import Locator, Page, expect

from classifier.models import Category
from tests.browser.accessibility import axe_violations, overflowing_widths
from tests.browser.review_steps import open_first_ticket
from tests.factories import configure_review, make_ticket, send_to_review

pytestmark = pytest.mark.browser

COVERED = """element => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    return !seen || !(element.contains(seen) || seen.contains(element));
}"""


@pytest.fixture
def two_opinions(agent_page: Page) -> Page:
    """One ticket that two models label differently."""
    configure_review()
    billing, technical = Category.objects.get(name="Billing"), Category.objects.get(name="Technical")
    send_to_review(make_ticket("They differ about this."), category=billing, second=technical)
    return agent_page


@pytest.mark.parametrize(("width", "height"), [(640, 400), (360, 800), (1280, 800)])
def test_focused_element_is_in_view(two_opinions: Page, width: int, height: int) -> None:
    page = two_opinions
    page.set_viewport_size({"width": width, "height": height})
    open_first_ticket(page)
    covered = []
    for _press in range(24):
        page.keyboard.press("Tab")
        focused = page.locator("#answer :focus")
        if focused.count() and focused.evaluate(COVERED):
            covered.append(focused.evaluate("element => element.outerHTML.slice(0, 120)"))
    assert covered == []


def nested() -> None:
    """Create long three-level categories, before all others."""
    top = Category.objects.create(name="Everything that customers ask about", position=0)
    middle = Category.objects.create(name="Orders, deliveries and returns", parent=top)
    Category.objects.create(name="Return no. 1", parent=middle)
    Category.objects.bulk_create([Category(name=f"Return no. {number}", parent=middle) for number in range(2, 500)])


def test_long_names_keep_the_buttons_in_view(agent_page: Page) -> None:
    nested()
    configure_review()
    send_to_review(make_ticket("Where do I send it?"))
    open_first_ticket(agent_page)
    assert agent_page.evaluate("scrollY") == 0
    box = agent_page.locator(".accept").bounding_box()
    assert box
    assert box["y"] + box["height"] <= 800
    choice = agent_page.locator("label", has_text="Return no. 1").first
    expect(choice).to_have_attribute(
        "title", "Everything that customers ask about > Orders, deliveries and returns > Return no. 1"
    )
    name = choice.locator("span")
    expect(name).to_have_text("Return no. 1")
    assert name.evaluate("element => element.scrollWidth <= element.clientWidth")
    assert axe_violations(agent_page) + overflowing_widths(agent_page) == []


def top(locator: Locator) -> float:
    box = locator.bounding_box()
    assert box
    return box["y"]


def test_near_duplicate_offer_is_readable_and_moves_nothing_in_a_narrow_window(agent_page: Page) -> None:
    configure_review()
    send_to_review(make_ticket("Something else altogether."), confidence=0.01)
    alike = [make_ticket(f"Nobody can sign in since {hour} o'clock, all our screens are blank.") for hour in range(9)]
    send_to_review(*alike, confidence=0.02)
    agent_page.set_viewport_size({"width": 360, "height": 800})
    open_first_ticket(agent_page)
    before = top(agent_page.locator("#outcome")), top(agent_page.locator("#card"))
    agent_page.keyboard.press("Enter")
    expect(agent_page.locator(".incident")).to_be_visible()
    agent_page.evaluate("scrollTo(0, 0)")
    assert (top(agent_page.locator("#outcome")), top(agent_page.locator("#card"))) == before
    agent_page.keyboard.press("Enter")
    offered = agent_page.get_by_role("link", name="8 near-duplicates waiting")
    expect(offered).to_be_visible()
    agent_page.evaluate("scrollTo(0, 0)")
    expect(offered).to_be_in_viewport(ratio=1)
    assert (top(agent_page.locator("#outcome")), top(agent_page.locator("#card"))) == before
    message = agent_page.locator("#outcome p").first.bounding_box()
    assert message
    assert message["width"] > 150


def test_heading_shows_its_focus(two_opinions: Page) -> None:
    open_first_ticket(two_opinions)
    outline = "element => getComputedStyle(element).outlineStyle"
    assert two_opinions.locator("#heading").evaluate(outline) == "solid"
    two_opinions.keyboard.press("?")
    expect(two_opinions.locator("#help")).to_be_focused()
    assert two_opinions.locator("#help").evaluate(outline) == "solid"
