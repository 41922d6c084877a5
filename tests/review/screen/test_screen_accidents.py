"""Errors on the review screen: what people see, and that nothing is lost."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier import form_recovery
from classifier.models import Ticket
from classifier.privacy import erasure
from review.models import Assignment, Decision
from review.workflow import decisions, leases
from tests.factories import PASSWORD, configure_review, make_ticket, send_to_review
from tests.review.actions import answer, escalate, expire_leases, undo
from tests.review.screen_client import DECIDE, HTMX, SCREEN, UNDO, WORK, category, fields, send, shown

pytestmark = pytest.mark.usefixtures("single_reviews")
QUEUE, ACCEPT, INBOX = reverse("review:queue"), reverse("review:bulk_accept"), reverse("classifier:inbox")


def make_disagreement(first: User, other: User) -> Ticket:
    """A ticket with two different labels, to be adjudicated."""
    configure_review(double_share=1)
    ticket = make_ticket("labelled twice")
    for assignment, person, name in zip(send_to_review(ticket), (first, other), ("Billing", "Technical"), strict=True):
        answer(assignment, person, name)
    configure_review()
    return ticket


def test_agent_who_answers_an_escalated_ticket_stays_in_the_agents_lane(
    agent_client: Client, ana: User, ben: User
) -> None:
    cy, dan = (User.objects.create_user(name) for name in ("cy", "dan"))
    make_disagreement(cy, dan)
    send_to_review(make_ticket("a threat, perhaps"))
    late = shown(agent_client)
    expire_leases(Assignment.objects.get(reviewer=ana, state="open"))
    escalate(leases.lease_next(ben), ben)
    content = send(agent_client, late)
    assert "labelled twice" not in content
    assert "No tickets left for you" in content
    assert not Decision.objects.filter(purpose="adjudication").exists()
    undone = agent_client.post(UNDO, {"decision": decisions.latest_decision(ana).pk, "key": uuid4()}, headers=HTMX)
    assert "labelled twice" not in undone.content.decode()


def test_agent_page_never_links_to_the_leads_screen(agent_client: Client, ana: User, ben: User) -> None:
    (assignment,) = send_to_review(make_ticket())
    decision = answer(assignment, ana)
    Assignment.objects.filter(pk=assignment.pk).update(lane="leads")
    response = agent_client.post(reverse("review:reopen", args=[decision.pk]), {"key": uuid4()})
    assert response.headers["Location"] == SCREEN


def test_answer_to_an_erased_ticket_is_explained_and_the_next_ticket_shown(agent_client: Client) -> None:
    ticket = make_ticket("mine alone")
    send_to_review(ticket, confidence=0.1)
    send_to_review(make_ticket("quite another matter"), confidence=0.8)
    given = shown(agent_client)
    Assignment.objects.filter(ticket=ticket).delete()
    content = send(agent_client, given)
    assert "That ticket has been erased. Your answer was not recorded." in content
    assert "quite another matter" in content
    assert not Decision.objects.exists()


def test_erased_ticket_is_not_offered_for_review(agent_client: Client) -> None:
    ticket = make_ticket("mine alone")
    send_to_review(ticket)
    given = shown(agent_client)
    erasure.erase(Ticket.objects.filter(pk=ticket.pk))
    assert agent_client.post(DECIDE, given, headers=HTMX).status_code == 200


def test_escalation_passes_the_note_to_the_lead(agent_client: Client) -> None:
    send_to_review(make_ticket())
    send(agent_client, shown(agent_client), escalate="yes", why="Is this a threat?", note="He wrote twice today.")
    assert Decision.objects.get().note == "Is this a threat?\nHe wrote twice today."


def test_reason_and_note_that_are_too_long_together_are_rejected(agent_client: Client) -> None:
    send_to_review(make_ticket())
    sent = shown(agent_client) | {"escalate": "yes", "why": "x" * 1_500, "note": "y" * 1_500}
    response = agent_client.post(DECIDE, sent, headers=HTMX)
    assert response.status_code == 422
    assert "too long together: at most 2000 characters" in response.content.decode()
    assert not Decision.objects.exists()


def test_undo_continues_with_the_next_undoable_decision(agent_client: Client, ana: User, ben: User, lea: User) -> None:
    (first,) = send_to_review(make_ticket("one that stands alone"))
    earlier = answer(first, ana)
    decided = make_disagreement(ana, ben)
    answer(Assignment.objects.get(ticket=decided, purpose="adjudication"), lea)
    send_to_review(make_ticket("what is in hand"))
    agent_client.get(SCREEN)
    stuck = decisions.latest_decision(ana)
    content = agent_client.post(UNDO, {"decision": stuck.pk, "key": uuid4()}, headers=HTMX).content.decode()
    assert "This cannot be undone" in content
    assert f'name="decision" value="{earlier.pk}"' in content
    content = agent_client.post(UNDO, {"decision": earlier.pk, "key": uuid4()}, headers=HTMX).content.decode()
    assert "is open again" in content


def test_latest_decision_can_be_undone_after_a_refused_answer(agent_client: Client, ana: User, ben: User) -> None:
    send_to_review(make_ticket("one"), make_ticket("two"))
    answer(leases.lease_next(ana), ana)
    late = shown(agent_client)
    assignment = Assignment.objects.get(reviewer=ana, state="open")
    expire_leases(assignment)
    answer(assignment, ben)
    content = send(agent_client, late)
    assert "Your answer was not recorded." in content
    assert f'name="decision" value="{Decision.objects.get(reviewer=ana).pk}"' in content


def test_empty_screen_stays_unchanged_while_polling(agent_client: Client, ana: User) -> None:
    send_to_review(make_ticket())
    answer(leases.lease_next(ana), ana)
    assert agent_client.get(SCREEN, headers=HTMX).status_code == 204
    send_to_review(make_ticket("there is one"))
    assert "there is one" in agent_client.get(SCREEN, headers=HTMX).content.decode()


def test_near_duplicates_are_offered_without_javascript(agent_client: Client) -> None:
    send_to_review(*(make_ticket(f"The export of my invoices fails since the morning ({n})") for n in range(3)))
    response = agent_client.post(DECIDE, shown(agent_client), follow=True)
    assert "2 near-duplicates waiting: decide them together" in response.content.decode()


def test_rejected_form_stays_on_its_page(agent_client: Client) -> None:
    send_to_review(make_ticket())
    response = agent_client.post(DECIDE, shown(agent_client) | {"escalate": "yes", "why": ""}, headers=HTMX)
    assert response.status_code == 422
    assert '<details name="drawer" open>' in response.content.decode()


def test_reloading_and_invalid_answers_do_not_reset_the_time_taken(agent_client: Client) -> None:
    send_to_review(make_ticket())
    agent_client.get(SCREEN)
    Assignment.objects.update(taken_at=timezone.now() - timedelta(seconds=40))
    mistaken = agent_client.post(
        DECIDE, shown(agent_client) | {"category": "other", "other": "nothing like it"}, headers=HTMX
    )
    send(agent_client, fields(mistaken.content.decode()) | {"category": str(category("Billing").pk)})
    assert Decision.objects.get().seconds == pytest.approx(40, abs=10)


def test_new_lease_restarts_the_time_taken(agent_client: Client, ana: User, ben: User) -> None:
    (assignment,) = send_to_review(make_ticket())
    long_ago = timezone.now() - timedelta(minutes=30)
    agent_client.get(SCREEN)
    Assignment.objects.update(taken_at=long_ago)
    expire_leases(assignment)
    decision = answer(leases.lease_next(ben), ben)
    assert (Assignment.objects.get().taken_at or long_ago) > long_ago
    Assignment.objects.update(taken_at=long_ago)
    undo(decision, ben)
    assert (Assignment.objects.get().taken_at or long_ago) > long_ago


def test_text_has_a_lang_attribute_if_its_language_tag_is_valid(agent_client: Client) -> None:
    for language, attribute in (("de-AT", ' lang="de-AT"'), ('x" onload="', ""), ("", "")):
        send_to_review(make_ticket(f"text {language}", language=language), confidence=0.1)
        content = agent_client.get(SCREEN).content.decode()
        tag = content.split('<div class="text"')[1].split(">")[0]
        assert attribute in tag
        assert ("lang=" in tag) == bool(attribute)
        send(agent_client, fields(content))


@pytest.mark.parametrize("confirm", [False, True])
def test_bulk_selection_survives_the_end_of_a_session(agent_client: Client, ana: User, confirm: bool) -> None:
    assignments = send_to_review(make_ticket("one"), make_ticket("two"), category=category("Billing"))
    agent_client.logout()
    sent: dict[str, object] = {
        "assignment": [assignment.pk for assignment in assignments],
        "back": "q=o",
        "form_token": form_recovery.form_token(ana),
    }
    response = agent_client.post(ACCEPT, sent | ({"confirmed": "yes", "label": "1-1"} if confirm else {}))
    assert response.headers["Location"].endswith(f"?next={QUEUE}")
    agent_client.post(reverse("login"), {"username": "ana", "password": PASSWORD})
    content = agent_client.get(QUEUE).content.decode()
    assert "Accept 2 tickets as Billing" in content
    assert not Decision.objects.exists()
    assert "Accept 2 tickets" not in agent_client.get(QUEUE).content.decode(), "the selection is restored only once"


@pytest.mark.parametrize("look", [lambda pk: INBOX, lambda pk: reverse("classifier:ticket", args=[pk])])
def test_sealed_ticket_does_not_reveal_that_it_was_auto_accepted(
    agent_client: Client, look: Callable[[int], str]
) -> None:
    ticket = make_ticket("audited")
    Ticket.objects.filter(pk=ticket.pk).update(state="auto_accepted", sealed=True)
    content = agent_client.get(look(ticket.pk)).content.decode()
    assert "ccepted" not in content.split("<main")[1].split("audited")[0].split("state")[-1]
    assert 'class="state auto_accepted"' not in content


def test_leads_screen_is_forbidden_to_agents(agent_client: Client) -> None:
    assert agent_client.get(WORK).status_code == 403
