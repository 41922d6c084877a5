"""Style sheets define each selector once, and only classes that pages use."""

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHEETS = sorted((ROOT / "static" / "css").glob("*.css"))
SOURCES = [
    ROOT / "templates",
    ROOT / "static" / "js",
    *(ROOT / name for name in ("classifier", "review", "ticketclf_site")),
]
COMPUTED = ("of-", "shade-")
"""Classes that end in a name or number of a row or field."""


def selectors(sheet: Path) -> set[str]:
    """The selectors outside of media queries, which repeat some on purpose."""
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    top_level = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", text)
    return {part.strip() for rule in re.findall(r"([^{}]+)\{", top_level) for part in re.split(r",(?![^(]*\))", rule)}


def used() -> set[str]:
    files = (path for source in SOURCES for path in source.rglob("*") if path.suffix in {".html", ".js", ".py"})
    return {word for path in files for word in re.findall(r"[\w-]+", path.read_text())}


def test_no_selector_is_styled_in_two_files() -> None:
    sheets: dict[str, list[str]] = defaultdict(list)
    for sheet in SHEETS:
        for selector in selectors(sheet):
            sheets[selector].append(sheet.name)
    assert {selector: names for selector, names in sheets.items() if len(names) > 1} == {}


def test_every_styled_class_is_used() -> None:
    words = used()
    styled = {name for sheet in SHEETS for name in re.findall(r"\.([a-z][\w-]*)", sheet.read_text())}
    assert {name for name in styled if name not in words and not name.startswith(COMPUTED)} == set()
