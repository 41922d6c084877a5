"""The queue in a real browser: by keyboard, without JavaScript, accessible."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect

from classifier.models import Category
from review.models import Assignment, Decision
from review.workflow import leases
from tests.browser.accessibility import page_problems
from tests.factories import PASSWORD, configure_review, make_ticket, send_to_review

pytestmark = pytest.mark.browser

REFUNDS = ["A refund is missing.", "Refund me, please.", "Where is my refund?"]
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> " + "long" * 300 + " مرحبا"


@pytest.fixture
def waiting(catalogue: None) -> None:
    """Three tickets about refunds, one disagreement of models, and many others."""
    configure_review()
    billing, technical, account = (Category.objects.get(name=name) for name in ("Billing", "Technical", "Account"))
    for place, text in enumerate(REFUNDS):
        send_to_review(make_ticket(text, language="en"), category=billing, confidence=0.2 + place / 10)
    send_to_review(make_ticket("Is it the printer or the driver?"), category=technical, second=account, confidence=0.1)
    send_to_review(
        *[make_ticket(f"Change the owner, no. {number}") for number in range(30)], category=account, confidence=0.8
    )


def rows(page: Page) -> Locator:
    return page.locator("#queue-table tbody tr")


def tab_to(page: Page, control: Locator, *, key: str = "Tab") -> None:
    """Press the key until the control has the focus."""
    expect(control).to_have_count(1)
    for _press in range(120):
        if control.evaluate("control => control === document.activeElement"):
            return
        page.keyboard.press(key)
    pytest.fail(f"{key} never reaches {control}")


@pytest.mark.usefixtures("waiting")
def test_tickets_are_filtered_accepted_and_undone_by_keyboard_alone(agent_page: Page) -> None:
    press = agent_page.keyboard.press
    tab_to(agent_page, agent_page.get_by_role("link", name="Queue", exact=True))
    press("Enter")
    words = agent_page.get_by_label("Words")
    tab_to(agent_page, words)
    agent_page.keyboard.type("refund")
    expect(rows(agent_page)).to_have_count(3)
    expect(words).to_be_focused()
    expect(agent_page).to_have_url(re.compile(r"/review/queue/\?q=refund$"))
    expect(agent_page.get_by_role("status").filter(has_text="3 reviews waiting")).to_be_visible()

    confidence = agent_page.get_by_role("link", name="Confidence")
    tab_to(agent_page, confidence)
    press("Enter")
    expect(agent_page.get_by_role("columnheader", name="Confidence")).to_have_attribute("aria-sort", "ascending")
    expect(confidence).to_be_focused()
    press("Enter")
    expect(agent_page.get_by_role("columnheader", name="Confidence")).to_have_attribute("aria-sort", "descending")
    expect(rows(agent_page).first).to_contain_text(REFUNDS[2])

    for place in range(2):
        tab_to(agent_page, rows(agent_page).nth(place).get_by_role("checkbox"))
        press("Space")
    press("Enter")
    expect(agent_page.get_by_role("heading", level=1)).to_have_text("Accept 2 tickets as Billing | Positive?")
    tab_to(agent_page, agent_page.get_by_role("button", name="Accept as Billing | Positive"))
    press("Enter")
    expect(agent_page.get_by_text("2 tickets accepted as Billing | Positive.")).to_be_visible()
    expect(rows(agent_page)).to_have_count(1)
    expect(words).to_have_value("refund")

    undo = agent_page.get_by_role("button", name="Undo: return")
    tab_to(agent_page, undo)
    press("Enter")
    expect(agent_page.get_by_text("2 decisions undone.")).to_be_visible()
    expect(rows(agent_page)).to_have_count(3)
    expect(undo).to_have_count(0)


@pytest.mark.usefixtures("waiting")
def test_filtering_and_paging_by_keyboard_keep_the_focus(agent_page: Page) -> None:
    press = agent_page.keyboard.press
    agent_page.goto("/review/queue/")
    following = agent_page.locator("#page-next")
    tab_to(agent_page, following)
    press("Enter")
    expect(agent_page.get_by_text("Page 2 of 2")).to_be_visible()
    expect(following).to_be_focused()
    expect(rows(agent_page)).to_have_count(9)
    agent_page.go_back()
    expect(agent_page.get_by_text("Page 1 of 2")).to_be_visible()
    expect(rows(agent_page)).to_have_count(25)

    reason = agent_page.get_by_label("Reason")
    tab_to(agent_page, reason)
    agent_page.keyboard.type("two")
    expect(rows(agent_page)).to_have_count(1)
    expect(reason).to_be_focused()
    expect(agent_page).to_have_url(re.compile(r"/review/queue/\?reason=disagreement$"))
    agent_page.reload()
    expect(rows(agent_page)).to_have_count(1)
    expect(reason).to_have_value("disagreement")


@pytest.mark.usefixtures("waiting")
def test_filtering_keeps_the_order_of_the_table(agent_page: Page) -> None:
    agent_page.goto("/review/queue/")
    agent_page.get_by_role("link", name="Confidence").click()
    expect(agent_page).to_have_url(re.compile(r"sort=confidence"))
    agent_page.get_by_label("Language").select_option("en")
    expect(agent_page).to_have_url(re.compile(r"language=en"))
    expect(agent_page).to_have_url(re.compile(r"sort=confidence"))
    expect(rows(agent_page).first).to_contain_text(REFUNDS[0])
    expect(agent_page.get_by_role("columnheader", name="Confidence")).to_have_attribute("aria-sort", "ascending")


@pytest.mark.usefixtures("waiting")
def test_ticket_can_be_opened_from_its_row(agent_page: Page) -> None:
    agent_page.goto("/review/queue/?q=printer")
    agent_page.get_by_role("button", name="Review ticket").press("Enter")
    expect(agent_page.locator("#card .text")).to_contain_text("Is it the printer")


@pytest.mark.usefixtures("waiting")
def test_every_step_works_without_javascript(no_script_page: Page) -> None:
    no_script_page.goto("/review/queue/")
    no_script_page.locator("#page-next").click()
    expect(no_script_page.get_by_text("Page 2 of 2")).to_be_visible()
    no_script_page.get_by_label("Words").fill("refund")
    no_script_page.get_by_label("Category").select_option("Billing")
    no_script_page.get_by_role("button", name="Filter").click()
    expect(rows(no_script_page)).to_have_count(3)
    no_script_page.get_by_role("link", name="Confidence").click()
    expect(rows(no_script_page).first).to_contain_text(REFUNDS[0])
    expect(no_script_page.get_by_label("Words")).to_have_value("refund")

    no_script_page.get_by_role("button", name="Accept all on this page").click()
    expect(no_script_page.get_by_role("heading", level=1)).to_have_text("Accept 3 tickets as Billing | Positive?")
    no_script_page.get_by_label(REFUNDS[1]).uncheck()
    no_script_page.get_by_role("button", name="Accept as Billing | Positive").click()
    expect(no_script_page.get_by_text("2 tickets accepted as Billing | Positive.")).to_be_visible()
    expect(rows(no_script_page)).to_have_count(1)
    expect(no_script_page.get_by_role("columnheader", name="Confidence")).to_have_attribute("aria-sort", "ascending")
    no_script_page.get_by_role("button", name="Undo: return").click()
    expect(no_script_page.get_by_text("2 decisions undone.")).to_be_visible()
    expect(rows(no_script_page)).to_have_count(3)


@pytest.mark.usefixtures("waiting")
def test_different_suggestions_lead_to_a_choice_of_groups(agent_page: Page) -> None:
    agent_page.goto("/review/queue/?sort=confidence")
    for text in (REFUNDS[0], "Is it the printer"):
        rows(agent_page).filter(has_text=text).get_by_role("checkbox").check()
    agent_page.get_by_role("button", name="Accept selected").click()
    expect(agent_page.get_by_role("heading", level=1)).to_have_text("These have different suggestions")
    agent_page.get_by_role("button", name="Continue with 1 ticket: Technical | Positive").click()
    expect(agent_page.get_by_role("heading", level=1)).to_have_text("Accept 1 ticket as Technical | Positive?")
    agent_page.get_by_role("link", name="Back to the queue").click()
    expect(agent_page).to_have_url(re.compile(r"/review/queue/\?sort=confidence$"))
    assert not Decision.objects.exists()


def check(page: Page, where: str) -> list[str]:
    """Accessibility and layout problems of the page as shown."""
    return [f"{where}: {problem}" for problem in page_problems(page)]


@pytest.mark.usefixtures("waiting")
def test_queue_pages_are_accessible_in_every_state(agent_page: Page, ben: User) -> None:
    hostile, leased = send_to_review(
        make_ticket(HOSTILE, language="x" * 20), make_ticket("Another refund"), confidence=0.1
    )
    leases.lease_ticket(ben, leased.ticket)
    problems = []
    for query in ("?q=refund", "?q=nothinglikethis", "?confidence_min=7&reason=because"):
        agent_page.goto(f"/review/queue/{query}")
        problems += check(agent_page, query)
    agent_page.goto("/review/queue/?sort=confidence")
    agent_page.get_by_role("button", name="Accept all on this page").click()
    problems += check(agent_page, "several groups")
    agent_page.goto("/review/queue/?sort=confidence")
    # Someone else opens it after it was shown here.
    leases.lease_ticket(ben, Assignment.objects.get(ticket__text=REFUNDS[0]).ticket)
    for text in ("<script>alert(2)</script>", REFUNDS[0]):
        rows(agent_page).filter(has_text=text).get_by_role("checkbox").check()
    agent_page.get_by_role("button", name="Accept selected").click()
    expect(agent_page.get_by_role("heading", name="Left out")).to_be_visible()
    problems += check(agent_page, "one group and what is left out")
    agent_page.get_by_role("button", name="Accept as Billing | Positive").click()
    expect(agent_page.get_by_role("button", name="Undo: return")).to_be_visible()
    problems += check(agent_page, "done")
    assert problems == []
    assert hostile.ticket_id == Decision.objects.get().ticket_id


@pytest.mark.usefixtures("waiting")
def test_filter_after_the_session_ended_leads_to_sign_in_and_back(agent_page: Page) -> None:
    agent_page.goto("/review/queue/")
    agent_page.context.clear_cookies()
    agent_page.get_by_role("link", name="Confidence").click()
    expect(agent_page.get_by_role("heading", name="Sign in")).to_be_visible()
    agent_page.get_by_label("Username").fill("ana")
    agent_page.get_by_label("Password").fill(PASSWORD)
    agent_page.keyboard.press("Enter")
    expect(agent_page.get_by_role("heading", name="Queue")).to_be_visible()
