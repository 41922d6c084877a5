"""Training as a process: by the worker when it is due, killed in the middle, and twice at once."""

import json
import signal
from pathlib import Path

import pytest

from tests.installations import Installation, wait_until
from tests.review.specialist.teaching import SUBJECTS, message

pytestmark = pytest.mark.once


@pytest.fixture(scope="session")
def school(template: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation with 120 labels, most of them to learn from."""
    folder = tmp_path_factory.mktemp("school")
    file = folder / "labels.jsonl"
    rows = [
        {"text": message(category, sentiment, number), "category": category, "sentiment": sentiment}
        for category in SUBJECTS
        for sentiment in ("Negative", "Neutral")
        for number in range(15)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    installation = template.copied_to(folder)
    installation.run("import_dataset", str(file))
    return installation


@pytest.fixture
def taught(school: Installation, tmp_path: Path) -> Installation:
    return school.copied_to(tmp_path)


def versions(installation: Installation) -> list[tuple[object, ...]]:
    return installation.query("select id, live, promoted from classifier_specialistversion order by id")


def test_the_worker_trains_when_a_training_is_due(taught: Installation) -> None:
    worker = taught.start("work", "--threads", "1")
    try:
        wait_until(lambda: versions(taught) != [], seconds=120)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=40)
    assert versions(taught) == [(1, 1, 1)]


def test_a_killed_training_stores_nothing_and_the_next_one_succeeds(taught: Installation) -> None:
    process = taught.start("train")
    wait_until(lambda: taught.query("select * from classifier_lease where owner is not null") != [])
    process.kill()
    process.communicate(timeout=40)
    assert versions(taught) == []
    # The lease of the one that died runs out by itself; the clock is put forward here.
    taught.query("update classifier_lease set available_at = '2020-01-01 00:00:00' where owner is not null")
    taught.run("train")
    assert versions(taught) == [(1, 1, 1)]


def test_two_concurrent_trainings_store_one_version(taught: Installation) -> None:
    processes = [taught.start("train") for _number in range(2)]
    complaints = [process.communicate(timeout=120)[1] for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes[0] == 0
    if codes[1]:
        assert any("Another training is running" in complaint for complaint in complaints)
    assert len(versions(taught)) == codes.count(0)
    assert taught.query("select count(*) from classifier_specialistversion where live") == [(1,)]
