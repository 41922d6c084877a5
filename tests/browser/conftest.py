"""A real Chromium, and pages that fail the test on whatever the console complains of."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.factories import PASSWORD

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
# Playwright's loop runs in this thread, and Django would take it for asynchronous code.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)


class Console:
    """What the browser complains of; a test that provokes some of it says so beforehand."""

    def __init__(self) -> None:
        self._complaints: list[str] = []
        self._forgiven: list[str] = []

    def hear(self, page: Page) -> None:
        page.on("console", lambda message: self._complain(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self._complain(str(error)))
        page.on("dialog", lambda dialog: self._complain(f"a dialog opened: {dialog.message}"))

    def forgive(self, part: str) -> None:
        """From now on nothing is made of complaints with this part."""
        self._forgiven.append(part)

    def _complain(self, text: str) -> None:
        if not any(part in text for part in self._forgiven):
            self._complaints.append(text)

    @property
    def complaints(self) -> list[str]:
        return self._complaints


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def page(chromium: Browser, live_server: LiveServer, transactional_db: None, console: Console) -> Iterator[Page]:
    context = chromium.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    console.hear(page)
    yield page
    context.close()
    assert console.complaints == []


@pytest.fixture
def agent(page: Page, roles: None, catalogue: None, ana: User) -> Page:
    """A page signed in as Ana, by keyboard."""
    page.goto("/")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("ana")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Inbox").wait_for()
    return page
