"""Metrics report what the tables contain, count every row once, and take no more queries when tables grow."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from prometheus_client.parser import text_string_to_metric_families

import review.reports.tallies
from classifier import tallies
from classifier.contract.types import FailureKind
from classifier.models import ContractVersion, Failure, LanguageModel, Prediction, Tally, TallyProgress, Ticket
from classifier.pipeline import runner
from classifier.taxonomy import initial_data
from tests.conftest import UseServer
from tests.factories import configure_review, make_prediction, make_ticket, send_to_review
from tests.review.actions import answer
from tests.servers import OpenAIServer, say
from tests.servers import answer as model_answer
from ticketclf_site.processes import registry

pytestmark = pytest.mark.postgresql

DASHBOARD = Path(configured.BASE_DIR) / "deploy" / "grafana-dashboard.json"


class Scraped:
    """The metrics at one moment, by name and labels."""

    def __init__(self) -> None:
        response = Client().get("/metrics")
        assert response.status_code == 200
        self.families = list(text_string_to_metric_families(response.content.decode()))
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self._values[name, frozenset(labels.items())]


def settle() -> None:
    """Make the last look appear old enough for its rows to be counted."""
    TallyProgress.objects.update(seen_at=timezone.now() - tallies.SETTLED - timedelta(seconds=1))


def count_all() -> None:
    for _turn in ("look", "count"):
        tallies.update_tallies([*tallies.SOURCES, *review.reports.tallies.SOURCES])
        settle()


def test_events_are_counted(primary: UseServer, ana: User) -> None:
    configure_review()
    with OpenAIServer([say(f"```json\n{model_answer().content}\n```")]) as server:
        language_model = primary(server, price_per_request=2)
        make_ticket("The app crashes.")
        runner.classify_next_batch()
        failed = {
            "language_model": language_model,
            "contract": ContractVersion.objects.current(),
            "kind": FailureKind.TIMEOUT,
        }
        Failure.objects.create(ticket=make_ticket("Hello?"), detail="late", cost=1, **failed)
    (assignment,) = send_to_review(make_ticket("Where is my invoice?"))
    decision = answer(assignment, ana, "Billing")
    registry.beat("worker")
    count_all()
    metrics, model = Scraped(), {"provider": "first's", "model": "first"}
    assert metrics("ticketclf_tickets_received_total") == 3
    assert metrics("ticketclf_predictions_total", **model) == 1
    assert metrics("ticketclf_replies_repaired_total", **model) == 1
    assert metrics("ticketclf_failures_total", **model, kind="timeout") == 1
    assert metrics("ticketclf_model_cost_total", **model, purpose="tickets") == 2
    assert metrics("ticketclf_model_cost_total", **model, purpose="failures") == 1
    assert metrics("ticketclf_model_tokens_total", **model, direction="input") == 400
    assert metrics("ticketclf_model_call_seconds_bucket", **model, le="+Inf") == 1
    assert metrics("ticketclf_model_call_seconds_bucket", **model, le="60.0") == 1
    assert 0 < metrics("ticketclf_model_call_seconds_sum", **model) < 60
    assert metrics("ticketclf_verdicts_total", verdict="auto_accepted", reason="confident") == 1
    assert metrics("ticketclf_verdicts_total", verdict="needs_review", reason="below_threshold") == 1
    assert metrics("ticketclf_decisions_total", verdict=decision.verdict, purpose="review") == 1
    assert metrics("ticketclf_workers_alive") == metrics("ticketclf_tickets_waiting") == 1
    assert metrics("ticketclf_oldest_ticket_seconds", arrival="single") > 0
    assert metrics("ticketclf_certificate_in_force") == 0
    assert metrics("process_resident_memory_bytes") > 0


def test_a_row_is_counted_only_once_concurrent_transactions_are_visible(catalogue: None) -> None:
    make_ticket("One")
    tallies.update_tallies(tallies.SOURCES)
    tallies.update_tallies(tallies.SOURCES)
    assert tallies.sums() == {}
    settle()
    late = make_ticket("Two")
    tallies.update_tallies(tallies.SOURCES)
    assert tallies.sums() == {("received",): 1}
    assert TallyProgress.objects.get(name="tickets").until == late.pk - 1


def test_two_concurrent_sweeps_count_each_row_once(catalogue: None) -> None:
    make_ticket("One")
    (source,) = (source for source in tallies.SOURCES if source.name == "tickets")
    tallies.count_next_chunk(source)
    settle()
    stale = TallyProgress.objects.get(name="tickets")
    tallies.count_next_chunk(source)
    tallies._count_up_to(stale, source, stale.seen)
    assert tallies.sums() == {("received",): 1}


class Chunks(TestCase):
    """The sums do not depend on when rows arrive and how many are counted at once."""

    language_model: LanguageModel
    contract: ContractVersion

    @classmethod
    def setUpTestData(cls) -> None:
        initial_data.load()
        cls.language_model = LanguageModel.objects.zero_shot()
        cls.contract = ContractVersion.objects.current()

    @examples(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 7)), max_size=4))
    def test_sums_are_those_of_a_full_count(self, turns: list[tuple[int, int]]) -> None:
        for number, most in [*turns, (0, 3), (0, 3)]:
            for index in range(number):
                seconds = (index % 3) * 0.2
                values = {
                    "language_model": self.language_model,
                    "contract": self.contract,
                    "latency_ms": 1_000 * seconds,
                    "cost": 1,
                }
                make_prediction(make_ticket(f"Text {index}"), **values)
            settle()
            for source in tallies.SOURCES:
                while tallies.count_next_chunk(source, most=most):
                    pass
        settle()
        tallies.update_tallies(tallies.SOURCES)
        expected = tallies._by_model(Prediction.objects.all()) | tallies._received(Ticket.objects.all())
        assert tallies.sums() == pytest.approx({key: value for key, value in expected.items() if value})


def test_a_scrape_needs_the_same_queries_for_full_and_empty_tables(catalogue: None) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            Scraped()
        return len(queries)

    before = asked()
    for number in range(12):
        make_prediction(make_ticket(f"Text {number}"))
    count_all()
    assert asked() == before < 30
    rows = Tally.objects.count()
    make_prediction(make_ticket("One more"))
    count_all()
    assert Tally.objects.count() == rows


@pytest.mark.parametrize(
    ("headers", "address", "status"),
    [
        ({}, "127.0.0.1", 200),
        ({}, "203.0.113.9", 403),
        ({"x-forwarded-for": "203.0.113.9"}, "127.0.0.1", 403),
    ],
)
def test_without_a_token_only_this_machine_may_read(db: None, headers: Any, address: str, status: int) -> None:
    assert Client(REMOTE_ADDR=address).get("/metrics", headers=headers).status_code == status


@pytest.mark.parametrize(("given_token", "status"), [("Bearer right-token", 200), ("Bearer wrong", 403), ("", 403)])
def test_with_a_token_only_its_holders_may_read(db: None, settings: Any, given_token: str, status: int) -> None:
    settings.METRICS_TOKEN = "right-token"
    client = Client(REMOTE_ADDR="203.0.113.9")
    assert client.get("/metrics", headers={"authorization": given_token}).status_code == status


def test_the_dashboard_uses_existing_metrics(catalogue: None) -> None:
    make_prediction(make_ticket("One"))
    Failure.objects.create(
        ticket=make_ticket("Two"),
        language_model=LanguageModel.objects.zero_shot(),
        contract=ContractVersion.objects.current(),
        kind=FailureKind.TIMEOUT,
    )
    count_all()
    exported = {name for family in Scraped().families for name in (family.name, *_samples(family))}
    queries = " ".join(_queries(json.loads(DASHBOARD.read_text())))
    wanted = set(re.findall(r"\b(?:ticketclf|process)_\w+", queries))
    assert wanted - exported == set()
    ours = {name for name in exported if name.startswith("ticketclf_")}
    assert len(wanted & ours) >= 15


def _samples(family: Any) -> Iterator[str]:
    """The names by which queries ask for the samples."""
    yield from (sample.name for sample in family.samples)
    yield from {"counter": [f"{family.name}_total"], "histogram": [f"{family.name}_bucket"]}.get(family.type, [])


def _queries(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (str(value) for key, value in node.items() if key == "expr")
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _queries(value)
