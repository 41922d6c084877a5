"""A lead compares models, chooses a threshold and disputes a label, in a real browser."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from classifier.models import Gate
from review.benchmark import execution, runs
from review.benchmark.progress import RunProgress
from review.models import Assignment, GoldLabel, Run
from tests.browser.conftest import OpenPage
from tests.factories import make_language_model
from tests.review.benchmark.test_benchmark import CATEGORIES, SENTIMENTS, hold_out, started
from tests.review.benchmark.test_benchmark_pages import contender_of, failing, finished, right, url_of, wrong_at
from tests.servers import OpenAIServer, by_text

pytestmark = pytest.mark.browser


@pytest.fixture
def compared(lead_page: Page) -> Run:
    return finished(hold_out(40), {"careful": wrong_at(0, 1), "hasty": failing, "perfect": right})


def test_run_is_started_followed_and_compared(lead_page: Page) -> None:
    hold_out(12)
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as server:
        make_language_model(server, name="perfect", family="a")
        lead_page.get_by_role("link", name="Benchmark").click()
        expect(lead_page.get_by_role("checkbox", name=re.compile("gpt-4.1-mini"))).to_be_disabled()
        lead_page.get_by_role("checkbox", name=re.compile("perfect")).check()
        lead_page.get_by_role("button", name="Estimate cost").click()
        expect(lead_page.get_by_role("heading", name="Ask about 12 items?")).to_be_focused()
        lead_page.get_by_role("button", name="Start run").click()
        expect(lead_page.get_by_text("0 of 24 answers, 0%")).to_be_visible()
        run = Run.objects.get()
        lead_page.get_by_role("button", name="Stop").click()
        expect(lead_page.get_by_role("heading", name="Stopped")).to_be_visible()
        lead_page.get_by_role("button", name="Resume").click()
        expect(lead_page.get_by_role("heading", name="Running")).to_be_visible()
        assert execution.execute_run(run.pk)
    # The page refreshes itself and then shows the figures.
    expect(lead_page.get_by_role("heading", name="Accuracy")).to_be_visible()
    expect(lead_page.get_by_role("row", name=re.compile(r"^perfect (among the )?best 100\.0%")).first).to_be_visible()


def test_progress_updates_while_the_page_is_open(lead_page: Page) -> None:
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as server:
        run = started(hold_out(60), make_language_model(server, name="slow", family="a"))
        lead_page.goto(run.get_absolute_url())
        expect(lead_page.get_by_role("progressbar")).to_have_attribute("value", "0")

        def stop(*_one: object) -> None:
            runs.stop_run(run)

        execution.execute_run(run.pk, on_result=stop)
    expect(lead_page.get_by_role("heading", name="Stopped")).to_be_visible()
    done = RunProgress(run).overall.done
    assert 0 < done < 60
    expect(lead_page.get_by_text(f"{done} of 60 answers")).to_be_visible()
    expect(lead_page.get_by_role("button", name="Resume")).to_be_visible()


def test_threshold_slider_updates_the_figures_and_saves(lead_page: Page, compared: Run) -> None:
    lead_page.goto(url_of(contender_of(compared, "careful")))
    slider = lead_page.get_by_role("slider")
    expect(slider).to_have_value("0.85")
    expect(lead_page.locator("#passes")).to_contain_text("38 of 40 tickets are auto-accepted")
    before = lead_page.locator(".mark").get_attribute("cx")
    slider.focus()
    for _press in range(25):
        lead_page.keyboard.press("ArrowLeft")
    expect(lead_page.locator("#passes")).to_contain_text("40 of 40 tickets are auto-accepted")
    expect(lead_page.locator("#passes")).to_contain_text("2 of them are wrong")
    expect(slider).to_be_focused()
    assert lead_page.locator(".mark").get_attribute("cx") != before
    expect(lead_page).to_have_url(re.compile(r"threshold=0\.6$"))
    lead_page.get_by_role("button", name="Save 0.60 as the gate's threshold").click()
    expect(lead_page.get_by_text("Tickets with a confidence of 0.60 or more are now auto-accepted.")).to_be_visible()
    assert Gate.current().threshold == 0.6
    assert Gate.current().history.first().history_user.username == "lea"


def test_threshold_can_be_set_without_javascript(compared: Run, open_page: OpenPage, lea: User) -> None:
    page = open_page(lea, java_script_enabled=False)
    page.goto(url_of(contender_of(compared, "careful")))
    page.get_by_role("slider").focus()
    for _press in range(25):
        page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#passes")).to_contain_text("40 of 40 tickets are auto-accepted")
    page.get_by_role("button", name="Save 0.60 as the gate's threshold").click()
    expect(page.get_by_text("Tickets with a confidence of 0.60 or more are now auto-accepted.")).to_be_visible()
    assert Gate.current().threshold == 0.6


def test_confusion_cell_leads_to_its_answers_and_a_dispute(lead_page: Page, compared: Run) -> None:
    lead_page.goto(url_of(contender_of(compared, "careful")))
    cell = lead_page.locator(".matrix td:not(.right) a").first
    number = int(cell.inner_text())
    cell.click()
    expect(lead_page.locator(".answers > li")).to_have_count(number)
    lead_page.get_by_text("Dispute the label").first.click()
    lead_page.get_by_label("What is wrong with the label?").first.fill("It is about a bill.")
    lead_page.keyboard.press("Enter")
    expect(lead_page.get_by_text("Two reviewers will label it again")).to_be_visible()
    assert GoldLabel.objects.get(state="disputed").note == "It is about a bill."
    assert Assignment.objects.open().count() == 2


def test_answer_filters_apply_at_once(lead_page: Page, compared: Run) -> None:
    lead_page.goto(url_of(contender_of(compared, "careful"), "answers"))
    expect(lead_page.get_by_text("40 answers", exact=True)).to_be_visible()
    lead_page.get_by_label("Answers", exact=True).select_option("wrong")
    expect(lead_page.get_by_text("2 answers", exact=True)).to_be_visible()
    expect(lead_page.locator(".answers > li")).to_have_count(2)
    lead_page.reload()
    expect(lead_page.locator(".answers > li")).to_have_count(2)


def test_later_runs_are_compared_with_the_pinned_baseline(lead_page: Page, compared: Run) -> None:
    lead_page.goto(url_of(contender_of(compared, "careful")))
    lead_page.get_by_role("button", name="Set as baseline").click()
    expect(lead_page.get_by_text("Later results are now compared with careful.")).to_be_visible()
    lead_page.get_by_role("link", name="2 fixed").click()
    expect(lead_page.get_by_text("2 answers", exact=True)).to_be_visible()


def test_charts_follow_the_theme_without_inline_styles(lead_page: Page, compared: Run) -> None:
    lead_page.goto(url_of(contender_of(compared, "careful")))
    lead_page.emulate_media(color_scheme="light")
    colours = {lead_page.locator(".curve").evaluate("line => getComputedStyle(line).stroke")}
    lead_page.emulate_media(color_scheme="dark")
    colours.add(lead_page.locator(".curve").evaluate("line => getComputedStyle(line).stroke"))
    assert len(colours) == 2
    assert lead_page.locator("main [style], main script, main style").count() == 0


def test_pages_with_many_long_model_names_do_not_scroll_sideways(lead_page: Page) -> None:
    run = finished(hold_out(12), {f"{'long' * 25}-{number}": wrong_at(number) for number in range(10)})
    contender = run.contenders.select_related("run", "language_model").first()
    assert contender
    for url in (run.get_absolute_url(), url_of(contender), url_of(contender, "answers"), "/review/benchmark/"):
        lead_page.goto(url)
        for direction in ("ltr", "rtl"):
            lead_page.evaluate("direction => { document.documentElement.dir = direction }", direction)
            for width in (320, 640, 1280):
                lead_page.set_viewport_size({"width": width, "height": 800})
                over = lead_page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert over == 0, (url, direction, width)
