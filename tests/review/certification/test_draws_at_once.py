"""Workers that draw concurrently, while people answer, draw once for each ticket."""

from collections.abc import Callable, Sequence

import pytest
from django.contrib.auth.models import User

from classifier.models import AuditDraw, Epoch, Ticket, Verdict
from classifier.pipeline import gate
from classifier.pipeline.predict import TicketOutcome
from review.certification import cycle, evidence_ledger
from review.models import Audit, Ledger
from tests.factories import make_prediction
from tests.review.actions import run_concurrently
from tests.review.certification.auditing import (
    ENOUGH,
    SURE,
    arrive,
    audit,
    certify,
    epoch_now,
    make_grid,
    open_audits,
    score,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]


def waiting(epoch: Epoch, number: int) -> list[TicketOutcome]:
    """Tickets with answers and scores that no gate has judged yet."""
    tickets = [Ticket.objects.create(text=f"number {place} of {number}") for place in range(number)]
    labelled = [TicketOutcome(ticket, make_prediction(ticket)) for ticket in tickets]
    for outcome in labelled:
        score(epoch, outcome.outcome, SURE).save()  # type: ignore[arg-type]  # all of them are predictions
    return labelled


def worker(epoch: Epoch, labelled: Sequence[TicketOutcome]) -> Callable[[], None]:
    def work() -> None:
        for start in range(0, len(labelled), 4):
            gate.record_verdicts(
                epoch, gate.score_outcomes(epoch, labelled[start : start + 4], epoch.contract.loaded()), {}
            )

    return work


def test_concurrent_workers_draw_once_for_each_ticket(ana: User) -> None:
    certify()
    epoch = make_grid()
    labelled = waiting(epoch, 16)
    results = run_concurrently([worker(epoch, labelled), worker(epoch, labelled[::-1]), worker(epoch, labelled)])
    assert results == [None, None, None]
    assert Verdict.objects.current().filter(ticket__in=[outcome.ticket for outcome in labelled]).count() == 16
    draws = list(AuditDraw.objects.order_by("pk"))
    assert len(draws) == len({draw.verdict.ticket_id for draw in draws}) == 16
    assert all(draw.number == epoch.draw(draw.verdict.ticket_id) for draw in draws)
    assert Audit.objects.count() == sum(draw.audited for draw in draws)


def test_concurrent_updates_give_the_same_ledger_as_one(ana: User) -> None:
    certify()
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * (ENOUGH - 5))))
    epoch = epoch_now()
    labelled = waiting(epoch, 8)
    works: list[Callable[[], object]] = [worker(epoch, labelled), *[cycle.run_certification] * 3]
    assert not [result for result in run_concurrently(works) if isinstance(result, Exception)]
    ledger = Ledger.objects.get()
    wealth = evidence_ledger.update_ledger(ledger).wealth
    Ledger.objects.update(until=0)
    assert evidence_ledger.update_ledger(Ledger.objects.get()).wealth == pytest.approx(wealth)
