"""Webhooks receive events, signed, at least once, with retries."""

import base64
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import DjangoCaptureOnCommitCallbacks, Settings

from classifier import background, tasks
from classifier.integrations import http_request, outbox
from classifier.integrations.webhooks import events
from classifier.integrations.webhooks.delivery import ROUTE, delete_old, signed_request
from classifier.integrations.webhooks.payloads import ticket_payloads
from classifier.leases import leases
from classifier.models import Delivery, Event, HelpDesk, Mailbox, Ticket, Webhook, WriteBack
from classifier.models.outbox import EventKind
from classifier.models.ticket import state_changed
from classifier.security.secrets_from_env import MissingSecret
from tests.factories import configure_review, make_prediction, make_ticket, make_verdict, send_to_review
from tests.receivers import Got, Receiver, Reply
from tests.review.actions import run_concurrently
from tests.stalling import is_untouched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()
DOCS = Path(__file__).resolve().parents[3] / "docs" / "integrations.md"
TEXT = "My card ends in 4242 and was charged twice."


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setattr(http_request, "TIMEOUT", 1.0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def make_webhook(receiver: Receiver | None = None, **values: Any) -> Webhook:
    url = f"{receiver.url}/hook" if receiver else "http://127.0.0.1:9/hook"
    return Webhook.objects.create(**{"name": "CRM", "url": url, "secret_env": "HOOK_SECRET"} | values)


def publish_events(number: int = 1) -> list[Event]:
    """The events of this many tickets that were sent to review."""
    configure_review()
    before = Event.objects.count()
    send_to_review(*[make_ticket(TEXT, source="zendesk", external_id=f"{before + index}") for index in range(number)])
    return list(Event.objects.order_by("pk")[before:])


def deliver() -> bool:
    return outbox.send_due(tasks.ROUTES)


def time_passes() -> None:
    """End every pause and postponement."""
    Delivery.objects.update(available_at=timezone.now() - timedelta(seconds=1))
    Webhook.objects.update(paused_until=None)


def verified(got: Got, secret: str = SECRET) -> bool:
    """Verify a request as the documentation says."""
    (snippet,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102 - what the documentation tells others to run
    return bool(names["verified"](got.headers, got.body, secret))


def test_events_are_signed_and_omit_the_ticket_text(receiver: Receiver) -> None:
    make_webhook(receiver)
    (event,) = publish_events()
    deliver()
    deliver()
    (got,) = receiver.got
    assert (got.method, got.path, got.headers["content-type"]) == ("POST", "/hook", "application/json")
    assert got.json["id"] == got.headers["webhook-id"] == event.name
    assert got.json["type"] == "ticket.classified"
    data = got.json["data"]
    assert data["ticket"] == event.ticket_id
    assert (data["source"], data["external_id"], data["state"]) == ("zendesk", "0", "needs_review")
    assert (data["category"], data["confidence"], data["sealed"]) == ("Billing", 0.5, False)
    assert data["url"].endswith(f"/tickets/{event.ticket_id}/")
    assert b"4242" not in got.body
    assert verified(got)
    assert not verified(got, "whsec_" + base64.b64encode(b"another").decode())
    assert not verified(replace(got, body=got.body.replace(b"Billing", b"Refunds")))
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.status) == (Delivery.State.DELIVERED, 1, 204)


def test_each_webhook_receives_only_its_chosen_events(receiver: Receiver) -> None:
    make_webhook(receiver, name="all")
    make_webhook(receiver, name="certificates", kinds=[EventKind.GRANTED])
    make_webhook(receiver, name="off", active=False)
    publish_events()
    assert list(Delivery.objects.values_list("destination__name", flat=True)) == ["all"]


def test_without_subscribers_a_change_costs_one_query_and_writes_nothing() -> None:
    ticket = make_ticket()
    make_verdict(make_prediction(ticket))
    with CaptureQueriesContext(connection) as asked:
        events.on_state_changed([ticket.pk], Ticket.State.AUTO_ACCEPTED)
    assert len(asked) == 1
    assert not Event.objects.exists()


def test_the_cost_does_not_grow_with_the_tickets(receiver: Receiver) -> None:
    make_webhook(receiver)
    counts = []
    for number in (1, 12):
        tickets = [make_ticket() for _one in range(number)]
        for ticket in tickets:
            make_verdict(make_prediction(ticket))
        with CaptureQueriesContext(connection) as asked:
            events.on_state_changed([ticket.pk for ticket in tickets], Ticket.State.AUTO_ACCEPTED)
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_rolled_back_changes_are_not_sent(receiver: Receiver) -> None:
    make_webhook(receiver)
    written: list[int] = []

    def stops(**_signal: Any) -> None:
        written.append(Event.objects.count())
        raise ZeroDivisionError

    state_changed.connect(stops)
    try:
        with pytest.raises(ZeroDivisionError):
            publish_events()
    finally:
        state_changed.disconnect(stops)
    assert written == [1]
    assert not Event.objects.exists()


def test_a_worker_is_woken_after_the_commit(
    receiver: Receiver, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, monkeypatch: Any
) -> None:
    nudged: list[Any] = []
    monkeypatch.setattr(tasks, "enqueue_once", nudged.append)
    monkeypatch.setattr(background, "enqueue_once", nudged.append)
    make_webhook(receiver)
    with django_capture_on_commit_callbacks(execute=True):
        publish_events()
    assert tasks.send_deliveries in nudged
    nudged.clear()
    tasks.sweep()
    assert tasks.send_deliveries in nudged, "and a lost nudge is made up for"


FAULTS = {
    "an error": (Reply(status=500), 500, 5),
    "too many": (Reply(status=429, headers={"Retry-After": "1800"}), 429, 1_800),
    "not now": (Reply(status=503, headers={"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}), 503, 86_400),
    "a refusal": (Reply(status=400), 400, 5),
    "a redirect": (Reply(status=302, headers={"Location": "/elsewhere"}), 302, 5),
    "silence": (Reply(hangs=True), None, 5),
    "a cut": (Reply(cut=True), None, 5),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_delivery_is_retried_with_the_same_id(fault: str) -> None:
    reply, status, pause = FAULTS[fault]
    with Receiver(reply, 200) as receiver:
        make_webhook(receiver)
        publish_events()
        deliver()
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.attempts, delivery.status) == (Delivery.State.WAITING, 1, status)
        assert delivery.error
        wait = (delivery.available_at - timezone.now()).total_seconds()
        assert pause * 0.7 < wait < pause * 1.3
        deliver()
        assert len(receiver.got) == 1
        time_passes()
        deliver()
        first, second = receiver.got
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert verified(second)
        assert Delivery.objects.get().state == Delivery.State.DELIVERED


@pytest.mark.parametrize("fault", [Reply(hangs=True), Reply(drips=True)])
def test_a_failing_receiver_is_paused_and_delays_no_other(receiver: Receiver, fault: Reply) -> None:
    with Receiver(fault) as slow:
        failing = make_webhook(slow, name="a slow one")
        make_webhook(receiver, name="another")
        publish_events(20)
        deliver()
        assert len(slow.got) == outbox.BATCH_SIZE
        failing.refresh_from_db()
        assert failing.paused_until
        assert failing.paused_until > timezone.now()
        for _turn in range(3):
            deliver()
        assert len(receiver.got) == 20
        assert len(slow.got) == outbox.BATCH_SIZE


def test_one_worker_at_a_time_sends_to_a_destination(receiver: Receiver) -> None:
    seen: list[int] = []

    def meanwhile(delivery: Delivery) -> outbox.OutgoingRequest:
        if not seen:
            outbox.send_due([ROUTE])
            seen.append(len(receiver.got))
        return signed_request(delivery)

    make_webhook(receiver)
    publish_events(outbox.BATCH_SIZE + 1)
    assert outbox.send_due([replace(ROUTE, build_request=meanwhile)]), "there are more"
    assert (seen, len(receiver.got)) == ([0], outbox.BATCH_SIZE)


def test_deleted_destinations_receive_nothing() -> None:
    with Receiver(410) as receiver:
        webhook = make_webhook(receiver)
        publish_events()
        deliver()
        webhook.refresh_from_db()
        assert not webhook.active
        assert Delivery.objects.get().state == Delivery.State.GIVEN_UP
        assert not publish_events()


def test_a_delivery_fails_after_the_last_try_and_can_be_replayed(receiver: Receiver, admin_client: Client) -> None:
    receiver.answers[0] = Reply(status=500)
    make_webhook(receiver)
    publish_events()
    tries = 0
    while Delivery.objects.get().state == Delivery.State.WAITING:
        deliver()
        time_passes()
        tries += 1
    assert tries == 12
    receiver.answers = [Reply(status=200)]
    replay(admin_client)
    deliver()
    replay(admin_client)
    deliver()
    assert Delivery.objects.get().state == Delivery.State.DELIVERED
    assert len(receiver.got) == 14, "also what was delivered"
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1


def test_a_killed_workers_delivery_is_sent_again(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    make_webhook(receiver)
    publish_events()
    with monkeypatch.context() as killed:
        killed.setattr(outbox, "as_completed", _killed)
        with pytest.raises(KeyboardInterrupt):
            deliver()
    deliver()
    assert len(receiver.got) == 1, "no other worker takes it while the lease lasts"
    time_passes()
    deliver()
    first, second = receiver.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert Delivery.objects.get().state == Delivery.State.DELIVERED


def _killed(*_given: Any) -> None:
    raise KeyboardInterrupt


def test_a_worker_that_lost_its_lease_changes_nothing(receiver: Receiver) -> None:
    make_webhook(receiver)
    publish_events()

    def overtaken(_delivery: Delivery) -> outbox.OutgoingRequest:
        time_passes()
        deliver()
        raise MissingSecret("too late")

    outbox.send_due([replace(ROUTE, build_request=overtaken)])
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.status, delivery.error) == (Delivery.State.DELIVERED, 204, "")


def test_a_worker_that_lost_its_lease_leaves_its_successors_lease_alone(receiver: Receiver) -> None:
    make_webhook(receiver)
    publish_events()
    successors: list[Delivery] = []

    def overtaken(_delivery: Delivery) -> outbox.OutgoingRequest:
        time_passes()
        deliver()
        events.resend(Delivery.objects.all())
        successors.extend(leases.acquire(Delivery.objects.due(), limit=1, attempts=1))
        raise MissingSecret("too late")

    outbox.send_due([replace(ROUTE, build_request=overtaken)])
    (successor,) = successors
    assert is_untouched(successor)


def test_a_delivery_resent_while_in_progress_is_sent_again_afterwards(receiver: Receiver) -> None:
    make_webhook(receiver)
    publish_events()
    resent: list[int] = []

    def resend_meanwhile(delivery: Delivery) -> outbox.OutgoingRequest:
        if not resent:
            resent.append(events.resend(Delivery.objects.all()))
            assert not Delivery.objects.due().exists(), "no other worker takes it meanwhile"
        return signed_request(delivery)

    outbox.send_due([replace(ROUTE, build_request=resend_meanwhile)])
    assert Delivery.objects.get().state == Delivery.State.WAITING
    deliver()
    assert Delivery.objects.get().state == Delivery.State.DELIVERED
    assert len(receiver.got) == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_nothing_twice(receiver: Receiver) -> None:
    make_webhook(receiver)
    number = len(publish_events(30))

    def work() -> None:
        while deliver():
            pass

    results = run_concurrently([work, work, work])
    assert results == [None, None, None]
    deliver()
    names = [got.headers["webhook-id"] for got in receiver.got]
    assert len(names) == len(set(names)) == number == 30
    assert set(Delivery.objects.values_list("state", "attempts")) == {("delivered", 1)}


@pytest.mark.parametrize(
    ("value", "says"),
    [("", "HOOK_SECRET is not set"), ("no base64!", "a signing secret"), ("whsec_", "a signing secret")],
)
def test_without_a_usable_secret_nothing_is_sent(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, value: str, says: str
) -> None:
    make_webhook(receiver)
    publish_events()
    monkeypatch.setenv("HOOK_SECRET", value)
    deliver()
    assert receiver.got == []
    delivery = Delivery.objects.get()
    assert says in delivery.error
    assert delivery.state == Delivery.State.WAITING


def test_internal_addresses_are_not_called(receiver: Receiver, settings: Settings) -> None:
    make_webhook(receiver)
    publish_events()
    settings.INTERNAL_HOSTS = []
    deliver()
    assert receiver.got == []
    assert "TICKETCLF_INTERNAL_HOSTS" in Delivery.objects.get().error


def test_the_payload_of_a_sealed_ticket_has_no_label() -> None:
    ticket = make_ticket(sealed=True)
    make_verdict(make_prediction(ticket))
    Ticket.objects.update(state=Ticket.State.NEEDS_REVIEW)
    (payload,) = ticket_payloads([ticket.pk])
    assert (payload.sealed, payload.category, payload.sentiment, payload.confidence, payload.model) == (
        True,
        None,
        None,
        None,
        None,
    )


def test_old_events_and_deliveries_are_deleted(receiver: Receiver) -> None:
    make_webhook(receiver)
    publish_events(2)
    deliver()
    Event.objects.filter(pk=Event.objects.first().pk).update(created_at=timezone.now() - timedelta(days=31))
    delete_old()
    assert Event.objects.count() == Delivery.objects.count() == 1


def replay(admin_client: Client) -> None:
    values = {"action": "replay", "_selected_action": [row.pk for row in Delivery.objects.all()]}
    assert admin_client.post(reverse("admin:classifier_delivery_changelist"), values, follow=True).status_code == 200


def test_a_test_event_is_sent_from_the_admin(receiver: Receiver, admin_client: Client) -> None:
    webhook = make_webhook(receiver, kinds=[])
    values = {"action": "send_test", "_selected_action": [webhook.pk]}
    admin_client.post(reverse("admin:classifier_webhook_changelist"), values, follow=True)
    deliver()
    assert receiver.got[0].json["type"] == "webhook.test"
    assert verified(receiver.got[0])


def test_the_admin_creates_webhooks_and_refuses_internal_addresses(admin_client: Client, settings: Settings) -> None:
    add = reverse("admin:classifier_webhook_add")
    values = {"name": "CRM", "url": "http://127.0.0.1:9/x", "secret_env": "HOOK_SECRET", "kinds": ["ticket.decided"]}
    values["active"] = "on"
    settings.INTERNAL_HOSTS = []
    assert "TICKETCLF_INTERNAL_HOSTS" in admin_client.post(add, values).content.decode()
    settings.INTERNAL_HOSTS = ["127.0.0.1"]
    assert "not the secret itself" in admin_client.post(add, values | {"secret_env": SECRET}).content.decode()
    own = admin_client.post(add, values | {"secret_env": "TICKETCLF_SECRET_KEY"}).content.decode()
    assert "TICKETCLF_SECRET_VARIABLES allows" in own
    assert admin_client.post(add, values).status_code == 302
    assert Webhook.objects.get().kinds == ["ticket.decided"]


def make_rows(number: int) -> None:
    for index in range(number):
        name = f"{Webhook.objects.count()}-{index}"
        webhook = make_webhook(name=name)
        help_desk = HelpDesk.objects.create(name=name, slug=f"desk-{name}", kind="zammad", secret_env="HOOK_SECRET")
        Mailbox.objects.create(name=name, slug=name, host="127.0.0.1", user="u", password_env="NO_SUCH_SECRET")
        ticket = make_ticket()
        event = Event.objects.create(kind=EventKind.CLASSIFIED, data={}, ticket=ticket)
        Delivery.objects.create(destination=webhook, event=event)
        WriteBack.objects.create(destination=help_desk, ticket=ticket)


@pytest.mark.parametrize("model", ["webhook", "helpdesk", "mailbox", "delivery", "writeback", "event"])
def test_lists_in_the_admin_show_no_secret_and_cost_the_same_however_long(admin_client: Client, model: str) -> None:
    make_rows(1)
    admin_client.get(reverse(f"admin:classifier_{model}_changelist"))
    counts = []
    for _more in range(2):
        with CaptureQueriesContext(connection) as asked:
            page = admin_client.get(reverse(f"admin:classifier_{model}_changelist")).content.decode()
        counts.append(len(asked))
        assert SECRET not in page
        make_rows(4)
    assert counts[0] == counts[1]
    (row,) = apps.get_model("classifier", model)._default_manager.all()[:1]
    assert admin_client.get(reverse(f"admin:classifier_{model}_change", args=[row.pk])).status_code == 200
    if model == "mailbox":
        assert "missing NO_SUCH_SECRET" in page


def test_an_unresolvable_host_is_an_error_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_given: Any, **_named: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    make_webhook(url="https://hooks.invalid/x")
    publish_events()
    deliver()
    assert "Name or service not known" in Delivery.objects.get().error
