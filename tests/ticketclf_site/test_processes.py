"""The product as processes on a database of its own: started, stopped, killed, out of disk, twice at once."""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.installations import Installation, wait_until
from tests.servers import OpenAIServer, answer

pytestmark = pytest.mark.once


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A file of 300 tickets."""
    file = tmp_path / "inbox.jsonl"
    file.write_text("".join(json.dumps({"id": number, "text": f"ticket {number}"}) + "\n" for number in range(300)))
    return file


def stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=40)


def test_setting_up_twice_changes_nothing(installation: Installation) -> None:
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


def test_a_killed_worker_loses_and_doubles_nothing(installation: Installation, inbox: Path) -> None:
    with OpenAIServer(delay=0.1) as server:
        installation.use(server)
        installation.run("import_tickets", str(inbox))
        worker = installation.start("work", "--threads", "2")
        wait_until(lambda: len(server.requests) > 60)
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        done = installation.query("select count(*) from classifier_prediction")[0][0]
        assert 0 < done < 300  # type: ignore[operator]
        # As if the claims of the dead worker had run out.
        installation.query("update classifier_ticket set available_at = '2026-01-01 00:00:00' where state = 'new'")
        worker = installation.start("work", "--threads", "2")
        wait_until(lambda: installation.states().get("auto_accepted") == 300)
        stop(worker)
    assert installation.query("select count(*), count(distinct ticket_id) from classifier_prediction") == [(300, 300)]
    assert installation.query("select count(*), count(distinct ticket_id) from classifier_verdict") == [(300, 300)]


def test_two_workers_at_once_share_the_work(installation: Installation, inbox: Path) -> None:
    with OpenAIServer(delay=0.02) as server:
        installation.use(server)
        installation.run("import_tickets", str(inbox))
        workers = [installation.start("work", "--threads", "2") for _number in range(2)]
        wait_until(lambda: installation.states().get("auto_accepted") == 300)
        for worker in workers:
            stop(worker)
        assert len(server.requests) == 300
    assert installation.query("select count(*) from classifier_prediction") == [(300,)]


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
    _printed, complained = installation.run("import_tickets", str(inbox), fails=True)
    assert "database or disk is full" in complained
    assert "mend it, then run again" in complained
    assert "Traceback" not in complained
    installation.environment.pop("DJANGO_SETTINGS_MODULE")
    printed, _complained = installation.run("import_tickets", str(inbox))
    assert "300 stored" in printed
    assert installation.states() == {"new": 300}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in/", timeout=5) as response:  # noqa: S310
            return bool(response.status == 200)
    except OSError:
        return False


def test_serving_starts_and_stops_everything(installation: Installation, inbox: Path) -> None:
    port = free_port()
    with OpenAIServer() as server:
        installation.use(server)
        serving = installation.start("serve", "--port", str(port))
        wait_until(lambda: answers(port))
        installation.run("import_tickets", str(inbox))
        wait_until(lambda: installation.states() == {"auto_accepted": 300})
        _printed, complained = installation.run("serve", "--port", str(port), fails=True)
        assert "choose another --port" in complained
        serving.send_signal(signal.SIGINT)
        printed, _complained = serving.communicate(timeout=40)
    assert printed.endswith("Stopped.\n")
    assert not answers(port)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_worker_that_dies_is_started_again(installation: Installation, inbox: Path) -> None:
    port = free_port()
    with OpenAIServer() as server:
        installation.use(server)
        serving = installation.start("serve", "--port", str(port))
        wait_until(lambda: answers(port))
        for child in children(serving.pid):
            if "work" in Path(f"/proc/{child}/cmdline").read_text().split("\0"):
                os.kill(child, signal.SIGKILL)
        installation.run("import_tickets", str(inbox))
        wait_until(lambda: installation.states() == {"auto_accepted": 300})
        serving.send_signal(signal.SIGTERM)
        _printed, complained = serving.communicate(timeout=40)
    assert "The worker process ended unexpectedly and was restarted." in complained


def test_nothing_is_left_running_when_the_supervisor_is_killed(installation: Installation) -> None:
    port = free_port()
    serving = installation.start("serve", "--port", str(port))
    wait_until(lambda: answers(port))
    left = children(serving.pid)
    serving.kill()
    serving.communicate()
    wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in left))


def test_the_demo_prints_labels_results_and_passwords_once(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    printed, complained = site.run("demo", "--no-serve")
    labels = re.findall(r"^\[(OK|REVIEW)\] (\w+) \| (\w+) \| .", printed, re.MULTILINE)
    assert len(labels) >= 120
    assert "] Billing | Negative | Invoice #9922 has the wrong tax rate applied." in printed
    assert re.search(r"^embedded-minilm: accuracy=[01]\.\d+, avg_latency=\d+ ms$", printed, re.MULTILINE)
    assert "Sign in as admin with the password" in printed
    assert "No key in OXLO_API_KEY" in complained
    again, _complained = site.run("demo", "--no-serve")
    assert "with the password" not in again
    assert re.findall(r"^\[.*", again, re.MULTILINE) == re.findall(r"^\[.*", printed, re.MULTILINE)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    site = Installation(tmp_path / "file" / "var")
    _printed, complained = site.run("demo", "--no-serve", fails=True)
    assert complained.startswith("Cannot store a secret key in")
    assert complained.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TICKETCLF_DEBUG", "Ture", "neither true nor false"),
        ("TICKETCLF_WORKER_THREADS", "many", "not a whole number"),
        ("TICKETCLF_WORKER_THREADS", "0", "at least 1"),
    ],
)
def test_a_misspelt_setting_stops_the_start(installation: Installation, variable: str, value: str, said: str) -> None:
    installation.environment[variable] = value
    _printed, complained = installation.run("check", fails=True)
    assert said in complained


def test_an_unanswering_model_is_exact_in_ping(installation: Installation) -> None:
    _printed, complained = installation.run("ping", "llama-3.3-70b", fails=True)
    assert "No answer from llama-3.3-70b" in complained
    with OpenAIServer([answer()], required_key="other") as server:
        installation.use(server)
        printed, _complained = installation.run("ping", "local", fails=True)
    assert "wrong_key: 401" in printed
