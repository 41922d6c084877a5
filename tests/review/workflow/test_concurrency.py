"""Concurrent work in real threads and processes: no ticket is leased twice, no decision lost."""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection

from classifier.models import Category, Ticket
from classifier.taxonomy import label_changes
from review.models import Assignment, Decision, ReviewSettings
from review.workflow import decisions, leases
from review.workflow.decisions import CannotUndo, TooLate
from review.workflow.leases import NotAvailable
from tests.factories import configure_review, make_ticket, make_user, send_to_review
from tests.review.actions import (
    answer,
    assert_consistent,
    escalate,
    expire_leases,
    label,
    reclassify,
    reload,
    run_concurrently,
    skip,
    state,
    undo,
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("consistent_reviews"),
    pytest.mark.postgresql,
]

ROOT = Path(__file__).resolve().parents[3]
AGENTS = 16


@pytest.fixture
def agents() -> list[User]:
    return [make_user(f"agent-{number}") for number in range(AGENTS)]


def tickets(number: int) -> list[Ticket]:
    return [make_ticket(f"ticket {chr(97 + place % 26) * (place % 7 + 3)}") for place in range(number)]


def failures(results: list[object], *expected: type[Exception]) -> list[object]:
    """The exceptions that were not expected."""
    return [result for result in results if isinstance(result, Exception) and not isinstance(result, expected)]


def test_two_agents_never_lease_the_same_ticket(agents: list[User]) -> None:
    send_to_review(*tickets(10))
    got = run_concurrently([partial(leases.lease_next, agent) for agent in agents])
    assert failures(got) == []
    assignments = [assignment.pk for assignment in got if assignment]
    assert len(assignments) == len(set(assignments)) == 10


def test_sixteen_agents_decide_every_ticket_once(agents: list[User]) -> None:
    assignments = send_to_review(*tickets(96))

    def work(agent: User) -> list[int]:
        answered = []
        while assignment := leases.lease_next(agent):
            answered.append(assignment.pk)
            answer(assignment, agent)
        return answered

    results = run_concurrently([partial(work, agent) for agent in agents])
    assert failures(results) == []
    assert sorted(pk for answered in results for pk in answered) == [assignment.pk for assignment in assignments]
    assert Decision.objects.count() == len(assignments)
    for agent, answered in zip(agents, results, strict=True):
        assert {decision.assignment_id for decision in Decision.objects.by(agent)} == set(answered)


class Whim:
    """A person who acts at random, within their permissions."""

    def __init__(self, person: User, lane: str, seed: int) -> None:
        self.person, self.lane = person, lane
        self.choose = random.Random(seed)  # noqa: S311 - whims
        self.seen: list[Assignment] = []

    def follow(self, steps: int) -> Counter[str]:
        done: Counter[str] = Counter()
        for _step in range(steps):
            act = self.choose.choice([self.answer, self.answer, self.skip, self.undo, self.late, self.take, self.leave])
            try:
                act()
                done[act.__name__] += 1
            except (TooLate, CannotUndo, NotAvailable) as refused:
                done[type(refused).__name__] += 1
        return done

    def next(self) -> Assignment | None:
        assignment = leases.lease_next(self.person, self.lane)
        if assignment:
            self.seen.append(assignment)
            if self.choose.random() < 0.2:
                expire_leases(assignment)
        return assignment

    def answer(self) -> None:
        if assignment := self.next():
            answer(assignment, self.person, self.choose.choice(["Billing", "Account"]))

    def skip(self) -> None:
        if assignment := self.next():
            self.choose.choice([skip, escalate])(assignment, self.person)

    def undo(self) -> None:
        if last := decisions.latest_decision(self.person):
            undo(last, self.person)

    def late(self) -> None:
        """Answer a ticket seen earlier, as from an old page."""
        if self.seen:
            answer(self.choose.choice(self.seen), self.person, "Technical")

    def take(self) -> None:
        assignment = self.choose.choice(list(Assignment.objects.all()))
        leases.lease_ticket(self.person, assignment.ticket, self.lane)

    def leave(self) -> None:
        self.choose.choice([leases.release, leases.reoffer_skipped])(self.person)


def test_random_actions_of_sixteen_people_lose_and_repeat_no_decision(agents: list[User]) -> None:
    configure_review(blind_share=0.3, double_share=0.3)
    inbox = tickets(40)
    send_to_review(*inbox)
    lanes = ["agents"] * (AGENTS - 3) + ["leads"] * 3
    people = [Whim(agent, lane, seed) for seed, (agent, lane) in enumerate(zip(agents, lanes, strict=True))]
    results = run_concurrently([partial(person.follow, 12) for person in people])
    assert failures(results) == []
    assert_consistent()
    assert sum(done["answer"] for done in results) > 10
    empty_queue(agents)
    assert {state(ticket) for ticket in inbox} == {"settled"}


def empty_queue(people: list[User]) -> None:
    """Everyone answers until nothing is left, then reviews their skipped tickets again."""
    while Assignment.objects.open().exists():
        before = Decision.objects.count()
        for person in people:
            leases.reoffer_skipped(person)
            for lane in Assignment.Lane.values:
                if assignment := leases.lease_next(person, lane):
                    answer(assignment, person)
        assert Decision.objects.count() > before, "tickets are waiting, but nobody gets one"


@pytest.mark.parametrize("act", [answer, skip, escalate])
def test_simultaneous_copies_of_an_answer_are_one_decision(ana: User, act: Callable[..., Decision]) -> None:
    send_to_review(*tickets(1))
    assignment, key = leases.lease_next(ana), uuid4()
    made = run_concurrently([partial(act, assignment, ana, key=key) for _time in range(8)])
    assert failures(made) == []
    assert len({decision.pk for decision in made}) == 1
    assert Decision.objects.count() == 1


def test_simultaneous_copies_of_an_undo_are_one(ana: User) -> None:
    send_to_review(*tickets(1))
    decision, key = answer(leases.lease_next(ana), ana), uuid4()
    made = run_concurrently([partial(decisions.undo, decision, ana, key=key) for _time in range(8)])
    assert failures(made) == []
    assert len({undoing.pk for (undoing,) in made}) == 1


def test_second_of_two_simultaneous_undos_is_refused(ana: User) -> None:
    send_to_review(*tickets(1))
    decision = answer(leases.lease_next(ana), ana)
    made = run_concurrently([partial(undo, decision, ana) for _time in range(4)])
    assert failures(made, CannotUndo) == []
    assert sum(isinstance(result, CannotUndo) for result in made) == 3


@pytest.mark.parametrize("waiting", [1, 10])
def test_person_with_many_tabs_has_one_lease(ana: User, waiting: int) -> None:
    send_to_review(*tickets(waiting))
    got = run_concurrently([partial(leases.lease_next, ana) for _tab in range(8)])
    assert failures(got) == []
    assert len({assignment.pk for assignment in got}) == 1


def test_simultaneous_leases_of_one_ticket_by_one_person_both_succeed(ana: User) -> None:
    (assignment,) = send_to_review(*tickets(1))
    assert (
        run_concurrently([partial(leases.lease_ticket, ana, assignment.ticket) for _click in range(6)])
        == [assignment] * 6
    )


def test_simultaneous_leases_of_two_tickets_leave_one(ana: User) -> None:
    for round_ in range(5):
        assignments = send_to_review(make_ticket(f"one {round_}"), make_ticket(f"two {round_}"))
        got = run_concurrently([partial(leases.lease_ticket, ana, assignment.ticket) for assignment in assignments])
        assert failures(got) == []
        assert Assignment.objects.held_by(ana).get() in assignments


def test_undo_and_next_ticket_in_two_tabs_leave_one_lease(ana: User) -> None:
    send_to_review(*tickets(10))
    for _round in range(5):
        decision = answer(leases.lease_next(ana), ana)
        undone, got = run_concurrently([partial(undo, decision, ana), partial(leases.lease_next, ana)])
        assert failures([undone, got]) == []
        assert Assignment.objects.held_by(ana).count() == 1


@pytest.mark.parametrize("claimed", ["before", "after"])
def test_assignment_leased_while_it_goes_to_the_leads_has_one_holder(
    ana: User, ben: User, lea: User, claimed: str
) -> None:
    """The second skip moves the ticket's other assignment to the leads; at that moment someone leases it."""
    configure_review(double_share=1)
    first, second = send_to_review(make_ticket("asks two"))
    configure_review()
    (following,) = send_to_review(make_ticket("another matter"))
    Assignment.objects.filter(ticket=first.ticket).update(value=2)
    Assignment.objects.filter(pk=following.pk).update(value=1)
    skip(first, make_user("cyd"))
    assert leases.lease_next(ana) == first
    at_it, asked = threading.Event(), threading.Event()

    def held_up(execute: Callable[..., object], sql: str, parameters: Any, *arguments: object) -> object:
        # The first two parameters are the values to set.
        if not sql.startswith('UPDATE "review_assignment" SET "lane"') or second.pk not in parameters[2:]:
            return execute(sql, parameters, *arguments)
        result = execute(sql, parameters, *arguments) if claimed == "after" else None
        at_it.set()
        asked.wait(1)  # in vain where the database lets nobody else write meanwhile
        return result if claimed == "after" else execute(sql, parameters, *arguments)

    def pass_on() -> Decision:
        with connection.execute_wrapper(held_up):
            return skip(first, ana)

    def ask() -> Assignment | None:
        assert at_it.wait(5)
        assignment = leases.lease_next(ben)
        asked.set()
        return assignment

    skipped, got = run_concurrently([pass_on, ask])
    assert failures([skipped, got]) == []
    leased_first = connection.vendor == "postgresql" and claimed == "before"
    assert got == (second if leased_first else following)
    assert Assignment.objects.held_by(ben).get() == got
    assert (reload(second).lane, reload(second).reviewer) == (("agents", ben) if leased_first else ("leads", None))
    assert leases.lease_next(lea, "leads") == first
    answer(first, lea)
    if not leased_first:
        assert leases.lease_next(lea, "leads") is None, "a lead's answer is final"


def test_two_simultaneous_answers_to_an_abandoned_ticket_give_one_label(ana: User, ben: User) -> None:
    for _round in range(5):
        (ticket,) = tickets(1)
        (assignment,) = send_to_review(ticket)
        leases.lease_ticket(ana, ticket)
        expire_leases(assignment)
        leases.lease_ticket(ben, ticket)
        made = run_concurrently(
            [partial(answer, assignment, ana, "Billing"), partial(answer, assignment, ben, "Account")]
        )
        (decision,) = (result for result in made if isinstance(result, Decision))
        (late,) = (result for result in made if isinstance(result, TooLate))
        assert late.final_decision == decision


@pytest.mark.parametrize("second", ["Billing", "Account"])
def test_simultaneous_double_labels_are_compared(ana: User, ben: User, second: str) -> None:
    configure_review(double_share=1)
    for _round in range(5):
        (ticket,) = tickets(1)
        first, two = send_to_review(ticket)
        made = run_concurrently([partial(answer, first, ana, "Billing"), partial(answer, two, ben, second)])
        assert failures(made) == []
        if second == "Billing":
            assert state(ticket) == "settled"
        else:
            assert Assignment.objects.open().filter(ticket=ticket).get().purpose == "adjudication"


def test_simultaneous_answer_and_reclassification_lose_nothing(ana: User) -> None:
    for confidence in (0.5, 0.95) * 4:
        (ticket,) = tickets(1)
        (assignment,) = send_to_review(ticket)
        results = run_concurrently(
            [partial(answer, assignment, ana, "Account"), partial(reclassify, ticket, confidence=confidence)]
        )
        assert failures(results) == []
        assert (state(ticket), reload(assignment).ticket.category.name) == ("settled", "Account")


def test_labels_can_be_merged_while_agents_answer(agents: list[User]) -> None:
    account, billing = Category.objects.get(name="Account"), Category.objects.get(name="Billing")
    inbox = tickets(48)
    send_to_review(*inbox, category=account)
    chosen = label("Account")

    def work(agent: User) -> None:
        for _ticket in range(6):
            assignment = leases.lease_next(agent)
            assert assignment, "tickets are waiting, but none is left"
            decisions.decide(assignment, agent, chosen, key=uuid4())

    results = run_concurrently(
        [*(partial(work, agent) for agent in agents[:8]), partial(label_changes.merge, account, billing)]
    )
    assert failures(results) == []
    assert set(Decision.objects.values_list("category__name", flat=True)) == {"Billing"}
    assert {reload(assignment).ticket.category for assignment in Assignment.objects.all()} == {billing}


def test_merge_waits_for_a_running_answer_and_moves_its_label(ana: User) -> None:
    account, billing = Category.objects.get(name="Account"), Category.objects.get(name="Billing")
    (assignment,) = send_to_review(*tickets(1), category=account)

    def slowly(execute: Callable[..., object], sql: str, *arguments: object) -> object:
        if sql.startswith('UPDATE "review_assignment"'):
            time.sleep(1)
        return execute(sql, *arguments)

    def decide() -> Decision:
        with connection.execute_wrapper(slowly):
            return answer(assignment, ana, "Account")

    def merge() -> None:
        time.sleep(0.5)
        label_changes.merge(account, billing)

    assert failures(run_concurrently([decide, merge])) == []
    assert (
        Decision.objects.get().category == reload(assignment).ticket.category == reload(assignment).category == billing
    )


def test_review_settings_are_created_once_under_concurrency() -> None:
    ReviewSettings.objects.all().delete()
    assert len({review_settings.seed for review_settings in run_concurrently([ReviewSettings.current] * 8)}) == 1


# Processes


def start(*arguments: str) -> "subprocess.Popen[str]":
    """Start an agent in a separate process, on this test's database."""
    settings = connection.settings_dict
    url = f"sqlite:///{settings['NAME']}"
    if connection.vendor == "postgresql":
        url = f"postgresql://{settings['USER']}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"
    return subprocess.Popen(
        [sys.executable, "-m", "tests.review.agent", *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url, "PGPASSWORD": settings["PASSWORD"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_agents_in_separate_processes_share_the_queue(agents: list[User]) -> None:
    assignments = send_to_review(*tickets(60))
    processes = [start(agent.username) for agent in agents[:4]]
    printed = []
    for process in processes:
        output, complaints = process.communicate(timeout=120)
        assert process.returncode == 0, complaints
        printed += [int(line) for line in output.split()]
    assert sorted(printed) == [assignment.pk for assignment in assignments]
    assert Decision.objects.count() == len(assignments)


def test_ticket_leased_by_a_killed_process_becomes_free(ana: User, ben: User) -> None:
    (assignment,) = send_to_review(*tickets(1))
    with start("ana", "hold") as process:
        assert process.stdout.readline() == f"{assignment.pk}\n"
        process.kill()
    assert leases.lease_next(ben) is None
    expire_leases(assignment)
    assert leases.lease_next(ben) == assignment
