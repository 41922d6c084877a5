"""A lease survives lost connections and wrong clocks; a stalled holder cannot touch its successor's."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from classifier.leases import leases
from classifier.models import (
    ContractVersion,
    Delivery,
    Encoding,
    Event,
    HelpDesk,
    Lease,
    Mailbox,
    Ticket,
    Webhook,
    WriteBack,
)
from classifier.models.lease import LeasableQuerySet
from classifier.taxonomy import initial_data
from review.models import Run, Snapshot
from tests.factories import make_ticket
from tests.installations import wait_until
from tests.stalling import is_untouched, overtake

pytestmark = pytest.mark.django_db

RIGHT = timezone.now


def make_delivery() -> Delivery:
    webhook = Webhook.objects.create(name="CRM", url="http://127.0.0.1:9/", secret_env="HOOK_SECRET")
    return Delivery.objects.create(destination=webhook, event=Event.objects.create(kind="webhook.test", data={}))


def make_write_back() -> WriteBack:
    return WriteBack.objects.create(destination=HelpDesk.objects.create(slug="review_settings"), ticket=make_ticket())


def make_run() -> Run:
    initial_data.load()
    snapshot = Snapshot.objects.create(digest="0" * 64, contract=ContractVersion.objects.current())
    return Run.objects.create(snapshot=snapshot, items_count=0)


KINDS: dict[Any, Callable[[], Any]] = {
    Ticket: make_ticket,
    Delivery: make_delivery,
    WriteBack: make_write_back,
    Mailbox: lambda: Mailbox.objects.create(slug="support"),
    Encoding: lambda: Encoding.objects.create(encoder="minilm"),
    Lease: lambda: Lease.objects.create(name="training"),
    Run: make_run,
}


@pytest.fixture(params=[-1, 0, 1], ids=["slow clock", "right clock", "fast clock"])
def any_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of this machine, which the database does not use."""
    monkeypatch.setattr(timezone, "now", lambda: RIGHT() + timedelta(hours=request.param))


@pytest.fixture(params=KINDS, ids=lambda kind: str(kind.__name__))
def queue(request: pytest.FixtureRequest, any_clock: None) -> LeasableQuerySet[Any]:
    KINDS[request.param]()
    rows: LeasableQuerySet[Any] = request.param.objects.all()
    return rows


def test_a_row_is_free_from_the_start_and_held_for_a_minute_by_the_clock_of_the_database(
    queue: LeasableQuerySet[Any],
) -> None:
    (row,) = leases.acquire(queue)
    assert leases.acquire(queue) == []
    assert timedelta(seconds=50) < row.available_at - RIGHT() <= leases.DURATION
    leases.release([row])
    assert leases.acquire(queue) == [row]


def test_a_holder_that_stalled_can_neither_renew_nor_release_nor_write(queue: LeasableQuerySet[Any]) -> None:
    (late,) = leases.acquire(queue)
    successor = overtake(queue.model)
    assert leases.renew([late]) == 0
    assert leases.release([late], timedelta(hours=1)) == 0
    assert late.still_held.update(available_at=Now()) == 0
    assert is_untouched(successor)
    leases.release([successor])
    assert late.still_held.update(available_at=Now()) == 0, "nor once nobody holds it"


def test_a_block_that_ends_after_a_stall_frees_nothing(queue: LeasableQuerySet[Any]) -> None:
    with leases.hold(queue) as held:
        assert held
        successor = overtake(queue.model)
    assert is_untouched(successor)


def test_failing_work_releases_its_rows() -> None:
    with pytest.raises(ZeroDivisionError), leases.hold_named("training"):
        raise ZeroDivisionError
    assert not leases.is_held("training")


def held_until(name: str) -> datetime:
    return Lease.objects.values_list("available_at", flat=True).get(name=name)


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_renewed_for_as_long_as_the_work_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "DURATION", timedelta(seconds=0.6))
    with leases.hold_named("training") as lease:
        assert lease
        wait_until(lambda: RIGHT() > lease.available_at + leases.DURATION)
        assert leases.is_held("training")


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no connection that could be lost")
@pytest.mark.django_db(transaction=True)
def test_renewal_goes_on_after_its_connection_was_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "DURATION", timedelta(seconds=1.5))
    with leases.hold_named("training") as lease:
        assert lease
        wait_until(lambda: held_until("training") > lease.available_at)
        for _time in range(2):
            assert cut_others() >= 1
            at = held_until("training")
            wait_until(lambda at=at: held_until("training") > at, seconds=5)  # type: ignore[misc]


def cut_others() -> int:
    """End every other connection to this database. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])
