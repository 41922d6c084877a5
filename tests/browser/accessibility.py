"""Accessibility checks: axe finds nothing in either theme at any width, and no page scrolls sideways."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": TAGS}}
COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}
"""The checks that depend on the theme."""
RUN = """options => axe.run(options).then(results => results.violations.flatMap(
    violation => violation.nodes.map(node => `${violation.id}: ${node.html.slice(0, 200)}`)))"""
WIDTHS = [1280, 360]


def axe_violations(page: Page, widths: list[int] = WIDTHS) -> list[str]:
    """Violations that axe finds at each width and in the dark theme."""
    page.evaluate(AXE_SCRIPT)
    problems = []
    for width in reversed(widths):
        page.set_viewport_size({"width": width, "height": 800})
        problems += [f"{width}: {violation}" for violation in page.evaluate(RUN, EVERYTHING)]
    page.emulate_media(color_scheme="dark")
    problems += [f"dark: {violation}" for violation in page.evaluate(RUN, COLOURS)]
    page.emulate_media(color_scheme="light")
    return problems


def overflowing_widths(page: Page) -> list[str]:
    """Window widths at which the page scrolls sideways, left to right and right to left.

    1280 CSS pixels at 200% are 640, at 400% 320.
    """
    problems = []
    mirrored = (("rtl", width) for width in (320, 1280))
    for direction, width in (*mirrored, *(("ltr", width) for width in (320, 360, 640, 1000, 1160, 1280))):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("direction => { document.documentElement.dir = direction }", direction)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        problems += [f"{over} too wide for {width}, {direction}"] if over else []
    return problems


def page_problems(page: Page) -> list[str]:
    """All accessibility and layout problems, and inline code, which the policy forbids."""
    inline = page.locator("script:not([src]), style, [style], [onclick]").count()
    return [*(["something inline"] if inline else []), *axe_violations(page), *overflowing_widths(page)]
