"""The quality report, computed from real decisions."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from classifier.models import Category, Sentiment, Ticket
from review.models import Assignment, Decision
from review.reports import quality
from review.reports.quality import QualityReport, quality_report
from review.stats import agreement, intervals
from review.stats.intervals import Estimate
from review.workflow import decisions
from review.workflow.decision_records import Presented
from tests.factories import configure_review, distinct_text, make_ticket, send_to_review
from tests.review.actions import answer, escalate, skip, undo

pytestmark = pytest.mark.usefixtures("catalogue")

BILLING, TECHNICAL, ACCOUNT = ("Billing", "Negative"), ("Technical", "Negative"), ("Account", "Neutral")


def label_twice(people: tuple[User, User], first: tuple[str, str], second: tuple[str, str]) -> Ticket:
    """A ticket that two people label independently."""
    configure_review(double_share=1)
    ticket = make_ticket(distinct_text())
    for assignment, person, name in zip(send_to_review(ticket), people, (first, second), strict=True):
        answer(assignment, person, *name)
    return ticket


def adjudicate(ticket: Ticket, lead: User, name: tuple[str, str]) -> None:
    answer(Assignment.objects.get(ticket=ticket, purpose="adjudication"), lead, *name)


def review_once(person: User, *, blind: bool, accept: bool, confidence: float = 0.5) -> Decision:
    """One person reviews a ticket that the model labels Billing."""
    configure_review(blind_share=1 if blind else 0)
    ticket = make_ticket(distinct_text())
    (assignment,) = send_to_review(
        ticket,
        confidence=confidence,
        category=Category.objects.get(name="Billing"),
        sentiment=Sentiment.objects.get(name="Negative"),
    )
    shown = Presented() if blind else Presented(prediction=ticket.predictions.get())
    return answer(assignment, person, *(BILLING if accept else TECHNICAL), shown=shown)


def make_decisions_older(days: float) -> None:
    """Backdate all decisions by this many days."""
    Decision.objects.update(created_at=timezone.now() - timedelta(days=days))


def figures(report: QualityReport) -> dict[str, Estimate]:
    return {axis.name: axis.raw for axis in report.axes}


# Agreement


@pytest.mark.postgresql
def test_agreement_is_computed_from_pairs_of_labels(ana: User, ben: User) -> None:
    pairs = [(BILLING, BILLING)] * 4 + [(BILLING, TECHNICAL)] * 2 + [(TECHNICAL, TECHNICAL)] * 3 + [(ACCOUNT, BILLING)]
    for first, second in pairs:
        label_twice((ana, ben), first, second)
    report = quality_report()
    assert report.pairs == 10
    expected = {"Category": 0, "Sentiment": 1}
    for axis in report.axes:
        labels = [
            (first, second) if axis.name == "Both" else (first[expected[axis.name]], second[expected[axis.name]])
            for first, second in pairs
        ]
        assert axis.raw == agreement.raw_agreement(labels), axis.name
        assert axis.alpha.estimate == pytest.approx(agreement.alpha(labels).estimate), axis.name


@pytest.mark.postgresql
def test_ticket_with_one_label_is_no_pair(ana: User) -> None:
    configure_review(double_share=1)
    answer(send_to_review(make_ticket())[0], ana)
    assert quality_report().pairs == 0


@pytest.mark.postgresql
def test_undone_label_makes_no_pair(ana: User, ben: User) -> None:
    label_twice((ana, ben), BILLING, BILLING)
    undo(Decision.objects.get(reviewer=ben), ben)
    assert quality_report().pairs == 0


def test_label_given_after_a_reveal_makes_no_pair(ana: User, ben: User) -> None:
    ticket = label_twice((ana, ben), BILLING, BILLING)
    undo(Decision.objects.get(reviewer=ben), ben)
    answer(Assignment.objects.open().get(ticket=ticket), ben, *BILLING)
    ticket.refresh_from_db()
    assert ticket.state == Ticket.State.SETTLED
    assert quality_report().pairs == 0


def test_old_pairs_are_left_out(ana: User, ben: User) -> None:
    label_twice((ana, ben), BILLING, TECHNICAL)
    make_decisions_older(days=91)
    label_twice((ana, ben), BILLING, BILLING)
    age_now = figures(quality_report())
    assert age_now["Both"] == intervals.share(1, 1)


def test_only_the_latest_pairs_are_used(ana: User, ben: User, monkeypatch: pytest.MonkeyPatch) -> None:
    label_twice((ana, ben), BILLING, TECHNICAL)
    for _time in range(3):
        label_twice((ana, ben), BILLING, BILLING)
    monkeypatch.setattr(quality, "DOUBLES", 3)
    assert figures(quality_report())["Both"] == intervals.share(3, 3)


def test_adjudication_is_not_a_third_label(ana: User, ben: User, lea: User) -> None:
    adjudicate(label_twice((ana, ben), BILLING, TECHNICAL), lea, BILLING)
    assert figures(quality_report())["Both"] == intervals.share(0, 1)


@pytest.mark.parametrize(
    ("agreeing", "differing", "interpretation"),
    [
        (30, 0, "everyone gave the same label"),
        (15, 0, "too few pairs to judge"),
        (14, 6, "unreliable"),
    ],
)
def test_alpha_has_an_interpretation(ana: User, ben: User, agreeing: int, differing: int, interpretation: str) -> None:
    for _time in range(agreeing):
        label_twice((ana, ben), BILLING, BILLING)
    for _time in range(differing):
        label_twice((ana, ben), BILLING, TECHNICAL)
    assert quality_report().axes[0].interpretation == interpretation


@pytest.mark.parametrize(("value", "interpretation"), [(0.8, "reliable"), (0.79, "tentative"), (0.66, "unreliable")])
def test_interpretation_uses_krippendorffs_limits(value: float, interpretation: str) -> None:
    unknown = Estimate(None, None, None, 50)
    axis = quality.AgreementFigures(name="", raw=unknown, alpha=Estimate(value, 0.1, 0.9, 50))
    assert axis.interpretation == interpretation


def test_categories_with_the_lowest_agreement_come_first(ana: User, ben: User) -> None:
    for _time in range(6):
        label_twice((ana, ben), BILLING, TECHNICAL)
        label_twice((ana, ben), TECHNICAL, TECHNICAL)
        label_twice((ana, ben), BILLING, BILLING)
        label_twice((ana, ben), TECHNICAL, TECHNICAL)
    label_twice((ana, ben), ACCOUNT, ACCOUNT)
    billing, technical = quality_report().categories
    assert (billing.name, billing.both, billing.confused_with) == ("Billing", intervals.share(6, 12), "Technical")
    assert (technical.name, technical.both, technical.confused_with) == (
        "Technical",
        intervals.share(12, 18),
        "Billing",
    )


def test_nested_category_has_its_full_name(ana: User, ben: User) -> None:
    Category.objects.create(name="VPN", parent=Category.objects.get(name="Technical"))
    for _time in range(10):
        label_twice((ana, ben), ("VPN", "Neutral"), ("VPN", "Neutral"))
    assert [(row.name, row.confused_with) for row in quality_report().categories] == [("Technical > VPN", "")]


# Anchoring


def test_anchoring_is_the_difference_between_shown_and_blind_reviews(ana: User) -> None:
    for accept in (True, True, True, False):
        review_once(ana, blind=False, accept=accept)
    for accept in (True, False, False):
        review_once(ana, blind=True, accept=accept)
    anchoring = quality_report().anchoring
    assert anchoring.shown == intervals.share(3, 4)
    assert anchoring.blind == intervals.share(1, 3)
    assert anchoring.gap == intervals.difference(anchoring.shown, anchoring.blind)
    assert anchoring.interpretation == "These reviews show no clear influence."


def test_significant_anchoring_is_stated(ana: User) -> None:
    for _time in range(8):
        review_once(ana, blind=False, accept=True)
        review_once(ana, blind=True, accept=False)
    assert quality_report().anchoring.interpretation == "Seeing the suggestion makes people agree with it more often."


def test_negative_anchoring_is_stated(ana: User) -> None:
    for _time in range(8):
        review_once(ana, blind=False, accept=False)
        review_once(ana, blind=True, accept=True)
    assert quality_report().anchoring.interpretation == "Seeing the suggestion makes people agree with it less often."


def test_reviewers_who_always_say_the_truth_are_not_called_contrary(ana: User) -> None:
    """They see suggestions of doubtful tickets first, which the model gets wrong more often."""
    for confidence, shown, blind in ((0.3, 9, 3), (0.8, 3, 9)):
        for number in range(shown + blind):
            review_once(ana, blind=number >= shown, accept=confidence > 0.5, confidence=confidence)
    anchoring = quality_report().anchoring
    assert anchoring.shown.estimate == pytest.approx(anchoring.blind.estimate) == 0.5
    assert anchoring.interpretation == "These reviews show no clear influence."


def test_anchoring_compares_only_equally_confident_predictions(ana: User) -> None:
    review_once(ana, blind=False, accept=True, confidence=0.3)
    review_once(ana, blind=True, accept=True, confidence=0.8)
    assert quality_report().anchoring.interpretation == ""


def test_anchoring_needs_reviews_of_both_kinds(ana: User) -> None:
    review_once(ana, blind=False, accept=True)
    assert quality_report().anchoring.interpretation == ""


def test_anchoring_counts_only_single_reviews(ana: User, ben: User) -> None:
    """Leaves out bulk decisions, double labels, undone ones and tickets without a suggestion."""
    configure_review()
    decisions.decide_many(send_to_review(make_ticket("one"), make_ticket("two")), ana)
    label_twice((ana, ben), BILLING, BILLING)
    undo(review_once(ana, blind=False, accept=True), ana)
    configure_review()
    answer(send_to_review(make_ticket())[0], ana)
    assert quality_report().anchoring.shown.n == quality_report().anchoring.blind.n == 0


def test_anchoring_ignores_second_answers_to_a_blind_review(ana: User) -> None:
    first = review_once(ana, blind=True, accept=False)
    undo(first, ana)
    assignment = Assignment.objects.open().get(ticket=first.ticket)
    assert assignment.blind is False
    answer(assignment, ana, *BILLING, shown=Presented(prediction=first.prediction))
    assert quality_report().anchoring.shown.n == quality_report().anchoring.blind.n == 0


def test_anchoring_ignores_old_reviews(ana: User) -> None:
    review_once(ana, blind=False, accept=True)
    make_decisions_older(days=91)
    assert quality_report().anchoring.shown.n == 0


# Agents


def test_activity_covers_the_last_week(ana: User, ben: User) -> None:
    review_once(ana, blind=False, accept=False)
    make_decisions_older(days=8)
    for accept in (True, True, False):
        review_once(ana, blind=False, accept=accept)
    review_once(ana, blind=True, accept=True)
    configure_review()
    skip(send_to_review(make_ticket())[0], ana)
    escalate(send_to_review(make_ticket())[0], ana)
    undo(review_once(ana, blind=False, accept=True), ana)
    Decision.objects.filter(verdict="accepted").update(seconds=4)
    Decision.objects.filter(verdict="corrected").update(seconds=9)
    Decision.objects.filter(verdict__in=["skipped", "escalated"]).update(seconds=600)
    (agent,) = quality_report().agents
    assert (agent.name, agent.decisions, agent.seconds) == ("ana", 6, 4)
    shares = (agent.accepted, agent.corrected, agent.blind, agent.skipped, agent.escalated)
    assert shares == pytest.approx((2 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 6))
    assert agent.last_seen == Decision.objects.get(verdict="escalated").created_at
    assert agent.lead_agreed.n == 0


def test_lead_agreement_is_the_share_of_labels_that_a_lead_chose(ana: User, ben: User, lea: User) -> None:
    adjudicate(label_twice((ana, ben), BILLING, TECHNICAL), lea, BILLING)
    adjudicate(label_twice((ben, ana), BILLING, TECHNICAL), lea, TECHNICAL)
    adjudicate(label_twice((ana, ben), BILLING, TECHNICAL), lea, ACCOUNT)
    label_twice((ana, ben), BILLING, TECHNICAL)
    label_twice((ana, ben), BILLING, BILLING)
    lead_agreed = {agent.name: agent.lead_agreed for agent in quality_report().agents}
    assert lead_agreed == {"ana": intervals.share(2, 3), "ben": intervals.share(0, 3), "lea": intervals.share(0, 0)}


def test_undone_adjudication_does_not_count_as_agreement(ana: User, ben: User, lea: User) -> None:
    adjudicate(label_twice((ana, ben), BILLING, TECHNICAL), lea, BILLING)
    undo(Decision.objects.get(reviewer=lea), lea)
    assert {agent.lead_agreed.n for agent in quality_report().agents} == {0}


# Limits


def test_report_without_data_has_no_figures() -> None:
    report = quality_report()
    assert (report.pairs, report.categories, report.agents) == (0, [], [])
    assert {axis.raw.estimate for axis in report.axes} == {None}


def test_report_takes_as_many_queries_for_any_amount_of_data(
    ana: User, ben: User, lea: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _time in range(11):
        ticket = label_twice((ana, ben), BILLING, TECHNICAL)
    adjudicate(ticket, lea, BILLING)
    with django_assert_num_queries(5):
        quality_report()


def test_report_reads_a_bounded_number_of_rows(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "LATEST", 2)
    for _time in range(3):
        review_once(ana, blind=False, accept=True)
    assert quality_report().agents[0].decisions == 2
