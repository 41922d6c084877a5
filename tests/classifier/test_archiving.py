"""Tickets that passed long ago leave the database for files, whole, once, and only those that nothing else needs."""

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import models
from django.utils import timezone

from classifier import archive_files, archiving
from classifier.embeddings import vector_store
from classifier.models import (
    Archive,
    AuditDraw,
    Epoch,
    Event,
    Failure,
    LanguageModel,
    Prediction,
    Score,
    Scorer,
    Ticket,
    Vector,
    Verdict,
)
from review.models import Assignment
from tests.factories import (
    configure_review,
    hold,
    make_example,
    make_prediction,
    make_ticket,
    make_verdict,
)

pytestmark = pytest.mark.postgresql

ARCHIVED = (Ticket, Prediction, Failure, Score, Verdict)


def passed(text: str, days: int = 100, **values: Any) -> Ticket:
    """A ticket that passed so many days ago, after a failure, on a prediction that was scored."""
    ticket = make_ticket(text, received_at=timezone.now() - timedelta(days=days), **values)
    said = make_prediction(ticket, reasoning="Because „ü“ \x1b.", cost="0.00001234", words=[[0, 5]])
    scorer = Scorer.objects.serving(said.language_model)
    Score.objects.create(prediction=said, scorer=scorer, category=0.9, sentiment=0.9, both=0.8, signals={"a": 1})
    Failure.objects.create(
        ticket=ticket, language_model=said.language_model, contract=said.contract, kind="timeout", detail="late"
    )
    verdict = make_verdict(said)
    Verdict.objects.filter(pk=verdict.pk).update(created_at=timezone.now() - timedelta(days=days))
    Ticket.objects.filter(pk=ticket.pk).update(state=Ticket.State.ACCEPTED)
    return ticket


def contents() -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables that archiving moves."""
    managers: list[models.Manager[Any]] = [model._base_manager for model in ARCHIVED]
    return {manager.model.__name__: list(manager.order_by("pk").values()) for manager in managers}


def archive(folder: Path, days: int = 90) -> str:
    out = StringIO()
    call_command("archive", str(folder), older_than=days, stdout=out)
    return out.getvalue()


def archived(folder: Path) -> list[int]:
    """The tickets in the files of the folder, as anybody would read them."""
    found = []
    for path in folder.rglob("*.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            found += [json.loads(line)["ticket"]["id"] for line in list(file)[1:]]
    return sorted(found)


@pytest.mark.usefixtures("catalogue")
def test_what_is_archived_and_put_back_is_what_it_was(tmp_path: Path) -> None:
    tickets = [passed(f"Old {number} „ü“ 😀", external_id=f"x{number}") for number in range(3)]
    vector_store.of([ticket.text for ticket in tickets])
    before = contents()
    assert "3 tickets moved into 1 files" in archive(tmp_path)
    assert not any(model._base_manager.exists() for model in (*ARCHIVED, Vector))
    out = StringIO()
    call_command("archive", str(tmp_path), find=tickets[1].pk, stdout=out)
    found = json.loads(out.getvalue())
    assert found["ticket"]["text"] == "Old 1 „ü“ 😀"
    assert found["predictions"][0]["reasoning"] == "Because „ü“ \x1b."
    call_command("archive", str(tmp_path), restore=found["file"], stdout=out)
    assert contents() == before
    assert not Archive.objects.exists()
    assert archived(tmp_path) == []
    with pytest.raises(CommandError, match="is not archived"):
        call_command("archive", str(tmp_path), find=tickets[1].pk)


@pytest.mark.usefixtures("catalogue")
def test_what_people_or_models_still_need_stays_and_is_counted(tmp_path: Path, ana: User) -> None:
    gone, young, learned, assigned, drawn, told = (
        passed(f"Ticket {number}", 1 + 99 * (number != 1)) for number in range(6)
    )
    make_example("Ticket 1", ticket=learned)
    configure_review()
    waiting = make_ticket("Waiting")
    hold(waiting)
    Assignment.objects.update(ticket=assigned, state=Assignment.State.WITHDRAWN)
    draw_of(drawn, Epoch.objects.create(**certified(drawn)))
    Event.objects.create(kind="ticket.classified", data={}, ticket=told)
    printed = archive(tmp_path)
    assert archived(tmp_path) == [gone.pk, told.pk]
    assert set(Ticket.objects.values_list("pk", flat=True)) == {young.pk, learned.pk, assigned.pk, drawn.pk, waiting.pk}
    for kind in ("1 stay: examples", "1 stay: assignments", "1 stay: audit draws"):
        assert kind in printed


def certified(ticket: Ticket) -> dict[str, Any]:
    said = ticket.predictions.get()
    scorer = Scorer.objects.serving(said.language_model)
    values = {"mode": "certified", "scorer": scorer, "key": "certified", "audits_from": 1.0}
    return {"language_model": said.language_model, "contract": said.contract} | values


def draw_of(ticket: Ticket, epoch: Epoch) -> AuditDraw:
    verdict, score = ticket.verdicts.get(), Score.objects.get(prediction__ticket=ticket)
    figures = {"value": 0.9, "audits_from": 1.0, "floor": 0.1, "share": 0.1, "number": 0.5, "audited": False}
    return AuditDraw.objects.create(verdict=verdict, epoch=epoch, score=score, **figures)


@pytest.mark.usefixtures("catalogue")
def test_evidence_outlives_the_tickets_of_an_epoch_that_has_ended(tmp_path: Path) -> None:
    ticket = passed("Drawn")
    draw = draw_of(ticket, Epoch.objects.create(**certified(ticket), ended_at=timezone.now()))
    archive(tmp_path)
    left = AuditDraw.objects.get()
    assert (left.value, left.share, left.number, left.verdict, left.score) == (0.9, 0.1, 0.5, None, None)
    call_command("archive", str(tmp_path), restore=Archive.objects.get().name, stdout=StringIO())
    left.refresh_from_db()
    assert (left.verdict_id, left.score_id) == (draw.verdict_id, draw.score_id)


class Killed(BaseException):
    """Nothing catches it, as nothing catches a kill."""


STEPS: dict[str, tuple[Any, str]] = {
    "while a file is written": (json, "dumps"),
    "before it is on the disk": (archive_files, "sync"),
    "before its row": (archive_files, "sha256"),
    "before the tickets go": (archiving, "_remove"),
    "while they go": (models.QuerySet, "_raw_delete"),
    "after the commit": (archiving, "_name"),
    "before the file has its name": (Path, "rename"),
}


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("calls", [0, 2])
@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_killed_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, calls: int
) -> None:
    monkeypatch.setattr(archiving, "A_FILE", 2)
    everything = {passed(f"Old {number}").pk for number in range(6)}
    with monkeypatch.context() as patched:
        patched.setattr(*STEPS[step], killing(getattr(*STEPS[step]), after=calls))
        with pytest.raises(Killed):
            archive(tmp_path)
    stored = set(Ticket.objects.values_list("pk", flat=True))
    counted = {pk for one in Archive.objects.all() for pk in range(one.first, one.last + 1)}
    assert stored | counted == everything
    assert not stored & counted
    for one in Archive.objects.all():
        assert archiving.find(tmp_path, one.first)
    archive(tmp_path)
    assert archived(tmp_path) == sorted(everything)
    assert not list(tmp_path.rglob("*.part"))
    assert not Ticket.objects.exists()


def killing(work: Callable[..., Any], after: int) -> Callable[..., Any]:
    """Does its work so many times, and is then killed before the next."""
    done: list[int] = []

    def killed(*args: Any, **kwargs: Any) -> Any:
        if len(done) == after:
            raise Killed
        done.append(1)
        return work(*args, **kwargs)

    return killed


@pytest.mark.usefixtures("catalogue")
def test_a_file_that_was_changed_or_is_missing_is_refused(tmp_path: Path) -> None:
    ticket = passed("Old")
    archive(tmp_path)
    path = tmp_path / Archive.objects.get().name
    path.write_bytes(path.read_bytes() + b" ")
    for wanted in ({"find": ticket.pk}, {"restore": Archive.objects.get().name}, {"check": True}):
        with pytest.raises(CommandError, match="not as it was written; take it from a backup"):
            call_command("archive", str(tmp_path), **wanted)
    path.unlink()
    with pytest.raises(CommandError, match="look for it in the backups"):
        call_command("archive", str(tmp_path), check=True)


@pytest.mark.usefixtures("catalogue")
def test_what_another_database_has_left_half_done_is_not_touched(tmp_path: Path) -> None:
    part = tmp_path / "2026-01" / "1-2.jsonl.gz.part"
    archive_files.write(part, {}, [{"ticket": {"id": 987654}}])
    with pytest.raises(CommandError, match="is the folder another's"):
        archive(tmp_path)
    assert part.exists()


@pytest.mark.usefixtures("catalogue")
def test_a_label_that_is_gone_keeps_a_file_from_being_put_back(tmp_path: Path) -> None:
    ticket = passed("Old")
    language_model = LanguageModel.objects.create(
        provider=ticket.predictions.get().language_model.provider, name="gone"
    )
    Prediction.objects.update(language_model=language_model)
    archive(tmp_path)
    language_model.delete()
    with pytest.raises(CommandError, match="is not there any more"):
        call_command("archive", str(tmp_path), restore=Archive.objects.get().name)
    assert archived(tmp_path) == [ticket.pk]
