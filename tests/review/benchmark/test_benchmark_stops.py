"""A run that is stopped, killed or held up by one slow answer loses no answer that was paid for."""

import signal
import threading
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from classifier.models import LanguageModel, Provider, Spend, Ticket
from classifier.privacy import erasure
from review.benchmark import execution, runs
from review.benchmark.progress import RunProgress
from review.models import Contender, GoldLabel, Result, Run, SnapshotItem
from tests.factories import make_language_model, make_ticket
from tests.installations import Installation, wait_until
from tests.review.benchmark.test_benchmark import CATEGORIES, SENTIMENTS, hold_out, started
from tests.servers import HANG, OpenAIServer, Replier, Reply, Request, answer, by_text
from tests.stalling import is_untouched, overtake

pytestmark = pytest.mark.usefixtures("catalogue")

IN_FLIGHT = 4
UNDER_WAY = 2 * IN_FLIGHT
PRICE = Decimal("0.01")


def after(seconds: float) -> Replier:
    reply = by_text(CATEGORIES, SENTIMENTS)
    return lambda request: replace(reply(request), delay=seconds)


def make_priced(server: OpenAIServer, **values: Any) -> LanguageModel:
    return make_language_model(
        server,
        name="priced",
        family="a",
        **{"max_in_flight": IN_FLIGHT, "price_per_request": PRICE, "json_mode": "json_schema"} | values,
    )


def stop_after(run: Run, seconds: float) -> threading.Thread:
    """Press the button from elsewhere."""

    def press() -> None:
        time.sleep(seconds)
        runs.stop_run(run)
        connection.close()

    thread = threading.Thread(target=press)
    thread.start()
    return thread


def asked_again(server: OpenAIServer) -> int:
    return sum(number - 1 for number in Counter(request.ticket for request in server.requests).values())


def spent() -> Decimal:
    return sum(Spend.objects.values_list("cost", flat=True), Decimal(0))


def test_a_slow_answer_does_not_hold_up_others() -> None:
    snapshot = hold_out(40)
    slow = runs.benchmark_items(snapshot).order_by("position")[4].gold.text
    done: list[str] = []

    def reply(request: Request) -> Reply:
        return after(3 if request.ticket == slow else 0)(request)

    with OpenAIServer(reply) as server:
        run = started(snapshot, make_priced(server))
        execution.execute_run(run.pk, on_result=lambda _contender, item, _result: done.append(item.gold.text))
    run.refresh_from_db()
    assert (run.state, len(set(done))) == ("finished", 40)
    assert done.index(slow) >= 20, "it is the fifth that was asked about"
    assert len(server.requests) == 40


@pytest.mark.parametrize("daily_budget", [None, Decimal(100)])
def test_open_requests_are_stored_and_counted_after_a_stop(
    transactional_db: None, daily_budget: Decimal | None
) -> None:
    snapshot = hold_out(40)
    with OpenAIServer(after(0.3)) as server:
        run = started(snapshot, make_priced(server, daily_budget=daily_budget))
        button = stop_after(run, 1)
        execution.execute_run(run.pk)
        button.join()
        run.refresh_from_db()
        asked = len(server.requests)
        assert run.state == "stopped"
        assert asked <= 4 * IN_FLIGHT + UNDER_WAY, "four turns began within that second"
        assert RunProgress(run).overall.done == asked
        assert spent() == sum(Result.objects.values_list("cost", flat=True)) == asked * PRICE
        runs.resume_run(run)
        execution.execute_run(run.pk)
        assert asked_again(server) == 0
    run.refresh_from_db()
    assert (run.state, spent()) == ("finished", 40 * PRICE)


def test_a_run_stops_even_while_no_answers_arrive(transactional_db: None) -> None:
    snapshot = hold_out(20)
    with OpenAIServer(lambda _request: HANG) as server:
        run = started(snapshot, make_priced(server, timeout=1.0))
        button = stop_after(run, 0.2)
        execution.execute_run(run.pk)
        button.join()
    assert len(server.requests) < 20, "not every item, let alone every try"
    assert not Result.objects.exists()
    assert spent() == 0


def test_a_stopped_run_with_open_requests_is_not_executed_twice(transactional_db: None) -> None:
    snapshot = hold_out(UNDER_WAY)
    beside: list[bool] = []

    def go_on(contender: Contender, _item: SnapshotItem, _result: Result) -> None:
        if not beside:
            runs.stop_run(contender.run)
            runs.resume_run(contender.run)
            beside.append(execution.execute_run(contender.run_id))

    with OpenAIServer(after(0.2)) as server:
        run = started(snapshot, make_priced(server))
        execution.execute_run(run.pk, on_result=go_on)
        assert (beside, asked_again(server)) == ([False], 0)


@pytest.mark.parametrize("fails", [False, True])
def test_a_stalled_worker_cannot_finish_or_stop_a_run_that_was_taken_over(fails: bool) -> None:
    snapshot = hold_out(UNDER_WAY)
    successors: list[Any] = []

    def stall(*_one: object) -> None:
        successors.append(successors[0] if successors else overtake(Run))
        if fails:
            raise ZeroDivisionError

    with OpenAIServer(after(0.05)) as server:
        run = started(snapshot, make_priced(server))
        with pytest.raises(ZeroDivisionError) if fails else nullcontext():
            execution.execute_run(run.pk, on_result=stall)
    run.refresh_from_db()
    assert (run.state, run.finished_at) == ("running", None)
    assert is_untouched(successors[0])


def test_masked_texts_get_their_own_answers() -> None:
    snapshot = hold_out(12)
    for number, label in enumerate(GoldLabel.objects.all()):
        GoldLabel.objects.filter(pk=label.pk).update(text=f"{number}: I am person{number}@example.org")

    def reply(request: Request) -> Reply:
        # The first ones last.
        return replace(
            answer(reasoning=f"It says {request.ticket}"), delay=0.3 - 0.02 * int(request.ticket[:2].strip(":"))
        )

    with OpenAIServer(reply) as server:
        language_model = make_priced(server)
        Provider.objects.filter(pk=language_model.provider_id).update(mask=True)
        execution.execute_run(started(snapshot, language_model).pk)
    assert not any("@" in request.ticket for request in server.requests)
    answers = Result.objects.values_list("reasoning", "item__gold__text")
    assert len(answers) == 12
    assert all(reasoning == f"It says {text}" for reasoning, text in answers)


def with_tickets(run: Run, number: int) -> list[Ticket]:
    """The last of the items as tickets that somebody may have erased."""
    labels = [item.gold for item in runs.benchmark_items(run.snapshot).order_by("-position")[:number]]
    tickets = [make_ticket(label.text) for label in labels]
    for label, ticket in zip(labels, tickets, strict=True):
        GoldLabel.objects.filter(pk=label.pk).update(ticket=ticket)
    return tickets


def erase(*tickets: Ticket) -> None:
    erasure.erase(Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets]))


def test_erased_texts_are_not_benchmarked() -> None:
    snapshot = hold_out(6)
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as server:
        run = started(snapshot, make_priced(server))
        erase(*with_tickets(run, 2))
        execution.execute_run(run.pk)
        again = started(snapshot, LanguageModel.objects.zero_shot())
    run.refresh_from_db()
    assert (run.state, RunProgress(run).overall, again.items_count) == ("finished", (4, 4), 4)
    assert run.contenders.get().figures["both"][3] == 4
    assert not any("(erased)" in request.ticket for request in server.requests)


@pytest.mark.postgresql
def test_answers_about_texts_erased_during_a_run_are_not_stored() -> None:
    snapshot = hold_out(6)
    run: Run | None = None

    def tell(*_one: object) -> None:
        if run and not Ticket.objects.exists():
            erase(*with_tickets(run, 1))

    with OpenAIServer(lambda request: replace(answer(reasoning=request.ticket[:50]), delay=0.05)) as server:
        run = started(snapshot, make_priced(server, max_in_flight=1))
        erased = runs.benchmark_items(snapshot).order_by("-position")[0]
        execution.execute_run(run.pk, on_result=tell)
    run.refresh_from_db()
    assert (run.state, RunProgress(run).overall) == ("finished", (5, 5))
    assert not Result.objects.filter(item=erased).exists()


def test_models_are_compared_on_items_that_all_have_answered(transactional_db: None) -> None:
    snapshot = hold_out(6)
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as server:
        run = started(snapshot, make_priced(server), make_language_model(server, name="other", family="b"))
        first, second = run.contenders.all()
        ticket, answered_by_all = with_tickets(run, 2)
        wrong: dict[str, Any] = {"category_right": False, "sentiment_right": False, "latency_ms": 1, "cost": 0}
        for contender, its in ((first, (ticket, answered_by_all)), (second, (answered_by_all,))):
            for answered in its:
                item = SnapshotItem.objects.get(gold__ticket=answered)
                Result.objects.create(contender=contender, item=item, failure="timeout", **wrong)
        erase(ticket, answered_by_all)
        execution.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.items_count, RunProgress(run).overall) == ("finished", 5, (10, 10))
    assert [contender.figures["n"] for contender in run.contenders.all()] == [5, 5]
    assert run.comparisons[0]["n"] == 5


def test_a_run_whose_texts_were_all_erased_stops_and_says_so() -> None:
    snapshot = hold_out(2)
    run = started(snapshot, LanguageModel.objects.zero_shot())
    erase(*with_tickets(run, 2))
    execution.execute_run(run.pk)
    run.refresh_from_db()
    assert run.state == "stopped"
    assert "erased" in run.note


LABELS = """
from classifier.models import Category, Sentiment
from review.gold.gold_labels import add_gold_labels
from review.models import GoldLabel, Side
category, sentiment = Category.objects.first(), Sentiment.objects.first()
texts = [f"{number * 7919:x} " * 8 for number in range(120)]
add_gold_labels(
    [
        GoldLabel(
            text=text, digest=GoldLabel.digest_of(text), category=category, sentiment=sentiment, origin="import"
        )
        for text in texts
    ],
    {GoldLabel.digest_of(text): Side.BENCHMARK for text in texts},
)
"""


@pytest.mark.once
def test_a_killed_run_resumes_and_pays_twice_only_for_open_requests(installation: Installation) -> None:
    slow: set[str] = set()

    def reply(request: Request) -> Reply:
        slow.update([request.ticket] if len(server.requests) == 5 else [])
        return replace(answer(), delay=20 if request.ticket in slow and len(server.requests) < 60 else 0.05)

    with OpenAIServer(reply) as server:
        installation.use(server, IN_FLIGHT)
        installation.query(
            "update classifier_languagemodel set timeout = 30, price_per_request = 0.01 where name = 'local'"
        )
        installation.run("shell", "-c", LABELS)
        command = installation.start("benchmark", "--model", "local", "--quiet")
        wait_until(lambda: len(server.requests) >= 60)
        command.send_signal(signal.SIGKILL)
        command.communicate()
        asked = len(server.requests)
        ((stored, cost),) = installation.query("select count(*), sum(cost) from review_result")
        ((counted,),) = installation.query("select sum(cost) from classifier_spend")
        assert asked - UNDER_WAY <= stored <= asked  # type: ignore[operator]
        # SQLite adds in floating point, and what is counted in another order.
        assert round(counted, 6) >= round(cost, 6) > 0  # type: ignore[call-overload]
        # As if the lease of the dead process had run out.
        installation.query("update review_run set available_at = '2026-01-01 00:00:00'")
        installation.run("benchmark", "--resume", "1", "--quiet")
        ((items,),) = installation.query("select items_count from review_run where state = 'finished'")
        assert asked_again(server) <= UNDER_WAY
    assert installation.query("select count(*), count(distinct item_id) from review_result") == [(items, items)]
