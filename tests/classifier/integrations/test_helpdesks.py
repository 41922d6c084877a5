"""Help desks send tickets, signed, and receive their labels and states."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from classifier import tasks
from classifier.integrations import outbox
from classifier.integrations.helpdesks.write_back import ROUTE, build_request
from classifier.models import HelpDesk, Ticket, WriteBack
from tests.factories import configure_review, make_ticket, send_to_review
from tests.receivers import Receiver
from tests.review.actions import answer, undo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]

PAYLOADS = Path(__file__).resolve().parents[2] / "fixtures" / "helpdesks"
SECRET, TOKEN = "the help desk's secret", "the-token"
WRITTEN = "Three times I tried.\nIt says that my account is locked."
AT = datetime(2024, 4, 17, 17, 18, 10, tzinfo=UTC)

Signer = Callable[[bytes, float], dict[str, str]]


def hub(body: bytes, _at: float) -> dict[str, str]:
    return {"X-Hub-Signature": "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()}


def zendesk(body: bytes, at: float) -> dict[str, str]:
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hmac.new(SECRET.encode(), stamp.encode() + body, hashlib.sha256).digest()
    return {
        "X-Zendesk-Webhook-Signature": base64.b64encode(digest).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": stamp,
    }


def chatwoot(body: bytes, at: float) -> dict[str, str]:
    digest = hmac.new(SECRET.encode(), f"{int(at)}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Chatwoot-Signature": f"sha256={digest}", "X-Chatwoot-Timestamp": str(int(at))}


def freshdesk(_body: bytes, _at: float) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"anybody:{SECRET}".encode()).decode()}


class Case(NamedTuple):
    """How a help desk signs, what its payload becomes, and the request that writes back to it."""

    sign: Signer
    external_id: str
    customer: str
    channel: str
    method: str
    path: str
    headers: dict[str, str]
    body: Callable[[dict[str, str]], Any]
    fields: tuple[str, str, str] = ("category", "sentiment", "state")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


CASES = {
    "zendesk": Case(
        zendesk,
        "35436",
        "20978392",
        "web_service",
        "PUT",
        "/api/v2/tickets/35436.json",
        {"authorization": basic("lea@example.com/token", TOKEN)},
        lambda fields: {"ticket": {"custom_fields": [{"id": int(k), "value": v} for k, v in fields.items()]}},
        ("101", "102", "103"),
    ),
    "freshdesk": Case(
        freshdesk,
        "4711",
        "emily@example.com",
        "email",
        "PUT",
        "/api/v2/tickets/4711",
        {"authorization": basic(TOKEN, "X")},
        lambda fields: {"custom_fields": fields},
    ),
    "intercom": Case(
        hub,
        "21321941764",
        "emily@example.com",
        "conversation",
        "PUT",
        "/conversations/21321941764",
        {"authorization": f"Bearer {TOKEN}", "intercom-version": "2.11"},
        lambda fields: {"custom_attributes": fields},
    ),
    "zammad": Case(
        hub,
        "81",
        "emily@example.com",
        "email",
        "PUT",
        "/api/v1/tickets/81",
        {"authorization": f"Token token={TOKEN}"},
        lambda fields: fields,
    ),
    "chatwoot": Case(
        chatwoot,
        "77",
        "emily@example.com",
        "webwidget",
        "POST",
        "/api/v1/accounts/lea@example.com/conversations/77/custom_attributes".replace("@", "%40"),
        {"api_access_token": TOKEN},
        lambda fields: {"custom_attributes": fields, "merge": True},
    ),
}
every_desk = pytest.mark.parametrize("kind", CASES)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_SECRET", SECRET)
    monkeypatch.setenv("DESK_TOKEN", TOKEN)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(200) as receiver:
        yield receiver


def make_help_desk(kind: str, receiver: Receiver | None = None, **values: Any) -> HelpDesk:
    fields = zip(("category_field", "sentiment_field", "state_field"), CASES[kind].fields, strict=True)
    back = {"write_back": True, "base_url": receiver.url, "token_env": "DESK_TOKEN"} if receiver else {}
    given = {"kind": kind, "name": kind, "slug": "support", "secret_env": "DESK_SECRET", "account": "lea@example.com"}
    return HelpDesk.objects.create(**given | dict(fields) | back | values)


def payload(kind: str) -> Any:
    return json.loads((PAYLOADS / f"{kind}.json").read_text())


def post_event(kind: str, sent: Any = None, *, age: float = 0, headers: dict[str, str] | None = None) -> int:
    """The status of the answer. `sent` is JSON, or bytes as they are."""
    sent = payload(kind) if sent is None else sent
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    signature = CASES[kind].sign(body, time.time() - age) | (headers or {})
    response = Client(enforce_csrf_checks=True).post(
        "/hooks/support/", body, content_type="application/json", headers=signature
    )
    return response.status_code


def changed(kind: str, path: str, value: Any) -> Any:
    """The payload with another value at this place."""
    part = whole = payload(kind)
    *outer, last = path.split(".")
    for name in outer:
        part = part[name]
    part[last] = value
    return whole


@every_desk
def test_a_customers_message_is_stored_once_however_often_it_is_sent(kind: str) -> None:
    make_help_desk(kind)
    assert [post_event(kind), post_event(kind)] == [202, 202]
    ticket = Ticket.objects.get()
    case = CASES[kind]
    assert (ticket.source, ticket.external_id) == ("support", case.external_id)
    assert ticket.text == f"I cannot log in\n\n{WRITTEN}"
    assert (ticket.customer, ticket.channel) == (case.customer, case.channel)
    if kind != "freshdesk":
        assert ticket.received_at.replace(microsecond=0) == AT


@every_desk
def test_events_with_wrong_signatures_are_refused(kind: str) -> None:
    make_help_desk(kind)
    wrong = {name: value[:-3] + "AAA" for name, value in CASES[kind].sign(b"{}", time.time()).items()}
    assert post_event(kind, headers=wrong) == 401
    assert post_event(kind, headers=dict.fromkeys(wrong, "")) == 401
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("kind", ["zendesk", "intercom", "zammad", "chatwoot"])
def test_a_signature_covers_the_exact_body(kind: str) -> None:
    make_help_desk(kind)
    other = CASES[kind].sign(b'{"another": "body"}', time.time())
    assert post_event(kind, headers=other) == 401


@pytest.mark.parametrize("kind", ["zendesk", "chatwoot"])
@pytest.mark.parametrize(("age", "status"), [(250, 202), (-250, 202), (400, 401), (-400, 401)])
def test_old_signatures_are_refused_as_replays(kind: str, age: float, status: int) -> None:
    make_help_desk(kind)
    assert post_event(kind, age=age) == status


ASIDE = [
    ("zendesk", "type", "zen:event-type:ticket.comment_added"),
    ("intercom", "topic", "conversation.admin.replied"),
    ("intercom", "topic", "ping"),
    ("intercom", "data.item.source.author.type", "admin"),
    ("intercom", "data.item.source.author.type", "bot"),
    ("zammad", "article.sender", "Agent"),
    ("zammad", "article.sender", "System"),
    ("zammad", "article.internal", True),
    ("zammad", "article.preferences", {"is-auto-response": True}),
    ("zammad", "ticket.article_count", 2),
    ("chatwoot", "event", "conversation_status_changed"),
    ("chatwoot", "message_type", "outgoing"),
    ("chatwoot", "message_type", "template"),
    ("chatwoot", "private", True),
    ("chatwoot", "content", None),
]


@pytest.mark.parametrize(("kind", "path", "value"), ASIDE)
def test_events_by_agents_and_other_events_make_no_ticket(kind: str, path: str, value: Any) -> None:
    make_help_desk(kind)
    assert post_event(kind, changed(kind, path, value)) == 200
    assert not Ticket.objects.exists()


NO_EVENTS = [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b"{}"]


@every_desk
@pytest.mark.parametrize("body", NO_EVENTS, ids=lambda body: repr(body[:12]))
def test_malformed_events_are_refused_with_a_reason(kind: str, body: bytes) -> None:
    make_help_desk(kind)
    assert post_event(kind, body) == 400
    assert not Ticket.objects.exists()


ODD: list[tuple[str, str, Any]] = [
    ("zendesk", "detail", []),
    ("zendesk", "detail.id", None),
    ("zendesk", "detail.id", "9" * 300),
    ("freshdesk", "freshdesk_webhook", "x"),
    ("freshdesk", "freshdesk_webhook.ticket_id", {"a": 1}),
    ("intercom", "data.item.id", True),
    ("zammad", "ticket.id", ""),
    ("chatwoot", "conversation", 7),
]


@pytest.mark.parametrize(("kind", "path", "value"), ODD)
def test_an_event_without_a_needed_value_is_refused(kind: str, path: str, value: Any) -> None:
    make_help_desk(kind)
    assert post_event(kind, changed(kind, path, value)) == 400


def test_odd_characters_are_replaced_and_long_values_cut() -> None:
    make_help_desk("chatwoot")
    event = changed("chatwoot", "sender.email", "e\0\ud800" + "x" * 400)
    event["content"] = "nul \0 and \ud800"
    event["created_at"] = 10**30
    assert post_event("chatwoot", event) == 202
    ticket = Ticket.objects.get()
    assert ticket.text == "nul \ufffd and \ufffd"
    assert len(ticket.customer) == 254
    assert timezone.now() - ticket.received_at < timedelta(minutes=1)


CHAT = "chatwoot"


def chat(content: str, **conversation: Any) -> int:
    event = changed(CHAT, "content", content)
    event["conversation"] |= conversation
    return post_event(CHAT, event)


def test_a_chat_that_opens_with_a_greeting_is_about_its_question() -> None:
    make_help_desk(CHAT)
    for greeting in ("Hi", "Hello there!", "Guten Tag 👋", "¡Buenos días!", "你好", "👋"):
        assert chat(greeting) == 200
    assert chat("I cannot log in.") == chat("It says that my account is locked.") == 202
    assert chat("It says that my account is locked.") == 202, "sent again"
    ticket = Ticket.objects.get()
    assert ticket.text == "I cannot log in.\n\nIt says that my account is locked."
    assert ticket.available_at > timezone.now() + timedelta(seconds=10), "more may follow"


def test_a_chat_that_has_been_classified_takes_no_more_messages() -> None:
    make_help_desk(CHAT)
    chat("I cannot log in.")
    Ticket.objects.update(state=Ticket.State.NEEDS_REVIEW)
    chat("It works again.")
    assert Ticket.objects.get().text == "I cannot log in."


@pytest.mark.parametrize("content", ["<p>I cannot<br>log in</p>", "I cannot\nlog in\n\nOn 4 May Help wrote:\n> Hi"])
def test_html_and_quoted_threads_are_read_as_in_mail(content: str) -> None:
    make_help_desk(CHAT)
    assert chat(content, channel="Channel::Email") == 202
    assert Ticket.objects.get().text == "I cannot\nlog in"


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "nonsense"])
def test_an_implausible_date_becomes_now(at: str) -> None:
    make_help_desk("zendesk")
    assert post_event("zendesk", changed("zendesk", "detail.created_at", at)) == 202
    assert timezone.now() - Ticket.objects.get().received_at < timedelta(minutes=1)


def test_an_image_within_a_message_loses_no_ticket() -> None:
    make_help_desk("freshdesk")
    html = f"<p>See</p><img src='data:image/png;base64,{'A' * 1_500_000}'>"
    assert post_event("freshdesk", changed("freshdesk", "freshdesk_webhook.ticket_description", html)) == 202
    assert Ticket.objects.get().text.endswith("See")


def test_the_scheme_of_authentication_may_be_in_lower_case() -> None:
    make_help_desk("freshdesk")
    headers = CASES["freshdesk"].sign(b"", 0)
    headers["Authorization"] = headers["Authorization"].replace("Basic", "basic")
    assert post_event("freshdesk", headers=headers) == 202


def test_the_address_can_be_checked_before_events_are_sent() -> None:
    make_help_desk("intercom")
    assert Client().head("/hooks/support/").status_code == 200
    assert Client().head("/hooks/other/").status_code == 404


def test_only_active_help_desks_have_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    help_desk = make_help_desk("zammad")
    assert Client().get("/hooks/support/").status_code == 405
    assert Client().post("/hooks/other/").status_code == 404
    assert post_event("zammad", b" " * 5_000_001) == 413
    monkeypatch.delenv("DESK_SECRET")
    assert post_event("zammad") == 503, "so that the help desk tries again"
    HelpDesk.objects.filter(pk=help_desk.pk).update(active=False)
    assert post_event("zammad") == 404


def stored(kind: str) -> Ticket:
    """A ticket from the help desk that needs review."""
    configure_review()
    ticket = make_ticket(source="support", external_id=CASES[kind].external_id)
    send_to_review(ticket)
    return ticket


def write_back() -> None:
    WriteBack.objects.waiting().update(available_at=Now())
    HelpDesk.objects.update(paused_until=None)
    outbox.send_due(tasks.ROUTES)


def reviews(receiver: Receiver) -> list[str]:
    return [got.json["state"] for got in receiver.got]


@every_desk
def test_the_state_of_a_ticket_is_written_in_the_help_desks_format(kind: str, receiver: Receiver) -> None:
    make_help_desk(kind, receiver)
    stored(kind)
    write_back()
    (got,) = receiver.got
    case = CASES[kind]
    assert (got.method, got.path) == (case.method, case.path)
    assert case.headers.items() <= got.headers.items()
    assert got.json == case.body(dict(zip(case.fields, ("Billing", "Positive", "needs_review"), strict=True)))


def test_decisions_and_undone_decisions_are_written_back(receiver: Receiver, ana: User) -> None:
    make_help_desk("zammad", receiver)
    ticket = stored("zammad")
    write_back()
    (assignment,) = ticket.assignments.all()
    decision = answer(assignment, ana, "Technical", "Neutral")
    write_back()
    undo(decision, ana)
    write_back()
    assert reviews(receiver) == ["needs_review", "settled", "needs_review"]
    assert receiver.got[1].json == {"category": "Technical", "sentiment": "Neutral", "state": "settled"}
    assert WriteBack.objects.count() == 1


def test_only_the_latest_state_is_written_and_nothing_twice(receiver: Receiver, ana: User) -> None:
    make_help_desk("zammad", receiver)
    ticket = stored("zammad")
    (assignment,) = ticket.assignments.all()
    answer(assignment, ana)
    write_back()
    assert reviews(receiver) == ["settled"]
    WriteBack.objects.all().requeue()
    write_back()
    assert reviews(receiver) == ["settled"]
    assert WriteBack.objects.get().state == WriteBack.State.DELIVERED


def test_a_decision_made_during_a_write_back_is_written_afterwards(ana: User) -> None:
    with Receiver(200) as receiver:
        make_help_desk("zammad", receiver)
        (assignment,) = stored("zammad").assignments.all()

        def decide_meanwhile(row: WriteBack) -> outbox.OutgoingRequest:
            outgoing = build_request(row)
            answer(assignment, ana)
            return outgoing

        outbox.send_due([replace(ROUTE, build_request=decide_meanwhile)])
        write_back()
        assert reviews(receiver) == ["needs_review", "settled"]


def test_sealed_labels_are_not_written_back(receiver: Receiver) -> None:
    make_help_desk("zammad", receiver)
    configure_review(blind_share=1)
    send_to_review(make_ticket(source="support", external_id="81"))
    write_back()
    assert receiver.got[0].json == {"state": "needs_review"}


def test_faults_are_retried_and_deleted_tickets_are_not() -> None:
    with Receiver(503, 200, 404) as receiver:
        make_help_desk("zammad", receiver)
        stored("zammad")
        write_back()
        assert WriteBack.objects.get().state == WriteBack.State.WAITING
        write_back()
        assert WriteBack.objects.get().state == WriteBack.State.DELIVERED
        send_to_review(make_ticket(source="support", external_id="82"))
        write_back()
        assert WriteBack.objects.get(ticket__external_id="82").state == WriteBack.State.GIVEN_UP


def test_only_help_desks_with_write_back_are_written_to(receiver: Receiver) -> None:
    make_help_desk("zammad", receiver, write_back=False)
    configure_review()
    send_to_review(make_ticket(source="support", external_id="81"), make_ticket(source="elsewhere", external_id="81"))
    assert not WriteBack.objects.exists()
    HelpDesk.objects.update(write_back=True)
    send_to_review(make_ticket(source="support", external_id="82"), make_ticket(source="support"))
    assert WriteBack.objects.get().ticket.external_id == "82"


def test_an_id_cannot_lead_to_another_address(receiver: Receiver) -> None:
    make_help_desk("zammad", receiver)
    configure_review()
    send_to_review(make_ticket(source="support", external_id="../users/1?x=#"))
    write_back()
    assert receiver.got[0].path == "/api/v1/tickets/..%2Fusers%2F1%3Fx%3D%23"
