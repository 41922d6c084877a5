"""Accidents on the review screen, by hand or on the network, lose and decide nothing."""

import re

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, Request, Route, expect

from classifier.models import Category
from review.models import Assignment, Decision
from tests.browser.conftest import Console
from tests.browser.review_steps import (
    TEXTS,
    expect_ticket,
    make_six_tickets,
    open_first_ticket,
    turn_off_shortcuts,
    verdicts,
)
from tests.factories import PASSWORD, configure_review, make_ticket, send_to_review

pytestmark = pytest.mark.browser

DECIDE = "**/review/decide/"
RENEW_LEASE = "**/review/renew-lease/"
UNDO = "**/review/undo/"
SIMILAR = "**/review/similar/**"


@pytest.fixture
def review_page(agent_page: Page) -> Page:
    """Ana's page, whose requests go by Playwright from the start.

    A page that is loaded before its first route may send one more request without asking it.
    """
    make_six_tickets()
    agent_page.route("**/never/", Route.abort)
    return agent_page


def two_opinions() -> None:
    configure_review()
    billing, technical = Category.objects.get(name="Billing"), Category.objects.get(name="Technical")
    send_to_review(make_ticket("They differ about this."), category=billing, second=technical)


def labels() -> list[str]:
    return [decision.category.name for decision in Decision.objects.select_related("category").order_by("pk")]


def test_expired_session_loses_no_answer(review_page: Page) -> None:
    open_first_ticket(review_page)
    review_page.keyboard.press("3")
    Session.objects.all().delete()
    review_page.keyboard.press("Enter")
    expect(review_page.get_by_label("Username")).to_be_focused()
    review_page.keyboard.type("ana")
    review_page.keyboard.press("Tab")
    review_page.keyboard.type(PASSWORD)
    review_page.keyboard.press("Enter")
    expect(review_page.get_by_role("heading", name="You were signed out")).to_be_visible()
    assert verdicts() == []
    expect(review_page.get_by_role("button", name="Send now")).to_be_focused()
    review_page.keyboard.press("Enter")
    expect_ticket(review_page, 1)
    decision = Decision.objects.get()
    assert (decision.verdict, decision.category.name) == ("corrected", "Account")


def test_signing_in_again_in_another_tab_keeps_this_one_usable(review_page: Page) -> None:
    open_first_ticket(review_page)
    other = review_page.context.new_page()
    Session.objects.all().delete()
    other.goto("/sign-in/")
    other.get_by_label("Username").fill("ana")
    other.get_by_label("Password").fill(PASSWORD)
    other.keyboard.press("Enter")
    expect(other.get_by_role("heading", name="Inbox")).to_be_visible()
    review_page.bring_to_front()
    review_page.keyboard.press("Enter")
    expect_ticket(review_page, 1)
    assert verdicts() == ["accepted"]


def test_lost_connection_keeps_the_answer_and_sends_it_once(review_page: Page, console: Console) -> None:
    console.forgive("Failed to load resource")
    console.forgive("htmx:")
    lost: list[str] = []
    shown: list[str] = []

    def lose(route: Route) -> None:
        """Lose the request, then the replies, until the page has shown its message."""
        if len(lost) > 1 and shown:
            route.continue_()
            return
        if lost:
            route.fetch()
        lost.append("answer" if lost else "request")
        route.abort()

    review_page.route(DECIDE, lose)
    open_first_ticket(review_page)
    review_page.keyboard.press("Enter")
    expect(review_page.get_by_text("Not saved yet")).to_be_visible()
    sees_still = review_page.locator("#card .text")
    expect(sees_still).to_contain_text(TEXTS[0])
    shown.append("not saved")
    sees_next = re.compile(re.escape(TEXTS[1]))
    expect(review_page.locator("#card .text")).to_contain_text(sees_next, timeout=30_000)
    expect(review_page.get_by_text("Not saved yet")).to_be_hidden()
    assert lost[:2] == ["request", "answer"]
    assert verdicts() == ["accepted"]


def test_enter_without_javascript_records_the_typed_label(no_script_page: Page) -> None:
    two_opinions()
    no_script_page.goto("/review/")
    no_script_page.get_by_label("Neutral").check()
    no_script_page.get_by_text("Find", exact=True).click()
    no_script_page.get_by_label("Find a category by typing").fill("Account")
    no_script_page.keyboard.press("Enter")
    expect(no_script_page.get_by_role("heading", name="No tickets left for you")).to_be_visible()
    assert labels() == ["Account"]


def test_enter_without_shortcuts_records_the_chosen_label(agent_page: Page) -> None:
    two_opinions()
    turn_off_shortcuts(agent_page)
    agent_page.goto("/review/")
    agent_page.get_by_label("Neutral").check()
    agent_page.get_by_label("Account").check()
    agent_page.keyboard.press("Enter")
    expect(agent_page.get_by_text("No tickets left for you")).to_be_visible()
    assert labels() == ["Account"]


def test_enter_on_an_unknown_category_sends_nothing(agent_page: Page) -> None:
    two_opinions()
    open_first_ticket(agent_page)
    agent_page.keyboard.press("/")
    agent_page.keyboard.type("zzzz")
    expect(agent_page.get_by_text("No matching category.")).to_be_visible()
    agent_page.keyboard.press("Enter")
    expect(agent_page.locator("#find")).to_be_focused()
    agent_page.keyboard.press("Escape")
    assert verdicts() == []


def test_held_key_acts_once(review_page: Page) -> None:
    open_first_ticket(review_page)
    for key, number, done in (("Enter", 1, ["accepted"]), ("u", 0, ["accepted", "undone"])):
        review_page.keyboard.down(key)
        expect_ticket(review_page, number)
        for _repeat in range(3):
            review_page.keyboard.down(key)
        review_page.keyboard.up(key)
        review_page.wait_for_load_state("networkidle")
        expect_ticket(review_page, number)
        assert verdicts() == done


CLICK_AT_ONCE = """() => new MutationObserver((_found, observer) => {
    observer.disconnect();
    const second = new MouseEvent("click", { detail: 2, bubbles: true, cancelable: true });
    document.querySelector("#card .accept").dispatchEvent(second);
}).observe(document.getElementById("workspace"), { childList: true })"""


def test_double_click_decides_one_ticket(review_page: Page) -> None:
    open_first_ticket(review_page)
    review_page.evaluate(CLICK_AT_ONCE)
    review_page.locator(".accept").click()
    expect_ticket(review_page, 1)
    review_page.wait_for_timeout(500)
    expect_ticket(review_page, 1)
    assert verdicts() == ["accepted"]
    review_page.locator(".accept").click()
    expect_ticket(review_page, 2)


def test_unsaved_answer_cannot_be_changed_and_blocks_other_actions(review_page: Page, console: Console) -> None:
    console.forgive("Failed to load resource")
    console.forgive("htmx:")
    console.forgive("Response Status")
    open_first_ticket(review_page)
    review_page.keyboard.press("Enter")
    expect_ticket(review_page, 1)
    on_its_way: list[Route] = []

    def lose(route: Route) -> None:
        """Delay the first request until the test has acted."""
        if on_its_way:
            route.fulfill(status=503)
        else:
            on_its_way.append(route)

    review_page.route(DECIDE, lose)
    with review_page.expect_request(DECIDE):
        review_page.keyboard.press("3")
        review_page.keyboard.press("Enter")
    review_page.get_by_label("Technical").check()
    on_its_way[0].fulfill(status=503)
    expect(review_page.get_by_text("Not saved yet")).to_be_visible()
    expect(review_page.locator("#send-again")).to_be_focused()
    review_page.keyboard.press("u")
    expect(review_page.locator("#outcome")).to_contain_text("Wait until your answer is saved.")
    review_page.keyboard.press("4")
    review_page.get_by_role("button", name="Undo").click()
    expect(review_page.get_by_text("Not saved yet")).to_be_visible()
    review_page.unroute(DECIDE)
    expect(review_page.locator("#card .text")).to_contain_text(TEXTS[2], timeout=30_000)
    expect_ticket(review_page, 2)
    assert verdicts() == ["accepted", "corrected"]
    assert labels() == ["Billing", "Account"]


def test_rejected_answer_is_reported_and_not_resent(review_page: Page, console: Console) -> None:
    console.forgive("403")
    open_first_ticket(review_page)
    sent: list[Route] = []

    def refuse(route: Route) -> None:
        sent.append(route)
        route.fulfill(status=403)

    review_page.route(DECIDE, refuse)
    review_page.keyboard.press("Enter")
    expect(review_page.get_by_text("Not saved: the server rejected this answer.")).to_be_visible()
    expect(review_page.get_by_role("link", name="Go to the next ticket")).to_be_focused()
    review_page.wait_for_timeout(2_500)
    assert len(sent) == 1
    expect(review_page.locator("#unsaved")).to_be_hidden()
    review_page.unroute(DECIDE)
    review_page.keyboard.press("Enter")
    expect_ticket(review_page, 0)
    review_page.keyboard.press("Enter")
    expect_ticket(review_page, 1)


def test_lease_is_renewed_only_while_the_person_is_active(review_page: Page) -> None:
    review_page.clock.install()
    renewals: list[Request] = []
    review_page.on(
        "request", lambda request: renewals.append(request) if request.url.endswith("/renew-lease/") else None
    )
    open_first_ticket(review_page)
    review_page.keyboard.press("n")
    with review_page.expect_response(RENEW_LEASE) as answered:
        review_page.clock.run_for(61_000)
    assert answered.value.status == 204
    review_page.clock.run_for(180_000)
    assert len(renewals) == 1
    review_page.mouse.move(200, 200)
    with review_page.expect_response(RENEW_LEASE):
        review_page.clock.run_for(60_000)


def test_expired_lease_is_announced(review_page: Page, console: Console) -> None:
    console.forgive("409")
    review_page.clock.install()
    # Once the ticket is gone, its similar tickets are gone too.
    with review_page.expect_response(SIMILAR):
        open_first_ticket(review_page)
    review_page.keyboard.press("2")
    Assignment.objects.filter(reviewer__username="ana").update(reviewer=None, leased_until=None)
    review_page.clock.run_for(61_000)
    expect(review_page.get_by_role("status").filter(has_text="Your hold on this ticket has expired")).to_be_visible()
    review_page.keyboard.press("Enter")
    expect_ticket(review_page, 1)
    assert verdicts() == ["corrected"]


def test_polling_for_work_changes_nothing_until_there_is_some(agent_page: Page) -> None:
    configure_review()
    send_to_review(make_ticket("The only one."))
    agent_page.clock.install()
    open_first_ticket(agent_page)
    agent_page.keyboard.press("Enter")
    expect(agent_page.get_by_role("heading", name="No tickets left for you")).to_be_focused()
    expect(agent_page.get_by_text("This page refreshes automatically.")).to_be_visible()
    undo = agent_page.get_by_role("button", name="Undo")
    undo.focus()
    with agent_page.expect_response("**/review/"):
        agent_page.clock.run_for(21_000)
    expect(undo).to_be_focused()
    send_to_review(make_ticket("One more."))
    agent_page.clock.run_for(21_000)
    expect(agent_page.locator("#card .text")).to_have_text("One more.")
    expect(agent_page.locator("#heading")).to_be_focused()


def test_empty_screen_has_a_refresh_link_without_javascript(no_script_page: Page) -> None:
    configure_review()
    no_script_page.goto("/review/")
    expect(no_script_page.get_by_text("refreshes automatically")).to_be_hidden()
    make_six_tickets()
    no_script_page.get_by_role("link", name="Refresh").click()
    expect(no_script_page.locator("#card .text")).to_have_text(TEXTS[0])


def test_error_gets_the_focus_without_moving_the_page(agent_page: Page, console: Console) -> None:
    console.forgive("422")
    configure_review(blind_share=1)
    parent = Category.objects.create(name="Much " * 15)
    for number in range(5):
        Category.objects.create(name=f"alike {number} " + "and long " * 5, parent=parent)
    send_to_review(make_ticket("Only the message is here."))
    open_first_ticket(agent_page)
    controls = ["#card .text", ".accept", "#find", "summary", "input[name=sentiment]"]

    def places() -> object:
        """Positions from the top of the page."""
        tops = "selectors => selectors.map(path => scrollY + document.querySelector(path).getBoundingClientRect().top)"
        return agent_page.evaluate(tops, controls)

    before = places()
    agent_page.locator("#find").fill("alike")
    agent_page.evaluate("document.activeElement.blur()")
    agent_page.keyboard.press("w")
    agent_page.keyboard.press("Enter")
    expect(agent_page.locator(".errors")).to_be_focused()
    expect(agent_page.locator(".errors")).to_contain_text("alike 4")
    assert places() == before


def test_lost_undo_is_reported_and_can_be_repeated(review_page: Page, console: Console) -> None:
    console.forgive("Failed to load resource")
    console.forgive("htmx:")
    open_first_ticket(review_page)
    review_page.keyboard.press("Enter")
    expect_ticket(review_page, 1)
    review_page.route(UNDO, lambda route: route.abort())
    review_page.keyboard.press("u")
    expect(review_page.locator("#outcome")).to_contain_text("Not undone: the server rejected the request.")
    expect_ticket(review_page, 1)
    review_page.unroute(UNDO)
    review_page.keyboard.press("u")
    expect_ticket(review_page, 0)
    assert Decision.objects.filter(undoes=None).count() == 1


def test_escalation_without_a_reason_keeps_the_form_open(review_page: Page, console: Console) -> None:
    console.forgive("422")
    open_first_ticket(review_page)
    review_page.keyboard.press("x")
    review_page.keyboard.press("Tab")
    review_page.keyboard.press("Enter")
    why = review_page.get_by_label("What should the lead look at?")
    expect(why).to_have_attribute("aria-invalid", "true")
    expect(why).to_be_focused()
    review_page.keyboard.type("Whether he means it.")
    review_page.keyboard.press("Tab")
    review_page.keyboard.press("Enter")
    expect_ticket(review_page, 1)
    assert verdicts() == ["escalated"]
