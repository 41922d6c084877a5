"""An installation in a temporary folder, controlled by its commands."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.servers import OpenAIServer

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "ticketclf.sqlite3"


class Installation:
    def __init__(self, folder: Path, code: Path = ROOT) -> None:
        self.folder, self._code = folder, code
        self.environment = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "OXLO_API_KEY")
        } | {"TICKETCLF_VAR": str(folder)}

    def copied_to(self, folder: Path) -> "Installation":
        """A copy of the installation in another folder."""
        source, copy = (sqlite3.connect(place / DATABASE) for place in (self.folder, folder))
        with closing(source), closing(copy):
            source.backup(copy)
        return Installation(folder)

    def start(self, *arguments: str, **options: object) -> "subprocess.Popen[str]":
        command = [sys.executable, str(self._code / "manage.py"), *arguments]
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )

    def run(self, *arguments: str, stdin: str | None = None, fails: bool = False) -> tuple[str, str]:
        """Standard output and standard error of a command."""
        process = self.start(*arguments, stdin=subprocess.PIPE)
        output, errors = process.communicate(stdin, timeout=120)
        assert (process.returncode != 0) is fails, errors
        return output, errors

    def query(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.folder / DATABASE, timeout=30)
        try:
            with connection:
                return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def states(self) -> dict[object, object]:
        return dict(self.query("select state, count(*) from classifier_ticket group by state"))  # type: ignore[arg-type]

    def use(self, server: OpenAIServer, in_flight: int = 8) -> None:
        """Make the model of a local server the primary."""
        self.query("update classifier_provider set base_url = ? where name = 'Local server'", server.base_url)
        self.query("update classifier_languagemodel set max_in_flight = ?, timeout = 5 where name = 'local'", in_flight)
        self.query(
            "update classifier_gate set second_opinion_id = null,"
            " primary_id = (select id from classifier_languagemodel where name = 'local')"
        )


def wait_until(condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)
