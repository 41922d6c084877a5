"""Pages in a real Chromium; any console error fails the test."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))),
    "",
)
# Playwright's event loop runs in this thread; Django would take it for asynchronous code.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)


class Console:
    """Errors in the browser's console; tests declare those they provoke."""

    def __init__(self) -> None:
        self._complaints: list[str] = []
        self._forgiven: list[str] = []

    def hear(self, page: Page) -> None:
        page.on("console", lambda message: self._complain(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self._complain(str(error)))
        page.on("dialog", lambda dialog: self._complain(f"a dialog opened: {dialog.message}"))

    def forgive(self, part: str) -> None:
        """Ignore complaints that contain this text from now on."""
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


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(
    chromium: Browser, live_server: LiveServer, transactional_db: None, console: Console
) -> Iterator[OpenPage]:
    """`open_page(person, **options)` opens a separate browser in which the person is signed in."""
    contexts: list[BrowserContext] = []

    def in_a_new_browser(person: User | None = None, **options: Any) -> Page:
        context = chromium.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 800}, **options)
        contexts.append(context)
        if person:
            context.add_cookies([{"name": "sessionid", "value": _session(person), "url": live_server.url}])
        page = context.new_page()
        console.hear(page)
        return page

    yield in_a_new_browser
    for context in contexts:
        context.close()
    assert console.complaints == []


def _session(person: User) -> str:
    client = Client()
    client.force_login(person)
    return client.cookies["sessionid"].value


@pytest.fixture
def visitor_page(open_page: OpenPage) -> Page:
    """A browser in which nobody is signed in."""
    return open_page()


@pytest.fixture
def agent_page(open_page: OpenPage, roles: None, catalogue: None, ana: User) -> Page:
    """The inbox, opened by Ana, an agent."""
    page = open_page(ana)
    page.goto("/")
    return page


@pytest.fixture
def no_script_page(open_page: OpenPage, roles: None, catalogue: None, ana: User) -> Page:
    """Ana's browser without JavaScript."""
    return open_page(ana, java_script_enabled=False)


@pytest.fixture
def lead_page(open_page: OpenPage, roles: None, catalogue: None, lea: User) -> Page:
    """The inbox, opened by Lea, a lead."""
    page = open_page(lea)
    page.goto("/")
    return page
