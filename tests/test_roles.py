"""Which role may use which URL. New URLs have to be added here."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from classifier.models import Ticket
from tests.factories import configure_review, hold, make_ticket

pytestmark = [pytest.mark.usefixtures("catalogue"), pytest.mark.postgresql]

EVERYBODY = {"agent", "lead", "admin"}
LEADS = {"lead", "admin"}
READ, WRITE, BOTH = {"GET"}, {"POST"}, {"GET", "POST"}


class Door(NamedTuple):
    methods: set[str]
    open_to: set[str]
    about_one: bool = False
    of_another: bool = False
    """Its address names first what the one belongs to."""


DOORS = {
    "classifier:inbox": Door(READ, EVERYBODY),
    "classifier:new_ticket": Door(BOTH, EVERYBODY),
    "classifier:ticket": Door(READ, EVERYBODY, about_one=True),
    "classifier:models": Door(READ, EVERYBODY),
    "review:screen": Door(READ, EVERYBODY),
    "review:decide": Door(WRITE, EVERYBODY),
    "review:undo": Door(WRITE, EVERYBODY),
    "review:renew_lease": Door(WRITE, EVERYBODY),
    "review:reoffer_skipped": Door(WRITE, EVERYBODY),
    "review:take": Door(WRITE, EVERYBODY, about_one=True),
    "review:duplicates": Door(BOTH, EVERYBODY, about_one=True),
    "review:similar": Door(READ, EVERYBODY, about_one=True),
    "review:queue": Door(READ, EVERYBODY),
    "review:bulk_accept": Door(WRITE, EVERYBODY),
    "review:my_decisions": Door(READ, EVERYBODY),
    "review:reopen": Door(WRITE, EVERYBODY, about_one=True),
    "review:preferences": Door(BOTH, EVERYBODY),
    "review:lead": Door(READ, LEADS),
    "review:lead_screen": Door(READ, LEADS),
    "review:certification": Door(READ, LEADS),
    "review:evidence": Door(READ, LEADS),
    "review:set_accuracy_target": Door(WRITE, LEADS),
    "review:set_gate_mode": Door(WRITE, LEADS),
    "review:reopen_tickets": Door(WRITE, LEADS, about_one=True),
    "review:acknowledge_alarm": Door(WRITE, LEADS, about_one=True),
    "review:specialist": Door(READ, LEADS),
    "review:train_specialist": Door(WRITE, LEADS),
    "review:unpin_version": Door(WRITE, LEADS),
    "review:deploy_version": Door(WRITE, LEADS, about_one=True),
    "review:label_issues": Door(READ, LEADS),
    "review:label_issue": Door(READ, LEADS, about_one=True),
    "review:keep_label": Door(WRITE, LEADS, about_one=True),
    "review:correct_label": Door(WRITE, LEADS, about_one=True),
    "review:dispute_label": Door(WRITE, LEADS, about_one=True),
    "review:benchmark": Door(READ, LEADS),
    "review:start_run": Door(WRITE, LEADS),
    "review:benchmark_run": Door(READ, LEADS, about_one=True),
    "review:stop_run": Door(WRITE, LEADS, about_one=True),
    "review:resume_run": Door(WRITE, LEADS, about_one=True),
    "review:contender": Door(READ, LEADS, about_one=True, of_another=True),
    "review:answers": Door(READ, LEADS, about_one=True, of_another=True),
    "review:pin_baseline": Door(WRITE, LEADS, about_one=True, of_another=True),
    "review:unpin_baseline": Door(WRITE, LEADS),
    "review:set_threshold": Door(WRITE, LEADS, about_one=True, of_another=True),
    "review:dispute_benchmark_label": Door(WRITE, LEADS, about_one=True),
    "review:draft_changes": Door(READ, LEADS, about_one=True, of_another=True),
    "review:emerging_topics": Door(READ, LEADS),
    "review:topic": Door(BOTH, LEADS, about_one=True),
    "review:draft_topic": Door(WRITE, {"admin"}, about_one=True),
    "review:drafted_category": Door(READ, LEADS, about_one=True),
    "review:reclassify_for_category": Door(WRITE, LEADS, about_one=True),
    "review:confusable_categories": Door(READ, LEADS),
    "review:datasets": Door(READ, LEADS),
    "review:create_snapshot": Door(WRITE, LEADS),
    "review:import_labels": Door(WRITE, LEADS),
    "review:snapshot": Door(READ, LEADS, about_one=True),
    "review:download": Door(READ, LEADS, about_one=True),
    "review:manifest": Door(READ, LEADS, about_one=True),
    "review:labelling_config": Door(READ, LEADS, about_one=True),
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
    assert set(named(get_resolver().url_patterns)) == set(DOORS) | SIGNED


@pytest.fixture
def people(roles: None, tom: User, ana: User, lea: User, admin: User) -> dict[str, User]:
    return {"stranger": tom, "agent": ana, "lead": lea, "admin": admin}


@pytest.fixture
def ticket(catalogue: None) -> Ticket:
    configure_review()
    (assignment,) = hold(make_ticket())
    return assignment.ticket


def knock(person: User | None, name: str, method: str, ticket: Ticket, **headers: str) -> Any:
    client = Client(headers=headers)
    if person:
        client.force_login(person)
    door = DOORS[name]
    url = reverse(name, args=[ticket.pk] * (door.about_one + door.of_another))
    return client.get(url) if method == "GET" else client.post(url)


def expected(role: str, door: Door, method: str) -> set[int]:
    """The acceptable statuses; requests are empty, so allowed ones may be refused as invalid."""
    if role not in door.open_to:
        return {403} if method in door.methods else {403, 405}
    return {200, 204, 302, 400, 404, 409, 422} if method in door.methods else {405}


@pytest.mark.parametrize("role", ["stranger", "agent", "lead", "admin"])
def test_every_url_enforces_the_permissions_of_each_role(role: str, people: dict[str, User], ticket: Ticket) -> None:
    wrong = {}
    for name, door in DOORS.items():
        for method in ("GET", "POST"):
            response = knock(people[role], name, method, ticket)
            leads_out = response.get("Location", "").startswith(reverse("login"))
            if response.status_code not in expected(role, door, method) or leads_out:
                wrong[name, method] = response.status_code
    assert wrong == {}


def test_a_visitor_must_sign_in_for_every_url(people: dict[str, User], ticket: Ticket) -> None:
    for name in DOORS:
        for method in ("GET", "POST"):
            response = knock(None, name, method, ticket)
            assert response.status_code == 302, name
            assert response["Location"].startswith(reverse("login")), name


def test_page_fragments_need_the_same_permissions(people: dict[str, User], ticket: Ticket) -> None:
    wrong = {}
    for name, door in DOORS.items():
        for method in door.methods:
            stranger = knock(people["stranger"], name, method, ticket, **{"hx-request": "true"})
            visitor = knock(None, name, method, ticket, **{"hx-request": "true"})
            if stranger.status_code != 403 or "HX-Redirect" not in visitor:
                wrong[name, method] = stranger.status_code
    assert wrong == {}


@pytest.mark.parametrize("role", ["stranger", "agent", "lead"])
def test_the_admin_is_for_staff(role: str, people: dict[str, User]) -> None:
    client = Client()
    client.force_login(people[role])
    for url in ("/admin/", "/admin/auth/user/", "/admin/review/decision/", "/admin/classifier/ticket/"):
        assert client.get(url)["Location"].startswith("/admin/login/")
