"""A morning with attributes of every kind, by keyboard alone."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from classifier.models import Attribute, AttributeOption, Category
from classifier.tickets.attribute_values import AttributeReader
from review.models import Decision
from tests.browser.accessibility import page_problems
from tests.browser.conftest import Console
from tests.browser.review_steps import open_first_ticket
from tests.factories import configure_review, make_attribute, make_ticket, send_to_review

pytestmark = pytest.mark.browser

TEXTS = ["Order A-12345 never came.", "The second order, A-99999, is broken.", "A third message about a lamp."]


@pytest.fixture
def attribute_page(agent_page: Page) -> Page:
    priority = make_attribute("priority", "one_of", "Low", "High", required=True)
    refund = make_attribute("refund", "yes_no")
    make_attribute("products", "several_of", "Lamp", "Desk", "Sofa")
    order = make_attribute("order", "text", pattern="A-[0-9]{5}")
    machine = make_attribute("machine", "one_of", *(f"Machine {number}" for number in range(40)))
    machine.categories.add(Category.objects.get(name="Technical"))
    configure_review()
    high = AttributeOption.objects.get(name="High").pk
    for number, text in enumerate(TEXTS):
        answers = {str(priority.pk): high, str(refund.pk): True, str(order.pk): f"A-1234{number}"}
        billing = Category.objects.get(name="Billing")
        send_to_review(make_ticket(text), confidence=0.1 + number / 10, category=billing, attributes=answers)
    return agent_page


def decided() -> list[dict[str, Any]]:
    decisions = list(Decision.objects.order_by("pk"))
    reader = AttributeReader(decision.attributes for decision in decisions)
    return [reader.typed(decision.attributes) for decision in decisions]


def answer_of(page: Page, key: str) -> Any:
    name = Attribute.objects.get(key=key).name
    return page.locator(".attribute", has_text=name).locator(".answer")


def test_all_right_is_one_key_and_every_kind_is_changed_by_letters_and_digits(attribute_page: Page) -> None:
    open_first_ticket(attribute_page)
    press, typed = attribute_page.keyboard.press, attribute_page.keyboard.type
    expect(answer_of(attribute_page, "priority")).to_have_text("High")
    expect(attribute_page.locator(".accept")).to_contain_text("Accept")
    press("Enter")
    expect(attribute_page.locator("#card .text")).to_contain_text(TEXTS[1])
    press("v")
    press("1")
    expect(answer_of(attribute_page, "priority")).to_have_text("Low")
    expect(attribute_page.locator(".accept")).to_contain_text("Correct")
    press("b")
    press("0")
    expect(answer_of(attribute_page, "refund")).to_have_text("–")
    press("c")
    press("1")
    press("3")
    press("c")
    expect(answer_of(attribute_page, "products")).to_have_text("Lamp, Sofa")
    press("k")
    typed("A-99999")
    press("Escape")
    expect(attribute_page.locator("#heading")).to_be_focused()
    press("Enter")
    expect(attribute_page.locator("#card .text")).to_contain_text(TEXTS[2])
    assert decided() == [
        {"priority": "High", "refund": True, "order": "A-12340"},
        {"priority": "Low", "products": ["Lamp", "Sofa"], "order": "A-99999"},
    ]


def test_an_attribute_appears_with_its_category_and_a_refused_answer_opens_it(
    attribute_page: Page, console: Console
) -> None:
    console.forgive("422")
    open_first_ticket(attribute_page)
    press = attribute_page.keyboard.press
    machine = attribute_page.locator(".attribute", has_text="Machine")
    expect(machine).to_be_hidden()
    technical = attribute_page.locator(".categories label", has_text=re.compile("Technical"))
    technical.click()
    expect(machine).to_be_visible()
    press("l")
    attribute_page.keyboard.type("Machine 7")
    press("Escape")
    press("k")
    attribute_page.keyboard.type("7")
    press("Enter")
    expect(attribute_page.locator(".errors")).to_contain_text("match A-[0-9]{5}")
    expect(attribute_page.locator(".attribute[open] input[type=text]")).to_have_value("7")
    assert decided() == []


def test_the_screen_with_attributes_is_accessible(attribute_page: Page) -> None:
    open_first_ticket(attribute_page)
    attribute_page.keyboard.press("v")
    assert not page_problems(attribute_page)
