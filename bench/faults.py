"""Faults while tickets are posted and classified: is any ticket lost or duplicated?

Each fault strikes an installation with its own processes and PostgreSQL server. A client posts tickets to the API and
repeats each until it is stored. In the end every posted ticket has to exist once, with one prediction and one verdict.
"""

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import psycopg

from bench.harness import model_server, table
from bench.installation import SOURCE, CuttableProxy, Process, RunningInstallation, TicketSender, end
from bench.postgresql_server import PostgresServer, cluster, free_port

MODEL_SECONDS, IN_FLIGHT = 1.0, 16
BEFORE, AFTER = 6.0, 4.0
PATIENCE = 240.0


class FaultScenario(NamedTuple):
    """Where a fault strikes: the installation, its processes, where its web processes listen, and its two cables."""

    site: RunningInstallation
    workers: list[Process]
    web: list[Process]
    ports: list[int]
    database: CuttableProxy
    model: CuttableProxy
    key: str


class TicketCounts(NamedTuple):
    """What there is in the end, and the seconds from the fault until all had a verdict."""

    sent: int
    stored: int
    doubled: int
    judged: int
    lost: int
    retried: int
    seconds: float


def kill_worker(stage: FaultScenario) -> None:
    end(stage.workers[0], signal.SIGKILL)


def kill_web(stage: FaultScenario) -> None:
    for process in stage.web:
        end(process, signal.SIGKILL)
    stage.web[:] = [stage.site.web(port) for port in stage.ports]


def kill_postgresql(stage: FaultScenario) -> None:
    stage.site.server.kill()
    _started_again(stage.site.server)


def cut_model(stage: FaultScenario) -> None:
    stage.model.cut()
    time.sleep(10)
    stage.model.mend()


def cut_database(stage: FaultScenario) -> None:
    stage.database.cut()
    time.sleep(10)
    stage.database.mend()


def clock_ahead(stage: FaultScenario) -> None:
    _killed_with_a_wrong_clock(stage, 3_600)


def clock_behind(stage: FaultScenario) -> None:
    _killed_with_a_wrong_clock(stage, -3_600)


def _killed_with_a_wrong_clock(stage: FaultScenario, seconds: int) -> None:
    """A worker whose clock has jumped takes tickets, and dies with them in its hands."""
    wrong = stage.site.start(str(seconds), "work", module="bench.shifted")
    for process in stage.workers:
        end(process, signal.SIGTERM)
    for process in stage.workers:
        process.wait(30)
    time.sleep(8)
    end(wrong, signal.SIGKILL)
    stage.workers[:] = [stage.site.worker() for _number in stage.workers]


def fill_disk(stage: FaultScenario) -> None:
    """Fill the server's disk for ten seconds, and restart the server if that stopped it."""
    ballast = stage.site.server.data.parent / "ballast"
    with ballast.open("wb") as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
            file.flush()
    time.sleep(10)
    ballast.unlink()
    with suppress(psycopg.Error):
        stage.site.server.rows("select 1")
        return
    _started_again(stage.site.server)


def upgrade(stage: FaultScenario) -> None:
    """Run setup, then replace each process while the others of its kind keep running."""
    stage.site.run("setup")
    for place, process in enumerate(stage.workers):
        stage.workers[place] = stage.site.worker()
        end(process, signal.SIGTERM)
    for place, process in enumerate(stage.web):
        os.kill(process.pid, signal.SIGTERM)
        process.wait(30)
        stage.web[place] = stage.site.web(stage.ports[place])


FAULTS: dict[str, Callable[[FaultScenario], None]] = {
    "worker": kill_worker,
    "web": kill_web,
    "postgresql": kill_postgresql,
    "model": cut_model,
    "database": cut_database,
    "ahead": clock_ahead,
    "behind": clock_behind,
    "disk": fill_disk,
    "upgrade": upgrade,
}


def main(only: list[str], seconds: float) -> None:
    rows = []
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="ticketclf-faults-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        disk = _small_disk(stack)
        server = stack.enter_context(cluster(disk))
        print("two setups at once:", _race(server, folder))
        for name in only or FAULTS:
            if name == "disk" and not disk:
                print("disk: left out, because it needs the permission to mount a small disk")
                continue
            result = _struck(server, folder, FAULTS[name], seconds)
            rows.append([name, *result[:-1], f"{result.seconds:.0f}"])
            print(name, result, flush=True)
    table("Faults", ["fault", "sent", "stored", "doubled", "with a verdict", "lost", "retried", "seconds"], rows)


def _small_disk(stack: ExitStack) -> Path | None:
    """A small disk for the server that can be filled; None if mounting is not permitted."""
    folder = Path(tempfile.mkdtemp(prefix="ticketclf-disk-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=500m", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(command).returncode:  # noqa: S603 - a command of ours
        return None
    stack.callback(subprocess.run, ["umount", str(folder)])
    folder.chmod(0o755)
    return folder


def _race(server: PostgresServer, folder: Path) -> str:
    """Two set the same empty database up at once."""
    site = RunningInstallation(server, folder)
    begun = time.monotonic()
    both = [site.start("setup") for _number in range(2)]
    codes = [process.wait(PATIENCE) for process in both]
    (categories,) = server.rows("select count(*), count(distinct name) from classifier_category")
    (migrations,) = server.rows("select count(*), count(distinct (app, name)) from django_migrations")
    took = time.monotonic() - begun
    return f"exit codes {codes}, categories {categories}, migrations {migrations} (distinct beside), {took:.0f} s"


def _struck(
    server: PostgresServer, folder: Path, fault: Callable[[FaultScenario], None], seconds: float
) -> TicketCounts:
    server.rows("truncate classifier_ticket cascade; delete from procrastinate_jobs; delete from procrastinate_workers")
    cable = CuttableProxy(server.url)
    site = RunningInstallation(server, folder, cable.url)
    with model_server(delay=MODEL_SECONDS) as base_url:
        model = CuttableProxy(base_url)
        site.use(model.url, IN_FLIGHT)
        key, ports = site.key(), [free_port(), free_port()]
        try:
            web = [site.web(port) for port in ports]
            stage = FaultScenario(site, [site.worker() for _number in range(2)], web, ports, cable, model, key)
            with TicketSender(key, ports) as poster:
                _wait_for_workers(server, len(stage.workers))
                time.sleep(BEFORE)
                begun = time.monotonic()
                fault(stage)
                time.sleep(max(AFTER, seconds - (time.monotonic() - begun)))
            _wait_for_verdicts(server, begun)
            return _counted(server, poster, time.monotonic() - begun)
        finally:
            site.end()


def _started_again(server: PostgresServer) -> None:
    """Start the server again, once its processes have noticed that the first one is gone."""
    while True:
        with suppress(subprocess.CalledProcessError):
            server.start()
            return
        time.sleep(0.5)


def _wait_for_workers(server: PostgresServer, number: int) -> None:
    while server.rows("select count(*) from procrastinate_workers") != [(number,)]:
        time.sleep(0.2)


def _wait_for_verdicts(server: PostgresServer, begun: float) -> None:
    while time.monotonic() < begun + PATIENCE:
        ((waiting,),) = server.rows("select count(*) from classifier_ticket where state = 'new'")
        if not waiting:
            return
        time.sleep(0.5)


def _counted(server: PostgresServer, poster: TicketSender, seconds: float) -> TicketCounts:
    names = [
        str(name) for (name,) in server.rows("select external_id from classifier_ticket where source = %s", SOURCE)
    ]
    ((predictions,),) = server.rows(
        "select count(*) from (select 1 from classifier_prediction group by ticket_id, language_model_id, contract_id"
        " having count(*) > 1) doubled"
    )
    (judged, verdicts) = server.rows("select count(distinct ticket_id), count(*) from classifier_verdict")[0]
    doubled = len(names) - len(set(names)) + int(str(predictions)) + int(str(verdicts)) - int(str(judged))
    return TicketCounts(
        sent=len(poster.stored),
        stored=len(names),
        doubled=doubled,
        judged=int(str(judged)),
        lost=len(set(poster.stored) - set(names)),
        retried=len(poster.failed),
        seconds=seconds,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=FAULTS, default=[])
    parser.add_argument("--seconds", type=float, default=8.0, help="for which tickets are still posted after the fault")
    main(**vars(parser.parse_args()))
