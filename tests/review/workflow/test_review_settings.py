"""Review settings are one row; their draws match the shares and can be checked later."""

from math import sqrt

import pytest
from django.db import IntegrityError, transaction

from review.models import Assignment, ReviewSettings
from review.workflow.assigning import draw_purpose
from tests.factories import configure_review, make_ticket, send_to_review

TICKETS = range(1, 2_001)


def is_about(count: int, share: float) -> bool:
    """Whether a count is within four standard deviations of its expected share."""
    return abs(count - len(TICKETS) * share) <= 4 * sqrt(len(TICKETS) * share * (1 - share))


@pytest.mark.django_db
def test_review_settings_are_created_when_first_needed_and_stay_single() -> None:
    ReviewSettings.objects.all().delete()
    review_settings = ReviewSettings.current()
    assert review_settings == ReviewSettings.current()
    assert (review_settings.blind_share, review_settings.double_share, review_settings.lease_minutes) == (0.1, 0.05, 10)
    assert review_settings.sample_share == 0.02
    with pytest.raises(IntegrityError), transaction.atomic():
        ReviewSettings.objects.create(pk=2)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong", [{"blind_share": 1.01}, {"double_share": -0.1}, {"sample_share": 2}, {"lease_minutes": 0}]
)
def test_settings_outside_their_range_are_rejected(wrong: dict[str, float]) -> None:
    review_settings = ReviewSettings.current()
    with pytest.raises(IntegrityError), transaction.atomic():
        ReviewSettings.objects.filter(pk=review_settings.pk).update(**wrong)


@pytest.mark.parametrize(("blind", "double"), [(0.1, 0.05), (0.5, 0.5), (0.02, 0.3)])
def test_drawn_shares_match_the_settings(blind: float, double: float) -> None:
    draws = [draw_purpose(ReviewSettings(blind_share=blind, double_share=double, seed="seed"), pk) for pk in TICKETS]
    assert is_about(sum(draw.purpose == Assignment.Purpose.DOUBLE for draw in draws), double)
    assert is_about(
        sum(draw.purpose == Assignment.Purpose.REVIEW and draw.blind for draw in draws), blind * (1 - double)
    )
    assert is_about(sum(not draw.blind for draw in draws), (1 - blind) * (1 - double))


def test_every_draw_records_its_probability() -> None:
    review_settings = ReviewSettings(blind_share=0.1, double_share=0.05, seed="seed")
    draws = [draw_purpose(review_settings, pk) for pk in TICKETS]
    shares = {(draw.purpose, draw.blind): draw.share for draw in draws}
    assert shares == {
        (Assignment.Purpose.DOUBLE, True): pytest.approx(0.05),
        (Assignment.Purpose.REVIEW, True): pytest.approx(0.95 * 0.1),
        (Assignment.Purpose.REVIEW, False): pytest.approx(0.95 * 0.9),
    }


def test_draws_repeat_with_the_same_seed_only() -> None:
    def drawn(seed: str) -> list[bool]:
        return [draw_purpose(ReviewSettings(blind_share=0.5, double_share=0, seed=seed), pk).blind for pk in TICKETS]

    assert drawn("one") == drawn("one")
    assert is_about(sum(a == b for a, b in zip(drawn("one"), drawn("another"), strict=True)), 0.5)


def test_draws_for_different_purposes_are_independent() -> None:
    review_settings = ReviewSettings(seed="seed")
    both = sum(review_settings.draw(pk, "double") < 0.5 and review_settings.draw(pk, "blind") < 0.5 for pk in TICKETS)
    assert is_about(both, 0.25)


@pytest.mark.parametrize(
    ("blind", "double", "all_are"),
    [(0, 0, ("review", False)), (1, 0, ("review", True)), (0, 1, ("double", True)), (1, 1, ("double", True))],
)
def test_share_of_0_draws_none_and_of_1_draws_all(blind: float, double: float, all_are: tuple[str, bool]) -> None:
    draws = [draw_purpose(ReviewSettings(blind_share=blind, double_share=double, seed="seed"), pk) for pk in TICKETS]
    assert {(str(draw.purpose), draw.blind, draw.share) for draw in draws} == {(*all_are, 1.0)}


@pytest.mark.usefixtures("catalogue")
def test_assignments_have_the_drawn_purposes() -> None:
    review_settings = configure_review(blind_share=0.4, double_share=0.3)
    assignments = send_to_review(*(make_ticket(f"ticket {number}") for number in range(40)))
    for assignment in assignments:
        assert (assignment.purpose, assignment.blind, assignment.share) == draw_purpose(
            review_settings, assignment.ticket_id
        )
    assert len({(assignment.purpose, assignment.blind) for assignment in assignments}) == 3
    assert [assignment.number for assignment in assignments if assignment.purpose == "double"] == [1, 2] * (
        len(assignments) - 40
    )
