"""The architecture: which package may import which, and how long modules and functions may be."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent

# Packages and modules of each app, lowest first. Each may import only those before it; lazy and typing imports count.
ORDER = {
    "classifier": [
        "text",
        "log_context",
        "retry_after",
        "background",
        "form_recovery",
        "database",
        "scoring",
        "contract",
        "learning",
        "security",
        "models",
        "leases",
        "tallies",
        "privacy",
        "embeddings",
        "inference",
        "tickets",
        "ingest",
        "pipeline",
        "api",
        "integrations",
        "tasks",
        "taxonomy",
        "web",
        "admin",
        "templatetags",
        "management",
        "urls",
        "apps",
    ],
    "review": [
        "http",
        "stats",
        "models",
        "duplicates",
        "workflow",
        "gold",
        "screen",
        "worklist",
        "benchmark",
        "certification",
        "specialist",
        "reports",
        "preferences",
        "datasets",
        "sweep",
        "erasure",
        "api",
        "admin",
        "templatetags",
        "demo",
        "management",
        "urls",
        "apps",
    ],
    "ticketclf_site": [
        "env",
        "languages",
        "errors",
        "sign_in",
        "observability",
        "processes",
        "operations",
        "uploads",
        "forms",
        "api",
        "jinja",
        "urls",
        "settings",
        "wsgi",
        "admin",
        "management",
        "apps",
    ],
}

# Pure: arrays, numbers and texts in and out; no tables, settings or requests.
PURE = [
    "classifier.contract",
    "classifier.database.batches",
    "classifier.inference.backends.logprobs",
    "classifier.inference.pseudonyms",
    "classifier.ingest.mail_body",
    "classifier.ingest.message_text",
    "classifier.ingest.moments",
    "classifier.ingest.quote_marks",
    "classifier.ingest.quotes",
    "classifier.ingest.readers",
    "classifier.integrations.helpdesks.base",
    "classifier.integrations.helpdesks.chats",
    "classifier.integrations.helpdesks.chatwoot",
    "classifier.integrations.helpdesks.freshdesk",
    "classifier.integrations.helpdesks.intercom",
    "classifier.integrations.helpdesks.zammad",
    "classifier.integrations.helpdesks.zendesk",
    "classifier.learning",
    "classifier.log_context",
    "classifier.pipeline.cluster",
    "classifier.privacy.masking",
    "classifier.privacy.redaction",
    "classifier.retry_after",
    "classifier.scoring",
    "classifier.security.prompt_injection",
    "classifier.security.prompt_injection_patterns",
    "classifier.text",
    "classifier.tickets.highlighting",
    "review.certification.bounds",
    "review.certification.drift",
    "review.certification.sequential_test",
    "review.datasets.files",
    "review.datasets.formats",
    "review.datasets.parsing",
    "review.datasets.reading",
    "review.datasets.record",
    "review.duplicates.minhash",
    "review.specialist.clusters",
    "review.specialist.curve_chart",
    "review.specialist.learning_curve",
    "review.stats",
    "review.workflow.priority",
]

# Django finds models and admins by importing these; they contain only imports.
LOADED_BY_DJANGO = {"classifier/admin/__init__.py", "review/admin/__init__.py"} | {
    f"{app}/models/__init__.py" for app in ORDER
}

LONGEST_MODULE, LONGEST_FUNCTION = 300, 30


@cache
def modules() -> dict[str, Path]:
    """The modules of the three packages by dotted name."""
    paths = [path.relative_to(ROOT) for app in ORDER for path in (ROOT / app).rglob("*.py")]
    return {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
        if "migrations" not in path.parts
    }


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


@cache
def imported(module: str) -> frozenset[str]:
    """Everything that a module imports, in functions and for typing too."""
    names: set[str] = set()
    for node in ast.walk(tree_of(modules()[module])):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (parts & modules().keys()) or {str(node.module)}
    return frozenset(names - {module})


def place(module: str) -> int:
    """The position of a module's package in the order of its app."""
    app, part = (module.split(".") + ["apps"])[:2]
    return ORDER[app].index(part)


def import_circles() -> Iterator[list[str]]:
    """Circles of modules that import each other."""
    done: set[str] = set()
    path: list[str] = []

    def follow(module: str) -> Iterator[list[str]]:
        if module in path:
            yield path[path.index(module) :]
        elif module not in done:
            path.append(module)
            for name in sorted(imported(module) & modules().keys()):
                yield from follow(name)
            done.add(path.pop())

    for module in modules():
        yield from follow(module)


def test_imports_run_from_the_site_down_to_the_classifier() -> None:
    apps = list(ORDER)
    for module in modules():
        above = set(apps[apps.index(module.split(".")[0]) + 1 :])
        assert not {name.split(".")[0] for name in imported(module)} & above, module


@pytest.mark.parametrize("app", ORDER)
def test_packages_of_an_app_import_only_those_below_them(app: str) -> None:
    ours = [module for module in modules() if module.startswith(f"{app}.")]
    assert {module.split(".")[1] for module in ours} == set(ORDER[app])
    for module in ours:
        above = {name for name in imported(module) & set(ours) if place(name) > place(module)}
        assert not above, module


def test_modules_do_not_import_each_other_in_circles() -> None:
    assert not next(import_circles(), None)


@pytest.mark.parametrize("part", PURE)
def test_pure_packages_import_neither_django_nor_a_provider(part: str) -> None:
    inside = [module for module in modules() if f"{module}.".startswith(f"{part}.")]
    assert inside
    for module in inside:
        assert not {name.split(".")[0] for name in imported(module)} & {"django", "openai"}, module


def test_backends_use_no_tables() -> None:
    for module in modules():
        if module.startswith("classifier.inference.backends."):
            assert not {name for name in imported(module) if name.startswith(("django.db", "classifier.models"))}, (
                module
            )


def test_views_open_no_transactions() -> None:
    views = [path for module, path in modules().items() if module.endswith("views")]
    assert views
    for path in views:
        assert "transaction" not in (ROOT / path).read_text(), path


def test_init_modules_contain_no_code() -> None:
    for path in modules().values():
        if path.name == "__init__.py" and str(path) not in LOADED_BY_DJANGO:
            assert not (ROOT / path).read_text(), path


def test_modules_are_short() -> None:
    for path in modules().values():
        assert len((ROOT / path).read_text().splitlines()) <= LONGEST_MODULE, path


def test_functions_are_short() -> None:
    for path in modules().values():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, f"{path}: {node.name}"


def test_imported_distributions_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {_name(line) for line in project["dependencies"] + project["optional-dependencies"]["data"]}
    roots = {name.split(".")[0] for module in modules() for name in imported(module)}
    distributions = packages_distributions()
    for root in roots - {*ORDER, *sys.stdlib_module_names}:
        assert declared & {_name(package) for package in distributions[root]}, root


def _name(requirement: str) -> str:
    """The normalized name of a distribution."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()
