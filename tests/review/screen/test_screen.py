"""The review screen over HTTP: pages, answers and responses."""

import re
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import Category, LanguageModel, Sentiment, Ticket
from review.models import Assignment, Decision, Preferences, shortcuts
from review.screen import bulk
from review.workflow.decision_records import Label
from tests.factories import PASSWORD, configure_review, make_attribute, make_ticket, send_to_review
from tests.review.screen_client import DECIDE, HTMX, RENEW_LEASE, SCREEN, UNDO, WORK, category, fields, send, shown

pytestmark = pytest.mark.usefixtures("single_reviews")

SIGN_IN = reverse("login")


@pytest.fixture
def other(ben: User) -> Client:
    client = Client()
    client.force_login(ben)
    return client


def test_screen_shows_the_text_the_selected_suggestion_and_the_reason(agent_client: Client) -> None:
    send_to_review(make_ticket("My card was charged twice."), category=category("Billing"), confidence=0.62)
    content = agent_client.get(SCREEN).content.decode()
    for text in ("My card was charged twice.", "0.62", "Because.", "below the threshold", "1 left"):
        assert text in content, text
    answer = fields(content)
    assert answer["category"] == str(category("Billing").pk)
    assert answer["sentiment"] == str(Sentiment.objects.active()[0].pk)


def test_answer_returns_the_next_ticket_in_the_same_response(agent_client: Client, ana: User) -> None:
    first, second = make_ticket("the doubtful one"), make_ticket("quite another matter")
    send_to_review(first, confidence=0.2)
    send_to_review(second, confidence=0.7)
    content = send(agent_client, shown(agent_client))
    assert "quite another matter" in content
    assert "the doubtful one" not in content
    assert "<html" not in content
    decision = Decision.objects.get()
    assert (decision.ticket, decision.reviewer, decision.verdict) == (first, ana, "accepted")
    assert decision.prediction == first.predictions.get()
    assert decision.prediction.contract
    assert decision.blind is False
    assert decision.seconds is not None
    assert 0 <= decision.seconds < 60
    first.refresh_from_db()
    assert (first.state, first.category, first.sentiment) == ("settled", decision.category, decision.sentiment)


def test_different_label_is_a_correction(agent_client: Client) -> None:
    (assignment,) = send_to_review(make_ticket(), category=category("Billing"))
    send(agent_client, shown(agent_client), category=str(category("Account").pk), note="It is the sign-in.")
    decision = Decision.objects.get()
    assert (decision.verdict, decision.category, decision.note) == (
        "corrected",
        category("Account"),
        "It is the sign-in.",
    )
    assert Ticket.objects.get(pk=assignment.ticket_id).category == category("Account")


def test_answer_without_htmx_redirects_to_a_reloadable_page(agent_client: Client) -> None:
    send_to_review(make_ticket("one"), confidence=0.2)
    send_to_review(make_ticket("two"), confidence=0.7)
    response = agent_client.post(DECIDE, shown(agent_client), follow=True)
    assert response.redirect_chain == [(SCREEN, 302)]
    content = response.content.decode()
    assert "<html" in content
    assert ">two<" in content
    assert 'action="/review/undo/"' in content


@pytest.mark.parametrize(
    ("typed", "name"), [("VPN", "Technical > Network > VPN"), ("network > vpn", "Technical > Network > VPN")]
)
def test_a_nested_category_is_found_by_part_of_its_name(agent_client: Client, typed: str, name: str) -> None:
    network = Category.objects.create(name="Network", parent=category("Technical"))
    vpn = Category.objects.create(name="VPN", parent=network)
    send_to_review(make_ticket())
    content = agent_client.get(SCREEN).content.decode()
    assert f'<option value="{name.replace(">", "&gt;")}">' in content
    send(agent_client, fields(content), category="other", other=typed)
    assert Decision.objects.get().category == vpn


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"category": "other", "other": "c"}, "could be"),
        ({"category": "other", "other": "No such thing"}, "There is no category"),
        ({"category": "other", "other": ""}, "Choose a category"),
        ({"category": "9" * 30}, "Choose a category"),
        ({"category": ""}, "Choose a category"),
        ({"sentiment": ""}, "Choose a sentiment"),
        ({"sentiment": "x"}, "Choose a sentiment"),
        ({"escalate": "yes", "why": " "}, "Say in a few words"),
        ({"skip": "no reason"}, "Select a valid choice"),
        ({"opinion": "junk"}, "Enter a valid value"),
    ],
)
def test_an_invalid_answer_is_explained_and_stays_in_the_form(
    agent_client: Client, changes: dict[str, str], message: str
) -> None:
    send_to_review(make_ticket("still here"))
    answer = shown(agent_client) | {"note": "kept"} | changes
    response = agent_client.post(DECIDE, answer, headers=HTMX)
    content = response.content.decode()
    assert response.status_code == 422
    assert message in content
    assert "still here" in content
    assert ">kept</textarea>" in content
    assert not Decision.objects.exists()
    assert send(agent_client, shown(agent_client))


def test_retired_category_is_rejected(agent_client: Client) -> None:
    send_to_review(make_ticket(), category=category("Billing"))
    answer = shown(agent_client)
    Category.objects.filter(name="Billing").update(retired=True)
    response = agent_client.post(DECIDE, answer, headers=HTMX)
    assert response.status_code == 422
    assert not Decision.objects.exists()


def test_nine_of_500_categories_have_shortcuts_and_responses_stay_small(agent_client: Client) -> None:
    for number in range(5):
        Category.objects.create(name=f"Category no. {number}")
    Category.objects.bulk_create([Category(name=f"Category no. {number}", position=9) for number in range(5, 500)])
    send_to_review(make_ticket("one " * 60), make_ticket("two " * 60))
    page = agent_client.get(SCREEN).content.decode()
    assert page.count("<option") == 504
    content = send(agent_client, fields(page), category="other", other="Category no. 444")
    assert Decision.objects.get().category.name == "Category no. 444"
    assert content.count('name="category"') == 10
    assert len(content.encode()) < 15_000


def test_suggestion_without_a_shortcut_is_preselected(agent_client: Client) -> None:
    Category.objects.bulk_create([Category(name="Typed", position=0)])
    send_to_review(make_ticket(), category=category("Typed"))
    answer = shown(agent_client)
    assert (answer["category"], answer["other"]) == ("other", "Typed")
    send(agent_client, answer)
    assert Decision.objects.get().verdict == "accepted"


def test_skipped_ticket_goes_to_someone_else(agent_client: Client, other: Client) -> None:
    (assignment,) = send_to_review(make_ticket("What is this?"))
    content = send(agent_client, shown(agent_client), skip="unclear")
    assert "No tickets left for you" in content
    assert "1 ticket that you skipped" in content
    assert Decision.objects.get().skip_reason == "unclear"
    assert "What is this?" in other.get(SCREEN).content.decode()
    assert Ticket.objects.get(pk=assignment.ticket_id).state == "needs_review"


def test_skipped_tickets_can_be_reviewed_again(agent_client: Client) -> None:
    send_to_review(make_ticket("What is this?"))
    send(agent_client, shown(agent_client), skip="unclear")
    assert "What is this?" in agent_client.post(reverse("review:reoffer_skipped"), follow=True).content.decode()


def make_escalations(agent_client: Client, *texts: str) -> None:
    """Escalate tickets with these texts."""
    for text in texts:
        send_to_review(make_ticket(text))
        send(agent_client, shown(agent_client), escalate="yes", why="Legal threat.")


def test_lead_who_reviews_skipped_tickets_again_stays_in_the_leads_lane(
    agent_client: Client, lead_client: Client
) -> None:
    make_escalations(agent_client, "What is this?")
    send_to_review(make_ticket("of the agents"))
    content = send(lead_client, shown(lead_client, WORK), skip="unclear")
    (form,) = re.findall(r"<form[^>]*reoffer-skipped.*?</form>", content, re.DOTALL)
    response = lead_client.post(
        reverse("review:reoffer_skipped"), dict(re.findall(r'name="(\w+)" value="(\w+)"', form)), follow=True
    )
    assert response.redirect_chain == [(WORK, 302)]
    assert "What is this?" in response.content.decode()


def test_agent_cannot_switch_to_the_leads_lane(agent_client: Client) -> None:
    assert agent_client.post(reverse("review:reoffer_skipped"), {"lane": "leads"})["Location"] == SCREEN


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_lead_who_was_signed_out_returns_to_the_leads_lane(
    agent_client: Client, lead_client: Client, lea: User, headers: dict[str, str]
) -> None:
    make_escalations(agent_client, "I will sue you.", "You will hear from me.")
    answer = shown(lead_client, WORK)
    lead_client.cookies.clear()
    response = lead_client.post(DECIDE, answer | {"note": "typed"}, headers=headers)
    assert response["HX-Redirect" if headers else "Location"] == f"{SIGN_IN}?next={WORK}"
    response = lead_client.post(f"{SIGN_IN}?next={WORK}", {"username": "lea", "password": PASSWORD}, follow=True)
    assert response.redirect_chain == [(WORK, 302)]
    content = response.content.decode()
    assert f'href="{WORK}"' in content.split("Discard")[0].split("<button")[-1]
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', content.split('class="form paper"')[1]))
    response = lead_client.post(DECIDE, form, follow=True)
    assert response.redirect_chain == [(WORK, 302)]
    assert "You will hear from me." in response.content.decode()
    assert Decision.objects.get(reviewer=lea).note == "typed"


def test_an_escalated_ticket_reaches_a_lead_with_the_note(agent_client: Client, lead_client: Client) -> None:
    send_to_review(make_ticket("I will sue you."))
    content = send(agent_client, shown(agent_client), escalate="yes", why="Legal threat.")
    assert "escalated to a lead" in content
    assert "No tickets left for you" in content
    page = lead_client.get(WORK).content.decode()
    for text in ("I will sue you.", "Legal threat.", "ana"):
        assert text in page, text
    send(lead_client, fields(page))
    assert Ticket.objects.get().state == "settled"


def test_undo_goes_back_several_steps(agent_client: Client) -> None:
    for number, confidence in enumerate((0.1, 0.2, 0.3)):
        send_to_review(make_ticket(f"{'abc'[number]} ticket, {'xyz'[number] * 9}"), confidence=confidence)
    for _number in range(3):
        send(agent_client, shown(agent_client))
    for text in ("c ticket", "b ticket", "a ticket"):
        content = agent_client.post(UNDO, headers=HTMX).content.decode()
        assert f">{text}" in content
        assert "Undone" in content
    assert "Nothing to undo" in agent_client.post(UNDO, headers=HTMX).content.decode()
    assert Decision.objects.count() == 6
    assert set(Ticket.objects.values_list("state", flat=True)) == {"needs_review"}


def test_resent_undo_undoes_only_the_named_decision(agent_client: Client) -> None:
    send_to_review(make_ticket("one of them"), make_ticket("quite another"))
    content = send(agent_client, shown(agent_client))
    undo = dict(re.findall(r'name="(decision|key)" value="([^"]*)"', content.split('id="outcome"')[1]))
    send(agent_client, fields(content))
    for _time in range(2):
        agent_client.post(UNDO, undo, headers=HTMX)
    assert Decision.objects.filter(verdict="undone").count() == 1
    assert Decision.objects.get(verdict="undone").undoes_id == int(undo["decision"])


def test_decision_of_another_person_cannot_be_undone(agent_client: Client, other: Client) -> None:
    send_to_review(make_ticket())
    send(agent_client, shown(agent_client))
    decision = Decision.objects.get()
    assert other.post(UNDO, {"decision": str(decision.pk)}, headers=HTMX).status_code == 404
    assert "Nothing to undo" in other.post(UNDO, headers=HTMX).content.decode()
    assert Ticket.objects.get().state == "settled"


def test_disagreeing_models_are_shown_side_by_side_without_names(agent_client: Client) -> None:
    tickets = [make_ticket(f"number {word}") for word in ("one", "two", "three", "four", "five", "six")]
    # The order is drawn, and ticket keys differ between runs.
    desks = (configure_review(seed=f"seed {number}") for number in range(100))
    next(
        review_settings
        for review_settings in desks
        if len({review_settings.draw(ticket.pk, "order") < 0.5 for ticket in tickets}) == 2
    )
    send_to_review(*tickets, category=category("Billing"), second=category("Technical"))
    orders = set()
    for _ticket in tickets:
        content = agent_client.get(SCREEN).content.decode()
        opinions = re.findall(r'<div class="opinion">.*?<span class="label">(\w+)', content, re.DOTALL)
        assert sorted(opinions) == ["Billing", "Technical"]
        card = content.split('<article id="card"')[1].split("</article>")[0]
        assert not [
            language_model.name for language_model in LanguageModel.objects.all() if language_model.name in card
        ]
        answer = fields(content)
        assert "category" not in answer
        assert "sentiment" in answer
        send(agent_client, answer, opinion=re.findall(r'name="opinion" value="([^"]+)"', content)[0])
        decision = Decision.objects.latest("pk")
        assert decision.category.name == opinions[0]
        assert decision.second_first is (opinions[0] == "Technical")
        assert decision.second_opinion.category.name == "Technical"
        orders.add(opinions[0])
    assert orders == {"Billing", "Technical"}


def source(client: Client, url: str = SCREEN) -> str:
    """The page without tokens and keys, which differ each time."""
    content = client.get(url).content.decode()
    return re.sub(r'name="(csrfmiddlewaretoken|key|display_token|form_token)" value="[^"]*"', "", content)


def test_blind_review_page_does_not_depend_on_the_prediction(agent_client: Client) -> None:
    configure_review(blind_share=1)
    received = timezone.now() - timedelta(hours=2)
    pages = []
    for name, confidence in (("Billing", 0.1), ("Technical", 0.8)):
        Ticket.objects.all().delete()
        ticket = make_ticket("Which is it?", pk=77, received_at=received)
        send_to_review(ticket, category=category(name), confidence=confidence, reasoning=f"Surely {name}.")
        Assignment.objects.update(id=77)
        pages.append(source(agent_client))
    assert pages[0] == pages[1]
    assert "Blind review" in pages[0]
    assert "Surely" not in pages[0]
    assert "category" not in fields(agent_client.get(SCREEN).content.decode())


@pytest.mark.parametrize("reveal", [True, False])
def test_model_answer_is_revealed_after_a_blind_answer_only_if_enabled(agent_client: Client, reveal: bool) -> None:
    configure_review(blind_share=1, reveal=reveal)
    send_to_review(make_ticket(), category=category("Billing"))
    labels = {"category": str(category("Account").pk), "sentiment": str(Sentiment.objects.active()[0].pk)}
    content = send(agent_client, shown(agent_client), **labels)
    assert ("The model said Billing" in content) is reveal
    decision = Decision.objects.get()
    assert (decision.blind, decision.verdict, decision.prediction.category) == (True, "corrected", category("Billing"))


def test_lead_sees_both_disputed_labels_without_names(agent_client: Client, other: Client, lead_client: Client) -> None:
    configure_review(double_share=1)
    send_to_review(make_ticket("Torn."), category=category("General"))
    sentiment = str(Sentiment.objects.active()[0].pk)
    for client, name in ((agent_client, "Billing"), (other, "Technical")):
        send(client, shown(client), category=str(category(name).pk), sentiment=sentiment)
    content = lead_client.get(WORK).content.decode()
    card = content.split('<article id="card"')[1].split("</article>")[0]
    assert "Two agents labelled this" in card
    assert sorted(re.findall(r'<span class="label">(\w+)', card)) == ["Billing", "Technical"]
    assert not re.search(r"\bana\b|\bben\b", card)
    assert agent_client.get(WORK).status_code == 403
    send(lead_client, fields(content), category=str(category("Technical").pk))
    ticket = Ticket.objects.get()
    assert (ticket.state, ticket.category) == ("settled", category("Technical"))


def test_double_click_records_one_decision(agent_client: Client) -> None:
    send_to_review(make_ticket("one of them"), make_ticket("quite another"))
    answer = shown(agent_client)
    assert (
        send(agent_client, answer).count('<article id="card"')
        == send(agent_client, answer).count('<article id="card"')
        == 1
    )
    assert Decision.objects.count() == 1


def test_old_page_is_told_the_earlier_answer(agent_client: Client) -> None:
    send_to_review(make_ticket(), category=category("Billing"))
    first, second = shown(agent_client), shown(agent_client)
    assert first["key"] != second["key"]
    send(agent_client, first)
    assert "You already answered ticket" in send(agent_client, second)
    assert Decision.objects.count() == 1


def expire_all_leases() -> None:
    Assignment.objects.update(leased_until=timezone.now() - timedelta(seconds=1))


def test_a_late_answer_counts_while_nobody_else_has_answered(agent_client: Client, other: Client, ana: User) -> None:
    send_to_review(make_ticket("slow"))
    answer = shown(agent_client)
    expire_all_leases()
    late = shown(other)
    assert "slow" in other.get(SCREEN).content.decode()
    send(agent_client, answer)
    assert Decision.objects.get().reviewer == ana
    assert "ana answered first" in send(other, late)
    assert Decision.objects.count() == 1


def test_late_answer_is_explained_and_the_next_ticket_shown(agent_client: Client, other: Client) -> None:
    send_to_review(make_ticket("slow"), category=category("Billing"))
    answer = shown(agent_client)
    expire_all_leases()
    send(other, shown(other), category=str(category("Account").pk))
    send_to_review(make_ticket("the next one"))
    content = send(agent_client, answer)
    assert "ben answered first" in content
    assert "Account" in content
    assert "Your answer was not recorded" in content
    assert "the next one" in content


@pytest.mark.parametrize(
    ("act", "lost"),
    [
        ({"skip": "unclear"}, "Your skip was not recorded."),
        ({"escalate": "yes", "why": "Legal threat."}, "Your escalation was not recorded."),
    ],
)
def test_late_skip_or_escalation_is_explained(
    agent_client: Client, other: Client, act: dict[str, str], lost: str
) -> None:
    (assignment,) = send_to_review(make_ticket("slow"), category=category("Billing"))
    late = shown(agent_client)
    expire_all_leases()
    theirs = shown(other)
    reply = send(agent_client, late, **act)
    assert f"Someone else has ticket {assignment.ticket_id} open now. {lost}" in reply
    send(other, theirs)
    assert f"ben answered first: ticket {assignment.ticket_id} is Billing | Positive. {lost}" in send(
        agent_client, late, **act
    )
    reply = send(other, shown_again(other, theirs), **act)
    assert f"You already answered ticket {assignment.ticket_id}: Billing | Positive. {lost}" in reply
    assert "Your answer" not in reply
    assert Decision.objects.count() == 1


def shown_again(client: Client, answer: dict[str, str]) -> dict[str, str]:
    """The same answer with a new key, as from a second tab."""
    return answer | {"key": str(uuid4())}


def test_a_late_answer_to_a_sealed_ticket_reveals_no_label(agent_client: Client, other: Client) -> None:
    configure_review(double_share=1)
    first = send_to_review(make_ticket("slow"))[0]
    labels = {"category": str(category("Account").pk), "sentiment": str(Sentiment.objects.active()[0].pk)}
    late = shown(agent_client)
    expire_all_leases()
    other.post(reverse("review:take", args=[first.ticket_id]))
    send(other, shown(other), **labels)
    assert Assignment.objects.get(pk=first.pk).state == "answered"
    reply = send(agent_client, late, skip="unclear")
    assert f"Someone else has answered ticket {first.ticket_id}. Your skip was not recorded." in reply
    assert "Account" not in reply.split('id="outcome"')[1]


def test_answer_with_another_persons_token_is_refused(agent_client: Client, other: Client) -> None:
    send_to_review(make_ticket())
    answer = shown(agent_client)
    assert "Someone else was signed in when that page was opened" in send(other, answer)
    assert "That page was out of date" in send(agent_client, answer | {"display_token": "forged"})
    assert not Decision.objects.exists()


def test_two_agents_never_see_the_same_ticket(agent_client: Client, other: Client) -> None:
    send_to_review(make_ticket("first of two"), make_ticket("second of two, quite different"))
    assert shown(agent_client)["display_token"] != shown(other)["display_token"]
    assert Assignment.objects.filter(reviewer__isnull=False).count() == 2
    assert "No tickets left" in lead_page_url(agent_client, other)


def lead_page_url(agent_client: Client, other: Client) -> str:
    send(agent_client, shown(agent_client))
    return str(agent_client.get(SCREEN).content.decode())


def test_renewing_extends_the_lease_or_answers_409(agent_client: Client, other: Client) -> None:
    (assignment,) = send_to_review(make_ticket())
    shown(agent_client)
    Assignment.objects.update(leased_until=timezone.now() + timedelta(seconds=5))
    assert agent_client.post(RENEW_LEASE, {"assignment": str(assignment.pk)}).status_code == 204
    assert Assignment.objects.filter(leased_until__gt=timezone.now() + timedelta(minutes=5)).exists()
    assert other.post(RENEW_LEASE, {"assignment": str(assignment.pk)}).status_code == 409
    assert agent_client.post(RENEW_LEASE, {"assignment": "x"}).status_code == 409


def test_ticket_can_be_opened_from_a_list(agent_client: Client, other: Client) -> None:
    send_to_review(make_ticket("urgent", due_at=timezone.now()))
    (wanted,) = send_to_review(make_ticket("just this one, please"))
    response = agent_client.post(reverse("review:take", args=[wanted.ticket_id]), follow=True)
    assert "just this one, please" in response.content.decode()
    response = other.post(reverse("review:take", args=[wanted.ticket_id]), follow=True)
    assert "is not available" in response.content.decode()


def test_near_duplicates_are_counted_and_offered_after_a_decision(agent_client: Client) -> None:
    tickets = [make_ticket(f"I was charged twice for order {number}, please refund me.") for number in range(4)]
    send_to_review(*tickets, category=category("Billing"))
    content = agent_client.get(SCREEN).content.decode()
    assert "3 more are waiting" in content
    content = send(agent_client, fields(content))
    assert "3 near-duplicates waiting" in content
    assert reverse("review:duplicates", args=[Decision.objects.get().pk]) in content
    assert "1 was decided as Billing" in agent_client.get(SCREEN).content.decode()
    assert Decision.objects.count() == 1


def near_duplicates(number: int) -> list[Assignment]:
    wanted = [make_ticket(f"I was charged twice for order {order}, please refund me.") for order in range(number)]
    return send_to_review(*wanted, category=category("Billing"))


def duplicates_url(client: Client) -> str:
    """Answer the next ticket and return the URL of the near-duplicates offered."""
    send(client, shown(client))
    return reverse("review:duplicates", args=[Decision.objects.get().pk])


def test_near_duplicates_get_no_label_that_was_retired_meanwhile(agent_client: Client) -> None:
    assignments = near_duplicates(3)
    url = duplicates_url(agent_client)
    Category.objects.filter(decisions=Decision.objects.get()).update(retired=True)
    sent = {"assignment": [str(assignment.pk) for assignment in assignments[1:]]}
    content = agent_client.post(url, sent, follow=True).content.decode()
    assert "has been retired since" in content
    assert Decision.objects.count() == 1


def test_near_duplicates_get_no_label_that_is_retired_while_they_are_accepted(ana: User) -> None:
    assignments = near_duplicates(2)
    label = Label(category("Billing"), Sentiment.objects.get(name="Neutral"))
    previewed = bulk.preview(bulk.selected_assignments(str(assignment.pk) for assignment in assignments), ana, label)
    Category.objects.filter(pk=label.category.pk).update(retired=True)
    result = bulk.accept(previewed, ana)
    assert (result.number, Decision.objects.count()) == (0, 0)
    assert "2 suggested with a retired label" in result.text


def test_selected_near_duplicates_get_the_same_label(agent_client: Client) -> None:
    _first, second, third, fourth = near_duplicates(4)
    stranger = send_to_review(make_ticket("A quite different matter: how do I sign in?"))[0]
    url = duplicates_url(agent_client)
    content = agent_client.get(url).content.decode()
    assert "3 near-duplicates of the ticket you decided" in content
    assert [int(pk) for pk in re.findall(r'name="assignment" value="(\d+)"', content)] == [
        second.pk,
        third.pk,
        fourth.pk,
    ]
    reply = agent_client.post(url, {"assignment": [second.pk, third.pk, stranger.pk]}, follow=True).content.decode()
    assert "2 tickets accepted as Billing" in reply
    assert Decision.objects.filter(batch__isnull=False).count() == 2
    assert set(Assignment.objects.open()) == {fourth, stranger}


def test_near_duplicate_open_with_someone_else_is_listed_as_left_out(agent_client: Client, other: Client) -> None:
    assignments = near_duplicates(3)
    url = duplicates_url(agent_client)
    other.post(reverse("review:take", args=[assignments[2].ticket_id]))
    content = agent_client.get(url).content.decode()
    assert "1 near-duplicate of the ticket you decided" in content
    assert "Left out: 1 open with someone else" in unescape(content)
    reply = unescape(
        agent_client.post(url, {"assignment": [assignments[1].pk, assignments[2].pk]}, follow=True).content.decode()
    )
    assert "1 ticket accepted as Billing" in reply
    assert "Left out: 1 open with someone else." in reply
    assert "No tickets accepted. Left out: 1 open with someone else." in unescape(
        agent_client.post(url, {"assignment": [assignments[2].pk]}, follow=True).content.decode()
    )


def test_near_duplicates_are_not_offered_after_a_blind_review(agent_client: Client) -> None:
    configure_review(blind_share=1)
    assignments = near_duplicates(1)
    configure_review()
    waiting = near_duplicates(2)
    Assignment.objects.filter(pk=assignments[0].pk).update(value=9)
    labels = {"category": str(category("Billing").pk), "sentiment": str(Sentiment.objects.active()[0].pk)}
    send(agent_client, shown(agent_client) | labels)
    url = reverse("review:duplicates", args=[Decision.objects.get().pk])
    assert agent_client.get(url).status_code == 404
    assert agent_client.post(url, {"assignment": [assignment.pk for assignment in waiting]}).status_code == 404


def test_earlier_tickets_of_the_customer_are_shown_with_their_labels(agent_client: Client) -> None:
    earlier = make_ticket("My invoice is wrong.", customer="c@example.org")
    send_to_review(earlier, category=category("Billing"))
    send(agent_client, shown(agent_client))
    make_ticket("somebody else's", customer="d@example.org")
    send_to_review(make_ticket("And now I cannot sign in.", customer="c@example.org"))
    content = agent_client.get(SCREEN).content.decode()
    assert earlier.get_absolute_url() in content
    assert "My invoice is wrong." in content
    assert "somebody else" not in content


def test_screen_shows_the_persons_own_shortcuts(agent_client: Client, ana: User) -> None:
    Preferences.objects.create(user=ana, changed_keys={"skip": "k"})
    send_to_review(make_ticket())
    content = agent_client.get(SCREEN).content.decode()
    assert "Skip <kbd>k</kbd>" in content
    Preferences.objects.update(keys_on=False)
    content = agent_client.get(SCREEN).content.decode()
    assert 'data-keys="{}"' in content
    assert "Skip</summary>" in content


def test_every_shortcut_has_a_control_on_the_screen(agent_client: Client) -> None:
    """A shortcut without a control would do nothing."""
    for number in range(9):
        Category.objects.create(name=f"More {number}")
        Sentiment.objects.create(name=f"More {number}")
        make_attribute(f"more_{number}", "yes_no")
    send_to_review(
        *[make_ticket("alike, alike, alike and alike") for _number in range(3)], second=category("Technical")
    )
    content = send(
        agent_client, shown(agent_client), opinion=f"{category('Billing').pk}-{Sentiment.objects.active()[0].pk}"
    )
    page = agent_client.get(SCREEN).content.decode()
    there = set(re.findall(r'data-action="(\w+)"', content + page))
    assert there == set(shortcuts.DEFAULTS)


def test_hostile_text_is_escaped(agent_client: Client) -> None:
    send_to_review(
        make_ticket('<script>alert(1)</script>"><img src=x onerror=alert(2)>', customer="<b>me</b>", channel="<i>")
    )
    content = agent_client.get(SCREEN).content.decode()
    for harmful in ("<script>alert", "<img src=x", "<b>me", "<i>"):
        assert harmful not in content
    assert "&lt;script&gt;alert(1)" in content


def test_long_text_is_cut_with_a_link_to_the_rest(agent_client: Client) -> None:
    (assignment,) = send_to_review(make_ticket("x" * 30_000))
    content = agent_client.get(SCREEN).content.decode()
    assert "Show 10000 more characters" in content or "Show 10,000 characters that follow" in content
    assert f"{assignment.ticket.get_absolute_url()}?whole" in content


@pytest.mark.parametrize("number", [10, 1_000])
def test_queries_of_a_decision_do_not_grow_with_the_queue(
    agent_client: Client, number: int, django_assert_max_num_queries: Any
) -> None:
    send_to_review(
        *Ticket.objects.bulk_create([Ticket(text=f"ticket {number}", customer="c") for number in range(number)])
    )
    answer = shown(agent_client)
    with django_assert_max_num_queries(36):
        send(agent_client, answer)
