"""Six tickets to review, and steps that browser tests of the review screen share."""

import re

from playwright.sync_api import Page, expect

from classifier.models import Category
from review.models import Decision
from tests.factories import configure_review, make_ticket, send_to_review

TEXTS = [
    "My card was charged twice for the same invoice.",
    "The API answers 502 since this morning.",
    "Please change the owner of our workspace.",
    "What a lovely new dashboard, thank you!",
    "Sehr geehrte Damen und Herren, nichts geht mehr.",
    "I will take this to court unless you call me.",
]


def make_six_tickets() -> None:
    """Put six tickets into the queue, in the order of TEXTS."""
    configure_review()
    for number, text in enumerate(TEXTS):
        send_to_review(make_ticket(text), confidence=0.1 + number / 10, category=Category.objects.get(name="Billing"))


def open_first_ticket(page: Page) -> None:
    """From the inbox, one press of Enter opens the first ticket."""
    page.goto("/")
    expect(page.get_by_role("link", name=re.compile("Review .* ticket"))).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#heading")).to_be_focused()


def expect_ticket(page: Page, number: int) -> None:
    expect(page.locator("#card .text")).to_contain_text(TEXTS[number])
    expect(page.locator("#heading")).to_be_focused()


def verdicts() -> list[str]:
    return list(Decision.objects.order_by("pk").values_list("verdict", flat=True))


def turn_off_shortcuts(page: Page) -> None:
    page.goto("/review/preferences/")
    page.get_by_label("Keyboard shortcuts").uncheck()
    page.get_by_role("button", name="Save").click()
