"""The review screen in a real browser, by keyboard alone."""

import re

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, Route, expect

from classifier.models import Category, Gate, Ticket
from review.models import Assignment, Decision
from tests.browser.accessibility import axe_violations, overflowing_widths
from tests.browser.conftest import Console, OpenPage
from tests.browser.review_steps import (
    TEXTS,
    expect_ticket,
    make_six_tickets,
    open_first_ticket,
    turn_off_shortcuts,
    verdicts,
)
from tests.factories import configure_review, make_example, make_ticket, send_to_review

pytestmark = pytest.mark.browser


@pytest.fixture
def review_page(agent_page: Page) -> Page:
    make_six_tickets()
    return agent_page


def test_shift_and_a_digit_name_a_further_category(agent_page: Page) -> None:
    Gate.objects.update(further_categories=True)
    make_six_tickets()
    open_first_ticket(agent_page)
    agent_page.keyboard.press("Shift+Digit2")
    agent_page.keyboard.press("Shift+Digit3")
    agent_page.keyboard.press("Shift+Digit3")
    expect(agent_page.get_by_label("Also Technical")).to_be_checked()
    expect(agent_page.get_by_label("Also Account")).not_to_be_checked()
    assert axe_violations(agent_page) + overflowing_widths(agent_page) == []
    expect(agent_page.locator("input[name=category]:checked")).to_have_value(
        str(Category.objects.get(name="Billing").pk)
    )
    agent_page.keyboard.press("Enter")
    expect_ticket(agent_page, 1)
    decision = Decision.objects.get()
    assert (decision.verdict, decision.further_categories) == ("accepted", [Category.objects.get(name="Technical").pk])
    expect(agent_page.get_by_label("Also Technical")).not_to_be_checked()


def test_six_tickets_are_reviewed_by_keyboard_alone(review_page: Page) -> None:
    open_first_ticket(review_page)
    expect_ticket(review_page, 0)
    press, typed = review_page.keyboard.press, review_page.keyboard.type
    press("Enter")
    expect_ticket(review_page, 1)
    press("2")
    expect(review_page.locator(".accept")).to_contain_text("Correct")
    press("e")
    press("Enter")
    expect_ticket(review_page, 2)
    press("/")
    typed("acco")
    press("Enter")
    expect(review_page.locator("#find")).to_have_value("Account")
    press("n")
    typed("They write from the owner's address.")
    press("Escape")
    expect(review_page.locator("#heading")).to_be_focused()
    press("Enter")
    expect_ticket(review_page, 3)
    press("s")
    press("2")
    expect_ticket(review_page, 4)
    press("x")
    typed("This one needs somebody who reads German.")
    press("Tab")
    press("Enter")
    expect_ticket(review_page, 5)
    press("u")
    expect_ticket(review_page, 4)
    press("u")
    expect_ticket(review_page, 3)
    assert verdicts() == ["accepted", "corrected", "corrected", "skipped", "escalated", "undone", "undone"]
    first, second, third = Decision.objects.order_by("pk")[:3]
    assert (second.category.name, second.sentiment.name) == ("Technical", "Negative")
    assert (third.category.name, third.note) == ("Account", "They write from the owner's address.")
    assert first.reviewer.username == "ana"
    assert Decision.objects.get(verdict="escalated").note == "This one needs somebody who reads German."


def test_controls_stay_in_place_from_ticket_to_ticket(review_page: Page) -> None:
    long = make_ticket("A very long message. " * 300)
    send_to_review(long, confidence=0.05)
    open_first_ticket(review_page)
    expect(review_page.locator("#card .text")).to_contain_text("A very long message.")
    controls = [
        ".accept",
        "#find",
        "summary >> nth=0",
        "input[name=sentiment] >> nth=0",
        "input[name=category] >> nth=3",
    ]

    def places() -> list[object]:
        return [review_page.locator(control).bounding_box() for control in controls]

    before = places()
    review_page.keyboard.press("Enter")
    expect_ticket(review_page, 0)
    assert places() == before
    assert review_page.evaluate("scrollY") == 0


def test_typing_a_note_triggers_no_shortcuts(review_page: Page) -> None:
    open_first_ticket(review_page)
    review_page.keyboard.press("n")
    review_page.keyboard.type("susx?/ 123 and more")
    expect(review_page.locator("textarea[name=note]")).to_have_value("susx?/ 123 and more")
    assert verdicts() == []


def test_near_duplicates_are_decided_and_undone_together(review_page: Page) -> None:
    alike = [make_ticket(f"Nobody can sign in since {hour} o'clock, all our screens are blank.") for hour in range(9)]
    send_to_review(*alike, confidence=0.02, category=Category.objects.get(name="Technical"))
    open_first_ticket(review_page)
    review_page.keyboard.press("Enter")
    expect(review_page.get_by_text("8 near-duplicates waiting")).to_be_visible()
    review_page.keyboard.press("a")
    expect(review_page.get_by_role("heading", level=1)).to_contain_text("8")
    assert Decision.objects.count() == 1
    review_page.get_by_role("button", name=re.compile("Accept|Apply")).first.press("Enter")
    expect(review_page.locator("#heading")).to_be_visible()
    assert Ticket.objects.filter(state="settled").count() == 9
    review_page.goto("/review/")
    review_page.keyboard.press("u")
    expect(review_page.get_by_text("8 decisions undone")).to_be_visible()
    assert Ticket.objects.filter(state="settled").count() == 1


def test_blind_ticket_shows_no_suggestion_before_or_after_the_answer(agent_page: Page, console: Console) -> None:
    console.forgive("422")
    configure_review(blind_share=1)
    send_to_review(make_ticket("Only the message is here."), reasoning="Surely a secret.")
    open_first_ticket(agent_page)
    expect(agent_page.get_by_text("Blind review: decide from the message alone.")).to_be_visible()
    assert "Surely a secret" not in agent_page.content()
    assert agent_page.locator("input:checked").count() == 0
    agent_page.keyboard.press("Enter")
    expect(agent_page.get_by_text("Choose a category.")).to_be_visible()
    agent_page.keyboard.press("1")
    agent_page.keyboard.press("w")
    agent_page.keyboard.press("Enter")
    expect(agent_page.get_by_text("No tickets left for you")).to_be_visible()
    assert "Surely a secret" not in agent_page.content()
    assert Decision.objects.get().blind is True


def test_two_agents_in_two_browsers_never_get_the_same_ticket(
    review_page: Page, open_page: OpenPage, ben: User
) -> None:
    other = open_page(ben)
    open_first_ticket(review_page)
    other.goto("/review/")
    seen = []
    for page in (review_page, other, other, review_page, other, review_page):
        seen.append(page.locator("#heading").inner_text())
        page.keyboard.press("Enter")
        expect(page.locator("#heading")).not_to_have_text(seen[-1])
    assert len(set(seen)) == 6
    assert Decision.objects.values("ticket").distinct().count() == 6


def test_review_works_without_javascript(no_script_page: Page) -> None:
    make_six_tickets()
    no_script_page.goto("/review/")
    no_script_page.get_by_role("button", name="Accept").click()
    no_script_page.get_by_label("Find a category by typing").fill("Technical")
    no_script_page.get_by_text("Find", exact=True).click()
    no_script_page.get_by_role("button", name="Accept").click()
    no_script_page.locator("summary", has_text="Skip").click()
    no_script_page.get_by_role("button", name="I can't tell").click()
    no_script_page.locator("summary", has_text="Escalate").click()
    no_script_page.get_by_label("What should the lead look at?").fill("Tone.")
    no_script_page.get_by_role("button", name="Escalate to a lead").click()
    no_script_page.get_by_role("button", name="Undo").click()
    assert verdicts() == ["accepted", "corrected", "skipped", "escalated", "undone"]
    assert Assignment.objects.get(reviewer__username="ana", state="open").ticket.text == TEXTS[3]


def test_outcome_and_new_ticket_are_announced_to_screen_readers(review_page: Page) -> None:
    open_first_ticket(review_page)
    region = review_page.locator("#outcome")
    review_page.keyboard.press("Enter")
    expect_ticket(review_page, 1)
    expect(region).to_contain_text("Billing")
    expect(region).to_contain_text("Next: The API answers 502")
    assert (region.get_attribute("role"), region.get_attribute("aria-live")) == ("status", "polite")


def test_disabled_shortcuts_do_nothing(review_page: Page) -> None:
    turn_off_shortcuts(review_page)
    review_page.goto("/review/")
    for key in ("2", "s", "u", "Enter"):
        review_page.keyboard.press(key)
    assert verdicts() == []
    expect(review_page.locator("#card .text")).to_contain_text(TEXTS[0])


def marks(page: Page) -> list[str]:
    """The words that are visibly highlighted."""
    visible = (
        "all => all.filter(mark => getComputedStyle(mark).textDecorationLine !== 'none').map(mark => mark.innerText)"
    )
    return list(page.locator("#card .text mark").evaluate_all(visible))


def test_highlighting_shortcut_applies_to_later_tickets_too(agent_page: Page) -> None:
    configure_review()
    send_to_review(make_ticket("charged twice"), confidence=0.1, words=[[0, 7], [8, 13]])
    send_to_review(make_ticket("something quite different"), confidence=0.2, words=[[10, 15]])
    open_first_ticket(agent_page)
    toggle = agent_page.get_by_role("button", name="Highlight words")
    expect(toggle).to_have_attribute("aria-pressed", "true")
    assert marks(agent_page) == ["charged", "twice"]
    agent_page.keyboard.press("h")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    assert marks(agent_page) == []
    agent_page.keyboard.press("Enter")
    expect(agent_page.locator("#card .text")).to_have_text("something quite different")
    assert marks(agent_page) == []
    agent_page.reload()
    expect(toggle).to_have_attribute("aria-pressed", "false")
    assert marks(agent_page) == []
    agent_page.keyboard.press("h")
    expect(toggle).to_have_attribute("aria-pressed", "true")
    assert marks(agent_page) == ["quite"]


def beside_solved(solved: int) -> Ticket:
    """Create two tickets to review, and this many solved ones similar to the first."""
    configure_review()
    texts = [f"Charged {number} times." for number in range(solved)]
    near = [make_example(text, ticket=make_ticket(text)).pk for text in texts]
    first = make_ticket("I was charged twice.")
    send_to_review(first, confidence=0.1, near=near, words=[[6, 13]])
    send_to_review(make_ticket("something quite different"), confidence=0.2)
    return first


SIMILAR = "**/review/similar/**"


def test_similar_tickets_load_without_moving_the_page(agent_page: Page) -> None:
    beside_solved(3)
    held_back: list[Route] = []
    agent_page.route(SIMILAR, lambda route: held_back.append(route))
    with agent_page.expect_request(SIMILAR):
        open_first_ticket(agent_page)
    controls = [".text", ".facts", ".accept", "#find", "summary >> nth=0", "input[name=sentiment] >> nth=0", ".similar"]

    def places() -> list[object]:
        return [agent_page.locator(f"#card {control}").bounding_box() for control in controls]

    before = places()
    expect(agent_page.locator(".similar li")).to_have_count(0)
    held_back.pop().continue_()
    expect(agent_page.locator(".similar").get_by_role("link")).to_have_count(3)
    assert places() == before
    expect(agent_page.locator("#heading")).to_be_focused()
    agent_page.get_by_role("link", name="Charged 1 times.").click()
    expect(agent_page.locator("article .text")).to_have_text("Charged 1 times.")


def test_message_uses_the_full_width_without_similar_tickets(agent_page: Page) -> None:
    beside_solved(0)
    open_first_ticket(agent_page)
    expect(agent_page.locator(".similar")).to_have_count(1)
    expect(agent_page.locator(".similar")).to_be_hidden()


def test_answering_does_not_wait_for_similar_tickets(review_page: Page) -> None:
    held_back: list[Route] = []
    review_page.route(SIMILAR, lambda route: held_back.append(route))
    open_first_ticket(review_page)
    with review_page.expect_request(SIMILAR):
        review_page.keyboard.press("Enter")
    expect_ticket(review_page, 1)
    review_page.keyboard.press("n")
    review_page.keyboard.type("Not to be lost.")
    Session.objects.all().delete()
    with review_page.expect_response(SIMILAR) as answered:
        held_back.pop().continue_()
    assert answered.value.header_value("HX-Redirect")
    expect(review_page.locator("textarea[name=note]")).to_have_value("Not to be lost.")
    expect(review_page.locator("textarea[name=note]")).to_be_focused()
    assert verdicts() == ["accepted"]


def test_highlights_and_a_link_to_similar_tickets_work_without_javascript(no_script_page: Page) -> None:
    ticket = beside_solved(2)
    no_script_page.goto("/review/")
    expect(no_script_page.locator("#card .text mark")).to_have_text("charged")
    expect(no_script_page.locator("#words")).to_be_hidden()
    no_script_page.get_by_role("link", name="Similar solved tickets").click()
    expect(no_script_page.get_by_role("link", name="Charged 0 times.")).to_be_visible()
    no_script_page.get_by_role("link", name="Back to the ticket").click()
    expect(no_script_page.locator("#card .text")).to_have_text(ticket.text)
