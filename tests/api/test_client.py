"""The example client and the commands of docs/api.md, against a running server."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connections
from pytest_django.live_server_helper import LiveServer

from classifier.api import keys
from classifier.models import ApiKey, Gate, LanguageModel, Prediction, Ticket
from classifier.models.api_keys import Scope
from classifier.pipeline import sync_classification
from review.benchmark import runs
from review.gold import snapshots
from tests import servers
from tests.conftest import UseServer
from tests.factories import configure_review, make_ticket, make_user, send_to_review
from tests.servers import OpenAIServer

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client's module, as in a project that has copied it."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "examples")
    return import_module("client")


@pytest.fixture
def threads(inline_classification: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with sync_classification.ConnectedThreadPool(1) as pool:
        monkeypatch.setattr(sync_classification, "thread_pool", pool)
        yield
        pool.submit(connections.close_all)


@pytest.fixture
def key(catalogue: None) -> str:
    return keys.create_key("test", make_user("lia", "Lead"), Scope.values)[1]


def test_the_client_waits_tries_again_and_does_nothing_twice(
    live_server: LiveServer,
    key: str,
    primary: UseServer,
    threads: None,
    copied: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, release = copied.Client(live_server.url, key, patience=120), threading.Event()
    monkeypatch.setattr(copied, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: release.set()))

    def reply(request: Any) -> servers.Reply:
        release.wait(10)
        return servers.answer("Billing")

    with OpenAIServer(reply) as server:
        primary(server)
        result = client.classify("Where is my invoice?", deadline_ms=50)
    assert (result["category"], result["ticket"]["state"]) == ("Billing", "auto_accepted")
    assert Ticket.objects.count() == Prediction.objects.count() == 1
    ApiKey.objects.update(per_minute=3)
    # At some point the rate limit is reached, and the client has to wait.
    monkeypatch.setattr(copied.time, "sleep", lambda seconds: ApiKey.objects.update(per_minute=0))
    client.store([{"text": "One"}, {"text": "Two"}])
    assert [ticket["excerpt"] for ticket in client.each("/tickets", limit="1")] == [
        "Two",
        "One",
        "Where is my invoice?",
    ]
    with pytest.raises(copied.ProblemError, match="404"):
        client.get("/tickets/999999")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")
def test_the_commands_of_the_api_docs_work_as_printed(live_server: LiveServer, key: str, threads: None) -> None:
    """Each block of the page, in a shell, in order."""
    Gate.objects.update(primary=LanguageModel.objects.zero_shot(), second_opinion=None)
    configure_review()
    (assignment,) = send_to_review(make_ticket())
    runs.load_built_in()
    snapshots.create_snapshot()
    page = (ROOT / "docs" / "api.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    given = (
        f'set -eu; URL={live_server.url} KEY={key} TICKET={assignment.ticket_id}\ncurl() {{ command curl -f "$@"; }}\n'
    )
    done = subprocess.run(
        ["/bin/bash", "-c", given + "\n".join(blocks)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert len(blocks) >= 9
