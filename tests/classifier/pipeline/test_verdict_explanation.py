"""The ticket page explains to leads why the ticket was auto-accepted or needs review."""

import html
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from classifier.models import Gate, GateMode, Ticket, Verdict
from classifier.pipeline import verdict_explanation
from review.certification import certificates
from review.models import Certificate
from tests.factories import configure_review, make_prediction, make_ticket, make_verdict, send_to_review
from tests.review.actions import answer
from tests.review.certification.auditing import SURE, UNSURE, arrive, certify, make_grid, open_audits
from tests.review.certification.scenes import certified, passing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


def words(client: Client, ticket: Ticket) -> str:
    response = client.get(ticket.get_absolute_url())
    assert response.status_code == 200
    content = response.content.decode().split("<main")[-1]
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", content).split()))


@pytest.mark.postgresql
def test_an_auto_accepted_ticket_shows_its_certificate_score_and_random_draw(lead_client: Client, ana: User) -> None:
    certified(ana)
    ticket = passing(20)[0]
    page_text = words(lead_client, ticket)
    assert "Why was this ticket auto-accepted?" in page_text
    assert "A certificate of" in page_text
    assert "was in force: at least 80% right, at a risk of 5%. Based on 20 blind audits, errors: 0." in page_text
    threshold = ticket.verdicts.get().threshold
    assert f"Decided by certified by audits Threshold at the time {threshold:.3f}" in page_text
    assert "Probability of being right: both 0.990" in page_text
    assert re.search(
        r"Random draw for an audit not selected: 0\.\d{3} is not below the audit rate of 0\.300", page_text
    )
    assert "Specialist, category: same label." in page_text


def test_a_ticket_shows_the_certificate_of_its_time_even_if_ended(lead_client: Client, ana: User) -> None:
    certificate = certified(ana)
    ticket = passing(20)[0]
    certificates.end_certificate(certificate, Certificate.End.CHANGED)
    assert "was in force" in words(lead_client, ticket)


def test_a_ticket_from_before_any_certificate_says_so(lead_client: Client) -> None:
    certify()
    make_grid()
    ticket = next(ticket for ticket in arrive(*[UNSURE] * 20) if not ticket.verdicts.get().audit_draw.audited)
    page_text = words(lead_client, ticket)
    assert "Why does this ticket need review?" in page_text
    assert "Threshold at the time nothing was certified yet" in page_text
    assert "not certified yet nothing was certified yet" in page_text, "the history says so too"


def test_a_fixed_threshold_is_shown_with_the_stated_confidence(lead_client: Client) -> None:
    ticket = make_ticket()
    make_verdict(make_prediction(ticket))
    Ticket.objects.filter(pk=ticket.pk).update(state="auto_accepted")
    Verdict.objects.update(threshold=0.85)
    page_text = words(lead_client, ticket)
    assert "Decided by fixed confidence threshold Threshold at the time 0.85 Stated confidence 0.90" in page_text


def test_a_sealed_ticket_explains_nothing(lead_client: Client, ana: User) -> None:
    certified(ana)
    arrive(*[SURE] * 30)
    sealed = open_audits()[0].ticket
    page_text = words(lead_client, sealed)
    assert "Why" not in page_text
    assert "Probability" not in page_text
    assert verdict_explanation.explain_verdict(Ticket.objects.get(pk=sealed.pk)) is None


def test_an_audited_ticket_is_explained_once_people_have_answered(lead_client: Client, ana: User) -> None:
    certified(ana)
    arrive(*[SURE] * 30)
    assignment = open_audits()[0]
    prediction = assignment.ticket.predictions.get()
    answer(assignment, ana, prediction.category.name, prediction.sentiment.name)
    page_text = words(lead_client, assignment.ticket)
    assert "Why would this ticket have been auto-accepted?" in page_text
    assert re.search(r"Random draw for an audit selected: 0\.\d{3} is below the audit rate of", page_text)


def test_agents_see_no_verdict_explanations(client: Client, ana: User) -> None:
    certified(ana)
    ticket = passing(20)[0]
    client.force_login(ana)
    assert "Why did" not in words(client, ticket)


def test_a_ticket_without_an_answer_has_no_explanation(lead_client: Client) -> None:
    configure_review()
    assert verdict_explanation.explain_verdict(make_ticket()) is None
    (assignment,) = send_to_review(make_ticket())
    assert verdict_explanation.explain_verdict(assignment.ticket) is not None or assignment.blind


@pytest.mark.parametrize("mode", list(GateMode))
def test_the_models_page_says_how_verdicts_are_decided(lead_client: Client, mode: GateMode) -> None:
    Gate.objects.update(mode=mode)
    assert str(mode.label).capitalize() in lead_client.get("/models/").content.decode()
