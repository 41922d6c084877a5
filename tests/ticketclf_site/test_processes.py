"""The app as real processes on its own database: started, stopped, killed, run twice, out of disk space."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from classifier.pipeline import claims
from tests.dying_worker import POISON
from tests.installations import ROOT, Installation, wait_until
from tests.servers import OpenAIServer, answer

pytestmark = pytest.mark.once


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A file of 120 tickets."""
    file = tmp_path / "inbox.jsonl"
    file.write_text("".join(json.dumps({"id": number, "text": f"ticket {number}"}) + "\n" for number in range(120)))
    return file


def stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=40)


def test_a_second_setup_changes_nothing(installation: Installation) -> None:
    before = (
        installation.query("select count(*) from classifier_category"),
        installation.query("select count(*) from review_goldlabel"),
    )
    installation.run("setup")
    after = (
        installation.query("select count(*) from classifier_category"),
        installation.query("select count(*) from review_goldlabel"),
    )
    assert before == after == ([(4,)], [(5,)])


def test_a_killed_worker_neither_loses_nor_duplicates_tickets(installation: Installation, inbox: Path) -> None:
    with OpenAIServer(delay=0.1) as server:
        installation.use(server)
        installation.run("import_tickets", str(inbox))
        worker = installation.start("work", "--threads", "2")
        wait_until(lambda: len(server.requests) > 30)
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        done = installation.query("select count(*) from classifier_prediction")[0][0]
        assert 0 < done < 120  # type: ignore[operator]
        # Let the dead worker's leases expire.
        installation.query("update classifier_ticket set available_at = '2026-01-01 00:00:00' where state = 'new'")
        worker = installation.start("work", "--threads", "2")
        wait_until(lambda: installation.states().get("auto_accepted") == 120)
        stop(worker)
    assert installation.query("select count(*), count(distinct ticket_id) from classifier_prediction") == [(120, 120)]
    assert installation.query("select count(*), count(distinct ticket_id) from classifier_verdict") == [(120, 120)]


EMBEDDED_IS_PRIMARY = (
    "update classifier_gate set primary_id = (select id from classifier_languagemodel where name = 'embedded-minilm')"
)
EMBEDDED_IS_SECOND = (
    "update classifier_gate set second_opinion_id ="
    " (select id from classifier_languagemodel where name = 'embedded-minilm')"
)


@pytest.mark.parametrize("change", [EMBEDDED_IS_PRIMARY, EMBEDDED_IS_SECOND], ids=["primary", "second opinion"])
def test_a_ticket_that_kills_its_workers_takes_no_other_along(
    installation: Installation, tmp_path: Path, change: str
) -> None:
    texts = [POISON if number == 4 else f"Where is invoice {number}?" for number in range(10)]
    inbox = tmp_path / "ten.jsonl"
    inbox.write_text("".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts)))
    with OpenAIServer([answer(confidence=0.5)]) as server:
        installation.use(server)
        installation.query(change)
        installation.run("import_tickets", str(inbox))
        output = subprocess.check_output(
            [sys.executable, "-m", "tests.dying_worker"], env=installation.environment, cwd=ROOT, text=True, timeout=120
        )
    died = int(output)
    assert 1 < died <= claims.MOST_ATTEMPTS + 1
    assert installation.states().get("new", 0) == 0
    verdicts = "select t.text from classifier_verdict v join classifier_ticket t on t.id = v.ticket_id where "
    assert installation.query(f"{verdicts} v.prediction_id is null") == [(POISON,)]
    assert len(installation.query(f"{verdicts} v.prediction_id is not null")) == 9


def test_two_workers_share_the_tickets(installation: Installation, inbox: Path) -> None:
    with OpenAIServer(delay=0.02) as server:
        installation.use(server)
        installation.run("import_tickets", str(inbox))
        workers = [installation.start("work", "--threads", "2") for _number in range(2)]
        wait_until(lambda: installation.states().get("auto_accepted") == 120)
        for worker in workers:
            stop(worker)
        assert len(server.requests) == 120
    assert installation.query("select count(*) from classifier_prediction") == [(120,)]


def test_a_full_disk_is_reported_and_loses_nothing(installation: Installation, inbox: Path) -> None:
    # SQLite's own limit on pages gives the very error of a full disk.
    pages = installation.query("pragma page_count")[0][0]
    settings = installation.folder / "full_disk_settings.py"
    settings.write_text(
        "from ticketclf_site.settings import *\n"
        f"SQLITE_OPTIONS['init_command'] += 'PRAGMA max_page_count={pages};'\n"
        "DATABASES['default']['OPTIONS'] = SQLITE_OPTIONS\n"
    )
    installation.environment |= {"DJANGO_SETTINGS_MODULE": "full_disk_settings", "PYTHONPATH": str(installation.folder)}
    _output, errors = installation.run("import_tickets", str(inbox), fails=True)
    assert "database or disk is full" in errors
    assert "fix that, then run this again" in errors
    assert "Traceback" not in errors
    installation.environment.pop("DJANGO_SETTINGS_MODULE")
    output, _errors = installation.run("import_tickets", str(inbox))
    assert "120 stored" in output
    assert installation.states() == {"new": 120}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, host: str = "127.0.0.1") -> bool:
    try:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/sign-in/", headers={"Host": host})  # noqa: S310
        with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - to ourselves
            return bool(response.status == 200)
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_serving_starts_everything_restarts_a_dead_worker_and_stops_everything(
    installation: Installation, inbox: Path
) -> None:
    port = free_port()
    with OpenAIServer() as server:
        installation.use(server)
        installation.environment["TICKETCLF_INTERNAL_HOSTS"] = (
            "127.0.0.1"  # a site for others may not call us otherwise
        )
        serving = installation.start("serve", "--host", "0.0.0.0", "--port", str(port))  # noqa: S104 - is the test
        wait_until(lambda: answers(port))
        assert answers(port, socket.gethostname())
        for child in children(serving.pid):
            if "work" in Path(f"/proc/{child}/cmdline").read_text().split("\0"):
                os.kill(child, signal.SIGKILL)
        installation.run("import_tickets", str(inbox))
        wait_until(lambda: installation.states() == {"auto_accepted": 120})
        _output, errors = installation.run("serve", "--port", str(port), fails=True)
        assert "choose another --port" in errors
        serving.send_signal(signal.SIGINT)
        output, errors = serving.communicate(timeout=40)
    assert "The worker process ended unexpectedly and was restarted." in errors
    assert "Nobody can sign in yet: run" in output
    assert output.endswith("Stopped.\n")
    assert not answers(port)


def test_no_process_survives_a_killed_supervisor(installation: Installation) -> None:
    port = free_port()
    serving = installation.start("serve", "--port", str(port))
    wait_until(lambda: answers(port))
    left = children(serving.pid)
    serving.kill()
    serving.communicate()
    wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in left))


def test_the_demo_prints_labels_results_and_passwords_once(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    output, errors = site.run("demo", "--no-serve")
    labels = re.findall(r"^\[(OK|REVIEW)\] (\w+) \| (\w+) \| .", output, re.MULTILINE)
    assert len(labels) >= 120
    assert "] Billing | Negative | Invoice #9922 has the wrong tax rate applied." in output
    assert re.search(r"^embedded-minilm: accuracy=[01]\.\d+, avg_latency=\d+ ms$", output, re.MULTILINE)
    assert "Sign in as admin with the password" in output
    assert "No key in OXLO_API_KEY" in errors
    again, _errors = site.run("demo", "--no-serve")
    assert "with the password" not in again
    assert re.findall(r"^\[.*", again, re.MULTILINE) == re.findall(r"^\[.*", output, re.MULTILINE)


def test_a_folder_that_is_not_writable_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    site = Installation(tmp_path / "file" / "var")
    _output, errors = site.run("demo", "--no-serve", fails=True)
    assert errors.startswith("Cannot store a secret key in")
    assert errors.count("\n") == 1


def test_serving_from_a_folder_that_is_not_writable_ends_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "static").write_text("")
    site = Installation(tmp_path)
    site.environment["TICKETCLF_SECRET_KEY"] = "of this test"
    _output, errors = site.run("serve", "--port", str(free_port()), fails=True)
    assert "is not writable. Fix its permissions" in errors
    assert "Traceback" not in errors


def test_a_misspelt_setting_stops_the_start_with_a_sentence(installation: Installation) -> None:
    installation.environment["TICKETCLF_DEBUG"] = "Ture"
    assert installation.run("check", fails=True)[1] == "TICKETCLF_DEBUG='Ture' is neither true nor false.\n"


def test_ping_reports_the_exact_error_of_a_model(installation: Installation) -> None:
    _output, errors = installation.run("ping", "llama-3.3-70b", fails=True)
    assert "No answer from llama-3.3-70b" in errors
    with OpenAIServer([answer()], required_key="other") as server:
        installation.use(server)
        output, _errors = installation.run("ping", "local", fails=True)
    assert "unauthorized: 401" in output
