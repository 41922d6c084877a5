"""Sign-in in a real browser: one key to the first ticket, a pause after failures, and nothing typed is lost."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from classifier.models import Ticket
from tests.browser.accessibility import axe_violations, overflowing_widths
from tests.browser.conftest import Console, OpenPage
from tests.factories import PASSWORD, configure_review, make_ticket, send_to_review

pytestmark = pytest.mark.browser

TYPED = "  I was charged twice.\n\nPlease undo it — مرحبا"


def sign_in(page: Page, name: str = "ana", password: str = PASSWORD) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def test_sign_in_and_one_key_lead_to_the_first_ticket(
    visitor_page: Page, roles: None, catalogue: None, ana: User
) -> None:
    configure_review()
    send_to_review(make_ticket("The first one."), make_ticket("The second one."))
    visitor_page.goto("/")
    sign_in(visitor_page)
    expect(visitor_page.get_by_role("link", name="Review 2 tickets")).to_be_focused()
    visitor_page.keyboard.press("Enter")
    expect(visitor_page).to_have_url("/review/")


def type_a_ticket(page: Page) -> None:
    page.goto("/tickets/new/")
    page.get_by_label("Text").fill(TYPED)
    page.get_by_label("Customer").fill("c@example.org")
    page.get_by_label("Due").fill("2027-01-02T03:04")
    Session.objects.all().delete()
    page.get_by_role("button", name="Save ticket").click()


def finds_what_was_typed(page: Page) -> None:
    expect(page.get_by_text("You were signed out. Your input is restored")).to_be_visible()
    expect(page.get_by_label("Text")).to_have_value(TYPED)
    expect(page.get_by_label("Customer")).to_have_value("c@example.org")
    expect(page.get_by_label("Due")).to_have_value("2027-01-02T03:04")
    assert not Ticket.objects.exists()
    page.get_by_role("button", name="Save ticket").click()
    expect(page.get_by_text("Ticket saved")).to_be_visible()
    assert Ticket.objects.get().text == TYPED.strip()


def test_expired_session_keeps_the_typed_ticket(agent_page: Page) -> None:
    type_a_ticket(agent_page)
    expect(agent_page.get_by_label("Username")).to_be_focused()
    sign_in(agent_page)
    finds_what_was_typed(agent_page)


def test_expired_session_keeps_the_typed_ticket_without_javascript(
    catalogue: None, open_page: OpenPage, ana: User
) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/")
    sign_in(page)
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    type_a_ticket(page)
    sign_in(page)
    finds_what_was_typed(page)


def test_wrong_password_after_an_expired_session_keeps_the_typed_ticket(agent_page: Page) -> None:
    type_a_ticket(agent_page)
    sign_in(agent_page, password="slip")
    expect(agent_page.get_by_role("alert")).to_be_visible()
    sign_in(agent_page)
    finds_what_was_typed(agent_page)


def test_another_person_in_the_same_browser_does_not_see_the_typed_ticket(agent_page: Page, ben: User) -> None:
    type_a_ticket(agent_page)
    sign_in(agent_page, name="ben")
    expect(agent_page.get_by_label("Text")).to_have_value("")
    agent_page.goto("/tickets/new/")
    expect(agent_page.get_by_label("Text")).to_have_value("")


def test_signing_in_again_in_another_tab_keeps_the_typed_ticket(agent_page: Page) -> None:
    """The form's own CSRF token is no longer valid."""
    agent_page.goto("/tickets/new/")
    agent_page.get_by_label("Text").fill("typed before")
    Session.objects.all().delete()
    other = agent_page.context.new_page()
    other.goto("/sign-in/")
    sign_in(other)
    expect(other.get_by_role("heading", name="Inbox")).to_be_visible()
    agent_page.get_by_role("button", name="Save ticket").click()
    expect(agent_page.get_by_label("Text")).to_have_value("typed before")
    agent_page.get_by_role("button", name="Save ticket").click()
    expect(agent_page.get_by_text("Ticket saved")).to_be_visible()


@pytest.mark.parametrize("door", ["/sign-in/", "/admin/login/"])
def test_too_many_failed_sign_ins_are_explained(
    visitor_page: Page, roles: None, catalogue: None, ana: User, console: Console, door: str
) -> None:
    console.forgive("429")
    visitor_page.goto(door)
    for _time in range(8):
        with visitor_page.expect_navigation():
            sign_in(visitor_page, password="wrong")
    expect(visitor_page.get_by_role("heading", name="Too many attempts")).to_be_visible()
    expect(visitor_page.get_by_text("Try again in 10 minutes")).to_be_visible()
    visitor_page.get_by_role("link", name="Back to sign-in").click()
    sign_in(visitor_page)
    expect(visitor_page.get_by_role("heading", name="Too many attempts")).to_be_visible()
    for attempt in AccessAttempt.objects.all():
        AccessAttempt.objects.update(attempt_time=attempt.attempt_time - timedelta(minutes=10))
    visitor_page.get_by_role("link", name="Back to sign-in").click()
    sign_in(visitor_page)
    expect(visitor_page.get_by_role("heading", name="Inbox")).to_be_visible()


def test_passkey_can_be_set_up_and_signs_in_without_a_password(agent_page: Page) -> None:
    """With the browser's virtual authenticator, under the site's Content-Security-Policy."""
    devices = agent_page.context.new_cdp_session(agent_page)
    devices.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    agent_page.get_by_role("link", name="ana").click()
    agent_page.get_by_role("link", name="Second factor").click()
    agent_page.get_by_role("link", name="Add", exact=True).click()
    agent_page.get_by_label("Password").fill(PASSWORD)
    agent_page.get_by_role("button", name="Confirm").click()
    agent_page.get_by_label("Passwordless").check()
    agent_page.get_by_role("button", name="Add").click()
    expect(agent_page.get_by_role("heading", name="Recovery Codes")).to_be_visible()
    agent_page.get_by_role("button", name="Sign out").click()
    agent_page.get_by_role("button", name="Use a passkey").click()
    expect(agent_page.get_by_role("heading", name="Inbox")).to_be_visible()


def test_account_pages_are_accessible(agent_page: Page) -> None:
    paths = ["second-factor/totp/activate/", "second-factor/", "second-factor/webauthn/", "password/", "sessions/"]
    problems = []
    for path in paths:
        agent_page.goto(f"/account/{path}")
        if agent_page.get_by_role("heading", name="Confirm Access").count():
            problems += axe_violations(agent_page, [360])
            agent_page.get_by_label("Password").fill(PASSWORD)
            agent_page.get_by_role("button", name="Confirm").click()
        expect(agent_page).to_have_url(f"/account/{path}")
        problems += [
            f"{path}: {problem}" for problem in [*axe_violations(agent_page, [360]), *overflowing_widths(agent_page)]
        ]
    assert problems == []
