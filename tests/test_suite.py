"""Modules that use database-specific features are tested on PostgreSQL too."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
DATABASE_SPECIFIC = re.compile(
    r"\.vendor\b|\.cursor\(|RawSQL|\.raw\(|select_for_update|skip_locked|psycopg|procrastinate|_conflicts="
)
"""Code that may behave differently on SQLite and PostgreSQL."""

WIRED = {
    "classifier.api.rate_limits",
    "review.certification.accuracy_target",
    "review.erasure",
    "ticketclf_site.processes.singleton_lock",
    "ticketclf_site.sign_in.backend",
    "ticketclf_site.observability.gauges",
    "ticketclf_site.operations.database_copy",
    "ticketclf_site.operations.doctor.database",
    "ticketclf_site.settings",
    "ticketclf_site.processes.worker",
}
"""Modules that marked tests reach through a URL, a command, a signal or a setting."""


def modules() -> dict[str, Path]:
    """The modules of the three packages by dotted name, without migrations."""
    paths = (path for app in ("classifier", "review", "ticketclf_site") for path in (ROOT / app).rglob("*.py"))
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
        if "migrations" not in path.parts
    }


def imported(path: Path) -> Iterator[str]:
    """Dotted names of everything that a file imports."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (module, *(f"{module}.{alias.name}" for alias in node.names))


def test_modules_with_their_own_sql_are_tested_on_postgresql() -> None:
    """A test file marked `postgresql` imports the module, or a module that imports it."""
    known = modules()
    marked = [path for path in (ROOT / "tests").rglob("test_*.py") if "mark.postgresql" in path.read_text()]
    tested = {name for path in marked for name in imported(path)} & set(known)
    through = {name for module in tested for name in imported(known[module])}
    specific = {name for name, path in known.items() if DATABASE_SPECIFIC.search(path.read_text())}
    assert len(specific) > 20
    assert specific - tested - through == WIRED
