"""The API docs list all operations and keep to the Content-Security-Policy."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_api_docs_list_every_operation_without_console_errors(visitor_page: Page, db: None) -> None:
    visitor_page.goto("/api/v1/docs")
    expect(visitor_page.get_by_text("Classify a text or a batch")).to_be_visible()
    expect(visitor_page.locator(".opblock")).to_have_count(20)
    visitor_page.get_by_role("button", name="Authorize").click()
    expect(visitor_page.get_by_text("ApiKeyAuth")).to_be_visible()
