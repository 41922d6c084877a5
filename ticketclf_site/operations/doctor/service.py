"""Check the running service: accounts, workers, queue, active models, webhooks and help desks."""

from collections.abc import Iterator

from django.contrib.auth.models import User
from django.db.models import Q

from classifier.contract.types import ClassifierError
from classifier.inference.health_check import ping
from classifier.models import Delivery, Gate, LanguageModel, ProcessHeartbeat, Ticket, WriteBack
from classifier.models.contract import EmptyTaxonomy
from classifier.models.outbox import Outgoing
from ticketclf_site.observability import gauges
from ticketclf_site.operations.doctor.finding import Finding, fail, ok, warn

SLOW_SECONDS, STUCK_SECONDS = 60, 600
MOST_GIVEN_UP = 1_000


def check_service(*, offline: bool) -> Iterator[Finding]:
    yield _accounts()
    yield from _workers()
    yield _queue()
    yield from _models(offline)
    yield from _outgoing()


def _accounts() -> Finding:
    if User.objects.filter(Q(is_superuser=True) | Q(groups__name="Admin"), is_active=True).exists():
        return ok("accounts", "somebody can manage users.")
    return fail("accounts", "nobody can manage users.", "Run manage.py createsuperuser.")


def _workers() -> Iterator[Finding]:
    if number := ProcessHeartbeat.objects.alive().count():
        yield ok("workers", f"{number} alive.")
        return
    latest = ProcessHeartbeat.objects.order_by("-beat_at").values_list("beat_at", flat=True).first()
    seen = f"; last heartbeat {latest:%Y-%m-%d %H:%M} UTC" if latest else ""
    yield fail("workers", f"none alive{seen}.", "Run manage.py work, or manage.py serve, which includes a worker.")


def _queue() -> Finding:
    waits = [waited for bulk in (False, True) if (waited := gauges.longest_wait(bulk)) is not None]
    later = Ticket.objects.postponed()
    first = later.order_by("available_at").values_list("available_at", flat=True).first()
    retried = f" {gauges.count(later)} are tried again later, the first at {first:%Y-%m-%d %H:%M} UTC." if first else ""
    if not waits:
        return ok("queue", f"no tickets waiting.{retried}")
    seconds = max(waits).total_seconds()
    due = gauges.count(Ticket.objects.waiting())
    summary = f"{due} tickets waiting, the oldest for {seconds:.0f} s.{retried}"
    if seconds > STUCK_SECONDS:
        return fail("queue", summary, "Check the workers' log; add workers if they are busy.")
    return warn("queue", summary, "Add workers if this persists.") if seconds > SLOW_SECONDS else ok("queue", summary)


def _models(offline: bool) -> Iterator[Finding]:
    gate = Gate.current()
    if gate.missing_key:
        summary = f"{gate.missing_key} is not set; the embedded model replaces {gate.primary}."
        yield warn("models", summary, "Set it for web and workers, and restart them.")
    active = [gate.active_front(), gate.active_primary(), gate.active_second_opinion()]
    for notice in gate.pause_notices:
        yield fail("models", notice, "Mend it, then run manage.py ping; or wait for the next try.")
    for language_model in dict.fromkeys(language_model for language_model in active if language_model):
        yield ok(f"model {language_model}", "not checked (offline).") if offline else _ping(language_model)


def _ping(language_model: LanguageModel) -> Finding:
    try:
        result = ping(language_model)
    except EmptyTaxonomy as error:
        return fail(f"model {language_model}", str(error), "")
    if isinstance(result, ClassifierError):
        return fail(f"model {language_model}", f"{result.kind}: {result}", "Fix it, then run manage.py ping.")
    return ok(f"model {language_model}", f"answered in {result.usage.latency_ms:.0f} ms.")


def _outgoing() -> Iterator[Finding]:
    for check, rows in (("webhooks", Delivery.objects), ("help desks", WriteBack.objects)):
        given_up = rows.filter(state=Outgoing.State.GIVEN_UP).order_by()[:MOST_GIVEN_UP].count()
        late = rows.filter(state=Outgoing.State.WAITING, attempts__gt=2).order_by()[:MOST_GIVEN_UP].count()
        if given_up or late:
            summary = f"requests failed for good: {given_up}, being retried: {late}."
            yield warn(check, summary, "The admin shows the responses and can send them again.")
        else:
            yield ok(check, "no failed requests.")
