"""What is going on: workers, what waits, the models in charge, what is owed to others."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone

from classifier.contract.types import ClassifierError
from classifier.inference.health_check import ping
from classifier.models import Delivery, Gate, LanguageModel, ProcessHeartbeat, WriteBack
from classifier.models.contract import EmptyTaxonomy
from classifier.models.outbox import Outgoing
from ticketclf_site.observability import gauges
from ticketclf_site.operations.doctor.finding import Finding, fail, ok, warn

SLOW_SECONDS, STUCK_SECONDS = 60, 600
MOST_GIVEN_UP = 1_000


def examine(*, offline: bool) -> Iterator[Finding]:
    yield from _workers()
    yield _queue()
    yield from _models(offline)
    yield from _outgoing()


def _workers() -> Iterator[Finding]:
    if number := ProcessHeartbeat.objects.alive().count():
        yield ok("workers", f"{number} alive.")
        return
    latest = ProcessHeartbeat.objects.order_by("-beat_at").values_list("beat_at", flat=True).first()
    seen = f"; the last was heard of at {latest:%Y-%m-%d %H:%M} UTC" if latest else ""
    yield fail("workers", f"none is alive{seen}.", "Run manage.py work, or serve, which starts one.")


def _queue() -> Finding:
    waiting_since = [at for bulk in (False, True) if (at := gauges.oldest_waiting(bulk))]
    if not waiting_since:
        return ok("queue", "no ticket waits for a model.")
    seconds = (timezone.now() - min(waiting_since)).total_seconds()
    said = f"the oldest ticket could have been taken {seconds:.0f} s ago."
    if seconds > STUCK_SECONDS:
        return fail("queue", said, "See the workers' log; add workers where they are busy.")
    return warn("queue", said, "Add workers if this stays so.") if seconds > SLOW_SECONDS else ok("queue", said)


def _models(offline: bool) -> Iterator[Finding]:
    gate = Gate.current()
    if gate.missing_key:
        said = f"{gate.missing_key} is not set; an embedded model answers in place of {gate.primary}."
        yield warn("models", said, "Set it where web and workers start, and start them again.")
    in_charge = [gate.active_front(), gate.active_primary(), gate.active_second_opinion()]
    for language_model in dict.fromkeys(language_model for language_model in in_charge if language_model):
        yield ok(f"model {language_model}", "not asked.") if offline else _asked(language_model)


def _asked(language_model: LanguageModel) -> Finding:
    try:
        result = ping(language_model)
    except EmptyTaxonomy as error:
        return fail(f"model {language_model}", str(error), "")
    if isinstance(result, ClassifierError):
        return fail(f"model {language_model}", f"{result.kind}: {result}", "Run manage.py ping once that is mended.")
    return ok(f"model {language_model}", f"answered in {result.usage.latency_ms:.0f} ms.")


def _outgoing() -> Iterator[Finding]:
    for about, rows in (("webhooks", Delivery.objects), ("help desks", WriteBack.objects)):
        given_up = rows.filter(state=Outgoing.State.GIVEN_UP).order_by()[:MOST_GIVEN_UP].count()
        late = rows.filter(state=Outgoing.State.WAITING, attempts__gt=2).order_by()[:MOST_GIVEN_UP].count()
        if given_up or late:
            said = f"{given_up} requests were given up, {late} are tried again."
            yield warn(about, said, "See in the admin what was answered; there they can be sent once more.")
        else:
            yield ok(about, "nothing was given up.")
