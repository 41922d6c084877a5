"""Erasure removes a person's texts from every table, keeps the statistics, and lists what it cannot reach."""

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier import tasks
from classifier.contract.types import FailureKind
from classifier.embeddings import vector_store
from classifier.form_recovery import SESSION_KEY
from classifier.models import (
    ApiKey,
    Category,
    ContractVersion,
    Erasure,
    Event,
    Example,
    Failure,
    Gate,
    LanguageModel,
    Prediction,
    StoredReply,
    Ticket,
)
from classifier.models.arrival import Arrival
from classifier.models.specialist import text_digest
from classifier.pipeline import predict
from classifier.privacy import erasure
from classifier.privacy.redaction import ERASED
from review.gold import disputes, gold_labels, snapshots
from review.models import Audit, Contender, Decision, GoldLabel, Result, Run, Side
from review.workflow import audits
from tests.background import queued
from tests.conftest import UseServer
from tests.factories import (
    configure_review,
    make_example,
    make_prediction,
    make_ticket,
    make_verdict,
    make_version,
    send_to_review,
)
from tests.review.actions import answer
from tests.review.certification.auditing import SURE, arrive, audit, certify, make_grid, open_audits
from tests.servers import OpenAIServer, Reply, Request
from tests.servers import answer as replies

pytestmark = pytest.mark.postgresql

PLANT = "zanzibarquux"
TEXT = f"Dear {PLANT} team,\nmy invoice was charged twice, says Jo Planter, {PLANT}@example.org."
CUSTOMER = f"{PLANT}@example.org"


def found_anywhere() -> set[str]:
    """The tables, including the search index, that still contain the planted word."""
    places = {table for table in connection.introspection.table_names() if PLANT in _everything_in(table)}
    if any(PLANT in str(session.get_decoded()) for session in Session.objects.all()):
        places.add("sessions")
    return places


def _everything_in(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name that the database gave
        return "".join(map(_readable, (value for row in cursor.fetchall() for value in row))).lower()


def _readable(value: Any) -> str:
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value)


def settled(person: User) -> Ticket:
    """A settled ticket with a prediction and a failure, also used in a benchmark run."""
    configure_review(benchmark_share=1.0)
    ticket = make_ticket(TEXT, customer=CUSTOMER, external_id=f"{PLANT}-1", source="crm")
    asked = {"language_model": LanguageModel.objects.zero_shot(), "contract": ContractVersion.objects.current()}
    Failure.objects.create(ticket=ticket, kind=FailureKind.REJECTED, detail=f"400: {TEXT}", reply=TEXT, **asked)
    (assignment,) = send_to_review(ticket, reasoning=f"It names {PLANT}.", words=[[5, 17]])
    answer(assignment, person, "Billing", note=f"I rang {PLANT} up.")
    gold_labels.collect_from_decisions()
    snapshot = snapshots.create_snapshot()
    run = Run.objects.create(snapshot=snapshot, items_count=1)
    contender = Contender.objects.create(run=run, **asked)
    item = snapshot.items.get(gold__ticket=ticket)
    outcome = {"category_right": True, "sentiment_right": True, "confidence": 0.9, "latency_ms": 1, "cost": Decimal(0)}
    Result.objects.create(contender=contender, item=item, reasoning=f"{PLANT} says so", **outcome)
    return ticket


def leave_traces(ticket: Ticket, person: User) -> None:
    vector_store.embeddings_for([ticket.text])
    example = make_example(ticket.text, ticket=ticket)
    make_version(weights=b"w", sha256="0" * 64, taught=(example.pk).to_bytes(8, "little") + bytes(16))
    shown = Category.objects.get(name="Billing")
    shown.examples = "Where is my invoice?\n" + " ".join(TEXT.split())[:80] + "..."
    shown.save()
    ContractVersion.objects.current()
    kind = ContentType.objects.get_for_model(Ticket)
    LogEntry.objects.create(
        user=person, content_type=kind, object_id=str(ticket.pk), object_repr=str(ticket), action_flag=CHANGE
    )
    store = SessionStore()
    store[SESSION_KEY] = {"view": "classifier:new_ticket", "user": "1", "fields": {"text": [TEXT]}}
    store.save()
    key = ApiKey.objects.create(name="crm", prefix="abc", digest="0" * 64, user=person)
    for number, content in enumerate(
        [f'{{"ticket":{ticket.pk},"reasoning":"It names {PLANT}."}}', json.dumps({"excerpt": TEXT})]
    ):
        StoredReply.objects.create(key=key, name=f"{number}", fingerprint="0" * 64, status=201, content=content)
    Event.objects.create(kind="ticket.decided", ticket=ticket, data={"ticket": ticket.pk, "external_id": f"{PLANT}-1"})
    if connection.vendor == "sqlite":
        from django_tasks_db.models import DBTaskResult

        task = DBTaskResult.objects.create(args_kwargs={"args": [], "kwargs": {}}, task_path="a.b", backend_name="d")
        DBTaskResult.objects.filter(pk=task.pk).update(traceback=f"ValueError: {TEXT}")


def erase(*arguments: str) -> str:
    out = StringIO()
    call_command("erase", *arguments, stdout=out)
    return out.getvalue()


def test_erasure_leaves_nothing_of_a_person_in_any_table(catalogue: None, ana: User) -> None:
    ticket = settled(ana)
    leave_traces(ticket, ana)
    waiting = make_ticket(f"And another thing: {PLANT}!", customer=CUSTOMER)
    others = make_ticket("Mine is well.", customer="somebody@example.org")
    assert len(found_anywhere()) >= 15
    before = _statistics()
    printed = erase("--customer", CUSTOMER)
    assert found_anywhere() == set()
    assert _statistics() == before
    for named in ("snapshot", "specialist version", "contract", "Backups"):
        assert named in printed
    record = Erasure.objects.get()
    assert (record.counts["tickets"], record.counts["tickets removed"], len(record.remains)) == (1, 1, 3)
    ticket.refresh_from_db()
    assert (ticket.text, ticket.customer, ticket.external_id) == (ERASED, "", None)
    assert not Ticket.objects.filter(pk=waiting.pk).exists()
    others.refresh_from_db()
    assert others.text == "Mine is well."
    gold_labels.collect_from_decisions()
    assert GoldLabel.objects.get(ticket=ticket).state == GoldLabel.State.RETIRED
    with pytest.raises(CommandError, match="No such ticket"):
        erase("--customer", CUSTOMER)


def _statistics() -> tuple[Any, ...]:
    """Decisions and counts, which erasure does not change."""
    decided = list(Decision.objects.order_by("pk").values_list("verdict", "category", "sentiment"))
    answered = list(Prediction.objects.order_by("pk").values_list("category", "sentiment", "confidence"))
    return decided, answered, Failure.objects.count(), list(Result.objects.values_list("category_right", "confidence"))


def test_masking_removes_only_personal_data(catalogue: None, ana: User) -> None:
    ticket = settled(ana)
    erase("--ticket", str(ticket.pk), "--mask")
    ticket.refresh_from_db()
    assert ticket.text == f"Dear {PLANT} team,\nmy invoice was charged twice, says Jo Planter, [email]."
    assert (ticket.customer, ticket.external_id, ticket.erased_at) == ("", None, None)
    label = GoldLabel.objects.get(ticket=ticket)
    assert (label.text, label.state, label.side) == (ticket.text, GoldLabel.State.ACTIVE, Side.BENCHMARK)
    assert f"{PLANT}@" not in "".join(map(_everything_in, connection.introspection.table_names()))


def test_masking_removes_customer_names_and_can_ignore_case(catalogue: None) -> None:
    ticket = make_ticket("I am Jo Planter, and jo planter is angry.", customer="Jo Planter")
    with pytest.raises(CommandError):
        erase("--customer", "JO PLANTER")
    assert "1 tickets would be masked" in erase("--customer", "JO PLANTER", "--ignore-case", "--mask", "--dry-run")
    erase("--customer", "JO PLANTER", "--ignore-case", "--mask")
    ticket.refresh_from_db()
    assert ticket.text == "I am [customer], and [customer] is angry."


def test_copies_made_for_review_are_erased_too(catalogue: None, ana: User, lea: User) -> None:
    configure_review(benchmark_share=1.0)
    label = GoldLabel(text=TEXT, digest=text_digest(TEXT), category=Category.objects.get(name="Billing"))
    label.sentiment_id, label.origin = make_example("Any text.").sentiment_id, GoldLabel.Origin.IMPORT
    gold_labels.add_gold_labels([label])
    disputes.dispute(label, lea)
    ticket = make_ticket(TEXT, customer=CUSTOMER)
    erase("--ticket", str(ticket.pk))
    assert found_anywhere() == set()
    assert not Ticket.objects.filter(pk=ticket.pk).exists()


def test_answers_about_a_text_erased_meanwhile_are_not_stored(primary: UseServer) -> None:
    ticket = make_ticket(TEXT, customer=CUSTOMER)
    make_verdict(make_prediction(ticket))
    stale = Ticket.objects.get(pk=ticket.pk)

    def reply(request: Request) -> Reply:
        return replies(reasoning=request.ticket)

    with OpenAIServer(reply) as server:
        language_model = primary(server)
        Ticket.objects.filter(pk=ticket.pk).update(text=ERASED, erased_at=timezone.now())
        results = predict.predict([stale], language_model, ContractVersion.objects.current())
        assert [result for group in results for result in group] == []
    assert Prediction.objects.filter(reasoning__contains=PLANT).count() == 0


def test_erasure_keeps_audit_findings_and_counts_unjudged_audits_as_wrong(catalogue: None, ana: User) -> None:
    certify()
    make_grid()
    judged, awaited = open_audits(arrive(SURE, SURE))
    audit(ana, [judged])
    erasure.erase(Ticket.objects.filter(pk__in=[judged.ticket_id, awaited.ticket_id]))
    audits.update_findings([judged.ticket_id])
    (assignment,) = open_audits()
    audit(ana, [assignment])
    findings = dict(Audit.objects.values_list("ticket", "category_right"))
    assert findings == {judged.ticket_id: True, awaited.ticket_id: False}


def test_expired_tickets_are_erased_unless_they_wait_for_review(catalogue: None, settings: Any) -> None:
    long_ago = timezone.now() - timedelta(days=40)
    passed, waits = (make_ticket(f"{PLANT} {number}", received_at=long_ago) for number in range(2))
    young = make_ticket(f"{PLANT} today")
    for ticket in (passed, young):
        make_verdict(make_prediction(ticket))
        Ticket.objects.filter(pk=ticket.pk).update(state=Ticket.State.AUTO_ACCEPTED)
    same = make_example(passed.text)
    tasks.erase_expired.call()
    assert not Erasure.objects.exists()
    settings.RETENTION_DAYS = 30
    tasks.sweep()
    assert queued("classifier.tasks.erase_expired")
    for _turn in range(2):
        tasks.erase_expired.call()
    assert Example.objects.get() == same
    assert set(Ticket.objects.values_list("pk", "text")) == {
        (passed.pk, ERASED), (waits.pk, waits.text), (young.pk, young.text),
    }  # fmt: skip
    assert [(record.kind, record.counts["tickets"]) for record in Erasure.objects.all()] == [("expired", 1)]


def test_an_admin_erases_after_confirming(catalogue: None, admin: User, lea: User) -> None:
    ticket, client, url = make_ticket(TEXT), Client(), reverse("admin:classifier_ticket_changelist")
    client.force_login(admin)
    chosen = {"action": "erase", "_selected_action": [str(ticket.pk)]}
    asked = client.post(url, chosen)
    assert Ticket.objects.get().text == TEXT
    assert "cannot be undone" in asked.content.decode()
    done = client.post(url, chosen | {"confirmed": "yes"}, follow=True)
    assert not Ticket.objects.exists()
    assert (Erasure.objects.get().by, done.status_code) == (admin, 200)


def test_the_first_ticket_of_a_burst_stays_known_without_its_text(catalogue: None) -> None:
    Gate.objects.update(incident_guard=True)
    first, other = make_ticket("The card reader is down, case 1."), make_ticket("The card reader is down, case 2.")
    send_to_review(first, other)
    erasure.erase(Ticket.objects.filter(pk=first.pk))
    assert Ticket.objects.get(pk=first.pk).text == ERASED
    assert list(Arrival.objects.values_list("ticket", "first")) == [(first.pk, first.pk), (other.pk, first.pk)]
    assert not Arrival.objects.filter(digest=text_digest(first.text)).exists()
