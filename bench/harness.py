"""Shared by the benchmarks: a temporary installation, a local model server and a result table.

Compare figures only within a run, as ratios: the machine's speed drifts, and other work shares it.
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def fresh_installation() -> Path:
    """Set up Django on an empty database in a temporary folder that is deleted at exit."""
    folder = Path(tempfile.mkdtemp(prefix="ticketclf-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["TICKETCLF_VAR"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "ticketclf_site.settings"
    os.environ.setdefault("TICKETCLF_LOG_LEVEL", "ERROR")
    sys.path.insert(0, str(ROOT))
    import django
    from django.core.management import call_command

    django.setup()
    call_command("setup")
    return folder


@contextmanager
def model_server(**options: object) -> Iterator[str]:
    """Run a local server with the OpenAI protocol as a process; yields its base URL."""
    arguments = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "tests.servers", "--port", "0", *arguments]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our command
    try:
        assert server.stdout
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        print("server:", server.communicate()[0].strip())


def messages(count: int) -> list[str]:
    """Texts of the demo inbox, numbered so that all differ."""
    lines = (ROOT / "classifier" / "data" / "inbox.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    return [f"{text} ({number})" for number, text in zip(range(count), cycle(texts), strict=False)]


def use_server(base_url: str, *, in_flight: int, timeout: float = 5.0) -> None:
    """Make the model at this URL the primary, without a second opinion."""
    from classifier.models import Gate, LanguageModel, Provider

    provider, _created = Provider.objects.update_or_create(
        name="bench", defaults={"base_url": base_url, "api_key_env": ""}
    )
    language_model, _created = LanguageModel.objects.update_or_create(
        provider=provider,
        name="bench",
        defaults={"family": "bench", "max_in_flight": in_flight, "timeout": timeout, "json_mode": "json_schema"},
    )
    Gate.objects.update(primary=language_model, second_opinion=None)


@contextmanager
def worker(threads: int) -> Iterator[int]:
    """Run a worker process as `serve` does; yields its process id."""
    command = [sys.executable, str(ROOT / "manage.py"), "work", "--threads", str(threads)]
    process = subprocess.Popen(command)  # noqa: S603 - our command
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def process_tree(pid: int) -> list[int]:
    """The ids of a process and its descendants."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid, *(descendant for child in children for descendant in process_tree(child))]


def resident_mb(pid: int) -> float:
    """Resident memory of a process in megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    texts = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(header))]
    print(f"\n{title}")
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
