"""Why a ticket passed unseen, as its page tells it to those who answer for that."""

import html
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from classifier.models import Gate, GateMode, Ticket, Verdict
from classifier.pipeline import verdict_explanation
from review.certification import certificates
from review.models import Certificate
from tests.factories import configure_review, hold, make_prediction, make_ticket, make_verdict
from tests.review.actions import answer
from tests.review.certification.auditing import SURE, UNSURE, arrive, certify, make_grid, open_audits
from tests.review.certification.scenes import certified, passing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]


def words(client: Client, ticket: Ticket) -> str:
    response = client.get(ticket.get_absolute_url())
    assert response.status_code == 200
    content = response.content.decode().split("<main")[-1]
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", content).split()))


def test_a_ticket_that_passed_tells_its_certificate_score_and_lot(lead_client: Client, ana: User) -> None:
    certified(ana)
    said = words(lead_client, passing(20)[0])
    assert "Why was this ticket auto-accepted?" in said
    assert "A certificate of" in said
    assert "was in force: at least 80% right, at a risk of 5%. Based on 20 blind audits, errors: 0." in said
    assert "Decided by certified by audits Threshold at the time 0.600" in said
    assert "Probability of being right: both 0.990" in said
    assert re.search(r"Random draw for an audit not selected: 0\.\d{3} is not below the audit rate of 0\.300", said)
    assert "Specialist, category: same label." in said


def test_a_certificate_that_ended_since_is_still_the_one_of_that_time(lead_client: Client, ana: User) -> None:
    certificate = certified(ana)
    ticket = passing(20)[0]
    certificates.end_certificate(certificate, Certificate.End.CHANGED)
    assert "was in force" in words(lead_client, ticket)


def test_nothing_was_certified_yet_says_so(lead_client: Client) -> None:
    certify()
    make_grid()
    ticket = next(one for one in arrive(*[UNSURE] * 20) if not one.verdicts.get().audit_draw.audited)
    said = words(lead_client, ticket)
    assert "Why does this ticket need review?" in said
    assert "Threshold at the time nothing was certified yet" in said
    assert "not certified yet nothing was certified yet" in said, "the history says so too"


def test_a_fixed_threshold_is_told_with_the_stated_confidence(lead_client: Client) -> None:
    ticket = make_ticket()
    make_verdict(make_prediction(ticket))
    Ticket.objects.filter(pk=ticket.pk).update(state="auto_accepted")
    Verdict.objects.update(threshold=0.85)
    said = words(lead_client, ticket)
    assert "Decided by fixed confidence threshold Threshold at the time 0.85 Stated confidence 0.90" in said


def test_a_sealed_ticket_tells_nothing(lead_client: Client, ana: User) -> None:
    certified(ana)
    arrive(*[SURE] * 30)
    sealed = open_audits()[0].ticket
    said = words(lead_client, sealed)
    assert "Why" not in said
    assert "Probability" not in said
    assert verdict_explanation.explain_verdict(Ticket.objects.get(pk=sealed.pk)) is None


def test_an_audited_ticket_tells_it_once_people_have_answered(lead_client: Client, ana: User) -> None:
    certified(ana)
    arrive(*[SURE] * 30)
    assignment = open_audits()[0]
    said = assignment.ticket.predictions.get()
    answer(assignment, ana, said.category.name, said.sentiment.name)
    told = words(lead_client, assignment.ticket)
    assert "Why would this ticket have been auto-accepted?" in told
    assert re.search(r"Random draw for an audit selected: 0\.\d{3} is below the audit rate of", told)


def test_agents_are_not_told(client: Client, ana: User) -> None:
    certified(ana)
    ticket = passing(20)[0]
    client.force_login(ana)
    assert "Why did" not in words(client, ticket)


def test_a_ticket_without_an_answer_has_nothing_to_tell(lead_client: Client) -> None:
    configure_review()
    assert verdict_explanation.explain_verdict(make_ticket()) is None
    (assignment,) = hold(make_ticket())
    assert verdict_explanation.explain_verdict(assignment.ticket) is not None or assignment.blind


@pytest.mark.parametrize("mode", list(GateMode))
def test_the_page_of_the_models_says_what_decides(lead_client: Client, mode: GateMode) -> None:
    Gate.objects.update(mode=mode)
    assert str(mode.label).capitalize() in lead_client.get("/models/").content.decode()
