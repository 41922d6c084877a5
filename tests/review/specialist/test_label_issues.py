"""Labels that a model doubts: which are shown, what becomes of those kept and of those corrected."""

import html
import re
from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from classifier.models import Category, Sentiment, Ticket
from classifier.taxonomy import label_changes
from review.gold import gold_labels
from review.models import Assignment, Decision, GoldLabel, LabelIssue, Side
from review.specialist import label_issues
from review.specialist.label_issues import LabelSelfConfidence
from review.workflow import decisions, leases
from review.workflow.decision_records import Label
from review.workflow.decisions import CannotUndo
from tests.factories import configure_review, make_gold, make_label_issue, make_ticket, make_version, send_to_review
from tests.review.actions import answer, assert_consistent, run_concurrently, state, undo

pytestmark = pytest.mark.usefixtures("single_reviews")

PAGE = reverse("review:label_issues")
State = GoldLabel.State


@pytest.fixture(autouse=True)
def training_labels(single_reviews: None) -> None:
    configure_review(benchmark_share=0)


def category(name: str) -> Category:
    return Category.objects.get(name=name)


def sentiment(name: str = "Neutral") -> Sentiment:
    return Sentiment.objects.get(name=name)


def of_ticket(person: User, text: str = "My card was charged twice.", name: str = "Billing") -> GoldLabel:
    """A gold label that somebody's decision made."""
    ticket = make_ticket(text)
    answer(send_to_review(ticket)[0], person, name)
    gold_labels.sync_tickets([ticket.pk])
    return GoldLabel.objects.get(ticket=ticket)


def self_confidence(
    label: GoldLabel, name: str = "Account", tone: str = "Neutral", *, of: float = 0.1
) -> LabelSelfConfidence:
    return LabelSelfConfidence(
        gold_pk=label.pk, self_confidence=of, category_pk=category(name).pk, sentiment_pk=sentiment(tone).pk
    )


def many(number: int) -> list[GoldLabel]:
    """So many labels more, of texts alone."""
    of_first = {"group": make_gold("the first").group, "category": category("Billing"), "sentiment": sentiment()}
    texts = [f"text {place}" for place in range(number)]
    GoldLabel.objects.bulk_create(GoldLabel(text=text, digest=GoldLabel.digest_of(text), **of_first) for text in texts)
    return list(GoldLabel.objects.filter(text__in=texts))


def same(labels: Sequence[GoldLabel]) -> list[LabelSelfConfidence]:
    """A model that would give each of these as it was given."""
    return [
        LabelSelfConfidence(
            gold_pk=label.pk,
            self_confidence=0.9,
            category_pk=label.category_id or 0,
            sentiment_pk=label.sentiment_id or 0,
        )
        for label in labels
    ]


def words(content: bytes) -> str:
    """The page without its frame and its tags."""
    main = content.decode().split("<main")[-1]
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", main).split()))


def shows(client: Client, url: str = PAGE) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return words(response.content)


def press(
    client: Client, label_issue: LabelIssue, act: str, *, seen: str | None = None, htmx: bool = False, **sent: Any
) -> Any:
    """The answer to one of the page's forms; `seen` is what its page had shown, which is read from it else."""
    url = reverse(f"review:{act}", args=[label_issue.pk])
    sent["seen"] = token(client, label_issue) if seen is None else seen
    return client.post(url, sent, headers={"hx-request": "true"} if htmx else {}, follow=not htmx)


def token(client: Client, label_issue: LabelIssue) -> str:
    content = client.get(reverse("review:label_issue", args=[label_issue.pk])).content.decode()
    match = re.search(r'name="seen" value="([^"]*)"', content)
    assert match
    return html.unescape(match[1])


def take_it(client: Client, label_issue: LabelIssue, **values: Any) -> Any:
    """The model is right."""
    suggested = {"category": label_issue.category_id, "sentiment": label_issue.sentiment_id}
    return press(client, label_issue, "correct_label", **suggested | values)


def looked_at(label_issue: LabelIssue) -> bool:
    return LabelIssue.objects.get(pk=label_issue.pk).confirmed_at is not None


# What a training notes


def test_a_later_version_replaces_earlier_self_confidences() -> None:
    label, other = make_gold(), make_gold("The app is slow.", "Technical")
    label_issues.record_self_confidence(
        make_version(), [self_confidence(label, "Account", of=0.2), self_confidence(other, "Technical", of=0.9)]
    )
    later = make_version()
    label_issues.record_self_confidence(later, [self_confidence(label, "General", "Negative", of=0.3)])
    label_issue = LabelIssue.objects.get(gold=label)
    assert (
        label_issue.version,
        label_issue.self_confidence,
        label_issue.category.name,
        label_issue.sentiment.name,
    ) == (
        later,
        0.3,
        "General",
        "Negative",
    )
    assert LabelIssue.objects.count() == 2


def test_self_confidences_are_stored_in_few_statements(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    labels, version = many(1_200), make_version()
    believed = [self_confidence(label, of=0.2) for label in labels[:20]] + same(labels[20:])
    with django_assert_max_num_queries(30):
        label_issues.record_self_confidence(version, believed)
    assert LabelIssue.objects.count() == 1_200
    assert LabelIssue.objects.filter(self_confidence=0.2).count() == 20


def test_a_confirmed_label_stays_confirmed_in_later_versions(lead_client: Client, ana: User) -> None:
    label = of_ticket(ana)
    label_issue = make_label_issue(label, "Account")
    press(lead_client, label_issue, "keep_label")
    label_issues.record_self_confidence(make_version(), [self_confidence(label, "General", of=0.01)])
    assert looked_at(label_issue)
    assert "No label issues" in shows(lead_client)


def test_a_relabelled_label_can_become_an_issue_again(lead_client: Client, ana: User) -> None:
    label = of_ticket(ana)
    label_issue = make_label_issue(label, "Account")
    press(lead_client, label_issue, "keep_label")
    (decision,) = Decision.objects.all()
    undo(decision, ana)
    answer(leases.lease_next(ana), ana, "Technical")
    gold_labels.collect_from_decisions()
    label_issues.record_self_confidence(make_version(), [self_confidence(label, of=0.01)])
    assert not looked_at(label_issue)
    assert "Is Technical | Neutral right?" in shows(lead_client)


@pytest.mark.parametrize("out_of_use", [State.RETIRED, State.DISPUTED, State.WITHDRAWN])
def test_issues_of_unusable_labels_are_deleted(out_of_use: State) -> None:
    gone, fresh = make_gold(), make_gold("The app is slow.")
    make_label_issue(gone, "Account")
    GoldLabel.objects.update(state=out_of_use)
    label_issues.record_self_confidence(make_version(), [self_confidence(gone), self_confidence(fresh)])
    assert not LabelIssue.objects.exists()


def test_predictions_of_retired_labels_are_skipped() -> None:
    label, other = make_gold(), make_gold("The app is slow.")
    label_changes.retire(category("Account"))
    label_issues.record_self_confidence(
        make_version(), [self_confidence(label, "Account"), self_confidence(other, "Technical")]
    )
    assert list(LabelIssue.objects.values_list("gold", flat=True)) == [other.pk]


# The page


def test_the_lowest_self_confidence_comes_first_with_the_suggestion(lead_client: Client) -> None:
    make_label_issue(make_gold("It is a little odd."), "Account", self_confidence=0.4)
    make_label_issue(make_gold("My password is gone."), "Account", "Negative", self_confidence=0.07)
    page = shows(lead_client)
    assert "My password is gone." in page
    assert "It is a little odd." not in page
    assert "Is Billing | Neutral right?" in page
    assert "confidence in it 7%" in page
    assert "Correct it to Account | Negative" in page
    assert "2 left" in page


def test_the_page_hides_who_gave_the_label_and_when(lead_client: Client, ana: User) -> None:
    ana.username = "zanzibar"
    ana.save()
    label_issue = make_label_issue(of_ticket(ana), "Account")
    content = lead_client.get(PAGE).content.decode().split("<main")[1]
    assert "zanzibar" not in content
    assert "<time" not in content
    assert f"{label_issue.gold.labelled_at:%Y-%m}" not in content


def test_only_labels_that_the_model_predicts_differently_are_listed(lead_client: Client) -> None:
    make_label_issue(make_gold("Unsure, yet the same."), "Billing", "Neutral", self_confidence=0.01)
    assert "No label issues" in shows(lead_client)
    make_label_issue(make_gold("Only the tone."), "Billing", "Negative", self_confidence=0.3)
    assert "Only the tone." in shows(lead_client)


def test_hostile_text_is_escaped(lead_client: Client) -> None:
    make_label_issue(make_gold("<script>alert(1)</script>"), "Account")
    assert "<script>alert(1)" not in lead_client.get(PAGE).content.decode()
    assert "<script>alert(1)" in shows(lead_client)


def test_a_very_long_text_is_truncated_with_a_note(lead_client: Client) -> None:
    make_label_issue(make_gold("long " * 5_000), "Account")
    assert "… and 5,000 characters more" in shows(lead_client)


def test_a_label_whose_ticket_is_under_review_is_not_listed(lead_client: Client, ana: User) -> None:
    make_label_issue(of_ticket(ana), "Account")
    undo(Decision.objects.get(), ana)
    assert "No label issues" in shows(lead_client)


def test_the_page_costs_the_same_however_many_labels_there_are(
    lead_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_label_issue(make_gold(), "Account")
    lead_client.get(PAGE)
    with django_assert_num_queries(9):
        lead_client.get(PAGE)
    version, suggested = make_version(), {"category": category("Account"), "sentiment": sentiment()}
    LabelIssue.objects.bulk_create(
        LabelIssue(gold=label, version=version, self_confidence=0.2, **suggested) for label in many(1_200)
    )
    with django_assert_num_queries(9):
        assert "more than 999 left" in shows(lead_client)


# Keeping


def test_a_kept_label_is_not_shown_again(lead_client: Client, lea: User) -> None:
    label_issue = make_label_issue(make_gold(), "Account")
    page = words(press(lead_client, label_issue, "keep_label").content)
    assert "Label kept." in page
    assert "No label issues" in page
    label_issue.refresh_from_db()
    assert label_issue.confirmed_by == lea
    assert label_issue.gold.category.name == "Billing"


def test_keeping_twice_keeps_it_once(lead_client: Client, lea: User, admin: User) -> None:
    label_issue = make_label_issue(make_gold(), "Account")
    seen = token(lead_client, label_issue)
    press(lead_client, label_issue, "keep_label", seen=seen)
    first = LabelIssue.objects.get()
    lead_client.force_login(admin)
    page = words(press(lead_client, label_issue, "keep_label", seen=seen).content)
    assert "Nothing changed" in page
    assert LabelIssue.objects.get().confirmed_at == first.confirmed_at
    assert LabelIssue.objects.get().confirmed_by == lea


def test_the_next_label_issue_comes_with_the_answer(lead_client: Client) -> None:
    label_issue = make_label_issue(make_gold("The first."), "Account", self_confidence=0.1)
    make_label_issue(make_gold("The second."), "Account", self_confidence=0.2)
    response = press(lead_client, label_issue, "keep_label", htmx=True)
    assert response.status_code == 200
    part = words(response.content)
    assert "<html" not in response.content.decode()
    assert "The second." in part
    assert "1 left" in part
    assert "Label kept." in part
    assert response["HX-Replace-Url"] == PAGE


# Correcting what a ticket taught


def test_correcting_a_tickets_label_settles_it_by_a_new_decision(lead_client: Client, ana: User, lea: User) -> None:
    label = of_ticket(ana)
    label_issue = make_label_issue(label, "Account", "Negative")
    page = words(take_it(lead_client, label_issue).content)
    assert "Label changed to Account | Negative." in page
    label.refresh_from_db()
    assert (label.category.name, label.sentiment.name, label.state) == ("Account", "Negative", State.ACTIVE)
    assert (label.corrected, label.people) == (True, 1)
    first, second = Decision.objects.order_by("pk")
    assert (first.reviewer, first.category.name) == (ana, "Billing")
    assert (second.reviewer, second.category.name, second.verdict, second.blind) == (lea, "Account", "corrected", False)
    assert label.ticket
    assert decisions.final_decision(label.ticket) == second
    assert looked_at(label_issue)
    assert_consistent()


def test_a_corrected_label_survives_collection_and_later_versions(lead_client: Client, ana: User) -> None:
    label = of_ticket(ana)
    label_issue = make_label_issue(label, "Account")
    take_it(lead_client, label_issue)
    gold_labels.collect_from_decisions()
    label_issues.record_self_confidence(make_version(), [self_confidence(label, "General")])
    label.refresh_from_db()
    assert label.category.name == "Account"
    assert looked_at(label_issue)
    assert "No label issues" in shows(lead_client)


def test_any_other_label_can_be_chosen(lead_client: Client, ana: User) -> None:
    label = of_ticket(ana)
    sent: dict[str, Any] = {"category": category("General").pk, "sentiment": sentiment("Positive").pk}
    press(lead_client, make_label_issue(label, "Account"), "correct_label", **sent)
    label.refresh_from_db()
    assert (label.category.name, label.sentiment.name) == ("General", "Positive")
    assert_consistent()


def test_choosing_the_given_label_keeps_it(lead_client: Client, ana: User) -> None:
    label = of_ticket(ana)
    label_issue = make_label_issue(label, "Account")
    press(lead_client, label_issue, "correct_label", category=label.category_id, sentiment=label.sentiment_id)
    assert Decision.objects.count() == 1
    assert looked_at(label_issue)


@pytest.mark.parametrize("sent", [{}, {"category": "7777777", "sentiment": "x"}])
def test_correcting_to_a_label_that_is_not_offered_is_refused(
    lead_client: Client, ana: User, sent: dict[str, Any]
) -> None:
    label_issue = make_label_issue(of_ticket(ana), "Account")
    assert "Choose a category and a sentiment." in words(
        press(lead_client, label_issue, "correct_label", **sent).content
    )
    assert Decision.objects.count() == 1
    assert not looked_at(label_issue)


def test_the_person_who_gave_a_label_can_correct_it(lead_client: Client, lea: User) -> None:
    label = of_ticket(lea)
    take_it(lead_client, make_label_issue(label, "Account"))
    label.refresh_from_db()
    assert label.category.name == "Account"
    assert [(decision.verdict, decision.reviewer) for decision in Decision.objects.order_by("pk")] == [
        ("corrected", lea),
        ("undone", lea),
        ("corrected", lea),
    ]
    assert_consistent()


def test_a_label_can_be_corrected_again_and_again(lead_client: Client, ana: User) -> None:
    label = of_ticket(ana)
    label_issue = make_label_issue(label, "Account")
    for name in ("Account", "General", "Billing", "Technical"):
        press(lead_client, label_issue, "correct_label", category=category(name).pk, sentiment=sentiment().pk)
        label.refresh_from_db()
        assert label.category.name == name
    assert_consistent()


def test_a_correction_outweighs_two_people_who_agreed(lead_client: Client, ana: User, ben: User) -> None:
    configure_review(double_share=1)
    ticket = make_ticket()
    send_to_review(ticket)
    for person in (ana, ben):
        answer(leases.lease_next(person), person, "Billing")
    gold_labels.collect_from_decisions()
    take_it(lead_client, make_label_issue(GoldLabel.objects.get(), "Account"))
    label = GoldLabel.objects.get()
    assert (label.category.name, label.origin, label.people) == ("Account", "decision", 1)
    with pytest.raises(CannotUndo):
        undo(Decision.objects.by(ana).get(), ana)
    assert_consistent()


def test_a_correction_can_be_undone_on_the_review_screen(lead_client: Client, ana: User, lea: User) -> None:
    label = of_ticket(ana)
    take_it(lead_client, make_label_issue(label, "Account"))
    assert label.ticket
    undo(Decision.objects.by(lea).get(), lea)
    assert state(label.ticket) == Ticket.State.NEEDS_REVIEW
    answer(leases.lease_next(lea, Assignment.Lane.LEADS), lea, "General")
    gold_labels.collect_from_decisions()
    label.refresh_from_db()
    assert (label.category.name, label.state) == ("General", State.ACTIVE)
    assert_consistent()


def test_a_corrected_ticket_counts_once_in_its_duplicate_group(lead_client: Client, ana: User) -> None:
    text = "My card was charged twice for the same invoice of this month, please refund it. Order {}"
    take_it(lead_client, make_label_issue(of_ticket(ana, text.format(1)), "Account"))
    send_to_review(make_ticket(text.format(2)))
    assert "1 was decided as Account | Neutral" in shows(lead_client, reverse("review:screen"))


def test_correcting_twice_decides_once(lead_client: Client, ana: User) -> None:
    label_issue = make_label_issue(of_ticket(ana), "Account")
    seen = token(lead_client, label_issue)
    for _time in range(2):
        take_it(lead_client, label_issue, seen=seen)
    assert Decision.objects.count() == 2
    assert_consistent()


def test_a_second_tab_is_told_why_its_answer_was_not_recorded(lead_client: Client, ana: User) -> None:
    label_issue = make_label_issue(of_ticket(ana), "Account")
    seen = token(lead_client, label_issue)
    press(lead_client, label_issue, "keep_label", seen=seen)
    assert "you have already checked that label" in words(take_it(lead_client, label_issue, seen=seen).content)


def test_the_second_of_two_reviewers_changes_nothing(lead_client: Client, ana: User, admin: User) -> None:
    label = of_ticket(ana)
    label_issue = make_label_issue(label, "Account")
    seen = token(lead_client, label_issue)
    press(lead_client, label_issue, "keep_label", seen=seen)
    lead_client.force_login(admin)
    assert "someone else has checked that label" in words(take_it(lead_client, label_issue, seen=seen).content)
    label.refresh_from_db()
    assert label.category.name == "Billing"
    assert Decision.objects.count() == 1


def test_a_label_changed_meanwhile_is_not_confirmed_from_a_stale_page(lead_client: Client, ana: User) -> None:
    label = of_ticket(ana)
    label_issue = make_label_issue(label, "Account")
    seen = token(lead_client, label_issue)
    undo(Decision.objects.get(), ana)
    answer(leases.lease_next(ana), ana, "Technical")
    gold_labels.collect_from_decisions()
    assert "Nothing changed" in words(press(lead_client, label_issue, "keep_label", seen=seen).content)
    assert not looked_at(label_issue)


@pytest.mark.django_db(transaction=True)
def test_only_one_of_two_concurrent_answers_counts(ana: User, lea: User, admin: User) -> None:
    label = of_ticket(ana)
    pk = make_label_issue(label, "Account").pk
    label_issue, other = (LabelIssue.objects.select_related("gold").get(pk=pk) for _person in range(2))
    account, general, neutral = category("Account"), category("General"), sentiment()
    heard = run_concurrently(
        [
            lambda: label_issues.correct(label_issue, lea, account, neutral),
            lambda: label_issues.correct(other, admin, general, neutral),
        ]
    )
    assert sorted(heard) == [False, True]
    label.refresh_from_db()
    assert label.category.name == ("Account" if heard[0] else "General")
    assert Decision.objects.count() == 2
    assert_consistent()


# Correcting what came as a text alone


def test_correcting_a_label_without_a_ticket_notes_the_old_label(lead_client: Client, lea: User) -> None:
    label = make_gold()
    label_issue = make_label_issue(label, "Account", "Negative")
    take_it(lead_client, label_issue)
    label.refresh_from_db()
    assert (label.category.name, label.sentiment.name) == ("Account", "Negative")
    assert (label.note, label.origin, label.state) == ("was Billing | Neutral", "decision", State.ACTIVE)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (lea, str(label.pk))
    assert "was Billing | Neutral" in entry.get_change_message()
    assert looked_at(label_issue)
    assert not Ticket.objects.exists()


def test_a_corrected_label_does_not_become_an_issue_again(lead_client: Client) -> None:
    label = make_gold()
    label_issue = make_label_issue(label, "Account")
    take_it(lead_client, label_issue)
    label_issues.record_self_confidence(make_version(), [self_confidence(label, "General")])
    assert looked_at(label_issue)


def test_a_label_merged_after_it_was_chosen_becomes_its_successor(lea: User) -> None:
    label = make_gold()
    label_issue, account = make_label_issue(label, "Account"), category("Account")
    label_changes.merge(account, category("General"))
    assert label_issues.correct(label_issue, lea, account, sentiment())
    label.refresh_from_db()
    assert label.category.name == "General"


# Second thoughts, and no thoughts


def test_a_label_kept_by_mistake_can_be_reopened(lead_client: Client) -> None:
    label = make_gold()
    label_issue = make_label_issue(label, "Account")
    page = press(lead_client, label_issue, "keep_label", htmx=True).content.decode()
    again = reverse("review:label_issue", args=[label_issue.pk])
    assert again in page
    assert "Someone has already checked this label." in shows(lead_client, again)
    take_it(lead_client, label_issue)
    label.refresh_from_db()
    assert label.category.name == "Account"


def test_disputing_a_label_asks_two_reviewers(lead_client: Client, ana: User, ben: User) -> None:
    label = make_gold()
    label_issue = make_label_issue(label, "Account")
    assert "Two reviewers will label it" in words(press(lead_client, label_issue, "dispute_label").content)
    label.refresh_from_db()
    assert label.state == State.DISPUTED
    assert lead_client.get(reverse("review:label_issue", args=[label_issue.pk])).status_code == 404
    for person in (ana, ben):
        answer(leases.lease_next(person), person, "Billing")
    gold_labels.collect_from_decisions()
    label.refresh_from_db()
    assert label.state == State.ACTIVE
    assert "No label issues" in shows(lead_client)


def test_a_disputed_label_cannot_be_kept_from_an_old_page(lead_client: Client, lea: User) -> None:
    label_issue = make_label_issue(make_gold(), "Account")
    seen = token(lead_client, label_issue)
    press(lead_client, label_issue, "dispute_label", seen=seen)
    for act in ("keep_label", "dispute_label"):
        assert "Nothing changed" in words(press(lead_client, label_issue, act, seen=seen).content)


def test_undoing_a_bulk_decision_leaves_later_corrections_alone(ana: User, lea: User) -> None:
    assignments = send_to_review(
        make_ticket("The first of two in one go"), make_ticket("Something else, second in one go")
    )
    made = decisions.decide_many(assignments, ana, Label(category("Billing"), sentiment()))
    corrected, other = (label.ticket for label in made)
    gold_labels.sync_tickets([corrected.pk])
    assert label_issues.correct(
        make_label_issue(GoldLabel.objects.get(ticket=corrected), "Account"), lea, category("Account"), sentiment()
    )
    undo(made[0], ana)
    assert [state(corrected), state(other)] == ["settled", "needs_review"]
    assert Ticket.objects.get(pk=corrected.pk).category == category("Account")
    assert_consistent()


def test_held_out_labels_go_to_two_blind_reviewers_and_nobody_sees_the_suggestion(
    lead_client: Client, lea: User
) -> None:
    label_issue = make_label_issue(make_gold(), "Account", side=Side.BENCHMARK)
    content = shows(lead_client)
    assert "The model also disagrees with 1 held-out label." in content
    assert "No label issues" in content
    assert "Account" not in content
    for act in ("keep_label", "correct_label", "dispute_label", "label_issue"):
        url = reverse(f"review:{act}", args=[label_issue.pk])
        answered = lead_client.get(url) if act == "label_issue" else lead_client.post(url, {"category": 1, "seen": ""})
        assert answered.status_code == 404 or "Choose a category" in words(lead_client.get(PAGE).content)
    response = lead_client.post(reverse("review:dispute_held_out"), follow=True)
    assert "1 benchmark label goes to two reviewers" in words(response.content)
    assert GoldLabel.objects.get().state == State.DISPUTED
    asked = Assignment.objects.filter(purpose="double", blind=True, excluded_reviewer=lea, category=None)
    assert asked.count() == 2
    assert "held-out" not in shows(lead_client)
