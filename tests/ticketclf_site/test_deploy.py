"""`deploy/` names only settings, commands and ports that exist, and no upgrade breaks code that still runs."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

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
    """All documents of the YAML files in a folder."""
    paths = sorted(DEPLOY.joinpath(*folder).glob("*.y*ml"))
    return [document for path in paths for document in yaml.safe_load_all(path.read_text()) if document]


def kubernetes(kind: str) -> dict[str, dict[str, Any]]:
    """The manifests of a kind by name."""
    return {manifest["metadata"]["name"]: manifest for manifest in documents("kubernetes") if manifest["kind"] == kind}


def pods() -> list[dict[str, Any]]:
    """The pod specifications of all workloads."""
    jobs = [cron["spec"]["jobTemplate"] for cron in kubernetes("CronJob").values()]
    workloads = [*kubernetes("Deployment").values(), *kubernetes("Job").values(), *jobs]
    return [workload["spec"]["template"]["spec"] for workload in workloads]


def containers() -> list[dict[str, Any]]:
    return [pod["containers"][0] for pod in pods()]


def compose() -> dict[str, Any]:
    return cast(dict[str, Any], yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def texts() -> str:
    names = ("*.y*ml", "Dockerfile", ".env.example", "kubernetes/*.yaml", "systemd/*")
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


def test_deploy_sets_only_variables_that_the_settings_read() -> None:
    named = set(re.findall(r"(?<!\$)\b(?:TICKETCLF_[A-Z_]+|DATABASE_URL)\b", texts()))
    assert named <= settings_read()
    assert {"DATABASE_URL", "TICKETCLF_SECRET_KEY", "TICKETCLF_ALLOWED_HOSTS"} <= named


def test_deploy_and_guides_name_only_commands_that_exist() -> None:
    named = {line[0] for line in commands()}
    assert named <= set(get_commands())
    assert {"setup", "work", "backup", "restore"} <= named


def test_example_files_contain_no_secrets() -> None:
    secret = yaml.safe_load((DEPLOY / "kubernetes" / "secret.example.yaml").read_text())
    assert set(secret["stringData"].values()) == {""}
    assert "secret.example.yaml" not in resources()
    lines = re.findall(r"^(\w*(?:KEY|PASSWORD|TOKEN))=(.*)$", (DEPLOY / ".env.example").read_text(), re.MULTILINE)
    assert lines
    assert not any(value for _name, value in lines)


def resources() -> list[str]:
    return cast(list[str], yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"])


@pytest.mark.django_db
def test_probes_use_endpoints_that_exist(client: Client, catalogue: None) -> None:
    web = next(container for container in containers() if container["name"] == "web")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert client.get(web[probe]["httpGet"]["path"]).status_code == 200
    assert {port["containerPort"] for port in web["ports"]} == {8000}
    assert "http://127.0.0.1:8000/livez" in (DEPLOY / "Dockerfile").read_text()
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]
    assert client.get(scraped["metrics_path"]).status_code == 200


def test_manifests_have_only_fields_that_kubernetes_knows() -> None:
    fields = {
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        "data",
        "stringData",
        "type",
        "resources",
        "images",
        "namespace",
    }
    assert set().union(*documents("kubernetes")) <= fields


def test_manifests_refer_only_to_names_that_exist() -> None:
    assert all((DEPLOY / "kubernetes" / name).exists() for name in resources())
    for container in containers():
        sources = [next(iter(source.values()))["name"] for source in container["envFrom"]]
        assert sources == [*kubernetes("ConfigMap"), *kubernetes("Secret")]
    for scaler in kubernetes("HorizontalPodAutoscaler").values():
        assert scaler["spec"]["scaleTargetRef"]["name"] in kubernetes("Deployment")
    labels = [deployment["spec"]["template"]["metadata"]["labels"] for deployment in kubernetes("Deployment").values()]
    for budget in kubernetes("PodDisruptionBudget").values():
        assert budget["spec"]["selector"]["matchLabels"] in labels
    assert kubernetes("Service")["web"]["spec"]["selector"] in labels
    for name, deployment in kubernetes("Deployment").items():
        assert deployment["spec"]["selector"]["matchLabels"] == {"app": "ticketclf", "part": name}


def test_containers_neither_run_as_root_nor_can_become_root() -> None:
    for pod in pods():
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


def test_compose_does_not_start_without_its_secrets_and_takes_any_password() -> None:
    for name in ("web", "worker", "backup"):
        environment = compose()["services"][name]["environment"]
        assert ":?" in environment["TICKETCLF_SECRET_KEY"]
        assert ":?" in environment["PGPASSWORD"]
        assert "PASSWORD" not in environment["DATABASE_URL"]


def test_backups_are_scheduled_and_kept_outside_the_containers() -> None:
    assert "backups:/backups" in compose()["services"]["backup"]["volumes"]
    (cron,) = kubernetes("CronJob").values()
    pod = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if len(volume) > 1 and "emptyDir" not in volume
    ]
    assert claims == [*kubernetes("PersistentVolumeClaim")]


def tool(name: str) -> str:
    """The path of a program; skips the test if it is not installed."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    return path or pytest.skip(f"no {name} is installed")


def test_nginx_takes_its_site(tmp_path: Path) -> None:
    program = tool("nginx")
    certificate = ["-nodes", "-subj", "/CN=tickets.example.org", "-keyout", "privkey.pem", "-out", "fullchain.pem"]
    subprocess.run([tool("openssl"), "req", "-x509", *certificate], cwd=tmp_path, check=True, capture_output=True)
    site = (DEPLOY / "proxy" / "nginx.conf").read_text()
    (tmp_path / "site.conf").write_text(site.replace("/etc/letsencrypt/live/tickets.example.org", str(tmp_path)))
    folders = "".join(
        f"{name}_temp_path {tmp_path}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}}"
        f" http {{ access_log off; {folders} include {tmp_path}/site.conf; }}"
    )
    checked = subprocess.run([program, "-t", "-p", tmp_path, "-c", "nginx.conf"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_caddy_takes_its_site() -> None:
    command = [tool("caddy"), "validate", "--config", str(DEPLOY / "proxy" / "Caddyfile"), "--adapter", "caddyfile"]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_systemd_takes_its_units(tmp_path: Path) -> None:
    program = tool("systemd-analyze")
    for unit in (DEPLOY / "systemd").glob("*.*r*"):
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/ticketclf/.venv/bin/python", sys.executable))
    units = [
        tmp_path / name for name in ("ticketclf-web.service", "ticketclf-worker@1.service", "ticketclf-backup.timer")
    ]
    checked = subprocess.run([program, "verify", "--man=no", *units], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_files_copied_into_the_image_exist_and_are_not_ignored() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in let_in, name
    assert {app.label for app in apps.get_app_configs() if app.name in (*OURS, "ticketclf_site")} <= set(copied)


def test_static_files_that_pages_name_can_be_collected() -> None:
    """Collected files are looked up strictly: a missing one breaks the page."""
    pages = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    from django.contrib.staticfiles import finders

    named = set(re.findall(r"\{% static ['\"]([^'\"]+)['\"] %\}", pages))
    assert named
    assert [name for name in named if finders.find(name) is None] == []
    assert staticfiles_storage.url("css/app.css") == "/static/css/app.css"


GONE = (migrations.RemoveField, migrations.RenameField, migrations.RenameModel, migrations.DeleteModel)


def breaks(operation: Any, before: Any, fresh: set[str]) -> bool:
    """Whether code from before this operation would fail after it, reading or writing.

    `before` is the state of the models; old code does not know the `fresh` ones, which were created later.
    """
    if isinstance(operation, GONE):
        return True
    field = getattr(operation, "field", None)
    if field is None or operation.model_name in fresh or field.many_to_many:
        return False
    if isinstance(operation, migrations.AddField):
        return not field.null and field.db_default is models.NOT_PROVIDED
    old_field = before.models[operation.app_label, operation.model_name].fields[operation.name]
    return bool(old_field.null and not field.null)


def broken_by(app: str) -> list[str]:
    """Descriptions of the operations after the first migration that would break old code."""
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
            operation.app_label = app  # type: ignore[attr-defined]  # set by the migration otherwise
            if breaks(operation, state, fresh):
                broken.append(f"{name}: {operation.describe()}")
    return broken


@pytest.mark.parametrize("app", OURS)
def test_old_code_keeps_working_after_a_migration(app: str) -> None:
    """Migrations keep the tables and columns that old code names, and give new columns database defaults."""
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
def test_operations_that_would_break_old_code_are_detected(operation: Operation, broken: bool) -> None:
    operation.app_label = "classifier"  # type: ignore[attr-defined]
    assert breaks(operation, MigrationLoader(None).project_state(), set()) is broken
