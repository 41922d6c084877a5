"""Near-duplicates: the similarity of texts, and duplicate groups of tickets."""

import random
import string
from collections import Counter
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from classifier.models import Ticket
from review.duplicates import groups as duplicate_groups
from review.duplicates import minhash
from review.duplicates.groups import duplicate_groups_for
from review.duplicates.minhash import MIN_SIMILARITY, bands, shingles, similarity
from review.models import Assignment, Band
from tests.factories import make_ticket, send_to_review
from tests.review.actions import reclassify

OUTAGE = "Nothing loads since this morning and our whole team is waiting. Please fix this outage as soon as possible."
LOGIN = "I forgot my password, and the link in the mail that you sent me says that it has expired. What can I do now?"
INVOICE = "Could you tell me why the invoice of last month is higher than the ones before, although nothing changed?"

texts = st.text(min_size=1, max_size=300)
sets = st.frozensets(st.integers(0, 2**32 - 1), min_size=1, max_size=200)


def similarity_of(first: str, second: str) -> float:
    return similarity(shingles(first), shingles(second))


@given(texts)
def test_text_is_identical_to_itself_and_shares_all_bands(text: str) -> None:
    assert similarity_of(text, text) == 1
    assert bands(shingles(text)) == bands(shingles(text))


@given(sets, sets)
def test_similarity_is_symmetric_and_between_0_and_1(first: frozenset[int], second: frozenset[int]) -> None:
    assert similarity(first, second) == similarity(second, first)
    assert 0 <= similarity(first, second) <= 1
    assert (similarity(first, second) == 1) is (first == second)


@given(sets)
def test_bands_fit_their_database_column(hashes: frozenset[int]) -> None:
    assert len(bands(hashes)) == minhash.BANDS
    assert all(-(2**63) <= band < 2**63 for band in bands(hashes))


@given(st.text(alphabet="ab c", min_size=1, max_size=60))
def test_case_punctuation_and_numbers_do_not_matter(text: str) -> None:
    assert similarity_of(f"{text} order 1", f"{text.upper()}... ORDER 4711!") == 1


@pytest.mark.parametrize("text", [" ", "?", "!!!", "\n\n", "7", "ab", "\ud800", "🙂", "x" * 100_000])
def test_every_text_has_shingles(text: str) -> None:
    assert shingles(text)
    assert len(bands(shingles(text))) == minhash.BANDS


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (OUTAGE, f"Hi, {OUTAGE.lower()} Thanks, Jo"),
        (OUTAGE, OUTAGE.replace("this morning", "yesterday evening")),
        ("Где мой заказ номер 12? Я жду уже две недели.", "Где мой заказ номер 9981? Я жду уже две недели!!"),
        ("我的订单在哪里？已经等了两个星期了。", "你好，我的订单在哪里？已经等了两个星期了！"),
    ],
)
def test_reworded_complaint_is_a_near_duplicate(first: str, second: str) -> None:
    assert similarity_of(first, second) >= MIN_SIMILARITY


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (OUTAGE, LOGIN),
        (LOGIN, INVOICE),
        ("Где мой заказ? Я жду уже две недели.", "Я не могу войти в свой аккаунт, помогите."),
        ("我的订单在哪里？已经等了两个星期了。", "我无法登录我的账户，请帮帮我。"),
    ],
)
def test_different_complaints_are_not_near_duplicates(first: str, second: str) -> None:
    assert similarity_of(first, second) < MIN_SIMILARITY / 2


def test_similar_texts_nearly_always_share_a_band_and_others_rarely() -> None:
    def share(length: int, changed: int) -> float:
        return sum(_shares_a_band(draw, length, changed) for _time in range(300)) / 300

    draw = random.Random(7)  # noqa: S311 - texts for a test
    assert share(300, 3) > 0.9
    assert share(300, 200) < 0.05


def _shares_a_band(draw: random.Random, length: int, changed: int) -> bool:
    """Whether a random text shares a band with a copy that has this many letters changed."""
    text = draw.choices(string.ascii_lowercase, k=length)
    second = list(text)
    for place in draw.sample(range(length), changed):
        second[place] = "-"
    pairs = zip(bands(shingles("".join(text))), bands(shingles("".join(second))), strict=True)
    return any(first == second for first, second in pairs)


def groups(tickets: list[Ticket]) -> list[int]:
    """For each ticket, the index of the first ticket in its duplicate group."""
    by_ticket = dict(Assignment.objects.values_list("ticket", "group"))
    group_pks = [by_ticket[ticket.pk] for ticket in tickets]
    return [group_pks.index(pk) for pk in group_pks]


@pytest.mark.usefixtures("single_reviews")
def test_tickets_of_one_batch_are_grouped_with_each_other() -> None:
    tickets = [make_ticket(text) for text in (OUTAGE, LOGIN, f"{OUTAGE}!!", INVOICE, LOGIN.upper(), f"Hi. {OUTAGE}")]
    send_to_review(*tickets)
    assert groups(tickets) == [0, 1, 0, 3, 1, 0]


@pytest.mark.usefixtures("single_reviews")
def test_later_ticket_joins_the_existing_group() -> None:
    first, second, other = (make_ticket(text) for text in (OUTAGE, f"Hello! {OUTAGE}", LOGIN))
    send_to_review(first)
    send_to_review(other)
    send_to_review(second)
    assert groups([first, second, other]) == [0, 0, 2]


@pytest.mark.usefixtures("single_reviews")
def test_every_ticket_is_similar_to_the_first_of_its_group() -> None:
    words = [word * 2 for word in ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel")]
    drifting = [" ".join(["zulu"] * step + words[step:]) for step in range(len(words))]
    tickets = [make_ticket(text) for text in drifting]
    send_to_review(*tickets)
    for ticket, first in zip(tickets, groups(tickets), strict=True):
        assert similarity_of(ticket.text, tickets[first].text) >= MIN_SIMILARITY
    assert len(set(groups(tickets))) > 1


@pytest.mark.usefixtures("single_reviews")
def test_reopened_ticket_keeps_its_group() -> None:
    first, second = make_ticket(OUTAGE), make_ticket(f"{OUTAGE} Thanks")
    before = {assignment.ticket_id: assignment.group_id for assignment in send_to_review(first, second)}
    (assignment,) = reclassify(second)
    assert assignment.group_id == before[second.pk]
    assert groups([first, second]) == [0, 0]


@pytest.mark.usefixtures("single_reviews")
def test_only_the_first_ticket_of_a_burst_is_indexed() -> None:
    tickets = [make_ticket(f"{OUTAGE} {number}") for number in range(30)]
    send_to_review(*tickets)
    assert list(Band.objects.values_list("ticket", flat=True)) == [tickets[0].pk] * minhash.BANDS


@pytest.mark.usefixtures("single_reviews")
def test_crowded_band_keeps_the_latest_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicate_groups, "MOST_A_BAND", 2)
    monkeypatch.setattr(minhash, "MIN_SIMILARITY", 0.99)
    monkeypatch.setattr(duplicate_groups, "TICKETS", replace(duplicate_groups.TICKETS, covered=0.99))
    tickets = [make_ticket(f"{OUTAGE} {name}") for name in ("Amy", "Bob", "Cecilia", "Dominic")]
    for ticket in tickets:
        send_to_review(ticket)
    uses = Counter(Band.objects.values_list("value", flat=True))
    assert max(uses.values()) == 2
    again = make_ticket(f"{OUTAGE} Dominic")
    send_to_review(again)
    assert groups([*tickets, again]) == [0, 1, 2, 3, 3]


@pytest.mark.usefixtures("single_reviews")
def test_grouping_takes_as_many_queries_for_many_tickets_as_for_one() -> None:
    def queries(number: int) -> int:
        tickets = [make_ticket(f"{OUTAGE} {number}") for number in range(number)]
        with CaptureQueriesContext(connection) as captured:
            duplicate_groups_for(tickets)
        return len(captured)

    send_to_review(make_ticket(OUTAGE))
    assert queries(1) == queries(60) <= 5
