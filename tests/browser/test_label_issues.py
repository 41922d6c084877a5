"""Label issues in a browser: by keyboard alone, and without JavaScript."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from review.models import GoldLabel, LabelIssue, Preferences
from tests.browser.accessibility import page_problems
from tests.browser.conftest import Console, OpenPage
from tests.factories import configure_review, make_gold, make_label_issue, make_ticket, send_to_review

pytestmark = pytest.mark.browser

TEXTS = [
    "Since the update the app stops whenever I open an invoice.",
    "Please tell me who owns our workspace now.",
    "<img src=x onerror=alert(1)> " + "long" * 300 + " مرحبا بكم",
    "I love it, thank you all!",
]


@pytest.fixture
def lead_page(lead_page: Page) -> Page:
    lead_page.goto("/review/label-issues/")
    return lead_page


@pytest.fixture
def label_issue_page(lead_page: Page) -> Page:
    """A page with four label issues, lowest self-confidence first."""
    configure_review(benchmark_share=0)
    suggested = [("Technical", "Negative"), ("Account", "Neutral"), ("General", "Neutral"), ("Billing", "Positive")]
    for place, (text, label) in enumerate(zip(TEXTS, suggested, strict=True)):
        make_label_issue(make_gold(text), *label, self_confidence=0.02 + place / 10)
    lead_page.goto("/review/label-issues/")
    return lead_page


def sees(page: Page, number: int) -> None:
    expect(page.locator("#label-issue .text")).to_contain_text(TEXTS[number])
    expect(page.locator("#heading")).to_be_focused()


def given(number: int) -> str:
    label = GoldLabel.objects.get(text=TEXTS[number])
    return f"{label.category} | {label.sentiment}"


def test_label_issues_are_resolved_by_one_key_each(label_issue_page: Page) -> None:
    press = label_issue_page.keyboard.press
    sees(label_issue_page, 0)
    expect(label_issue_page.locator("#left")).to_have_text("4 left")
    press("c")
    sees(label_issue_page, 1)
    expect(label_issue_page.get_by_text("Label changed to Technical | Negative.")).to_be_visible()
    press("Enter")
    sees(label_issue_page, 2)
    press("o")
    expect(label_issue_page.get_by_label("Category")).to_be_focused()
    label_issue_page.keyboard.type("Acc")
    press("Tab")
    label_issue_page.keyboard.type("Pos")
    press("Tab")
    press("Enter")
    sees(label_issue_page, 3)
    press("k")
    expect(label_issue_page.get_by_role("heading", name="No label issues")).to_be_focused()
    expect(label_issue_page.locator("#left")).to_have_text("0 left")
    assert [given(number) for number in range(4)] == [
        "Technical | Negative",
        "Billing | Neutral",
        "Account | Positive",
        "Billing | Neutral",
    ]


def test_last_resolution_can_be_undone_by_keyboard(label_issue_page: Page) -> None:
    sees(label_issue_page, 0)
    label_issue_page.keyboard.press("k")
    sees(label_issue_page, 1)
    label_issue_page.keyboard.press("u")
    sees(label_issue_page, 0)
    label_issue_page.keyboard.press("c")
    sees(label_issue_page, 1)
    expect(label_issue_page).to_have_url("/review/label-issues/")
    assert given(0) == "Technical | Negative"


def test_escape_leaves_the_label_choice_and_shortcuts_work_again(label_issue_page: Page) -> None:
    sees(label_issue_page, 0)
    label_issue_page.keyboard.press("o")
    label_issue_page.keyboard.press("Escape")
    expect(label_issue_page.locator("summary")).to_be_focused()
    label_issue_page.keyboard.press("k")
    sees(label_issue_page, 1)


def test_label_issue_shortcuts_can_be_turned_off(label_issue_page: Page, lea: User) -> None:
    Preferences.objects.create(user=lea, keys_on=False)
    label_issue_page.reload()
    sees(label_issue_page, 0)
    expect(label_issue_page.locator("kbd")).to_have_count(0)
    label_issue_page.keyboard.press("c")
    label_issue_page.keyboard.press("Enter")
    sees(label_issue_page, 1)
    assert given(0) == "Billing | Neutral"


def test_lost_answer_is_reported_and_can_be_repeated(label_issue_page: Page, console: Console) -> None:
    for part in ("ERR_FAILED", "htmx:"):
        console.forgive(part)
    shown: list[str] = []
    # A page that is already loaded may send again without asking the new route.
    label_issue_page.route("**/keep/", lambda route: route.continue_() if shown else route.abort())
    label_issue_page.reload()
    sees(label_issue_page, 0)
    label_issue_page.keyboard.press("k")
    expect(label_issue_page.get_by_role("alert")).to_be_visible()
    shown.append("not saved")
    label_issue_page.keyboard.press("k")
    sees(label_issue_page, 1)
    expect(label_issue_page.locator("#unsaved")).to_be_hidden()


@pytest.fixture
def no_script_page(open_page: OpenPage, label_issue_page: Page, lea: User) -> Page:
    """The same lead in a browser without JavaScript."""
    return open_page(lea, java_script_enabled=False)


def test_every_step_works_without_javascript(no_script_page: Page) -> None:
    no_script_page.goto("/review/label-issues/")
    no_script_page.get_by_role("button", name="Keep label").click()
    expect(no_script_page.get_by_text("Label kept.")).to_be_visible()
    no_script_page.get_by_role("button", name="Correct it to Account | Neutral").click()
    expect(no_script_page.get_by_text("Label changed to Account | Neutral.")).to_be_visible()
    no_script_page.get_by_text("Choose another label").click()
    no_script_page.get_by_label("Category").select_option("Technical")
    no_script_page.get_by_role("button", name="Correct label", exact=True).click()
    expect(no_script_page.get_by_text("1 left")).to_be_visible()
    no_script_page.get_by_role("button", name="Not sure: ask two reviewers").click()
    expect(no_script_page.get_by_role("heading", name="No label issues")).to_be_visible()
    assert [given(number) for number in range(3)] == [
        "Billing | Neutral",
        "Account | Neutral",
        "Technical | Neutral",
    ]
    assert GoldLabel.objects.get(text=TEXTS[3]).state == "disputed"


def check(page: Page, where: str) -> list[str]:
    """Accessibility and layout problems of the page as shown."""
    return [f"{where}: {problem}" for problem in page_problems(page)]


def test_label_issue_page_is_accessible_in_every_state(label_issue_page: Page) -> None:
    problems = check(label_issue_page, "a label in doubt")
    label_issue_page.locator("#heading").focus()
    label_issue_page.keyboard.press("o")
    problems += check(label_issue_page, "another label")
    label_issue_page.keyboard.press("Escape")
    for number in (1, 2):
        label_issue_page.keyboard.press("k")
        sees(label_issue_page, number)
    problems += check(label_issue_page, "hostile")
    LabelIssue.objects.all().delete()
    label_issue_page.reload()
    problems += check(label_issue_page, "nothing left")
    assert problems == []


def test_incidents_are_accessible(agent_page: Page) -> None:
    configure_review(benchmark_share=0)
    send_to_review(
        *[make_ticket(f"{TEXTS[2]} The same for everybody in this company, number {place}") for place in range(6)]
    )
    agent_page.goto("/review/queue/")
    expect(agent_page.get_by_role("heading", name="Arrived together")).to_be_visible()
    assert check(agent_page, "queue") == []
    agent_page.get_by_role("button", name="Review the first").press("Enter")
    expect(agent_page.locator("#session")).to_contain_text("one of 6 similar")
