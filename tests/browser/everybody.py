"""What a page has to be for everybody: axe finds nothing in either theme at any width, and no window is too narrow."""

import itertools

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": TAGS}}
COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}
"""All that a theme changes."""
RUN = """options => axe.run(options).then(found => found.violations.flatMap(
    one => one.nodes.map(node => `${one.id}: ${node.html.slice(0, 200)}`)))"""
WIDTHS = [1280, 360]


def complaints(page: Page, widths: list[int] = WIDTHS) -> list[str]:
    """Of axe about the page as it stands, at each width and once more in the dark; it is left light, as wide as the
    first.
    """
    page.evaluate(AXE_SCRIPT)
    found = []
    for width in reversed(widths):
        page.set_viewport_size({"width": width, "height": 800})
        found += [f"{width}: {one}" for one in page.evaluate(RUN, EVERYTHING)]
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {one}" for one in page.evaluate(RUN, COLOURS)]
    page.emulate_media(color_scheme="light")
    return found


def too_wide(page: Page) -> list[str]:
    """Windows that the page as it stands is wider than, left to right and right to left; it is left at its width.

    1280 CSS pixels at 200% are 640, at 400% 320.
    """
    found = []
    for direction, width in itertools.product(("rtl", "ltr"), (320, 360, 640, 1000, 1160, 1280)):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("direction => { document.documentElement.dir = direction }", direction)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found += [f"{over} too wide for {width}, {direction}"] if over else []
    return found


def faults(page: Page) -> list[str]:
    """All that is wrong with the page as it stands, what is inline included, which the policy would refuse."""
    inline = page.locator("script:not([src]), style, [style], [onclick]").count()
    return [*(["something inline"] if inline else []), *complaints(page), *too_wide(page)]
