"""The drawing of the house stays true: which part may import which."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
PURE = [f"classifier/{name}.py" for name in ("contract", "prompt", "text", "lines", "backends/breaker")]
PURE += ["classifier/security/prompt_injection.py", "classifier/security/prompt_injection_patterns.py"]
PURE += [f"review/{name}.py" for name in ("agreement", "keys", "minhash", "order")]
PURE += [
    "classifier/database/batches.py",
    "classifier/tickets/highlighting.py",
    "classifier/privacy/masking.py",
    "classifier/log_context.py",
    "classifier/inference/pseudonyms.py",
    "classifier/privacy/redaction.py",
    "review/specialist/clusters.py",
    *(f"review/datasets/{name}.py" for name in ("manifest", "parsing", "reading", "record")),
]
for folder in ("formats", "files"):
    PURE += [f"review/datasets/{folder}/{path.name}" for path in (ROOT / "review" / "datasets" / folder).glob("*.py")]
PURE += [f"review/learning/{name}.py" for name in ("curve", "forecast")]
PURE += [f"review/measures/{path.name}" for path in (ROOT / "review" / "measures").glob("*.py")]
PURE += [f"classifier/learning/{path.name}" for path in (ROOT / "classifier" / "learning").glob("*.py")]
PURE += [f"classifier/readers/{path.name}" for path in (ROOT / "classifier" / "readers").glob("*.py")]
PURE += [f"classifier/scoring/{path.name}" for path in (ROOT / "classifier" / "scoring").glob("*.py")]
PURE += [f"review/assurance/{name}.py" for name in ("bounds", "drawing", "evidence", "watch")]
PURE += ["classifier/inference/backends/logprobs.py"]
PURE += ["classifier/ingest/message_text.py"]
DESKS = ("base", "chatwoot", "freshdesk", "intercom", "zammad", "zendesk")
PURE += [f"classifier/helpdesks/{name}.py" for name in DESKS]


def imported(path: Path) -> set[str]:
    """Names of modules that a file imports, relative ones resolved."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            names.add(".".join([*parts, *([node.module] if node.module else [])]))
    return names


def files(folder: str) -> list[Path]:
    found = [path for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts]
    assert found
    return found


@pytest.mark.parametrize(
    ("folder", "above"), [("classifier", {"review", "ticketclf_site"}), ("review", {"ticketclf_site"})]
)
def test_imports_run_one_way(folder: str, above: set[str]) -> None:
    for path in files(folder):
        assert not {name.split(".")[0] for name in imported(path)} & above, path


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_know_no_framework(name: str) -> None:
    assert not {module.split(".")[0] for module in imported(ROOT / name)} & {"django", "openai"}


def test_backends_know_no_tables() -> None:
    for path in files("classifier/backends"):
        assert not {name for name in imported(path) if name.startswith(("django", "classifier.models"))}, path


def test_views_open_no_transactions() -> None:
    for path in (*ROOT.glob("*/views.py"), *ROOT.glob("*/views/*.py")):
        assert "transaction" not in path.read_text(), path


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {_name(line) for line in project["dependencies"] + project["optional-dependencies"]["data"]}
    parts = ("classifier", "review", "ticketclf_site")
    modules = {name.split(".")[0] for part in parts for path in files(part) for name in imported(path)}
    distributions = packages_distributions()
    for module in modules - {*parts, *sys.stdlib_module_names}:
        assert declared & {_name(package) for package in distributions[module]}, module


def _name(requirement: str) -> str:
    """The name of a package as package indexes spell it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()
