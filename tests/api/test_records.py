"""Decisions, taxonomy, models, benchmark runs, datasets and certificates in the API."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from classifier.models import ContractVersion, LanguageModel, Ticket
from classifier.taxonomy import importing
from classifier.taxonomy.files import reading
from review.benchmark import execution, runs
from review.gold import snapshots
from review.models import AccuracyTarget, Assignment, Certificate, Decision, Run
from tests.api.caller import Caller, caller, problem
from tests.factories import configure_review, make_gold, make_ticket, send_to_review
from tests.review.certification.scenes import recorded

LABEL = {"category": "Billing", "sentiment": "Neutral"}


@pytest.fixture
def assignment(lead_api: Caller) -> Assignment:
    configure_review()
    return send_to_review(make_ticket())[0]


def test_a_decision_settles_the_ticket_in_its_reviewers_name(lead_api: Caller, assignment: Assignment) -> None:
    answer = lead_api.post("/decisions", LABEL | {"ticket": assignment.ticket_id, "note": "By phone."})
    assert answer.status_code == 201
    made = Decision.objects.get()
    assert (made.reviewer, made.label, made.note) == (lead_api.key.user, "Billing | Neutral", "By phone.")
    assert Ticket.objects.get().state == Ticket.State.SETTLED
    assert lead_api.get(f"/tickets/{assignment.ticket_id}").json()["label"] == LABEL | {
        "by": "people",
        "confidence": None,
        "further_categories": [],
        "attributes": {},
    }
    assert lead_api.get(f"/tickets/{assignment.ticket_id}/decisions").json()["items"] == [answer.json()]
    assert lead_api.get("/decisions").json()["items"] == [answer.json()]


def test_label_equal_to_a_hidden_suggestion_is_corrected_not_accepted(lead_api: Caller, ana: User) -> None:
    configure_review()
    assignments = send_to_review(make_ticket("One"), make_ticket("Two"))
    prediction = assignments[0].ticket.predictions.get()
    label = {"category": prediction.category.name, "sentiment": prediction.sentiment.name}
    verdicts = [
        caller(ana)
        .post("/decisions", label | {"ticket": assignment.ticket_id, "suggestion_shown": shown})
        .json()["verdict"]
        for assignment, shown in zip(assignments, (True, False), strict=True)
    ]
    assert verdicts == ["accepted", "corrected"]


def test_late_decision_is_refused_with_the_current_label(lead_api: Caller, assignment: Assignment, ana: User) -> None:
    lead_api.post("/decisions", LABEL | {"ticket": assignment.ticket_id})
    late = caller(ana).post("/decisions", LABEL | {"ticket": assignment.ticket_id, "sentiment": "Positive"})
    assert "Billing | Neutral" in problem(late, 409, "too-late")["detail"]
    problem(lead_api.post("/decisions", LABEL | {"ticket": make_ticket("New").pk}), 409, "too-late")
    problem(lead_api.post("/decisions", LABEL | {"ticket": 10**9}), 404)
    assert Decision.objects.count() == 1


def test_agents_cannot_answer_assignments_of_leads(assignment: Assignment, ana: User, lead_api: Caller) -> None:
    Assignment.objects.update(lane=Assignment.Lane.LEADS)
    sent = LABEL | {"ticket": assignment.ticket_id}
    problem(caller(ana).post("/decisions", sent), 409, "too-late")
    assert lead_api.post("/decisions", sent).status_code == 201


def test_a_label_that_is_not_in_the_taxonomy_is_named(lead_api: Caller, assignment: Assignment) -> None:
    sent = {"ticket": assignment.ticket_id, "category": "Biling", "sentiment": "\0"}
    refusal = problem(lead_api.post("/decisions", sent), 422, "invalid")
    assert [error["pointer"] for error in refusal["errors"]] == ["/category", "/sentiment"]


def test_taxonomy_and_models_are_listed_without_addresses_or_keys(lead_api: Caller) -> None:
    taxonomy = lead_api.get("/taxonomy").json()
    assert taxonomy["version"] == ContractVersion.objects.current().digest
    assert "Billing" in [category["name"] for category in taxonomy["categories"]]
    labels = reading.read(json.dumps(taxonomy).encode(), "taxonomy.json")
    assert importing.create_draft(labels, "again", None, complete=True) is None
    answer = lead_api.get("/models")
    assert answer.json()["answering"] == LanguageModel.objects.zero_shot().name
    assert len(answer.json()["items"]) == LanguageModel.objects.count()
    assert "http" not in answer.content.decode()


def test_a_run_is_started_and_its_figures_are_read(lead_api: Caller) -> None:
    runs.load_built_in()
    digest, models = snapshots.create_snapshot().digest, [LanguageModel.objects.zero_shot().pk]
    started = lead_api.post("/benchmark/runs", {"models": models, "snapshot": digest[:12]})
    assert started.status_code == 202
    run = Run.objects.get()
    assert (run.created_by, started["Location"]) == (lead_api.key.user, started.json()["url"])
    (contender,) = lead_api.get(f"/benchmark/runs/{run.pk}").json()["results"]
    assert (contender["done"], contender["figures"]) == (0, None)
    execution.execute_run(run.pk)
    (contender,) = lead_api.get(f"/benchmark/runs/{run.pk}").json()["results"]
    assert contender["figures"]["both"]["n"] == contender["done"] == run.items_count
    assert lead_api.get("/benchmark/runs").json()["items"][0]["state"] == "finished"
    wrongs: list[Any] = [{"models": [10**30]}, {"models": []}, {"models": models, "snapshot": "0" * 12}]
    for wrong in wrongs:
        problem(lead_api.post("/benchmark/runs", wrong), 422, "invalid")
    missing = LanguageModel.objects.exclude(provider__api_key_env="").first()
    problem(lead_api.post("/benchmark/runs", {"models": [missing.pk]}), 422, "invalid")
    assert Run.objects.count() == 1


def test_a_benchmark_run_needs_labels(lead_api: Caller) -> None:
    refusal = problem(lead_api.post("/benchmark/runs", {"models": [LanguageModel.objects.zero_shot().pk]}), 422)
    assert "label" in refusal["detail"]


@pytest.mark.usefixtures("without_pyarrow")
def test_without_pyarrow_an_export_as_parquet_says_what_to_install(lead_api: Caller) -> None:
    make_gold("My invoice is wrong.")
    address = f"/datasets/{snapshots.create_snapshot().short}/export"
    refusal = problem(lead_api.get(address, format="parquet"), 422, "missing-package")
    assert "pip install pyarrow" in refusal["detail"]
    assert lead_api.get(address, format="csv").getvalue()


def test_a_snapshot_is_listed_described_and_streamed(lead_api: Caller) -> None:
    make_gold("Write to jo@example.org about my invoice.")
    snapshot = snapshots.create_snapshot()
    (listed,) = lead_api.get("/datasets").json()["items"]
    assert (listed["digest"], listed["labels"]) == (snapshot.digest, 1)
    manifest = lead_api.get(f"/datasets/{snapshot.short}").json()
    assert (manifest["snapshot"], manifest["records"]) == (snapshot.digest, 1)
    answer = lead_api.get(f"/datasets/{snapshot.short}/export")
    assert answer.streaming
    assert "example.org" not in json.loads(answer.getvalue())["text"]
    plain = lead_api.get(f"/datasets/{snapshot.short}/export", format="csv", masked="false").getvalue().decode()
    assert "jo@example.org" in plain
    problem(lead_api.get(f"/datasets/{snapshot.short}/export", format="exe"), 422, "invalid")
    problem(lead_api.get("/datasets/" + "0" * 12), 404)
    problem(lead_api.get("/datasets/a"), 422, "invalid")


def test_a_certificate_is_listed_with_its_evidence(lead_api: Caller) -> None:
    assert lead_api.get("/certificates/current").json()["stage"] == "fixed"
    recorded()
    certificate = Certificate.objects.latest("pk")
    status = lead_api.get("/certificates/current").json()
    assert status["accuracy_target"]["target"] == AccuracyTarget.current().target
    listed = lead_api.get("/certificates").json()["items"]
    assert (listed[0]["id"], listed[0]["audits"]) == (certificate.pk, certificate.audits)
    assert lead_api.get("/certificates/alarms").json()["items"]
