"""Accessibility of every page."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from playwright.sync_api import Page, expect

from classifier.ingest import ticket_imports
from classifier.models import Category, ContractVersion, DraftLabel, LanguageModel, Ticket
from review.benchmark import execution, runs
from review.benchmark.runs import Entry
from review.gold import snapshots
from review.models import Assignment, Decision, GoldLabel, Run
from review.specialist import emerging_topics
from review.workflow import decisions
from review.workflow.decision_records import Label
from tests.browser.accessibility import axe_violations, overflowing_widths
from tests.browser.conftest import Console
from tests.factories import (
    configure_review,
    make_example,
    make_gold,
    make_label_issue,
    make_ticket,
    make_topic,
    send_to_review,
)
from tests.review.certification.scenes import alarmed, certified, passing
from tests.review.specialist.test_specialist_page import course

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)> " + "long" * 300 + " مرحبا بكم"


def settle(ticket: Ticket, reviewer: User) -> Decision:
    """Accept the suggestion that the screen shows."""
    (assignment,) = Assignment.objects.open().filter(ticket=ticket)
    return decisions.decide(assignment, reviewer, decisions.label_from(assignment), key=uuid4())


def benchmark_runs() -> tuple[Run, Run]:
    """A finished and a waiting run of the embedded model, with a hostile text."""
    runs.load_built_in()
    GoldLabel.objects.filter(pk=GoldLabel.objects.earliest("pk").pk).update(text=HOSTILE)
    entries = [Entry(LanguageModel.objects.zero_shot(), ContractVersion.objects.current())]
    first, second = (runs.start_run(snapshots.create_snapshot(), entries) for _time in range(2))
    execution.execute_run(first.pk)
    return first, second


@pytest.fixture
def all_pages(lead_page: Page, lea: User, ana: User, ben: User) -> dict[str, str]:
    """An installation with data of every kind, and the URL of every page."""
    configure_review()
    billing, technical = Category.objects.get(name="Billing"), Category.objects.get(name="Technical")
    sender = {"customer": "c" * 254, "channel": "d" * 40}
    done = make_ticket("My invoice is wrong.", **sender)
    send_to_review(done, category=billing)
    settle(done, lea)
    evidence: dict[str, Any] = {"words": [[0, 9], [29, 60]], "near": [make_example(f"Near: {HOSTILE}", ticket=done).pk]}
    (hostile,) = send_to_review(make_ticket(HOSTILE, **sender), category=billing, confidence=0.1, **evidence)
    send_to_review(make_ticket("They differ about this."), category=billing, second=technical, confidence=0.3)
    (escalated,) = send_to_review(make_ticket("Somebody will sue."), category=billing)
    decisions.escalate(escalated, ana, note="Legal.", key=uuid4())
    configure_review(double_share=1)
    sentiment = done.predictions.first().sentiment
    first, second = send_to_review(make_ticket("Two people see it differently."))
    decisions.decide(first, ana, Label(billing, sentiment), key=uuid4())
    decisions.decide(second, ben, Label(technical, sentiment), key=uuid4())
    configure_review(blind_share=1)
    (blind,) = send_to_review(make_ticket("Nobody says what this is."))
    file = SimpleUploadedFile("theirs.csv", f"Nr,Message,{'x' * 60}\n7,{HOSTILE * 5},\n8,,\n".encode())
    uploaded = ticket_imports.store(file, lea, "import")
    ticket_imports.run(uploaded.pk)
    ended, under_way = benchmark_runs()
    contender = ended.contenders.get()
    make_label_issue(make_gold(HOSTILE + " again"), "Account")
    course()
    Category.objects.create(name="Technically", description=technical.description)
    topic, new = make_topic(HOSTILE), emerging_topics.create_draft(DraftLabel(name="Insurance", examples=HOSTILE), lea)
    return {
        "inbox": "/",
        "new ticket": "/tickets/new/",
        "settled ticket": done.get_absolute_url(),
        "sealed ticket": blind.ticket.get_absolute_url(),
        "hostile ticket": Ticket.objects.get(text=HOSTILE).get_absolute_url(),
        "models": "/models/",
        "screen": "/review/",
        "similar": f"/review/similar/{hostile.pk}/",
        "queue": "/review/queue/",
        "my decisions": "/review/my-decisions/",
        "specialist": "/review/specialist/",
        "label issues": "/review/label-issues/",
        "lead": "/review/lead/",
        "lead's screen": "/review/lead/screen/",
        "preferences": "/review/preferences/",
        "benchmark": "/review/benchmark/",
        "run": ended.get_absolute_url(),
        "run under way": under_way.get_absolute_url(),
        "model of a run": contender.get_absolute_url(),
        "answers": f"{contender.get_absolute_url()}answers/",
        "topics": "/review/emerging-topics/",
        "topic": f"/review/emerging-topics/{topic.pk}/",
        "draft of a topic": f"/review/emerging-topics/drafted/{new.pk}/",
        "confusable categories": "/review/confusable-categories/",
        "import of tickets": uploaded.get_absolute_url(),
        "datasets": "/review/datasets/",
        "snapshot": ended.snapshot.get_absolute_url(),
        "nothing there": "/nothing/",
    }


@pytest.fixture
def certified_pages(lead_page: Page, lea: User, ana: User) -> dict[str, str]:
    """A certificate that has been suspended, and the URL of each page about it."""
    certified(ana, by_category=True)
    auto_accepted = passing(20)[0]
    alarmed(figures={"audits": 40, "errors": 1})
    return {
        "accuracy_target": "/review/certification/?target=99&risk=5",
        "auto-accepted ticket": auto_accepted.get_absolute_url(),
        "models": "/models/",
    }


def test_every_page_is_accessible_at_every_width(lead_page: Page, all_pages: dict[str, str], console: Console) -> None:
    console.forgive("404")
    problems = {}
    for name, url in all_pages.items():
        lead_page.goto(url)
        problems[name] = axe_violations(lead_page) + overflowing_widths(lead_page)
    assert {name: listed for name, listed in problems.items() if listed} == {}


def test_certification_pages_are_accessible(lead_page: Page, certified_pages: dict[str, str]) -> None:
    problems = {}
    for name, url in certified_pages.items():
        lead_page.goto(url)
        problems[name] = overflowing_widths(lead_page)
        for summary in lead_page.locator("main summary").all():
            summary.click()
        problems[name] += axe_violations(lead_page)
    assert {name: listed for name, listed in problems.items() if listed} == {}


def test_panels_of_the_review_screen_are_accessible(lead_page: Page, all_pages: dict[str, str]) -> None:
    lead_page.goto("/review/")
    expect(lead_page.locator("#heading")).to_be_focused()
    problems = {}
    for key in ("s", "x", "n", "/", "?"):
        lead_page.keyboard.press(key)
        problems[key] = axe_violations(lead_page, [1280])
        lead_page.keyboard.press("Escape")
        lead_page.locator("#heading").focus()
    assert {key: listed for key, listed in problems.items() if listed} == {}


def test_sign_in_page_is_accessible(visitor_page: Page, transactional_db: None) -> None:
    visitor_page.goto("/sign-in/")
    assert axe_violations(visitor_page) == []
    visitor_page.get_by_label("Username").fill("nobody")
    visitor_page.get_by_label("Password").fill("wrong")
    visitor_page.keyboard.press("Enter")
    expect(visitor_page.get_by_role("alert")).to_be_visible()
    assert axe_violations(visitor_page) == []


def test_focus_is_visible_on_every_control_of_the_review_screen(lead_page: Page, all_pages: dict[str, str]) -> None:
    lead_page.goto("/review/")
    expect(lead_page.locator("#heading")).to_be_focused()
    unmarked = []
    for _press in range(40):
        lead_page.keyboard.press("Tab")
        outlined = lead_page.evaluate(
            """() => {
                const seen = (element) => element && getComputedStyle(element).outlineStyle !== "none";
                const active = document.activeElement;
                return active === document.body || seen(active) || seen(active.closest("label"));
            }"""
        )
        unmarked += [] if outlined else [lead_page.evaluate("document.activeElement.outerHTML.slice(0, 120)")]
    assert unmarked == []


def test_print_shows_the_message_and_no_controls(lead_page: Page, all_pages: dict[str, str]) -> None:
    lead_page.goto("/review/")
    lead_page.emulate_media(media="print")
    expect(lead_page.locator("#card .text")).to_be_visible()
    expect(lead_page.locator("#answer")).to_be_hidden()
