"""A lead's inbox and an agent's decisions in a real browser."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from classifier.models import Ticket
from review.models import Assignment, Decision
from tests.browser.conftest import OpenPage
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import answer, escalate

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)> " + "long" * 300 + " مرحبا"


@pytest.fixture
def lead_page(lead_page: Page) -> Page:
    configure_review()
    return lead_page


def make_disagreement(first: User, second: User, text: str) -> Ticket:
    configure_review(double_share=1)
    ticket = make_ticket(text)
    for assignment, person, category in zip(
        send_to_review(ticket), (first, second), ("Billing", "Technical"), strict=True
    ):
        answer(assignment, person, category)
    configure_review()
    return ticket


def test_lead_works_through_the_inbox(lead_page: Page, ana: User, ben: User) -> None:
    escalate(send_to_review(make_ticket("I will see you in court."))[0], ana)
    make_disagreement(ana, ben, "Is it the card or the login?")
    lead_page.get_by_role("link", name="Lead", exact=True).click()
    row = lead_page.get_by_role("listitem").filter(has_text="I will see you in court.")
    expect(row).to_contain_text("ana escalated it: Is this a threat?")
    row.get_by_role("button", name="Open").press("Enter")
    expect(lead_page.locator("#card .text")).to_contain_text("I will see you in court.")
    expect(lead_page.locator("#heading")).to_be_focused()
    lead_page.keyboard.press("Enter")
    # The response already holds the next item: two labels without names.
    expect(lead_page.locator("#card .text")).to_contain_text("Is it the card or the login?")
    expect(lead_page.locator(".opinion")).to_have_count(2)
    assert not re.search(r"\b(ana|ben)\b", lead_page.locator("main").inner_text())
    lead_page.get_by_role("button", name="Choose this").first.press("Enter")
    expect(lead_page.get_by_text("No tickets left for you")).to_be_visible()
    lead_page.goto("/review/lead/")
    expect(lead_page.get_by_text("Tickets appear here when an agent escalates them")).to_be_visible()
    assert set(Ticket.objects.values_list("state", flat=True)) == {"settled"}
    assert Decision.objects.get(purpose="adjudication").reviewer.username == "lea"


def test_lead_works_through_the_inbox_without_javascript(
    catalogue: None, open_page: OpenPage, ana: User, lea: User
) -> None:
    configure_review()
    escalate(send_to_review(make_ticket("I will see you in court."))[0], ana)
    page = open_page(lea, java_script_enabled=False)
    page.goto("/review/lead/")
    page.get_by_role("button", name="Open").click()
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text("No tickets left for you")).to_be_visible()
    assert Ticket.objects.get().state == "settled"


def test_agent_reopens_a_decision(agent_page: Page, ana: User) -> None:
    configure_review()
    answer(send_to_review(make_ticket("Where is my refund?"))[0], ana, "Technical")
    answer(send_to_review(make_ticket("Where is my parcel?"))[0], ana, "Technical")
    agent_page.get_by_role("link", name="My decisions").click()
    row = agent_page.get_by_role("listitem").filter(has_text="Where is my refund?")
    row.get_by_role("button", name="Reopen").press("Enter")
    expect(agent_page.get_by_text("is open again")).to_be_visible()
    expect(agent_page.locator("#card .text")).to_contain_text("Where is my refund?")
    expect(agent_page.locator(".accept")).to_be_visible()
    agent_page.goto("/review/my-decisions/?kind=undone")
    expect(agent_page.get_by_role("listitem")).to_have_count(1)
    assert Assignment.objects.get(state="open").reviewer == ana


@pytest.mark.parametrize("address", ["/review/lead/", "/review/my-decisions/"])
def test_hostile_text_does_not_break_the_layout(lead_page: Page, lea: User, ana: User, address: str) -> None:
    escalate(send_to_review(make_ticket(HOSTILE))[0], lea)
    answer(send_to_review(make_ticket(HOSTILE))[0], lea, note=HOSTILE)
    make_disagreement(lea, ana, HOSTILE)
    lead_page.goto(address)
    for direction in ("ltr", "rtl"):
        lead_page.evaluate("direction => { document.documentElement.dir = direction }", direction)
        for width in (320, 640, 1280):
            lead_page.set_viewport_size({"width": width, "height": 800})
            over = lead_page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over == 0, (direction, width)


def test_interval_chart_needs_no_inline_style(lead_page: Page, ana: User, ben: User) -> None:
    configure_review(double_share=1)
    for word, category in zip("abcdefghijkl", ["Billing", "Technical", "Account"] * 4, strict=True):
        for assignment, person in zip(send_to_review(make_ticket(f"{word * 9} " * 5)), (ana, ben), strict=True):
            answer(assignment, person, "Billing" if (word, person) == ("l", ben) else category)
    lead_page.goto("/review/lead/")
    drawn = lead_page.locator(".interval").first
    expect(drawn).to_be_visible()
    assert lead_page.locator("main [style], main script, main style").count() == 0
    dot = int(drawn.locator("circle").get_attribute("cx") or "")
    low, width = (int(drawn.locator(".reach").get_attribute(name) or "") for name in ("x", "width"))
    assert 0 < low < dot < low + width <= 100
