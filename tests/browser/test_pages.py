"""What a person does with the pages, in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from classifier import pipeline
from tests.factories import make_ticket

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> " + "long" * 300 + " مرحبا"


def test_a_ticket_from_typing_to_label_by_keyboard_alone(agent: Page) -> None:
    agent.keyboard.press("Tab")
    expect(agent.get_by_role("link", name="Skip to the content")).to_be_focused()
    agent.get_by_role("link", name="New ticket").first.focus()
    agent.keyboard.press("Enter")
    expect(agent.get_by_label("Text")).to_be_focused()
    agent.keyboard.type("The invoice charges the wrong tax rate, please refund us.")
    agent.get_by_role("button", name="Store the ticket").focus()
    agent.keyboard.press("Enter")
    expect(agent.get_by_text("The ticket is stored and waits to be classified.")).to_be_visible()
    pipeline.work_off()
    # The page looks again by itself while the ticket is new.
    expect(agent.get_by_text("Billing").first).to_be_visible(timeout=10_000)
    expect(agent.get_by_text("No key in OXLO_API_KEY")).to_be_visible()


def test_a_hostile_ticket_is_only_text(agent: Page) -> None:
    ticket = make_ticket(HOSTILE)
    pipeline.work_off()
    agent.goto("/")
    expect(agent.locator(".excerpt").first).to_contain_text("<img src=x onerror=alert(1)>")
    agent.goto(ticket.get_absolute_url())
    expect(agent.locator(".text")).to_contain_text("<script>alert(2)</script>")


@pytest.mark.parametrize("width", [360, 640, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways(agent: Page, width: int, scheme: str) -> None:
    ticket = make_ticket(HOSTILE)
    pipeline.work_off()
    agent.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    agent.set_viewport_size({"width": width, "height": 800})
    for url in ("/", "/tickets/new/", ticket.get_absolute_url(), "/models/"):
        agent.goto(url)
        assert agent.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), url


def test_every_control_has_a_name_and_every_page_one_heading(agent: Page) -> None:
    ticket = make_ticket()
    pipeline.work_off()
    for url in ("/", "/tickets/new/", ticket.get_absolute_url(), "/models/"):
        agent.goto(url)
        assert agent.get_by_role("heading", level=1).count() == 1, url
        nameless = agent.evaluate(
            "[...document.querySelectorAll('a, button, input:not([type=hidden]), textarea, select')]"
            ".filter(e => !(e.innerText.trim() || e.labels?.length || e.getAttribute('aria-label'))).length"
        )
        assert nameless == 0, url


def test_signing_out_leaves_nothing_open(agent: Page) -> None:
    agent.get_by_role("button", name="Sign out").click()
    expect(agent.get_by_role("heading", name="Sign in")).to_be_visible()
    agent.goto("/")
    expect(agent.get_by_role("heading", name="Sign in")).to_be_visible()
