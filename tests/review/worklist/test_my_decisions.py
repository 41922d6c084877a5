"""My decisions: the list, what it hides, and reopening."""

import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from classifier.models import Ticket
from review.models import Assignment, Decision, SkipReason
from review.workflow import decisions
from review.workflow.decision_records import Presented
from review.worklist import my_decisions
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import answer, escalate, label, skip, state, undo

pytestmark = pytest.mark.usefixtures("single_reviews")

MINE, SCREEN, WORK = reverse("review:my_decisions"), reverse("review:screen"), reverse("review:lead_screen")


def decide(reviewer: User, text: str = "Where is my refund?", category: str = "Billing", **values: str) -> Decision:
    """Label a ticket that the model labels Billing; the suggestion is shown unless the review is blind."""
    ticket = make_ticket(text)
    category_of_model, sentiment, *_rest = label("Billing")
    (assignment, *_others) = send_to_review(
        ticket, category=category_of_model, sentiment=sentiment, reasoning="A secret of the model."
    )
    shown = Presented() if assignment.blind else Presented(prediction=ticket.predictions.get())
    return answer(assignment, reviewer, category, shown=shown, **values)


def shows(client: Client, url: str = MINE) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return str(response.content.decode())


def entries(content: str) -> list[str]:
    """The text of each row."""
    rows = re.findall(r"<li>(.*?)</li>", content.split('<ol class="decisions">')[-1], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in rows]


def reopen(client: Client, decision: Decision, query: str = "", **sent: str) -> tuple[str, str]:
    """The URL that reopening redirects to, and the content of that page."""
    response = client.post(reverse("review:reopen", args=[decision.pk]) + query, sent, follow=True)
    assert response.status_code == 200
    return response.redirect_chain[0][0], response.content.decode()


# The list


def test_my_decisions_are_listed_latest_first(agent_client: Client, ana: User) -> None:
    decide(ana, "the first ticket", note="It is in their contract.")
    decide(ana, "the second ticket", category="Technical")
    decisions.skip(send_to_review(make_ticket("the third ticket"))[0], ana, SkipReason.LANGUAGE, key=uuid4())
    escalate(send_to_review(make_ticket("the fourth ticket"))[0], ana)
    fourth, third, second, first = entries(shows(agent_client))
    assert "the fourth ticket Escalated Is this a threat?" in fourth
    assert "the third ticket Skipped: I don&#x27;t read this language" in third
    assert "the second ticket Corrected Technical Neutral" in second
    assert "the first ticket Accepted Billing Neutral It is in their contract." in first
    assert all("Reopen" in row for row in (first, second, third, fourth))


def test_empty_my_decisions_explains_itself(agent_client: Client) -> None:
    assert "No decisions yet. Your decisions appear here" in shows(agent_client)
    assert "None." in shows(agent_client, f"{MINE}?kind=skipped")


def test_my_decisions_exclude_those_of_others(agent_client: Client, ben: User) -> None:
    decide(ben, "of somebody else")
    assert "of somebody else" not in shows(agent_client)


def test_hostile_ticket_is_escaped(agent_client: Client, ana: User) -> None:
    decide(ana, "<script>alert(1)</script>", note="<b>bold</b>")
    content = shows(agent_client)
    assert "&lt;script&gt;alert(1)" in content
    assert "<b>bold" not in content


def test_undone_decision_is_struck_out_and_cannot_be_reopened(agent_client: Client, ana: User) -> None:
    undo(decide(ana), ana)
    content = shows(agent_client)
    (row,) = entries(content)
    assert "undone" in row
    assert "Reopen" not in row
    assert "<s>Accepted" in content


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("accepted", ["shown and accepted"]),
        ("corrected", ["shown and corrected"]),
        ("blind", ["labelled blind"]),
        ("skipped", ["passed on"]),
        ("escalated", ["handed up"]),
        ("undone", ["taken back"]),
        (
            "nonsense",
            ["taken back", "handed up", "passed on", "labelled blind", "shown and corrected", "shown and accepted"],
        ),
    ],
)
def test_each_tab_lists_its_kind_of_decision(agent_client: Client, ana: User, kind: str, texts: list[str]) -> None:
    decide(ana, "shown and accepted")
    decide(ana, "shown and corrected", category="Technical")
    configure_review(blind_share=1)
    decide(ana, "labelled blind")
    configure_review()
    skip(send_to_review(make_ticket("passed on"))[0], ana)
    escalate(send_to_review(make_ticket("handed up"))[0], ana)
    undo(decide(ana, "taken back", category="General"), ana)
    rows = entries(shows(agent_client, f"{MINE}?kind={kind}"))
    if kind == "corrected":
        texts = ["taken back", *texts]
    assert len(rows) == len(texts)
    for row, text in zip(rows, texts, strict=True):
        assert text in row


# What it must not reveal


def test_label_of_a_sealed_ticket_reveals_no_other_answer(agent_client: Client, ana: User, ben: User) -> None:
    """The tabs must not reveal it either: "accepted" would mean that the model agrees."""
    configure_review(double_share=1)
    decision = decide(ana, "still asked about", category="Billing")
    other = Assignment.objects.open().get(ticket=decision.ticket)
    answer(other, ben, "Account", note="Ben thinks otherwise.")
    assert Ticket.objects.get().sealed
    content = shows(agent_client)
    (row,) = entries(content)
    assert "Labelled Billing Neutral" in row
    for secret in ("Accepted Billing", "A secret of the model", "0.5", "Account", "Ben thinks", "ben"):
        assert secret not in content.split('<ol class="decisions">')[1], secret
    assert entries(shows(agent_client, f"{MINE}?kind=accepted")) == []
    assert entries(shows(agent_client, f"{MINE}?kind=corrected")) == []
    assert len(entries(shows(agent_client, f"{MINE}?kind=blind"))) == 1


def test_sealing_a_ticket_hides_earlier_verdicts(agent_client: Client, ana: User) -> None:
    decision = decide(ana)
    Ticket.objects.filter(pk=decision.ticket_id).update(sealed=True)
    (row,) = entries(shows(agent_client))
    assert "Labelled Billing" in row
    assert entries(shows(agent_client, f"{MINE}?kind=accepted")) == []


def test_blind_labels_are_marked_as_blind(agent_client: Client, ana: User) -> None:
    configure_review(blind_share=1)
    decide(ana)
    (row,) = entries(shows(agent_client))
    assert "Labelled Billing Neutral blind: suggestions were hidden" in row


def test_overruling_label_of_a_lead_is_shown_after_the_adjudication(
    agent_client: Client, ana: User, ben: User, lea: User
) -> None:
    configure_review(double_share=1)
    tickets = [decide(ana, "overruled").ticket, decide(ana, "upheld").ticket]
    for ticket in tickets:
        answer(Assignment.objects.open().get(ticket=ticket), ben, "Account")
    assert "A lead chose" not in shows(agent_client)
    for ticket, chosen in zip(tickets, ("Account", "Billing"), strict=True):
        answer(Assignment.objects.open().get(ticket=ticket), lea, chosen)
    upheld, overruled = entries(shows(agent_client))
    assert "A lead chose Account | Neutral." in overruled
    assert "A lead chose" not in upheld


# Pages


def test_pages_hold_every_decision_once(agent_client: Client, ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(my_decisions, "SIZE", 2)
    for number in range(5):
        decide(ana, f"ticket number {number}")
    url, seen = MINE, []
    while url:
        content = shows(agent_client, url)
        seen += re.findall(r"ticket number (\d)", content)
        following = re.search(r'rel="next" href="([^"]*)"', content)
        url = MINE + following[1] if following else ""
    assert seen == ["4", "3", "2", "1", "0"]


def test_tab_searches_a_limited_number_of_decisions_and_offers_more(
    agent_client: Client, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(ana, "the one that was corrected", category="Technical")
    for _time in range(3):
        decide(ana)
    monkeypatch.setattr(my_decisions, "LOOKED_THROUGH", 3)
    content = shows(agent_client, f"{MINE}?kind=corrected")
    assert entries(content) == []
    assert "None among the latest decisions." in content
    following = re.search(r'rel="next" href="([^"]*)"', content)
    assert following
    (row,) = entries(shows(agent_client, MINE + following[1].replace("&amp;", "&")))
    assert "the one that was corrected" in row


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 30, "²"])
def test_invalid_page_key_shows_the_first_page(agent_client: Client, ana: User, before: str) -> None:
    decide(ana)
    assert len(entries(shows(agent_client, f"{MINE}?before={before}"))) == 1


@pytest.mark.parametrize("number", [1, 12])
def test_my_decisions_take_as_many_queries_for_any_number(
    agent_client: Client, ana: User, ben: User, number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    configure_review(double_share=1)
    for _time in range(number):
        decision = decide(ana)
        answer(Assignment.objects.open().get(ticket=decision.ticket), ben, "Billing")
    agent_client.get(MINE)
    # Every page: session, person, permissions, gate. Then the rows, the last decision searched, and
    # the adjudications.
    with django_assert_num_queries(6):
        agent_client.get(MINE)


# Reopening


def test_reopening_undoes_the_decision_and_leases_the_ticket(agent_client: Client, ana: User) -> None:
    decision = decide(ana, "again, please")
    decide(ana)
    target, content = reopen(agent_client, decision, key=str(uuid4()))
    assert target == SCREEN
    assert f"Undone. Ticket {decision.ticket_id} is open again." in content
    assert "again, please" in content
    assert decision.undone_by.reviewer == ana
    assert Ticket.objects.get(pk=decision.ticket_id).state == Ticket.State.NEEDS_REVIEW
    assert Assignment.objects.get(pk=decision.assignment_id).reviewer == ana


def test_reopen_button_posts_a_valid_form(agent_client: Client, ana: User) -> None:
    decision = decide(ana)
    action, key = re.search(
        r'action="(/review/my-decisions/[^"]*)".*?"key" value="([^"]*)"', shows(agent_client)
    ).groups()
    assert agent_client.post(action, {"key": key}).status_code == 302
    assert str(decision.undone_by.key) == key


def test_reopen_form_keeps_the_tab(agent_client: Client, ana: User) -> None:
    decision = decide(ana)
    assert f'action="{reverse("review:reopen", args=[decision.pk])}?kind=accepted"' in shows(
        agent_client, f"{MINE}?kind=accepted"
    )


def test_each_row_has_its_own_key(agent_client: Client, ana: User) -> None:
    """With one shared key, the second reopening would count as a repetition of the first."""
    decide(ana)
    decide(ana)
    assert len(set(re.findall(r'name="key" value="([^"]*)"', shows(agent_client)))) == 2


def test_double_click_on_reopen_undoes_once(agent_client: Client, ana: User) -> None:
    decision, key = decide(ana), str(uuid4())
    for _click in range(2):
        target, content = reopen(agent_client, decision, key=key)
        assert target == SCREEN
    assert Decision.objects.filter(verdict="undone").count() == 1


def test_decision_that_others_acted_on_cannot_be_reopened(
    agent_client: Client, ana: User, ben: User, lea: User
) -> None:
    configure_review(double_share=1)
    decision = decide(ana)
    answer(Assignment.objects.open().get(ticket=decision.ticket), ben, "Account")
    answer(Assignment.objects.open().get(ticket=decision.ticket), lea, "Account")
    target, content = reopen(agent_client, decision, "?kind=blind", key=str(uuid4()))
    assert target == f"{MINE}?kind=blind"
    assert "This cannot be undone: someone has already acted on it." in content
    assert not Decision.objects.filter(verdict="undone").exists()


def test_lead_who_reopens_an_adjudication_continues_in_the_leads_lane(
    client: Client, ana: User, ben: User, lea: User
) -> None:
    configure_review(double_share=1)
    ticket = decide(ana, "which of the two?").ticket
    answer(Assignment.objects.open().get(ticket=ticket), ben, "Account")
    word = answer(Assignment.objects.open().get(ticket=ticket), lea, "Account")
    client.force_login(lea)
    target, content = reopen(client, word, key=str(uuid4()))
    assert target == WORK
    assert "which of the two?" in content


def test_lead_can_reopen_an_escalated_ticket(client: Client, ana: User, lea: User) -> None:
    (assignment,) = send_to_review(make_ticket("Is this a threat?"))
    escalate(assignment, ana)
    decision = answer(assignment, lea)
    client.force_login(lea)
    target, content = reopen(client, decision, key=str(uuid4()))
    assert target == WORK
    assert Assignment.objects.get().reviewer == lea
    assert "is open again" in content


def test_reopening_one_bulk_decision_keeps_the_others(agent_client: Client, ana: User) -> None:
    assignments = send_to_review(make_ticket("one"), make_ticket("two"), make_ticket("three"))
    _first, second, _third = decisions.decide_many(assignments, ana)
    _target, content = reopen(agent_client, second, key=str(uuid4()))
    assert f"Undone. Ticket {second.ticket_id} is open again." in content
    assert [state(assignment.ticket) for assignment in assignments] == ["settled", "needs_review", "settled"]
    assert Assignment.objects.held_by(ana).get().ticket_id == second.ticket_id


def test_reopening_works_without_a_key(agent_client: Client, ana: User) -> None:
    assert reopen(agent_client, decide(ana), key="nonsense")[0] == SCREEN


# Permissions


def test_decision_of_another_person_cannot_be_reopened(agent_client: Client, ben: User) -> None:
    decision = decide(ben)
    assert agent_client.post(reverse("review:reopen", args=[decision.pk])).status_code == 404
    assert not Decision.objects.filter(verdict="undone").exists()


def test_stranger_cannot_list_or_reopen_decisions(client: Client, ana: User, tom: User) -> None:
    decision = decide(ana)
    client.force_login(tom)
    assert client.get(MINE).status_code == 403
    assert client.post(reverse("review:reopen", args=[decision.pk])).status_code == 403


def test_anonymous_visitors_are_sent_to_sign_in(client: Client) -> None:
    assert client.get(MINE).status_code == 302


def test_reopening_requires_a_post(agent_client: Client, ana: User) -> None:
    assert agent_client.get(reverse("review:reopen", args=[decide(ana).pk])).status_code == 405
    assert agent_client.post(MINE).status_code == 405
