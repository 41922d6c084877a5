"""The queue table and bulk accept over HTTP."""

import re
from collections.abc import Iterable
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from classifier.models import Category, LanguageModel, Sentiment, Ticket
from review.models import Assignment, Decision, DuplicateGroup
from review.screen import bulk
from review.workflow import leases
from review.workflow.decision_records import Label
from review.worklist import listing
from tests.factories import configure_review, make_ticket, send_to_review
from tests.review.actions import answer, assert_consistent, escalate, expire_leases, reclassify, state

pytestmark = pytest.mark.usefixtures("single_reviews")

QUEUE, ACCEPT, UNDO = reverse("review:queue"), reverse("review:bulk_accept"), reverse("review:undo")
HTMX = {"HX-Request": "true"}
COLUMNS = ["reason", "category", "sentiment", "confidence", "model", "language", "age", "due", "assignee"]
SORTABLE = ["confidence", "age"]
ON_SQLITE = connection.vendor == "sqlite"


def page(agent_client: Client, **query: Any) -> str:
    return read(agent_client.get(QUEUE, query))


def read(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def rows(content: str) -> list[str]:
    return content.split("<tbody")[-1].split('<tr role="row">')[1:] if "<tbody" in content else []


def tickets(content: str) -> list[int]:
    """The keys of the listed tickets, in order."""
    return [
        int(pk) for row in rows(content) for pk in re.findall(r'of-ticket"[^>]*><a[^>]* href="/tickets/(\d+)/', row)
    ]


def cell(row: str, column: str) -> str:
    text = row.split(f'class="of-{column}"')[1].split(">", 1)[1].split("</td>")[0]
    return re.sub(r"<[^>]+>|\s+", " ", text).replace("\xa0", " ").strip()


def pks(*assignments: Assignment) -> list[int]:
    return [assignment.ticket_id for assignment in assignments]


def category(name: str) -> Category:
    return Category.objects.get(name=name)


def sentiment(name: str) -> Sentiment:
    return Sentiment.objects.get(name=name)


def blind_assignment(**values: Any) -> Assignment:
    configure_review(blind_share=1)
    (assignment,) = send_to_review(make_ticket("to be seen blind"), **values)
    configure_review()
    return assignment


def varied_assignments() -> list[Assignment]:
    """Assignments that differ in every column, in queue order; the last ones are mostly empty."""
    moment = timezone.now()
    account = category("Account")
    child = Category.objects.create(name="Refunds", parent=category("Billing"))
    values: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"due_at": moment + timedelta(minutes=5), "language": "de"}, {"confidence": 0.8, "category": child}),
        ({"due_at": moment + timedelta(minutes=9)}, {"confidence": 0.7, "sentiment": sentiment("Neutral")}),
        ({"language": "en"}, {"confidence": 0.1, "second": account}),
        ({"language": "fr", "due_at": moment + timedelta(days=3)}, {"confidence": 0.2, "category": account}),
        (
            {"received_at": moment - timedelta(days=9)},
            {"confidence": 0.3, "language_model": LanguageModel.objects.last()},
        ),
        ({"received_at": moment - timedelta(hours=3)}, {"confidence": 0.4, "sentiment": sentiment("Negative")}),
    ]
    assignments = [
        send_to_review(make_ticket(f"ticket {place}", **fields), **prediction)[0]
        for place, (fields, prediction) in enumerate(values)
    ]
    blind = blind_assignment()
    Assignment.objects.filter(pk=blind.pk).update(value=0)
    return [*assignments, blind]


# Permissions and rows


def test_queue_is_visible_to_reviewers_only(client: Client, tom: User) -> None:
    assert client.get(QUEUE).status_code == 302
    client.force_login(tom)
    assert client.get(QUEUE).status_code == 403
    assert client.post(ACCEPT).status_code == 403


def test_queue_is_read_by_get_and_accepted_by_post(agent_client: Client) -> None:
    assert agent_client.post(QUEUE).status_code == 405
    assert agent_client.get(ACCEPT).status_code == 405


def test_row_shows_all_columns(agent_client: Client, ben: User) -> None:
    moment = timezone.now()
    times = {"received_at": moment - timedelta(hours=3, minutes=2), "due_at": moment + timedelta(hours=2, minutes=1)}
    ticket = make_ticket("I was <b>charged</b> twice", language="en", **times)
    child = Category.objects.create(name="Refunds", parent=category("Billing"))
    send_to_review(ticket, confidence=0.628, category=child, sentiment=sentiment("Negative"))
    leases.lease_ticket(ben, ticket)
    (row,) = rows(page(agent_client))
    assert escape("I was <b>charged</b> twice") in row
    assert f'href="{ticket.get_absolute_url()}"' in row
    cells = {column: cell(row, column) for column in COLUMNS}
    assert cells == {
        "reason": "below the threshold",
        "category": "Billing &gt; Refunds",
        "sentiment": "Negative",
        "confidence": "0.62",
        "model": str(LanguageModel.objects.zero_shot()),
        "language": "en",
        "age": "3 hours",
        "due": "in 2 hours",
        "assignee": "ben",
    }


def test_overdue_ticket_is_marked(agent_client: Client) -> None:
    send_to_review(make_ticket(due_at=timezone.now() - timedelta(minutes=20, seconds=1)))
    assert cell(rows(page(agent_client))[0], "due") == "20 minutes overdue"


def test_expired_lease_has_no_assignee(agent_client: Client, ben: User) -> None:
    (assignment,) = send_to_review(make_ticket())
    leases.lease_next(ben)
    expire_leases(assignment)
    (row,) = rows(page(agent_client))
    assert cell(row, "assignee") == ""
    assert 'type="checkbox"' in row


def test_row_shows_an_excerpt_of_a_long_text(agent_client: Client) -> None:
    send_to_review(make_ticket("long " * 200_000))
    assert len(page(agent_client)) < 40_000


def test_queue_lists_only_open_assignments_of_the_agents_lane(agent_client: Client, ana: User, ben: User) -> None:
    open_one, answered, escalated = (send_to_review(make_ticket(f"number {number}"))[0] for number in range(3))
    answer(answered, ben)
    escalate(escalated, ben)
    assert tickets(page(agent_client)) == [open_one.ticket_id]


def test_an_empty_queue_says_so(agent_client: Client) -> None:
    assert "No reviews waiting." in page(agent_client)


def test_blind_review_shows_no_label_and_matches_no_label_filter(agent_client: Client) -> None:
    assignment = blind_assignment(category=category("Account"), sentiment=sentiment("Negative"), confidence=0.31)
    (row,) = rows(page(agent_client))
    assert cell(row, "reason") == "blind review"
    assert [cell(row, column) for column in ("category", "sentiment", "confidence", "model", "select")] == [""] * 5
    for query in (
        {"category": str(category("Account").pk)},
        {"sentiment": str(sentiment("Negative").pk)},
        {"confidence_min": "0"},
        {"confidence_max": "1"},
        {"model": str(LanguageModel.objects.zero_shot().pk)},
        {"reason": "below_threshold"},
    ):
        assert tickets(page(agent_client, **query)) == [], query
    assert tickets(page(agent_client, reason="blind")) == [assignment.ticket_id]


def test_row_opens_the_review_of_its_ticket(agent_client: Client, ana: User) -> None:
    send_to_review(make_ticket("one"), make_ticket("another"))
    chosen = tickets(page(agent_client))[1]
    take = re.findall(r'formaction="([^"]+)"', rows(page(agent_client))[1])[0]
    response = agent_client.post(take, follow=True)
    assert response.redirect_chain == [(reverse("review:screen"), 302)]
    assert Assignment.objects.held_by(ana).get().ticket_id == chosen
    assert cell(rows(page(agent_client))[1], "assignee") == "ana"


def test_retired_labels_keep_their_names(agent_client: Client) -> None:
    send_to_review(make_ticket(), category=category("Account"), sentiment=sentiment("Negative"))
    Category.objects.filter(name="Account").update(retired=True)
    Sentiment.objects.filter(name="Negative").update(retired=True)
    (row,) = rows(page(agent_client))
    assert (cell(row, "category"), cell(row, "sentiment")) == ("Account", "Negative")


# Filters


@pytest.mark.postgresql
def test_each_filter_selects_matching_rows(agent_client: Client, ana: User) -> None:
    assignments = varied_assignments()
    child, soon, torn, account, old, negative, blind = assignments
    leases.lease_ticket(ana, old.ticket)
    last = LanguageModel.objects.last()
    wanted: dict[str, tuple[dict[str, Any], Iterable[Assignment]]] = {
        "reason": ({"reason": "disagreement"}, [torn]),
        "blind": ({"reason": "blind"}, [blind]),
        "category": ({"category": account.category_id}, [account]),
        "sentiment": ({"sentiment": negative.sentiment_id}, [negative]),
        "least confidence": ({"confidence_min": "0.7"}, [child, soon]),
        "most confidence": ({"confidence_max": "0.2"}, [torn, account]),
        "confidence range": ({"confidence_min": ".15", "confidence_max": ".35"}, [account, old]),
        "old": ({"age": "over-1w"}, [old]),
        "not so old": ({"age": "over-1h"}, [old, negative]),
        "young": ({"age": "under-1h"}, [child, soon, torn, account, blind]),
        "model": ({"model": last.pk if last else 0}, [old]),
        "language": ({"language": "fr"}, [account]),
        "somebody's": ({"assignee": ana.pk}, [old]),
        "nobody's": ({"assignee": "nobody"}, [assignment for assignment in assignments if assignment != old]),
        "words": ({"q": "ticket 3"}, [account]),
        "words and more": ({"q": "ticket", "language": "de"}, [child]),
        "two": ({"age": "over-1h", "sentiment": negative.sentiment_id}, [negative]),
        "none": ({"language": "fr", "reason": "disagreement"}, []),
    }
    for name, (query, expected) in wanted.items():
        assert sorted(tickets(page(agent_client, **query))) == sorted(pks(*expected)), name


@pytest.mark.postgresql
def test_category_filter_includes_subcategories(agent_client: Client) -> None:
    child = Category.objects.create(name="Refunds", parent=category("Billing"))
    grandchild = Category.objects.create(name="Late", parent=child)
    Category.objects.create(name="Billing more", parent=None)
    branch = (category("Billing"), child, grandchild)
    assignments = [send_to_review(make_ticket(label.name), category=label)[0] for label in branch]
    send_to_review(make_ticket("other"), category=category("Account"))
    assert sorted(tickets(page(agent_client, category=str(category("Billing").pk)))) == sorted(pks(*assignments))
    assert tickets(page(agent_client, category=str(grandchild.pk))) == pks(assignments[2])
    assert "Billing &gt; Refunds &gt; Late</option>" in page(agent_client)


def test_filters_offer_only_languages_and_people_in_the_queue(agent_client: Client, ana: User, ben: User) -> None:
    varied_assignments()
    leases.lease_next(ben)
    content = page(agent_client)
    offered = {name: re.findall(r'<option value="([^"]*)"', form) for name, form in selects(content).items()}
    assert offered["language"] == ["", "de", "en", "fr"]
    assert offered["assignee"] == ["", "nobody", str(ben.pk)]


def selects(content: str) -> dict[str, str]:
    return dict(re.findall(r'<select[^>]*name="(\w+)"[^>]*>(.*?)</select>', content, re.DOTALL))


def test_assignee_filter_accepts_a_person_without_a_lease(agent_client: Client, ben: User) -> None:
    send_to_review(make_ticket())
    content = page(agent_client, assignee=str(ben.pk))
    assert tickets(content) == []
    assert f'<option value="{ben.pk}" selected>ben</option>' in content


def test_filter_form_shows_the_active_filters(agent_client: Client) -> None:
    varied_assignments()
    content = page(agent_client, q='"quoted" words', reason="below_threshold", confidence_min="0.5", language="fr")
    assert 'value="&quot;quoted&quot; words"' in content
    assert '<option value="below_threshold" selected>' in content
    assert 'value="0.5"' in content
    assert '<option value="fr" selected>' in content


@pytest.mark.parametrize(
    "query",
    [
        {"page": "x"},
        {"page": "9" * 5_000},
        {"page": "-1"},
        {"page": "0"},
        {"sort": "nonsense"},
        {"sort": "select"},
        {"sort": "category"},
        {"sort": ["age", "confidence"]},
        {"page": "1", "per_page": "-1"},
        {"sort": "-"},
        {"sort": "age,due"},
        {"sort": "ticket__text"},
        {"category": "x"},
        {"category": "99999999999999999999999"},
        {"sentiment": "-1"},
        {"model": "1e9"},
        {"confidence_min": "nan"},
        {"confidence_min": "1e999"},
        {"confidence_max": "-0.5"},
        {"age": "forever"},
        {"language": "\x00"},
        {"assignee": "99999999999999999999999"},
        {"assignee": "99999999999999999"},
        {"assignee": "²"},
        {"q": "\x00"},
        {"q": "(" * 5_000},
        {"undo": "99999999999999999999999"},
        {"undo": "x"},
        {"per_page": "100000"},
    ],
)
def test_invalid_query_string_shows_the_queue(agent_client: Client, query: dict[str, Any]) -> None:
    (assignment,) = send_to_review(make_ticket())
    assert tickets(page(agent_client, **query)) == [assignment.ticket_id]


def test_invalid_filter_value_shows_an_error(agent_client: Client) -> None:
    send_to_review(make_ticket())
    assert "Ensure this value is less than or equal to 1" in page(agent_client, confidence_min="7")
    assert "is not one of the available choices" in page(agent_client, reason="because")


# Order


@pytest.mark.postgresql
def test_default_order_is_due_soon_then_priority(agent_client: Client) -> None:
    assignments = varied_assignments()
    assert tickets(page(agent_client)) == pks(*assignments)
    assert "Sorted by priority" in page(agent_client)


@pytest.mark.postgresql
@pytest.mark.parametrize("column", SORTABLE)
def test_confidence_and_age_sort_both_ways_with_empty_values_last(agent_client: Client, column: str) -> None:
    assignments = varied_assignments()
    up, down = rows(page(agent_client, sort=column)), rows(page(agent_client, sort=f"-{column}"))
    values = [[cell(row, column) for row in listed] for listed in (up, down)]
    there = [[value for value in listed if value and value != "blind review"] for listed in values]
    assert values[0][: len(there[0])] == there[0], "empty values come last"
    assert values[1][: len(there[1])] == there[1], "empty values come last"
    assert list(dict.fromkeys(there[0])) == list(dict.fromkeys(reversed(there[1])))
    empty = [tickets(page(agent_client, sort=sort))[len(there[0]) :] for sort in (column, f"-{column}")]
    assert empty[0] == empty[1] == [pk for pk in pks(*by_value(assignments)) if pk in empty[0]]


def by_value(assignments: list[Assignment]) -> list[Assignment]:
    return sorted(
        Assignment.objects.filter(pk__in=[assignment.pk for assignment in assignments]),
        key=lambda assignment: (-assignment.value, assignment.pk),
    )


@pytest.mark.postgresql
def test_sorting_uses_exact_values(agent_client: Client) -> None:
    child, soon, torn, account, old, negative, blind = varied_assignments()
    assert tickets(page(agent_client, sort="confidence"))[:6] == pks(torn, account, old, negative, soon, child)
    assert tickets(page(agent_client, sort="-confidence"))[:6] == pks(child, soon, negative, old, account, torn)
    assert tickets(page(agent_client, sort="-age"))[:2] == pks(old, negative)
    assert tickets(page(agent_client, sort="age"))[-2:] == pks(negative, old)
    assert tickets(page(agent_client, sort="-confidence"))[-1:] == pks(blind)


def test_header_shows_the_order_and_links_to_the_reverse(agent_client: Client) -> None:
    send_to_review(make_ticket())
    content = page(agent_client, sort="-age", reason="below_threshold", page="1")
    header = re.findall(r"<th[^>]*of-age.*?</th>", content, re.DOTALL)[0]
    assert 'aria-sort="descending"' in header
    assert "?sort=age&amp;reason=below_threshold" in header
    assert "Sort by priority" in content
    assert content.count("aria-sort") == 1


# Pages


def many(number: int, **values: Any) -> list[Assignment]:
    """Insert many assignments directly."""
    created = Ticket.objects.bulk_create(
        [Ticket(text=f"ticket {count}", state="needs_review") for count in range(number)]
    )
    groups = DuplicateGroup.objects.bulk_create(DuplicateGroup() for _ticket in created)
    moment = timezone.now()
    same = {
        "category": category("Billing"),
        "sentiment": sentiment("Neutral"),
        "language_model": LanguageModel.objects.zero_shot(),
    }
    assignments = []
    for place, ticket in enumerate(created):
        differ = {
            "value": place % 101 / 101,
            "received_at": moment - timedelta(minutes=place % 5_000),
            "due_at": moment + timedelta(minutes=place) if place % 3 == 0 else None,
            "reason": ["below_threshold", "disagreement"][place % 2],
            "language": ["de", "en", "fr"][place % 3],
            "confidence": place % 97 / 100,
        }
        assignments.append(Assignment(ticket=ticket, number=1, group=groups[place], **same | differ | values))
    return Assignment.objects.bulk_create(assignments)


@pytest.mark.postgresql
def test_queue_pages_hold_every_ticket_once(agent_client: Client) -> None:
    assignments = many(60)
    for sort in ("", "age", "-confidence"):
        listed = [pk for number in (1, 2, 3) for pk in tickets(page(agent_client, sort=sort, page=str(number)))]
        assert sorted(listed) == sorted(pks(*assignments)), sort
        assert [len(tickets(page(agent_client, sort=sort, page=str(number)))) for number in (1, 2, 3)] == [25, 25, 10]


def test_page_beyond_the_end_is_the_last(agent_client: Client) -> None:
    many(30)
    content = page(agent_client, page="77")
    assert "Page 2 of 2" in content
    assert len(tickets(content)) == 5


def test_pages_keep_the_filters_and_the_order(agent_client: Client) -> None:
    many(30)
    following = re.findall(r'id="page-next"[^>]*href="([^"]+)"', page(agent_client, sort="-age", q="ticket"))[0]
    assert following == "?sort=-age&amp;q=ticket&amp;page=2"


def test_queue_count_stops_at_a_limit(agent_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    many(40)
    assert "40 reviews waiting" in page(agent_client)
    monkeypatch.setattr(listing, "MOST", 30)
    monkeypatch.setattr("review.worklist.views.MOST", 30)
    for query in ({}, {"age": "under-1h"}):
        content = page(agent_client, **query)
        assert "30 or more reviews waiting" in content
        assert "Page 1 of 2" in content


@pytest.mark.postgresql
@pytest.mark.parametrize("query", [{}, {"sort": "-confidence"}, {"sort": "age"}, {"reason": "below_threshold"}])
def test_queue_takes_as_many_queries_for_any_length(agent_client: Client, query: dict[str, str]) -> None:
    costs = []
    for more in (10, 990):
        many(more, due_at=timezone.now(), reason="below_threshold")
        with CaptureQueriesContext(connection) as asked:
            content = page(agent_client, **query)
        costs.append(len(asked))
    assert len(tickets(content)) == 25
    # Categories, sentiments, models, languages, assignees; settings, counts and rows of both parts.
    assert costs[0] == costs[1] <= 17


@pytest.mark.postgresql
def test_queue_pages_are_read_along_an_index(agent_client: Client) -> None:
    """Every order follows an index, so a long queue costs no more than a short one."""
    many(1_500)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    for sort in ("", *(f"{way}{column}" for way in ("", "-") for column in SORTABLE)):
        with CaptureQueriesContext(connection) as asked:
            page(agent_client, sort=sort, page="30")
        pages = [suggested["sql"] for suggested in asked if re.search(r"AS .beginning.*LIMIT 25", suggested["sql"])]
        assert pages
        for rows_of_page in pages:
            assert sorts_nothing(plan := explained(rows_of_page)), f"{rows_of_page}\n{plan}"


def explained(query: str) -> str:
    """The query plan, with PostgreSQL's sorting of small tables disabled."""
    with connection.cursor() as cursor:
        if not ON_SQLITE:
            cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"{'EXPLAIN QUERY PLAN' if ON_SQLITE else 'EXPLAIN'} {query}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def sorts_nothing(plan: str) -> bool:
    """Whether the plan sorts nothing except rows with equal times."""
    return "TEMP B-TREE" not in plan if ON_SQLITE else not re.search(r"(?<!Incremental )Sort  ", plan)


# htmx


def test_htmx_gets_only_the_table(agent_client: Client) -> None:
    many(30)
    response = agent_client.get(QUEUE, {"sort": "-age", "reason": "", "q": "ticket", "page": "2"}, headers=HTMX)
    content = response.content.decode()
    assert "<html" not in content
    assert content.lstrip().startswith('<form id="queue-table"')
    assert 'id="result-count" hx-swap-oob' in content
    assert "HX-Request" in response["Vary"]
    assert response["HX-Push-Url"] == f"{QUEUE}?sort=-age&q=ticket&page=2"
    assert len(tickets(content)) == 5


# Accepting


def accept(agent_client: Client, *assignments: Assignment, **more: Any) -> str:
    return read(
        agent_client.post(ACCEPT, {"assignment": [assignment.pk for assignment in assignments], **more}, follow=True)
    )


def label_of(content: str) -> str:
    return str(re.findall(r'name="label" value="([^"]+)"', content)[0])


def confirm(agent_client: Client, *assignments: Assignment, **more: Any) -> str:
    """Confirm the preview of these assignments."""
    return accept(
        agent_client, *assignments, confirmed="yes", **{"label": label_of(accept(agent_client, *assignments))} | more
    )


def test_preview_lists_tickets_and_their_label_without_deciding(agent_client: Client) -> None:
    assignments = send_to_review(make_ticket("first one"), make_ticket("second <one>"))
    content = accept(agent_client, *assignments)
    assert "Accept 2 tickets as Billing | Positive?" in content
    assert "first one" in content
    assert "second &lt;one&gt;" in content
    assert not Decision.objects.exists()


@pytest.mark.postgresql
def test_a_confirmed_group_is_accepted_in_bulk(agent_client: Client, ana: User) -> None:
    assignments = send_to_review(make_ticket("one"), make_ticket("two"), make_ticket("three"))
    content = confirm(agent_client, *assignments[:2])
    assert "2 tickets accepted as Billing | Positive." in content
    first, second = Decision.objects.order_by("pk")
    assert (first.verdict, first.reviewer, first.label) == ("accepted", ana, "Billing | Positive")
    assert first.batch == second.batch
    assert [state(assignment.ticket) for assignment in assignments] == ["settled", "settled", "needs_review"]
    assert_consistent()


@pytest.mark.postgresql
def test_bulk_accept_can_be_undone_in_one_step(agent_client: Client) -> None:
    assignments = send_to_review(make_ticket("one"), make_ticket("two"))
    form = confirm(agent_client, *assignments).split('<form class="undo"')[1].split("</form>")[0]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    content = read(agent_client.post(UNDO, fields, follow=True))
    assert "2 decisions undone." in content
    assert tickets(content) == pks(*assignments)
    assert_consistent()
    assert "Undo: return" not in page(agent_client, undo=fields["decision"])
    assert "This is already undone" in read(agent_client.post(UNDO, fields | {"key": str(uuid4())}, follow=True))


def test_bulk_accept_of_another_person_cannot_be_undone(agent_client: Client, ben: User) -> None:
    decision = answer(send_to_review(make_ticket())[0], ben)
    assert "Undo: return" not in page(agent_client, undo=str(decision.pk))


def test_double_click_accepts_once_and_can_still_be_undone(agent_client: Client) -> None:
    assignments = send_to_review(make_ticket("one"), make_ticket("two"))
    label = label_of(accept(agent_client, *assignments))
    for expected in (
        "2 tickets accepted as Billing | Positive.",
        "No tickets accepted. Left out: 2 already answered by you",
    ):
        content = accept(agent_client, *assignments, confirmed="yes", label=label)
        assert expected in content
        assert "Undo: return" in content
    assert Decision.objects.count() == 2


def test_accept_all_selects_every_eligible_row_of_the_page(agent_client: Client) -> None:
    assignments = send_to_review(make_ticket("one"), make_ticket("two"))
    blind_assignment()
    shown = re.findall(r'name="shown" value="(\d+)"', page(agent_client))
    assert sorted(map(int, shown)) == [assignment.pk for assignment in assignments]
    content = agent_client.post(ACCEPT, {"shown": shown, "all": "yes"}).content.decode()
    assert "Accept 2 tickets as Billing | Positive?" in content


def test_different_suggestions_are_offered_as_groups(agent_client: Client) -> None:
    billing = send_to_review(make_ticket("one"), make_ticket("two"))
    child = Category.objects.create(name="Refunds", parent=category("Billing"))
    refunds = send_to_review(make_ticket("three"), category=child)
    content = accept(agent_client, *refunds, *billing)
    assert "These have different suggestions" in content
    groups = re.findall(r"<h2>(.*?)</h2>", content)
    assert groups == ["Billing | Positive", "Billing &gt; Refunds | Positive"]
    assert not Decision.objects.exists()
    second_form = content.split('class="paper"><form')[2]
    chosen = re.findall(r'name="assignment" value="(\d+)"', second_form)
    content = agent_client.post(ACCEPT, {"assignment": chosen}).content.decode()
    assert "Accept 1 ticket as Billing &gt; Refunds | Positive?" in content


def test_confirmation_of_one_label_accepts_no_other(agent_client: Client) -> None:
    billing, account = (
        send_to_review(make_ticket("one"))[0],
        send_to_review(make_ticket("two"), category=category("Account"))[0],
    )
    label = label_of(accept(agent_client, billing))
    content = accept(agent_client, billing, account, confirmed="yes", label=label)
    assert "1 ticket accepted as Billing | Positive. Left out: 1 now suggested with another label." in content
    assert state(account.ticket) == "needs_review"
    assert "No tickets accepted." in accept(agent_client, account, confirmed="yes", label="nonsense")


def test_changed_suggestion_is_not_accepted(agent_client: Client) -> None:
    (assignment,) = send_to_review(make_ticket())
    label = label_of(accept(agent_client, assignment))
    reclassify(assignment.ticket, category=category("Account"))
    assert "now suggested with another label" in accept(agent_client, assignment, confirmed="yes", label=label)
    assert not Decision.objects.exists()


@pytest.mark.postgresql
def test_tickets_left_out_are_listed_with_reasons(agent_client: Client, ana: User, ben: User) -> None:
    fine, mine, gone, lead, held, failed, retired = (
        send_to_review(make_ticket(f"no. {number}"))[0] for number in range(7)
    )
    configure_review(double_share=1)
    double = send_to_review(make_ticket("asks two"))[0]
    configure_review()
    blind = blind_assignment()
    answer(mine, ana)
    answer(gone, ben)
    escalate(lead, ben)
    leases.lease_ticket(ben, held.ticket)
    Assignment.objects.filter(pk=failed.pk).update(category=None, sentiment=None, reason="failure")
    account = category("Account")
    Assignment.objects.filter(pk=retired.pk).update(category=account)
    Category.objects.filter(pk=account.pk).update(retired=True)
    everything = (fine, mine, gone, lead, held, failed, retired, double, blind)
    content = accept(agent_client, *everything)
    assert "Accept 1 ticket as Billing | Positive?" in content
    left_out = dict(re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", content.split("Left out</h2>")[1], re.DOTALL))
    assert {why: [int(pk) for pk in re.findall(r"/tickets/(\d+)/", links)] for why, links in left_out.items()} == {
        "Already answered by you": pks(mine),
        "No longer needing review": pks(gone),
        "With a lead": pks(lead),
        "Open with someone else": pks(held),
        "Without a suggestion": pks(failed),
        "Suggested with a retired label": pks(retired),
        "Reserved for blind review": pks(double, blind),
    }
    confirm(agent_client, *everything)
    assert Decision.objects.filter(batch__isnull=False).values_list("ticket", flat=True).get() == fine.ticket_id
    assert_consistent()


def test_own_and_expired_leases_do_not_prevent_bulk_accept(agent_client: Client, ana: User, ben: User) -> None:
    own, abandoned = send_to_review(make_ticket("one"), make_ticket("two"))
    leases.lease_ticket(ana, own.ticket)
    leases.lease_ticket(ben, abandoned.ticket)
    expire_leases(abandoned)
    assert "2 tickets accepted as Billing | Positive." in confirm(agent_client, own, abandoned)


def test_bulk_accept_is_limited_and_says_how_many_stay(agent_client: Client) -> None:
    assignments = many(203)
    content = accept(agent_client, *assignments)
    assert "Accept 200 tickets" in content
    assert "At most 200 tickets are accepted at once; 3 of your selection stay" in content
    assert "200 tickets accepted as Billing | Neutral." in confirm(agent_client, *assignments)
    assert Assignment.objects.open().count() == 3


def test_empty_selection_is_explained(agent_client: Client) -> None:
    for sent in ({}, {"assignment": ["x", "", "-1", "9" * 30]}, {"assignment": [999_999]}, {"all": "yes"}):
        response = agent_client.post(ACCEPT, sent, follow=True)
        assert "Select tickets first." in response.content.decode(), sent


def test_bulk_accept_returns_to_the_filtered_queue(agent_client: Client) -> None:
    assignments = send_to_review(make_ticket("one"), make_ticket("two"))
    content = page(agent_client, sort="-age", reason="below_threshold", undo="7")
    back = unescape(re.findall(r'name="back" value="([^"]*)"', content)[0])
    content = accept(agent_client, assignments[0], back=back)
    assert f'href="{QUEUE}?sort=-age&amp;reason=below_threshold"' in content
    sent = {"assignment": assignments[0].pk, "label": label_of(content), "confirmed": "yes", "back": back}
    response = agent_client.post(ACCEPT, sent)
    assert response["Location"] == f"{QUEUE}?sort=-age&reason=below_threshold&undo={Decision.objects.get().pk}"


@pytest.mark.parametrize("back", ["https://example.org/", "//example.org", "\r\nX: y", "a=\x00", "%ff=%ff"])
def test_bulk_accept_never_redirects_to_another_site(agent_client: Client, back: str) -> None:
    response = agent_client.post(ACCEPT, {"back": back})
    assert response["Location"].startswith(QUEUE)


def test_preview_can_give_one_label_to_all_tickets(ana: User, ben: User) -> None:
    assignments = [
        *send_to_review(make_ticket("one")),
        *send_to_review(make_ticket("two"), category=category("Account")),
    ]
    held = send_to_review(make_ticket("three"))[0]
    leases.lease_ticket(ben, held.ticket)
    label = Label(category("General"), sentiment("Neutral"))
    preview = bulk.preview(
        bulk.selected_assignments(str(assignment.pk) for assignment in [*assignments, held]), ana, label
    )
    assert preview.group
    assert preview.group.name == "General | Neutral"
    assert preview.group.assignments == assignments
    assert preview.left_out == {bulk.Exclusion.LEASED: [held]}
    accepted = bulk.accept(preview, ana)
    assert accepted.text.endswith("2 tickets accepted as General | Neutral. Left out: 1 open with someone else.")
    assert {decision.verdict for decision in Decision.objects.all()} == {"corrected"}
    assert accepted.undoable
