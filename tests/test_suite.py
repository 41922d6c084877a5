"""What the suite says of itself: nothing that talks to the database in a way of its own is tried on SQLite alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
OWN_WAYS = re.compile(
    r"\.vendor\b|\.cursor\(|RawSQL|\.raw\(|select_for_update|skip_locked|psycopg|procrastinate|_conflicts="
)
"""What means one thing on SQLite and another on PostgreSQL."""

WIRED = {
    "classifier.api.rate_limits",
    "review.certification.accuracy_target",
    "review.erasure",
    "ticketclf_site.processes.singleton_lock",
    "ticketclf_site.sign_in.backend",
    "ticketclf_site.observability.gauges",
    "ticketclf_site.operations.doctor.database",
    "ticketclf_site.settings",
    "ticketclf_site.processes.worker",
}
"""Called by an address, a command, a signal or a setting, as marked tests do."""


def modules() -> dict[str, Path]:
    """The program's modules by their dotted names, but for its migrations."""
    paths = (path for app in ("classifier", "review", "ticketclf_site") for path in (ROOT / app).rglob("*.py"))
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
        if "migrations" not in path.parts
    }


def imported(path: Path) -> Iterator[str]:
    """Names of all that a file imports, of modules and of what is in them."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (module, *(f"{module}.{alias.name}" for alias in node.names))


def test_modules_with_their_own_sql_are_tested_on_postgresql() -> None:
    """A test file that is marked for it imports the module, or one that imports it."""
    known = modules()
    marked = [path for path in (ROOT / "tests").rglob("test_*.py") if "mark.postgresql" in path.read_text()]
    tried = {name for path in marked for name in imported(path)} & set(known)
    through = {name for module in tried for name in imported(known[module])}
    own_ways = {name for name, path in known.items() if OWN_WAYS.search(path.read_text())}
    assert len(own_ways) > 20
    assert own_ways - tried - through == WIRED
