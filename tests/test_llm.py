"""The pipeline against a real model server. Opt-in: `make test-llm` installs the model and runs this."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from django.core.management import call_command

from classifier.contract.types import JsonMode
from classifier.models import Failure, Gate, LanguageModel, Prediction, Provider, Ticket, Verdict
from classifier.pipeline import runner

pytestmark = [pytest.mark.llm, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("catalogue")]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    if not find_spec("xllamacpp"):
        pytest.skip("the model server is not installed; run `make test-llm`")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "tests.llm_server", str(port)], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait()


@pytest.fixture
def local(base_url: str) -> LanguageModel:
    Provider.objects.filter(name="Local server").update(base_url=base_url)
    language_model = LanguageModel.objects.select_related("provider").get(name="local")
    Gate.objects.update(primary=language_model, second_opinion=None)
    return language_model


def test_every_ticket_reaches_a_verdict_whatever_the_model_says(local: LanguageModel) -> None:
    texts = ["My SAML SSO stopped working.", "Invoice #9922 has the wrong tax rate.", "Thanks, great work!", "?"] * 3
    Ticket.objects.bulk_create([Ticket(text=text) for text in texts])
    deadline = time.monotonic() + 120
    while Ticket.objects.new().exists() and time.monotonic() < deadline:
        runner.classify_next_batch()
    assert Verdict.objects.current().count() == len(texts)
    assert Prediction.objects.count() + Failure.objects.filter(permanent=True).count() == len(texts)
    local.refresh_from_db()
    assert local.json_mode == JsonMode.SCHEMA


def test_a_real_model_answers_ping(local: LanguageModel, capsys: Any) -> None:
    call_command("ping", "local")
    assert "local (Local server): ok" in capsys.readouterr().out
