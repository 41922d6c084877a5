"""What `deploy/` says is true of the program: its settings, commands, ports; and no upgrade breaks what still runs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import get_commands
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.test import Client

ROOT = Path(settings.BASE_DIR)
DEPLOY = ROOT / "deploy"
OURS = ("classifier", "review")


def documents(*folder: str) -> list[dict[str, Any]]:
    """Everything in the YAML files, by document."""
    paths = sorted(DEPLOY.joinpath(*folder).glob("*.y*ml"))
    return [one for path in paths for one in yaml.safe_load_all(path.read_text()) if one]


def kubernetes(kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in documents("kubernetes") if one["kind"] == kind}


def containers() -> list[dict[str, Any]]:
    found = [*kubernetes("Deployment").values(), *kubernetes("Job").values()]
    return [one["language_model"]["template"]["language_model"]["containers"][0] for one in found]


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def texts() -> str:
    names = ("*.y*ml", "Dockerfile", ".env.example", "kubernetes/*.yaml")
    return "".join(path.read_text() for name in names for path in DEPLOY.glob(name))


def settings_read() -> set[str]:
    """The environment variables that the settings read."""
    tree = ast.parse((ROOT / "ticketclf_site" / "settings.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    return {
        str(call.args[0].value)
        for call in calls
        if isinstance(call.args[0], ast.Constant) and re.match(r"env_|secret_key", getattr(call.func, "id", ""))
    }


def commands() -> Iterator[list[str]]:
    """Every `manage.py` command line of deploy/ and of the guides."""
    guides = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    for line in re.findall(r"manage\.py\"?,? \"?(\w[^\n`|#\]]*)", texts() + guides):
        yield re.split(r"[\s\",]+", line)


def test_every_variable_that_is_set_is_one_that_is_read() -> None:
    named = set(re.findall(r"\b(?:TICKETCLF_[A-Z_]+|DATABASE_URL)\b", texts()))
    assert named <= settings_read()
    assert {"DATABASE_URL", "TICKETCLF_SECRET_KEY", "TICKETCLF_ALLOWED_HOSTS"} <= named


def test_every_command_that_is_named_exists() -> None:
    named = {line[0] for line in commands()}
    assert named <= set(get_commands())
    assert {"setup", "work", "backup", "restore"} <= named


def test_no_file_holds_a_secret() -> None:
    secret = yaml.safe_load((DEPLOY / "kubernetes" / "secret.example.yaml").read_text())
    assert set(secret["stringData"].values()) == {""}
    assert "secret.example.yaml" not in resources()
    lines = re.findall(r"^(\w*(?:KEY|PASSWORD|TOKEN))=(.*)$", (DEPLOY / ".env.example").read_text(), re.MULTILINE)
    assert lines
    assert not any(value for _name, value in lines)


def resources() -> list[str]:
    found: list[str] = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"]
    return found


@pytest.mark.django_db
def test_probes_use_endpoints_that_exist(client: Client, catalogue: None) -> None:
    web = next(one for one in containers() if one["name"] == "web")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert client.get(web[probe]["httpGet"]["path"]).status_code == 200
    assert {port["containerPort"] for port in web["ports"]} == {8000}
    assert "http://127.0.0.1:8000/livez" in (DEPLOY / "Dockerfile").read_text()
    assert 'bind = "0.0.0.0:8000"' in (DEPLOY / "gunicorn.conf.py").read_text()
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]
    assert client.get(scraped["metrics_path"]).status_code == 200


def test_every_name_that_a_manifest_refers_to_is_there() -> None:
    assert all((DEPLOY / "kubernetes" / name).exists() for name in resources())
    for one in containers():
        sources = [next(iter(source.values()))["name"] for source in one["envFrom"]]
        assert sources == [*kubernetes("ConfigMap"), *kubernetes("Secret")]
    for scaler in kubernetes("HorizontalPodAutoscaler").values():
        assert scaler["language_model"]["scaleTargetRef"]["name"] in kubernetes("Deployment")
    pods = [one["language_model"]["template"]["metadata"]["labels"] for one in kubernetes("Deployment").values()]
    for budget in kubernetes("PodDisruptionBudget").values():
        assert budget["language_model"]["selector"]["matchLabels"] in pods
    assert kubernetes("Service")["web"]["language_model"]["selector"] in pods
    for name, deployment in kubernetes("Deployment").items():
        assert deployment["language_model"]["selector"]["matchLabels"] == {"app": "ticketclf", "part": name}


def test_nothing_runs_as_root_or_may_become_it() -> None:
    for found in [*kubernetes("Deployment").values(), *kubernetes("Job").values()]:
        pod = found["language_model"]["template"]["language_model"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
        assert pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"] is False
    assert re.search(r"^USER 10001$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)


def test_compose_starts_new_code_only_once_the_database_is_up_to_date() -> None:
    services = compose()["services"]
    for name in ("web", "worker"):
        assert services[name]["depends_on"] == {"setup": {"condition": "service_completed_successfully"}}
    files = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])]
    for name in (file for file in files if file.startswith("./")):
        assert (DEPLOY / name).exists(), name
    assert {file for file in files if not file.startswith("./")} == set(compose()["volumes"])


def test_files_copied_into_the_image_exist_and_are_not_ignored() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in let_in, name
    assert {app.label for app in apps.get_app_configs() if app.name in (*OURS, "ticketclf_site")} <= set(copied)


def test_every_static_file_that_a_page_names_can_be_collected() -> None:
    """The names that are made while collecting are strict: one that is not there would be an error of the page."""
    pages = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    from django.contrib.staticfiles import finders

    named = set(re.findall(r"\{% static ['\"]([^'\"]+)['\"] %\}", pages))
    assert named
    assert [name for name in named if finders.find(name) is None] == []
    assert staticfiles_storage.url("css/app.css") == "/static/css/app.css"


GONE = (migrations.RemoveField, migrations.RenameField, migrations.RenameModel, migrations.DeleteModel)


def breaks(operation: Any, before: Any, fresh: set[str]) -> bool:
    """Whether code from before this operation would fail after it, on reading or on writing. `before` is how the
    models were; of `fresh` ones, which came later, old code knows nothing.
    """
    if isinstance(operation, GONE):
        return True
    field = getattr(operation, "field", None)
    if field is None or operation.model_name in fresh or field.many_to_many:
        return False
    if isinstance(operation, migrations.AddField):
        return not field.null and field.db_default is models.NOT_PROVIDED
    was = before.models[operation.app_label, operation.model_name].fields[operation.name]
    return bool(was.null and not field.null)


def broken_by(app: str) -> list[str]:
    """What the app's migrations after the first would break, in words."""
    loader = MigrationLoader(None)
    fresh: set[str] = set()
    broken = []
    for (label, name), migration in sorted(loader.disk_migrations.items()):
        if label != app or migration.initial:
            continue
        state = loader.project_state([key for key in migration.dependencies if key[0] in OURS])
        for operation in migration.operations:
            if isinstance(operation, migrations.CreateModel):
                fresh.add(operation.name_lower)
            operation.app_label = app  # type: ignore[attr-defined]  # which only the migration knows
            if breaks(operation, state, fresh):
                broken.append(f"{name}: {operation.describe()}")
    return broken


@pytest.mark.parametrize("app", OURS)
def test_code_from_before_a_migration_goes_on_working_after_it(app: str) -> None:
    """Expand first, contract later: what old code names stays, and what it does not know has a default in the
    database.
    """
    assert broken_by(app) == []


@pytest.mark.parametrize(
    ("operation", "broken"),
    [
        (migrations.RemoveField("ticket", "customer"), True),
        (migrations.DeleteModel("ticket"), True),
        (migrations.AddField("ticket", "colour", models.CharField(default="")), True),
        (migrations.AddField("ticket", "colour", models.CharField(db_default="")), False),
        (migrations.AddField("ticket", "colour", models.CharField(null=True)), False),
        (migrations.AlterField("ticket", "due_at", models.DateTimeField()), True),
    ],
    ids=lambda value: value.describe() if isinstance(value, Operation) else None,
)
def test_a_migration_that_would_break_what_still_runs_is_found(operation: Operation, broken: bool) -> None:
    operation.app_label = "classifier"  # type: ignore[attr-defined]
    assert breaks(operation, MigrationLoader(None).project_state(), set()) is broken
