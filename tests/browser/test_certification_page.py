"""Certification by keyboard: from a fixed threshold to a certificate and an alarm."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from classifier.models import Gate, Ticket
from review.models import AccuracyTarget, Alarm
from tests.factories import configure_review
from tests.review.certification.auditing import make_grid
from tests.review.certification.scenes import alarmed, audited, certified, passing

pytestmark = pytest.mark.browser

PAGE = "/review/certification/"


@pytest.fixture
def lead_page(lead_page: Page) -> Page:
    configure_review()
    return lead_page


def headline(page: Page) -> str:
    return page.locator(".headline").inner_text()


def test_from_a_fixed_threshold_to_a_certificate(lead_page: Page, ana: User) -> None:
    lead_page.get_by_role("link", name="Auto-accept", exact=True).press("Enter")
    expect(lead_page.locator(".headline")).to_contain_text("No accuracy is certified.")
    lead_page.get_by_role("button", name="Turn on certified auto-accept").press("Enter")
    expect(lead_page.get_by_role("heading", name="Turn on certified auto-accept?")).to_be_focused()
    lead_page.keyboard.press("Tab")
    expect(lead_page.get_by_label("Why")).to_be_focused()
    lead_page.keyboard.type("We want to know.")
    lead_page.keyboard.press("Enter")
    expect(lead_page.locator(".headline")).to_have_text("Certification starts after 100 more tickets.")
    assert Gate.current().mode == "certified"

    lead_page.get_by_label("At least right, %").last.fill("80")
    lead_page.get_by_label("Double-checked agreements").fill("0")
    lead_page.locator("section", has_text="Accuracy target").get_by_label("Why").fill("A first step.")
    lead_page.keyboard.press("Enter")
    expect(lead_page.get_by_text("Accuracy target saved.")).to_be_visible()
    assert AccuracyTarget.current().target == 0.8

    make_grid()
    lead_page.reload()
    needed = int(re.findall(r"about (\d+) more audits without an error", headline(lead_page))[0])
    audited(ana, needed)
    lead_page.reload()
    expect(lead_page.locator(".headline")).to_contain_text("at least 80% of auto-accepted tickets are right")
    expect(lead_page.get_by_role("region", name="Certificates")).to_contain_text("in force")


def test_alarm_is_answered_by_keyboard(lead_page: Page, ana: User) -> None:
    certified(ana)
    auto_accepted = passing(20)
    alarm = alarmed(figures={"audits": 40, "errors": 1, "needed": 90})
    lead_page.goto(PAGE)
    notice = lead_page.get_by_role("region", name="Possible change detected")
    expect(notice).to_contain_text("40 audits answered, errors: 1")
    notice.get_by_role("button", name="Send to review").press("Enter")
    expect(lead_page.get_by_role("heading", name=f"Send {len(auto_accepted)} tickets to review?")).to_be_focused()
    lead_page.keyboard.press("Tab")
    lead_page.keyboard.press("Enter")
    expect(lead_page.get_by_text(f"{len(auto_accepted)} tickets sent to review.")).to_be_visible()
    assert Ticket.objects.filter(pk__in=[ticket.pk for ticket in auto_accepted], state="needs_review").count() == len(
        auto_accepted
    )
    notice.get_by_role("button", name="Acknowledge").press("Enter")
    expect(notice).to_contain_text("Acknowledged by lea.")
    assert Alarm.objects.get(pk=alarm.pk).seen_by
