"""A burst of alike tickets passes only after a person has found one of them right."""

from collections import Counter

import pytest
from django.contrib.auth.models import User

from classifier.models import Arrival, AuditDraw, Gate, GateMode, Reason, Ticket, Verdict
from classifier.pipeline import gate, incident_guard
from classifier.pipeline.predict import TicketOutcome
from review.certification import cycle
from review.models import Ledger
from tests.factories import make_prediction, make_ticket
from tests.review.certification.auditing import SURE, arrive, audit, epoch_now, open_audits
from tests.review.certification.scenes import certified

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]


@pytest.fixture
def burst(ana: User) -> list[Ticket]:
    """Ten alike tickets that come after a certificate."""
    certified(ana, early_share=0.03)
    return arrive(*[SURE] * 10, alike="outage")


def states(tickets: list[Ticket]) -> Counter[str]:
    return Counter(Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets]).values_list("state", flat=True))


def certain_audits(tickets: list[Ticket]) -> list[int]:
    """The tickets that are audited for certain; others may be drawn by chance."""
    draws = AuditDraw.objects.filter(verdict__ticket__in=tickets, held=True, audited=True, share=1)
    return list(draws.values_list("verdict__ticket", flat=True))


def judge_again(tickets: list[Ticket]) -> None:
    epoch = epoch_now()
    outcomes = [TicketOutcome(ticket, ticket.predictions.get()) for ticket in tickets]
    gate.record_verdicts(epoch, gate.score_outcomes(epoch, outcomes, epoch.contract.loaded()), {})


def test_from_the_third_on_tickets_wait_and_one_of_them_is_audited(burst: list[Ticket]) -> None:
    reasons = Verdict.objects.filter(ticket__in=burst).order_by("pk").values_list("reason", flat=True)
    assert list(reasons) == [Reason.CONFIDENT] * 2 + [Reason.INCIDENT] * 8
    assert states(burst) == {Ticket.State.AUTO_ACCEPTED: 2, Ticket.State.NEEDS_REVIEW: 8}
    assert certain_audits(burst) == [burst[2].pk]


def test_the_others_pass_once_the_audit_has_found_the_answer_right(burst: list[Ticket], ana: User) -> None:
    audit(ana, open_audits([burst[2]]))
    assert cycle.run_certification(), "tickets go back to the gate"
    waiting = list(Ticket.objects.new().order_by("pk"))
    assert waiting == burst[3:]
    judge_again(waiting)
    assert states(burst)[Ticket.State.AUTO_ACCEPTED] == 9
    assert AuditDraw.objects.evidence().filter(verdict__ticket__in=waiting, repeat=True).count() == 7


def test_a_wrong_answer_keeps_the_burst_with_people_and_the_certificate_in_force(
    burst: list[Ticket], ana: User, ben: User
) -> None:
    for person in (ana, ben):
        audit(person, open_audits([burst[2]]), wrong=1)
    cycle.run_certification()
    more = arrive(*[SURE] * 5, alike="outage")
    assert states(more) == {Ticket.State.NEEDS_REVIEW: 5}
    assert Ledger.objects.get(closed_at=None).certificates.get(ended_at=None).errors == 0, "it covers no held ticket"
    assert states(arrive(SURE)) == {Ticket.State.AUTO_ACCEPTED: 1}


@pytest.mark.parametrize("guarded", [True, False])
def test_the_guard_is_offered_in_every_mode(guarded: bool) -> None:
    Gate.objects.update(mode=GateMode.CONFIDENCE, incident_guard=guarded)
    tickets = [make_ticket(f"The card reader is down, case {number}.") for number in range(5)]
    epoch = epoch_now()
    outcomes = [TicketOutcome(ticket, make_prediction(ticket, confidence=0.99)) for ticket in tickets]
    gate.record_verdicts(epoch, gate.score_outcomes(epoch, outcomes, epoch.contract.loaded()), {})
    held = Verdict.objects.filter(ticket__in=tickets, reason=Reason.INCIDENT).count()
    assert held == (3 if guarded else 0)


class TestArrivals:
    @pytest.fixture(autouse=True)
    def short_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(incident_guard, "KEPT", 5)

    def known(self, tickets: list[Ticket]) -> int:
        return Arrival.objects.filter(ticket__in=tickets).count()

    def test_the_table_keeps_only_the_latest_arrivals(self, ana: User) -> None:
        certified(ana, early_share=0.03)
        Ticket.objects.in_state(Ticket.State.NEEDS_REVIEW).update(state=Ticket.State.AUTO_ACCEPTED)
        tickets = arrive(*[SURE] * 20)
        Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets]).update(state=Ticket.State.AUTO_ACCEPTED)
        incident_guard.forget_old_arrivals()
        assert Arrival.objects.count() == self.known(tickets[-5:]) == 5

    def test_a_burst_is_remembered_whole_while_one_of_its_tickets_waits(self, burst: list[Ticket], ana: User) -> None:
        arrive(*[SURE] * 10)
        incident_guard.forget_old_arrivals()
        assert self.known(burst) == 10
        audit(ana, open_audits([burst[2]]))
        assert cycle.run_certification()
        judge_again(list(Ticket.objects.new().order_by("pk")))
        waiting = Ticket.objects.in_state(Ticket.State.NEEDS_REVIEW).filter(pk__in=[ticket.pk for ticket in burst])
        assert self.known(burst) == 10
        waiting.update(state=Ticket.State.AUTO_ACCEPTED)
        incident_guard.forget_old_arrivals()
        assert self.known(burst) == 0

    def test_a_burst_that_goes_on_is_remembered_from_its_first_ticket(self, ana: User) -> None:
        certified(ana, early_share=0.03)
        early = arrive(*[SURE] * 4, alike="outage")
        arrive(*[SURE] * 4)
        arrive(SURE, alike="outage")
        Ticket.objects.in_state(Ticket.State.NEEDS_REVIEW).update(state=Ticket.State.AUTO_ACCEPTED)
        incident_guard.forget_old_arrivals()
        assert self.known(early) == 4
