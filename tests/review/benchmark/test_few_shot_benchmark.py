"""Models are measured with solved tickets beside the question and without; nothing they are measured with is shown."""

import io
import re
from collections.abc import Sequence
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from classifier.embeddings import nearest_examples, vector_store
from classifier.inference import ask_models
from classifier.models import Category, ContractVersion, Example, Gate, LanguageModel, Provider, Sentiment
from classifier.taxonomy import drafts
from classifier.taxonomy import initial_data as shipped
from review.benchmark import draft_comparison, execution, runs
from review.benchmark.runs import Entry
from review.duplicates import minhash
from review.gold import gold_labels, snapshots
from review.models import Contender, GoldLabel, Run, Side, Snapshot
from review.specialist import published_examples
from tests.factories import configure_review, make_language_model
from tests.review.gold.test_gold_labels import _changed, labels, message
from tests.servers import OpenAIServer, Request, answer

pytestmark = [pytest.mark.usefixtures("catalogue"), pytest.mark.django_db(transaction=True)]

BENCHMARK, START = reverse("review:benchmark"), reverse("review:start_run")


@pytest.fixture(autouse=True)
def fresh_index() -> None:
    nearest_examples.invalidate_index()


def publish() -> None:
    """As it is done before anything is learned: the training side is handed down, and has its vectors."""
    published_examples.publish_examples()
    vector_store.embeddings_for(list(Example.objects.values_list("text", flat=True)))
    nearest_examples.invalidate_index()


def place(side: Side, numbers: Sequence[int]) -> None:
    fresh = labels([message(number) for number in numbers])
    gold_labels.add_gold_labels(fresh, {label.digest: side for label in fresh})


@pytest.fixture
def snapshot(catalogue: None) -> Snapshot:
    """Four labels to measure with, and eight solved tickets to show."""
    configure_review()
    place(Side.BENCHMARK, range(4))
    place(Side.TRAINING, range(10, 18))
    publish()
    return snapshots.create_snapshot()


def worked_off(snapshot: Snapshot, entries: Sequence[Entry]) -> Run:
    run = runs.start_run(snapshot, entries)
    assert execution.execute_run(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    return run


# What is shown


class NothingLikeABenchmarkLabelIsShown(TestCase):
    @settings(max_examples=12)
    @given(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.booleans()), min_size=2, max_size=20),
        st.integers(1, 6),
    )
    def test_solved_tickets_in_prompts_are_no_near_duplicates_of_benchmark_items(
        self, arrivals: list[tuple[int, int, bool]], batch: int
    ) -> None:
        """Messages, each with some of its words changed: asked about all of them a model is shown none that is alike to
        one of those that it is measured with.
        """
        if not Category.objects.exists():
            shipped.load()
        configure_review(benchmark_share=0.5)
        GoldLabel.objects.all().delete()
        texts = list(dict.fromkeys(_changed(message(seed), changes, upper) for seed, changes, upper in arrivals))
        for start in range(0, len(texts), batch):
            gold_labels.add_gold_labels(labels(texts[start : start + batch]))
        publish()
        held_out = [minhash.shingles(label.text) for label in GoldLabel.objects.all() if label.side == Side.BENCHMARK]
        taught = sum(label.side == Side.TRAINING for label in GoldLabel.objects.all())
        for request in self.asked(texts):
            shown = [minhash.shingles(example["ticket"]) for example in request.solved]
            assert len(shown) >= min(3, taught - 1), "or there would be nothing to give away"
            for shingles in shown:
                assert all(minhash.similarity(shingles, other) < minhash.MIN_SIMILARITY for other in held_out)

    def asked(self, texts: list[str]) -> list[Request]:
        with OpenAIServer() as server:
            provider, _created = Provider.objects.update_or_create(name="here", defaults={"base_url": server.base_url})
            language_model, _created = LanguageModel.objects.get_or_create(
                provider=provider, name="here", family="here"
            )
            list(ask_models.ResultStream(texts, language_model, ContractVersion.objects.current(), examples=3))
        return server.requests


# Runs


def test_a_model_can_run_with_and_without_solved_tickets(snapshot: Snapshot) -> None:
    """It knows the answers only where it is shown some."""

    def shown_helps(request: Request) -> Any:
        return answer("Billing", "Positive") if request.solved else answer("Technical", "Negative")

    GoldLabel.objects.update(
        category=Category.objects.get(name="Billing"), sentiment=Sentiment.objects.get(name="Positive")
    )
    version = ContractVersion.objects.current()
    with OpenAIServer(shown_helps) as server:
        language_model = make_language_model(server, name="m", family="a")
        run = worked_off(
            snapshots.create_snapshot(), [Entry(language_model, version), Entry(language_model, version, examples=3)]
        )
    without, beside = run.contenders.order_by("pk")
    assert (str(without), str(beside)) == ("m", "m (3 solved tickets)")
    assert (without.examples, beside.examples) == (0, 3)
    assert (without.figures["both"][0], beside.figures["both"][0]) == (0.0, 1.0)
    assert sorted(len(request.solved) for request in server.requests) == [0] * 4 + [3] * 4


def test_a_model_shows_its_own_number_of_solved_tickets_by_default(snapshot: Snapshot) -> None:
    with OpenAIServer() as server:
        language_model = make_language_model(server, name="m", family="a", examples=2)
        run = worked_off(snapshot, [Entry(language_model, ContractVersion.objects.current())])
    assert run.contenders.get().examples == 2
    assert {len(request.solved) for request in server.requests} == {2}


def test_a_resumed_run_keeps_its_number_of_solved_tickets(snapshot: Snapshot) -> None:
    with OpenAIServer() as server:
        language_model = make_language_model(server, name="m", family="a", examples=2)
        run = runs.start_run(snapshot, [Entry(language_model, ContractVersion.objects.current())])
        LanguageModel.objects.filter(pk=language_model.pk).update(examples=0)
        execution.execute_run(run.pk)
    assert {len(request.solved) for request in server.requests} == {2}


def test_an_embedded_model_is_shown_no_solved_tickets(snapshot: Snapshot) -> None:
    entry = Entry(LanguageModel.objects.zero_shot(), ContractVersion.objects.current(), examples=5)
    assert worked_off(snapshot, [entry]).contenders.get().examples == 0


def test_the_estimated_cost_includes_the_solved_tickets(snapshot: Snapshot) -> None:
    version = ContractVersion.objects.current()
    with OpenAIServer() as server:
        language_model = make_language_model(server, name="dear", family="a", price_input=Decimal(100_000))
    none, two, four = (
        runs.estimate_cost(snapshot, Entry(language_model, version, examples=number)) for number in (0, 2, 4)
    )
    shown = sum(len(text) for text in Example.objects.values_list("text", flat=True)) / Example.objects.count()
    # Four items, two examples each, four characters to a token, ten tokens for one.
    assert float(two - none) == pytest.approx(4 * 2 * (shown + 100) / 4 / 10, rel=0.05)
    assert float(four - two) == pytest.approx(float(two - none), rel=0.01)


def test_a_draft_is_compared_with_the_same_model_with_as_many_solved_tickets(snapshot: Snapshot) -> None:
    draft = drafts.create("Other words", None)
    draft.labels.filter(name="Billing").update(description="All about money.")
    with OpenAIServer() as server:
        language_model = make_language_model(server, name="m", family="a")
        entries = [
            entry for number in (0, 3) for entry in draft_comparison.entries_for(draft, [language_model], number)
        ]
        run = worked_off(snapshot, entries)
    pairs = {(str(effect.draft), str(effect.in_force)) for effect in draft_comparison.draft_effects(run)}
    assert pairs == {("m (Other words)", "m"), ("m (Other words, 3 solved tickets)", "m (3 solved tickets)")}
    shown = Contender.objects.get(run=run, label="Other words", examples=3)
    assert draft_comparison.in_force_counterpart(shown) == Contender.objects.get(run=run, label="", examples=3)


# The form


def offered(lead_client: Client) -> dict[str, str]:
    """What can be ticked, by what it says; and the attributes of its box."""
    content = lead_client.get(BENCHMARK).content.decode()
    boxes = re.findall(r'<input type="checkbox" name="models" ([^>]*)> <span>(.*?)</label>', content)
    return {" ".join(unescape(re.sub(r"<[^>]*>", "", label)).split()): attributes for attributes, label in boxes}


def test_each_endpoint_is_also_offered_with_solved_tickets(lead_client: Client, snapshot: Snapshot) -> None:
    with OpenAIServer() as server:
        make_language_model(server, name="plain", family="a")
        shown = make_language_model(server, name="shown", family="b", examples=3)
    Gate.objects.update(primary=shown, second_opinion=None)
    boxes = offered(lead_client)
    assert {label for label in boxes if label.startswith(("plain", "shown"))} == {
        *("plain plain's", "plain with 5 solved tickets", "shown shown's", "shown with 3 solved tickets"),
    }
    assert [label for label, attributes in boxes.items() if attributes.endswith("checked")] == [
        "shown with 3 solved tickets"
    ]
    assert not any("solved" in label for label in boxes if label.startswith("embedded"))


def test_solved_tickets_are_not_offered_if_there_are_none(lead_client: Client) -> None:
    assert not any("solved" in label for label in offered(lead_client))


def test_runs_with_and_without_solved_tickets_are_distinguished_everywhere(
    lead_client: Client, snapshot: Snapshot
) -> None:
    with OpenAIServer() as server:
        language_model = make_language_model(server, name="m", family="a")
        sent = {
            "models": [f"{language_model.pk}", f"{language_model.pk}-5"],
            "contracts": "in-force",
            "snapshot": snapshot.short,
        }
        asked = lead_client.post(START, sent).content.decode()
        assert asked.count("with 5 solved tickets") == 1
        lead_client.post(START, sent | {"confirmed": "yes"})
        run = Run.objects.get()
        execution.execute_run(run.pk)
    content = lead_client.get(run.get_absolute_url()).content.decode()
    assert "<bdi>m</bdi>" in content
    assert "<bdi>m (5 solved tickets)</bdi>" in content


# The command


def printed_by(*arguments: str, **options: Any) -> str:
    printed = io.StringIO()
    call_command("benchmark", *arguments, stdout=printed, stderr=io.StringIO(), quiet=True, **options)
    return printed.getvalue()


def test_the_benchmark_command_compares_with_and_without_solved_tickets(snapshot: Snapshot) -> None:
    with OpenAIServer() as server:
        make_language_model(server, name="m", family="a")
        printed = printed_by("--model=m", "--model=embedded-minilm", "--examples=0", "--examples=4")
    assert {line.split(":")[0] for line in printed.splitlines() if "accuracy=" in line} == {
        *("m", "m (4 solved tickets)", "embedded-minilm"),
    }
    assert sorted(len(request.solved) for request in server.requests) == [0] * 4 + [4] * 4


def test_the_benchmark_command_shows_solved_tickets_with_the_texts_of_a_file(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    path = tmp_path / "items.csv"
    path.write_text("text,category,sentiment\nWhere is my invoice?,Billing,Neutral\n")
    with OpenAIServer() as server:
        make_language_model(server, name="m", family="a")
        printed = printed_by(str(path), "--model=m", "--examples=2")
    assert "m (2 solved tickets): accuracy=" in printed
    assert [len(request.solved) for request in server.requests] == [2]
