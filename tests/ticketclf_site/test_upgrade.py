"""An upgrade as operators do it: old code keeps working beside a new database, then new code takes over."""

import hashlib
import http.client
import json
import shutil
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.installations import ROOT, Installation, wait_until
from tests.servers import OpenAIServer
from tests.ticketclf_site.test_processes import answers, free_port, stop

pytestmark = pytest.mark.once

SECRET = "s" * 43
TOKEN = f"tclf_{'0' * 12}_{SECRET}"
NEXT_MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classifier", "{latest}")]
    operations = [
        migrations.AddField("ticket", "colour", models.CharField(max_length=9, db_default="grey")),
        migrations.CreateModel(
            "Shade",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("ticket", models.ForeignKey("classifier.Ticket", models.CASCADE)),
            ],
        ),
    ]
"""


class Sender(threading.Thread):
    """A program that stores one ticket after the other through the API, at the port that it is told."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port, self.statuses = port, list[int]()
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(0.05):
            body = {"text": "My invoice is wrong", "source": "test", "external_id": str(len(self.statuses))}
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
                connection.request("POST", "/api/v1/tickets", json.dumps(body), headers)
                self.statuses.append(connection.getresponse().status)

    def stores(self, more: int) -> None:
        """Wait until it has sent so many more tickets."""
        before = len(self.statuses)
        wait_until(lambda: len(self.statuses) >= before + more or not self.is_alive())

    def stop(self) -> None:
        self._stopping.set()
        self.join()


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    """The code of a release with one more migration."""
    code = tmp_path / "next"
    shutil.copytree(ROOT / "classifier", code / "classifier", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", code)
    for name in ("review", "ticketclf_site"):
        (code / name).symlink_to(ROOT / name)
    migrations = code / "classifier" / "migrations"
    latest = max(path.stem for path in migrations.glob("0*.py"))
    (migrations / "9999_next.py").write_text(NEXT_MIGRATION.replace("{latest}", latest))
    return code


def test_old_code_works_on_the_new_database_until_new_code_takes_over(
    installation: Installation, next_release: Path
) -> None:
    installation.query(
        "insert into auth_user (id, username, password, is_superuser, is_staff, is_active, first_name, last_name,"
        " email, date_joined) values (1, 'program', 'x', 1, 0, 1, '', '', '', '2026-01-01')"
    )
    installation.query(
        "insert into classifier_apikey (name, prefix, digest, user_id, scopes, per_minute, created_at)"
        " values ('test', ?, ?, 1, '[\"tickets:write\"]', 0, '2026-01-01')",
        "0" * 12,
        hashlib.sha256(SECRET.encode()).hexdigest(),
    )
    upgraded = Installation(installation.folder, next_release)
    ports = free_port(), free_port()
    sender = Sender(ports[0])
    with OpenAIServer() as server:
        installation.use(server)
        old = [installation.start("web", "--port", str(ports[0])), installation.start("work", "--threads", "1")]
        wait_until(lambda: answers(ports[0]))
        sender.start()
        sender.stores(5)
        upgraded.run("setup")
        sender.stores(5)
        new = [upgraded.start("web", "--port", str(ports[1])), upgraded.start("work", "--threads", "1")]
        wait_until(lambda: answers(ports[1]))
        sender.port = ports[1]
        sender.stores(2)
        for process in old:
            stop(process)
        sender.stores(5)
        sender.stop()
        wait_until(lambda: installation.states() == {"auto_accepted": len(sender.statuses)})
        for process in new:
            stop(process)
    assert set(sender.statuses) == {201}
    assert installation.query("select distinct colour from classifier_ticket") == [("grey",)]
