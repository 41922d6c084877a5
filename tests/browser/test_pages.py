"""Everyday pages in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from classifier.models import Ticket
from classifier.pipeline import runner
from classifier.text import LONGEST_TICKET
from tests.factories import configure_review, make_ticket

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> " + "long" * 300 + " مرحبا"


def tab_to(page: Page, role: str, name: str) -> None:
    """Press Tab until the control has the focus."""
    control = page.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]
    for _press in range(40):
        page.keyboard.press("Tab")
        if control.evaluate("control => control === document.activeElement"):
            return
    pytest.fail(f"Tab never reaches {name}")


def test_ticket_is_created_and_labelled_by_keyboard_alone(agent_page: Page) -> None:
    configure_review()
    agent_page.keyboard.press("Tab")
    expect(agent_page.get_by_role("link", name="Skip to content")).to_be_focused()
    tab_to(agent_page, "link", "New ticket")
    agent_page.keyboard.press("Enter")
    expect(agent_page.get_by_label("Text")).to_be_focused()
    agent_page.keyboard.type("The invoice charges the wrong tax rate, please refund us.")
    tab_to(agent_page, "button", "Save ticket")
    agent_page.keyboard.press("Enter")
    expect(agent_page.get_by_text("Ticket saved. It is waiting for classification.")).to_be_visible()
    runner.classify_next_batch()
    # The page refreshes itself while the ticket is new.
    expect(agent_page.get_by_text("Billing").first).to_be_visible(timeout=10_000)
    expect(agent_page.get_by_text("No key in OXLO_API_KEY")).to_be_visible()


def test_click_anywhere_on_a_row_opens_its_ticket(agent_page: Page) -> None:
    ticket = make_ticket("Where is my refund?")
    agent_page.goto("/")
    agent_page.locator(".tickets li").click(position={"x": 1200, "y": 10})
    expect(agent_page).to_have_url(re.compile(f"{ticket.get_absolute_url()}$"))


def test_hostile_ticket_is_escaped(agent_page: Page) -> None:
    ticket = make_ticket(HOSTILE)
    runner.classify_next_batch()
    agent_page.goto("/")
    expect(agent_page.locator(".excerpt").first).to_contain_text("<img src=x onerror=alert(1)>")
    agent_page.goto(ticket.get_absolute_url())
    expect(agent_page.locator(".text")).to_contain_text("<script>alert(2)</script>")


def test_rejected_ticket_form_keeps_its_values(agent_page: Page) -> None:
    first = make_ticket(external_id="A-1")
    agent_page.goto("/tickets/new/")
    agent_page.get_by_label("Text").fill("one\n\n  two")
    agent_page.get_by_label("External id").fill("A-1")
    agent_page.get_by_role("button", name="Save ticket").click()
    expect(agent_page.get_by_label("Text")).to_have_value("one\n\n  two")
    expect(agent_page.get_by_label("External id")).to_have_accessible_description(re.compile("already exists"))
    agent_page.get_by_role("link", name="Open it").click()
    expect(agent_page).to_have_url(re.compile(f"{first.get_absolute_url()}$"))


def test_longest_ticket_can_be_sent_in_any_script(agent_page: Page) -> None:
    lines = ["字" * 63] * (LONGEST_TICKET // 64)
    agent_page.goto("/tickets/new/")
    agent_page.get_by_label("Text").evaluate("(area, text) => { area.value = text }", "\n".join(lines))
    agent_page.get_by_role("button", name="Save ticket").click()
    expect(agent_page.get_by_text("Ticket saved")).to_be_visible()
    assert Ticket.objects.get().text.split("\n") == lines


def test_pages_have_no_inline_script_or_style(agent_page: Page) -> None:
    ticket = make_ticket(HOSTILE)
    runner.classify_next_batch()
    for url in ("/", "/tickets/new/", ticket.get_absolute_url(), "/models/"):
        agent_page.goto(url)
        assert agent_page.locator("script, style, [style], [onclick], [onload]").count() == 0, url


def test_signing_out_closes_every_page(agent_page: Page) -> None:
    agent_page.get_by_role("button", name="Sign out").click()
    expect(agent_page.get_by_role("heading", name="Sign in")).to_be_visible()
    agent_page.goto("/")
    expect(agent_page.get_by_role("heading", name="Sign in")).to_be_visible()
