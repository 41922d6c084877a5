"""Which role may use which URL. New URLs have to be added here."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from classifier.models import Ticket
from tests.factories import configure_review, make_ticket, send_to_review

pytestmark = [pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]

EVERYBODY = {"agent", "lead", "admin"}
LEADS = {"lead", "admin"}
READ, WRITE, BOTH = {"GET"}, {"POST"}, {"GET", "POST"}


class UrlAccess(NamedTuple):
    methods: set[str]
    roles: set[str]
    needs_key: bool = False
    needs_parent_key: bool = False
    """Its address names first what the one belongs to."""


ACCESS_BY_URL = {
    "classifier:inbox": UrlAccess(READ, EVERYBODY),
    "classifier:new_ticket": UrlAccess(BOTH, EVERYBODY),
    "classifier:ticket": UrlAccess(READ, EVERYBODY, needs_key=True),
    "classifier:models": UrlAccess(READ, EVERYBODY),
    "classifier:import_tickets": UrlAccess(BOTH, LEADS),
    "classifier:ticket_import": UrlAccess(READ, LEADS, needs_key=True),
    "classifier:read_again": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:screen": UrlAccess(READ, EVERYBODY),
    "review:decide": UrlAccess(WRITE, EVERYBODY),
    "review:undo": UrlAccess(WRITE, EVERYBODY),
    "review:renew_lease": UrlAccess(WRITE, EVERYBODY),
    "review:reoffer_skipped": UrlAccess(WRITE, EVERYBODY),
    "review:take": UrlAccess(WRITE, EVERYBODY, needs_key=True),
    "review:duplicates": UrlAccess(BOTH, EVERYBODY, needs_key=True),
    "review:similar": UrlAccess(READ, EVERYBODY, needs_key=True),
    "review:queue": UrlAccess(READ, EVERYBODY),
    "review:bulk_accept": UrlAccess(WRITE, EVERYBODY),
    "review:my_decisions": UrlAccess(READ, EVERYBODY),
    "review:reopen": UrlAccess(WRITE, EVERYBODY, needs_key=True),
    "review:preferences": UrlAccess(BOTH, EVERYBODY),
    "review:lead": UrlAccess(READ, LEADS),
    "review:lead_screen": UrlAccess(READ, LEADS),
    "review:certification": UrlAccess(READ, LEADS),
    "review:evidence": UrlAccess(READ, LEADS),
    "review:set_accuracy_target": UrlAccess(WRITE, LEADS),
    "review:set_gate_mode": UrlAccess(WRITE, LEADS),
    "review:reopen_tickets": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:acknowledge_alarm": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:specialist": UrlAccess(READ, LEADS),
    "review:train_specialist": UrlAccess(WRITE, LEADS),
    "review:unpin_version": UrlAccess(WRITE, LEADS),
    "review:deploy_version": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:label_issues": UrlAccess(READ, LEADS),
    "review:label_issue": UrlAccess(READ, LEADS, needs_key=True),
    "review:keep_label": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:correct_label": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:dispute_label": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:dispute_held_out": UrlAccess(WRITE, LEADS),
    "review:benchmark": UrlAccess(READ, LEADS),
    "review:start_run": UrlAccess(WRITE, LEADS),
    "review:benchmark_run": UrlAccess(READ, LEADS, needs_key=True),
    "review:stop_run": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:resume_run": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:contender": UrlAccess(READ, LEADS, needs_key=True, needs_parent_key=True),
    "review:answers": UrlAccess(READ, LEADS, needs_key=True, needs_parent_key=True),
    "review:pin_baseline": UrlAccess(WRITE, LEADS, needs_key=True, needs_parent_key=True),
    "review:unpin_baseline": UrlAccess(WRITE, LEADS),
    "review:set_threshold": UrlAccess(WRITE, LEADS, needs_key=True, needs_parent_key=True),
    "review:dispute_benchmark_label": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:draft_changes": UrlAccess(READ, LEADS, needs_key=True, needs_parent_key=True),
    "review:emerging_topics": UrlAccess(READ, LEADS),
    "review:topic": UrlAccess(BOTH, LEADS, needs_key=True),
    "review:draft_topic": UrlAccess(WRITE, {"admin"}, needs_key=True),
    "review:drafted_category": UrlAccess(READ, LEADS, needs_key=True),
    "review:reclassify_for_category": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:confusable_categories": UrlAccess(READ, LEADS),
    "review:datasets": UrlAccess(READ, LEADS),
    "review:create_snapshot": UrlAccess(WRITE, LEADS),
    "review:import_labels": UrlAccess(WRITE, LEADS),
    "review:label_import": UrlAccess(READ, LEADS, needs_key=True),
    "review:read_again": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:draft_unknown_labels": UrlAccess(WRITE, {"admin"}, needs_key=True),
    "review:snapshot": UrlAccess(READ, LEADS, needs_key=True),
    "review:delete_snapshot": UrlAccess(WRITE, LEADS, needs_key=True),
    "review:download": UrlAccess(READ, LEADS, needs_key=True),
    "review:manifest": UrlAccess(READ, LEADS, needs_key=True),
    "review:labelling_config": UrlAccess(READ, LEADS, needs_key=True),
}


SIGNED = {"classifier:helpdesk_event"}
"""Where machines knock, which show by a signature who they are: see the tests of help desks."""


def named(patterns: list[Any], namespace: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver) and pattern.namespace in ("classifier", "review"):
            yield from named(pattern.url_patterns, f"{pattern.namespace}:")
        elif isinstance(pattern, URLPattern) and namespace:
            yield f"{namespace}{pattern.name}"


def test_every_url_has_its_row_of_permissions() -> None:
    assert set(named(get_resolver().url_patterns)) == set(ACCESS_BY_URL) | SIGNED


@pytest.fixture
def people(roles: None, tom: User, ana: User, lea: User, admin: User) -> dict[str, User]:
    return {"stranger": tom, "agent": ana, "lead": lea, "admin": admin}


@pytest.fixture
def ticket(catalogue: None) -> Ticket:
    configure_review()
    (assignment,) = send_to_review(make_ticket())
    return assignment.ticket


def request_as(person: User | None, name: str, method: str, ticket: Ticket, **headers: str) -> Any:
    client = Client(headers=headers)
    if person:
        client.force_login(person)
    access = ACCESS_BY_URL[name]
    url = reverse(name, args=[ticket.pk] * (access.needs_key + access.needs_parent_key))
    return client.get(url) if method == "GET" else client.post(url)


def expected(role: str, access: UrlAccess, method: str) -> set[int]:
    """The acceptable statuses; requests are empty, so allowed ones may be refused as invalid."""
    if role not in access.roles:
        return {403} if method in access.methods else {403, 405}
    return {200, 204, 302, 400, 404, 409, 422} if method in access.methods else {405}


@pytest.mark.parametrize("role", ["stranger", "agent", "lead", "admin"])
def test_every_url_enforces_the_permissions_of_each_role(role: str, people: dict[str, User], ticket: Ticket) -> None:
    wrong = {}
    for name, access in ACCESS_BY_URL.items():
        for method in ("GET", "POST"):
            response = request_as(people[role], name, method, ticket)
            leads_out = response.get("Location", "").startswith(reverse("login"))
            if response.status_code not in expected(role, access, method) or leads_out:
                wrong[name, method] = response.status_code
    assert wrong == {}


def test_every_page_answers_head_as_it_answers_get(people: dict[str, User], ticket: Ticket) -> None:
    client = Client()
    client.force_login(people["admin"])
    wrong = {}
    for name, access in ACCESS_BY_URL.items():
        url = reverse(name, args=[ticket.pk] * (access.needs_key + access.needs_parent_key))
        if "GET" in access.methods and client.head(url).status_code != client.get(url).status_code:
            wrong[name] = client.head(url).status_code
    assert wrong == {}


def test_no_number_of_5000_digits_is_an_error_of_the_server(people: dict[str, User], ticket: Ticket) -> None:
    client, digits = Client(raise_request_exception=False), "7" * 5_000
    client.force_login(people["admin"])
    fields = ("assignment", "decision", "category", "sentiment", "before", "undo", "assignee", "page", "key", "version")
    sent = dict.fromkeys(fields, digits) | {"opinion": f"{digits}-{digits}"}
    wrong = {}
    for name, access in ACCESS_BY_URL.items():
        for key in (ticket.pk, digits, 10**18):
            args = [key] * (access.needs_key + access.needs_parent_key)
            url = reverse(name, args=args)
            for response in (client.get(url, sent), client.post(url, sent)):
                if response.status_code >= 500:
                    wrong[name] = response.status_code
    assert wrong == {}


def test_a_visitor_must_sign_in_for_every_url(people: dict[str, User], ticket: Ticket) -> None:
    for name in ACCESS_BY_URL:
        for method in ("GET", "POST"):
            response = request_as(None, name, method, ticket)
            assert response.status_code == 302, name
            assert response["Location"].startswith(reverse("login")), name


def test_page_fragments_need_the_same_permissions(people: dict[str, User], ticket: Ticket) -> None:
    wrong = {}
    for name, access in ACCESS_BY_URL.items():
        for method in access.methods:
            stranger = request_as(people["stranger"], name, method, ticket, **{"hx-request": "true"})
            visitor = request_as(None, name, method, ticket, **{"hx-request": "true"})
            if stranger.status_code != 403 or "HX-Redirect" not in visitor:
                wrong[name, method] = stranger.status_code
    assert wrong == {}


@pytest.mark.parametrize("role", ["stranger", "agent", "lead"])
def test_the_admin_is_for_staff(role: str, people: dict[str, User]) -> None:
    client = Client()
    client.force_login(people[role])
    for url in ("/admin/", "/admin/auth/user/", "/admin/review/decision/", "/admin/classifier/ticket/"):
        assert client.get(url)["Location"].startswith("/admin/login/")
