"""Near-duplicates: how alike two texts are, and which tickets share a group."""

import random
import string

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from classifier.models import Ticket
from review.duplicates import minhash
from review.duplicates.groups import groups_of
from review.duplicates.minhash import (
    ALIKE,
    bands,
    shingles,
    similarity,
)
from review.models import Likeness
from tests.factories import configure_review, hold, make_ticket
from tests.review.actions import judge_again

OUTAGE = "Nothing loads since this morning and our whole team is waiting. Please fix this outage as soon as possible."
LOGIN = "I forgot my password, and the link in the mail that you sent me says that it has expired. What can I do now?"
INVOICE = "Could you tell me why the invoice of last month is higher than the ones before, although nothing changed?"

texts = st.text(min_size=1, max_size=300)
sets = st.frozensets(st.integers(0, 2**32 - 1), min_size=1, max_size=200)


def of(one: str, other: str) -> float:
    return similarity(shingles(one), shingles(other))


@given(texts)
def test_a_text_is_just_like_itself_and_shares_all_bands(text: str) -> None:
    assert of(text, text) == 1
    assert bands(shingles(text)) == bands(shingles(text))


@given(sets, sets)
def test_likeness_is_mutual_and_between_0_and_1(one: frozenset[int], other: frozenset[int]) -> None:
    assert similarity(one, other) == similarity(other, one)
    assert 0 <= similarity(one, other) <= 1
    assert (similarity(one, other) == 1) is (one == other)


@given(sets)
def test_bands_fit_the_columns_that_keep_them(found: frozenset[int]) -> None:
    assert len(bands(found)) == minhash.BANDS
    assert all(-(2**63) <= band < 2**63 for band in bands(found))


@given(st.text(alphabet="ab c", min_size=1, max_size=60))
def test_case_marks_and_numbers_do_not_tell_texts_apart(text: str) -> None:
    assert of(f"{text} order 1", f"{text.upper()}... ORDER 4711!") == 1


@pytest.mark.parametrize("text", [" ", "?", "!!!", "\n\n", "7", "ab", "\ud800", "🙂", "x" * 100_000])
def test_whatever_was_sent_has_shingles(text: str) -> None:
    assert shingles(text)
    assert len(bands(shingles(text))) == minhash.BANDS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (OUTAGE, f"Hi, {OUTAGE.lower()} Thanks, Jo"),
        (OUTAGE, OUTAGE.replace("this morning", "yesterday evening")),
        ("Где мой заказ номер 12? Я жду уже две недели.", "Где мой заказ номер 9981? Я жду уже две недели!!"),
        ("我的订单在哪里？已经等了两个星期了。", "你好，我的订单在哪里？已经等了两个星期了！"),
    ],
)
def test_the_same_complaint_in_slightly_other_words_is_alike(one: str, other: str) -> None:
    assert of(one, other) >= ALIKE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (OUTAGE, LOGIN),
        (LOGIN, INVOICE),
        ("Где мой заказ? Я жду уже две недели.", "Я не могу войти в свой аккаунт, помогите."),
        ("我的订单在哪里？已经等了两个星期了。", "我无法登录我的账户，请帮帮我。"),
    ],
)
def test_different_complaints_are_not_alike(one: str, other: str) -> None:
    assert of(one, other) < ALIKE / 2


def test_texts_that_are_alike_nearly_always_share_a_band_and_others_hardly_ever() -> None:
    def share(length: int, changed: int) -> float:
        return sum(_shares_a_band(draw, length, changed) for _time in range(300)) / 300

    draw = random.Random(7)  # noqa: S311 - texts for a test
    assert share(300, 3) > 0.9
    assert share(300, 200) < 0.05


def _shares_a_band(draw: random.Random, length: int, changed: int) -> bool:
    """Of a random text and one with that many letters changed."""
    text = draw.choices(string.ascii_lowercase, k=length)
    other = list(text)
    for place in draw.sample(range(length), changed):
        other[place] = "-"
    pairs = zip(bands(shingles("".join(text))), bands(shingles("".join(other))), strict=True)
    return any(one == two for one, two in pairs)


def groups(tickets: list[Ticket]) -> list[int]:
    found = dict(Likeness.objects.values_list("pk", "group"))
    return [found[ticket.pk] for ticket in tickets]


@pytest.fixture
def review_settings(catalogue: None) -> None:
    configure_review()


@pytest.mark.usefixtures("review_settings")
def test_what_comes_together_is_grouped_among_itself() -> None:
    tickets = [make_ticket(text) for text in (OUTAGE, LOGIN, f"{OUTAGE}!!", INVOICE, LOGIN.upper(), f"Hi. {OUTAGE}")]
    assignments = hold(*tickets)
    outage, login, invoice = (tickets[place].pk for place in (0, 1, 3))
    assert groups(tickets) == [outage, login, outage, invoice, login, outage]
    assert [assignment.group for assignment in assignments] == groups(tickets)


@pytest.mark.usefixtures("review_settings")
def test_what_comes_later_joins_the_group_of_what_was_there() -> None:
    first, second, other = (make_ticket(text) for text in (OUTAGE, f"Hello! {OUTAGE}", LOGIN))
    hold(first)
    hold(other)
    (assignment,) = hold(second)
    assert assignment.group == first.pk
    assert groups([first, second, other]) == [first.pk, first.pk, other.pk]


@pytest.mark.usefixtures("review_settings")
def test_a_group_is_like_its_first_ticket_so_small_steps_lead_nowhere_else() -> None:
    words = [word * 2 for word in ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel")]
    drifting = [" ".join(["zulu"] * step + words[step:]) for step in range(len(words))]
    tickets = [make_ticket(text) for text in drifting]
    hold(*tickets)
    for ticket, group in zip(tickets, groups(tickets), strict=True):
        assert of(ticket.text, Ticket.objects.get(pk=group).text) >= ALIKE
    assert len(set(groups(tickets))) > 1


@pytest.mark.usefixtures("review_settings")
def test_a_ticket_that_comes_again_keeps_its_group() -> None:
    first, second = make_ticket(OUTAGE), make_ticket(f"{OUTAGE} Thanks")
    hold(first, second)
    (assignment,) = judge_again(second)
    assert assignment.group == first.pk
    assert groups([first, second]) == [first.pk, first.pk]


@pytest.mark.usefixtures("review_settings")
def test_only_the_first_of_a_group_is_looked_for_so_a_burst_costs_no_more_than_one() -> None:
    tickets = [make_ticket(f"{OUTAGE} {number}") for number in range(30)]
    hold(*tickets)
    assert list(Likeness.objects.exclude(band_0=None)) == [Likeness.objects.get(pk=tickets[0].pk)]
    found = Likeness.objects.firsts_sharing([bands(shingles(OUTAGE))])
    assert [row.pk for row in found] == [tickets[0].pk]


@pytest.mark.usefixtures("review_settings")
def test_grouping_takes_the_same_queries_for_one_ticket_and_for_many() -> None:
    def queries(number: int) -> int:
        tickets = [make_ticket(f"{OUTAGE} {number}") for number in range(number)]
        with CaptureQueriesContext(connection) as captured:
            groups_of(tickets)
        return len(captured)

    assert queries(1) == queries(60) == 3
