"""A run asks models about the held-out items, each once, whatever interrupts it."""

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from classifier.models import Category, ContractVersion, LanguageModel, Sentiment
from classifier.taxonomy import initial_data, label_changes
from review import sweep
from review.benchmark import baseline, execution, metrics, model_answers, results_table, runs, text_report
from review.benchmark.grading import Grader
from review.benchmark.model_answers import AnswerFilter
from review.benchmark.population import ItemSource
from review.benchmark.progress import RunProgress
from review.benchmark.runs import Entry, NothingToRun
from review.gold import gold_labels, snapshots
from review.models import Contender, GoldLabel, Result, Run, Side, Snapshot
from tests.background import queued
from tests.factories import configure_review, make_language_model
from tests.servers import OpenAIServer, Request, answer, by_text, error, say

GIVEN = ItemSource("import", 1.0, 1)

pytestmark = pytest.mark.usefixtures("catalogue")

CATEGORIES, SENTIMENTS = ["Billing", "Technical", "Account", "General"], ["Positive", "Neutral", "Negative"]


def hold_out(number: int, **values: Any) -> Snapshot:
    """So many benchmark items, none like another; their labels are what `by_text` says of them."""
    configure_review(benchmark_share=1)
    Category.objects.get_or_create(name="General")
    reply = by_text(CATEGORIES, SENTIMENTS)
    fresh = []
    for place in range(number):
        text = f"{_word(place)} " * 8
        expected = json.loads(reply(_asked(text)).content)
        fresh.append(
            GoldLabel(
                text=text,
                digest=GoldLabel.digest_of(text),
                category=Category.objects.get(name=expected["category"]),
                sentiment=_sentiment(expected["sentiment"]),
                origin=GoldLabel.Origin.IMPORT,
                **values,
            )
        )
    gold_labels.add_gold_labels(fresh)
    return snapshots.create_snapshot()


def _word(place: int) -> str:
    """Of letters, since texts that differ in digits are near-duplicates."""
    return f"{place * 7919:x}".translate(str.maketrans("0123456789", "ghijklmnop"))


def _sentiment(name: str) -> Any:
    return Sentiment.objects.get(name=name)


def _asked(text: str) -> Request:
    messages = [{"role": "user", "content": f"The ticket, as a JSON string:\n{json.dumps(text)}"}]
    return Request("POST", "/", {}, {"messages": messages}, 0.0)


def started(snapshot: Snapshot, *language_models: LanguageModel) -> Run:
    version = ContractVersion.objects.current()
    return runs.start_run(snapshot, [Entry(language_model, version) for language_model in language_models])


def test_a_run_asks_for_every_item_once_and_computes_figures() -> None:
    snapshot, right = hold_out(40), by_text(CATEGORIES, SENTIMENTS)
    with OpenAIServer(lambda request: say(f"<think>Hm.</think>{right(request).content}")) as server:
        language_model = make_language_model(server, name="perfect", family="a", price_per_request=Decimal("0.002"))
        run = started(snapshot, language_model)
        assert RunProgress(run).overall == (0, 40)
        assert execution.execute_run(run.pk)
        assert max(Counter(request.ticket for request in server.requests).values()) == 1
    run.refresh_from_db()
    contender = run.contenders.get()
    assert (run.state, RunProgress(run).overall) == ("finished", (40, 40))
    assert contender.figures["both"][0] == 1.0
    assert contender.figures["cost"] == pytest.approx(0.08)
    assert contender.figures["repaired"] == 40
    assert not execution.execute_run(run.pk), "there is nothing left of it to take up"


def test_labels_of_one_axis_are_measured_on_that_axis() -> None:
    hold_out(6)
    first, second, third, fourth, *_both = GoldLabel.objects.order_by("pk")
    GoldLabel.objects.filter(pk__in=[first.pk, second.pk]).update(category=None)
    GoldLabel.objects.filter(pk__in=[third.pk, fourth.pk]).update(sentiment=None)
    wrong = Category.objects.exclude(name=str(third.category))[0]
    GoldLabel.objects.filter(pk=third.pk).update(category=wrong)
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as server:
        run = started(snapshots.create_snapshot(), make_language_model(server, name="m", family="a"))
        execution.execute_run(run.pk)
    figures = run.contenders.get().figures
    assert [figures[axis][3] for axis in ("category", "sentiment", "both")] == [4, 4, 6]
    assert [figures[axis][0] for axis in ("category", "sentiment", "both")] == [0.75, 1.0, pytest.approx(5 / 6)]
    assert sum(row[-1] for row in figures["axes"]["category"]["confusion"]) == 4


def test_the_embedded_model_runs_beside_a_remote_one_that_fails_on_everything(transactional_db: None) -> None:
    initial_data.load()
    snapshot = hold_out(12)
    with OpenAIServer(lambda request: error(400, "no such model")) as server:
        run = started(
            snapshot, make_language_model(server, name="broken", family="a"), LanguageModel.objects.zero_shot()
        )
        execution.execute_run(run.pk)
    run.refresh_from_db()
    broken, embedded = run.contenders.order_by("pk")
    assert run.state == "finished"
    assert broken.figures["failures"] == {"rejected": 12}
    assert (broken.figures["answered"], broken.figures["both"][0]) == (0, 0.0)
    assert broken.figures["latency"]["p50"] is None
    assert embedded.figures["answered"] == 12
    assert len(run.comparisons) == 1


def test_answered_items_are_not_asked_again_after_a_stop() -> None:
    snapshot = hold_out(30)
    asked: list[str] = []
    run: Run | None = None

    def reply(request: Request) -> Any:
        asked.append(request.ticket)
        return replace(by_text(CATEGORIES, SENTIMENTS)(request), delay=0.04)

    with OpenAIServer(reply) as server:
        run = started(snapshot, make_language_model(server, name="m", family="a", max_in_flight=1))
        stop_after(run, 5)
        run.refresh_from_db()
        done = RunProgress(run).overall.done
        assert run.state == "stopped"
        assert 0 < done < 30
        assert runs.resume_run(run)
        execution.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, RunProgress(run).overall.done) == ("finished", 30)
    again = [text for text, number in Counter(asked).items() if number > 1]
    assert len(again) <= 8, "no more than was under way when it was stopped"


def stop_after(run: Run, number: int) -> None:
    seen: list[Result] = []

    def stop(contender: Contender, item: Any, result: Result) -> None:
        seen.append(result)
        if len(seen) == number:
            runs.stop_run(run)

    execution.execute_run(run.pk, on_result=stop)


def test_the_sweep_resumes_the_run_of_a_killed_worker() -> None:
    snapshot = hold_out(6)
    run = started(snapshot, LanguageModel.objects.zero_shot())
    assert list(Run.objects.waiting()) == [run]
    sweep.sweep()
    assert len(queued("review.benchmark.tasks.run_benchmark")) == 1
    execution.execute_run(run.pk)
    assert not Run.objects.waiting().exists()


def test_a_spent_budget_stops_the_run_without_failures() -> None:
    snapshot = hold_out(10)
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as server:
        language_model = make_language_model(
            server, name="dear", family="a", price_per_request=Decimal(1), daily_budget=Decimal(8), max_tokens=10
        )
        run = started(snapshot, language_model)
        execution.execute_run(run.pk)
    run.refresh_from_db()
    assert run.state == "stopped"
    assert "budget" in run.note
    assert not Result.objects.exclude(failure="").exists()
    assert Result.objects.count() == 4, "two requests are set aside for each"


def test_a_run_with_a_model_without_a_key_stops_with_the_name_of_the_variable() -> None:
    snapshot = hold_out(2)
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as server:
        run = started(snapshot, make_language_model(server, name="m", family="a", api_key_env="OXLO_API_KEY"))
        execution.execute_run(run.pk)
    run.refresh_from_db()
    assert run.state == "stopped"
    assert "OXLO_API_KEY" in run.note
    assert not Result.objects.exists()


def test_a_run_needs_benchmark_items_and_a_model() -> None:
    configure_review(benchmark_share=0)
    runs.load_built_in()
    snapshot = snapshots.create_snapshot()
    with pytest.raises(NothingToRun, match="at least one model"):
        runs.start_run(snapshot, [])
    training_only = snapshots.create_snapshot({"side": Side.BENCHMARK})
    training_only.items.update(side=Side.TRAINING)
    with pytest.raises(NothingToRun, match="no benchmark labels"):
        runs.start_run(training_only, [Entry(LanguageModel.objects.zero_shot(), ContractVersion.objects.current())])


def test_the_estimated_cost_follows_prices_and_lengths() -> None:
    snapshot = hold_out(10)
    version = ContractVersion.objects.current()
    with OpenAIServer(lambda request: answer()) as server:
        dear = make_language_model(server, name="dear", family="a", price_input=Decimal(3), price_output=Decimal(15))
    free = runs.estimate_cost(snapshot, Entry(LanguageModel.objects.zero_shot(), version))
    tokens = (len(version.system_prompt) + 8 * 6) / 4
    expected = 10 * (tokens * 3 + 60 * 15) / 1_000_000
    assert free == 0
    assert float(runs.estimate_cost(snapshot, Entry(dear, version))) == pytest.approx(expected, rel=0.1)


def test_an_earlier_contract_can_be_benchmarked_again(catalogue: None) -> None:
    snapshot = hold_out(5)
    earlier = ContractVersion.objects.current()
    Category.objects.filter(name="Billing").update(description="Only money.")
    in_force = ContractVersion.objects.current()
    assert earlier != in_force
    stored = ContractVersion.objects.get(pk=earlier.pk)
    language_model = LanguageModel.objects.zero_shot()
    run = runs.start_run(snapshot, [Entry(language_model, stored, "before"), Entry(language_model, in_force)])
    for contender in run.contenders.all():
        assert contender.contract.loaded().terms.digest == contender.contract.digest


def test_a_child_counts_as_its_parent_and_a_merged_label_as_its_successor() -> None:
    billing, account = (Category.objects.get(name=name) for name in ("Billing", "Account"))
    refunds = Category.objects.create(name="Refunds", parent=billing)
    labels = ContractVersion.objects.current().labels
    judge = Grader()
    assert judge.category("Billing > Refunds", billing.pk, labels)
    assert judge.category("Billing > Brand new", billing.pk, labels), "a draft's label below a known one"
    assert not judge.category("Billing", refunds.pk, labels)
    moved = labels._replace(categories=labels.categories | {"Refunds": refunds.pk})
    assert not judge.category("Refunds", billing.pk, moved), "a draft has moved it out from under its parent"
    label_changes.merge(billing, account)
    assert Grader().category("Account", billing.pk, ContractVersion.objects.current().labels)


def test_figures_agree_with_the_stored_results() -> None:
    snapshot = hold_out(60)
    with OpenAIServer(lambda request: answer("Billing", "Neutral", 0.9)) as server:
        run = started(snapshot, make_language_model(server, name="always", family="a"))
        execution.execute_run(run.pk)
    contender = run.contenders.get()
    right = contender.results.filter(category_right=True, sentiment_right=True).count()
    figures = contender.figures
    assert figures["both"][0] == right / 60
    outcomes = [metrics.outcome_at(figures, step) for step in (0, 90, 91)]
    assert [(outcome.accepted, outcome.wrong) for outcome in outcomes] == [(60, 60 - right)] * 2 + [(0, 0)]
    assert metrics.figures(execution.graded_items(contender)) | {"repaired": 0} == figures


def test_changes_since_the_baseline_are_counted_by_item() -> None:
    snapshot = hold_out(20)
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as good, OpenAIServer(lambda r: answer("Billing")) as bad:
        before, after = (
            make_language_model(bad, name="before", family="a"),
            make_language_model(good, name="after", family="b"),
        )
        first = started(snapshot, before)
        execution.execute_run(first.pk)
        second = started(snapshot, after)
        execution.execute_run(second.pk)
    old, new = first.contenders.get(), second.contenders.get()
    baseline.pin(new)
    baseline.pin(old)
    assert baseline.current() == old
    wrong_before = 20 - old.results.filter(category_right=True, sentiment_right=True).count()
    assert baseline.compare_to_baseline([new], old) == {new.pk: (20, wrong_before, 0)}
    assert model_answers.filter_results(new, AnswerFilter(change="fixed"), old).count() == wrong_before
    assert not model_answers.filter_results(new, AnswerFilter(change="broken"), old).exists()
    assert baseline.compare_to_baseline([old], new)[old.pk].broken == wrong_before
    baseline.unpin()
    assert baseline.current() is None


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the number of queries does not depend on the database")
def test_loading_graded_items_costs_one_query(django_assert_num_queries: Any) -> None:
    snapshot = hold_out(5)
    run = started(snapshot, LanguageModel.objects.zero_shot())
    execution.execute_run(run.pk)
    contender = run.contenders.get()
    with django_assert_num_queries(1):
        execution.graded_items(contender)


@pytest.mark.django_db(transaction=True)
def test_the_benchmark_command_prints_all_figures(capsys: Any) -> None:
    initial_data.load()
    hold_out(30)
    with OpenAIServer(lambda request: error(400, "no such model")) as server, OpenAIServer(answer_billing) as second:
        make_language_model(server, name="broken", family="a", price_per_request=Decimal("0.001"))
        make_language_model(second, name="always", family="b")
        call_command("benchmark", model=["broken", "always"], quiet=True)
    printed = capsys.readouterr().out
    for figure in (
        "both right",
        "macro-F1 sentiment",
        "AURC",
        "auto-accepted at 0.85",
        "p99 ms",
        "cost/1,000",
        "rejected 30",
    ):
        assert figure in printed
    assert "-> Billing: " in printed
    assert "right by the first alone" in printed


def answer_billing(request: Request) -> Any:
    return answer("Billing", "Neutral", 0.9)


def printed_by(capsys: Any, *arguments: str, **options: Any) -> str:
    call_command("benchmark", *arguments, quiet=True, **options)
    return str(capsys.readouterr().out)


def labelled(path: Path, number: int) -> str:
    """A file of so many texts, whose labels are what `by_text` says of them."""
    reply, lines = by_text(CATEGORIES, SENTIMENTS), []
    for place in range(number):
        text = f"{place * 7919:x} of a file"
        expected = json.loads(reply(_asked(text)).content)
        lines.append(json.dumps({"text": text, "category": expected["category"], "sentiment": expected["sentiment"]}))
    Category.objects.get_or_create(name="General")
    path.write_text("\n".join(lines))
    return str(path)


def test_the_benchmark_command_prints_the_estimated_cost_first(tmp_path: Path, capsys: Any) -> None:
    path = labelled(tmp_path / "items.jsonl", 5)
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as server:
        make_language_model(server, name="dear", family="a", price_per_request=Decimal("0.5"))
        printed = printed_by(capsys, path, model=["dear"], estimate=True)
        assert "dear: estimated cost 2.5000" in printed
        assert "accuracy=" not in printed
        assert not server.requests
        printed = printed_by(capsys, path, model=["dear"])
    assert printed.index("dear: estimated cost 2.5000") < printed.index("dear: accuracy=1.000")


def test_the_benchmark_command_names_the_better_model_on_a_file(tmp_path: Path, capsys: Any) -> None:
    path = labelled(tmp_path / "items.jsonl", 20)
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as good, OpenAIServer(lambda r: error(400, "no")) as bad:
        make_language_model(bad, name="broken", family="a")
        make_language_model(good, name="perfect", family="b")
        printed = printed_by(capsys, path, model=["broken", "perfect"])
    assert "perfect is better than broken. 20 right by the first alone, 0 by the second" in printed
    assert "difference 100.0 (" in printed


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("of_a_file", [False, True])
def test_models_with_equal_names_show_their_providers(of_a_file: bool, tmp_path: Path, capsys: Any) -> None:
    initial_data.load()
    hold_out(20)
    path = [labelled(tmp_path / "items.jsonl", 20)] if of_a_file else []
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as good, OpenAIServer(lambda r: answer("Billing")) as bad:
        worse, better = (
            make_language_model(bad, name="same", family="a"),
            make_language_model(good, name="other", family="a"),
        )
        LanguageModel.objects.filter(pk=better.pk).update(name="same")
        printed = printed_by(capsys, *path, model=["same"])
    assert f"same ({better.provider}) is better than same ({worse.provider})." in printed
    summed_up = [line.split(":")[0] for line in printed.splitlines() if "accuracy=" in line]
    assert sorted(summed_up) == sorted(f"same ({model.provider})" for model in (worse, better))


@pytest.mark.django_db(transaction=True)
def test_the_terminal_shows_the_same_figures_as_the_page(capsys: Any) -> None:
    initial_data.load()
    snapshot = hold_out(20)
    with OpenAIServer(by_text(CATEGORIES, SENTIMENTS)) as good, OpenAIServer(answer_billing) as bad:
        always, perfect = (
            make_language_model(bad, name="always", family="a"),
            make_language_model(good, name="perfect", family="b"),
        )
        first = started(snapshot, always)
        execution.execute_run(first.pk)
        baseline.pin(first.contenders.get())
        printed = printed_by(capsys, model=["always", "perfect"])
    run = Run.objects.latest("pk")
    board = results_table.ResultsTable(run)
    (pair,) = board.pairs
    assert f"{pair.text} {pair.only_first} right by the first alone" in printed
    for share in (pair.difference, *pair.macro):
        assert share.estimate is None or f"{100 * share.estimate:.1f} (" in printed
    assert f"against always of {first}" in printed
    change = next(row.change for row in board.rows if row.contender.language_model == perfect)
    assert change
    assert f"{change.fixed} fixed, 0 broken of 20" in printed
    figures = run.contenders.get(language_model=always).figures["axes"]["category"]
    names = snapshot.names("categories")
    for expected, answered, number in figures["confusion"]:
        assert expected == answered or f"{names[expected]} -> {names[answered]}: {number}" in printed


def test_a_narrow_margin_gets_no_number_of_items_needed() -> None:
    comparison = {
        "first": 1,
        "second": 2,
        "n": 100,
        "only_first": 20,
        "only_second": 9,
        "p": 0.06,
        "adjusted": 0.06,
        "difference": [0.11, -0.001, 0.22, 100],
        "items_needed": 90,
        "macro_f1": dict.fromkeys(metrics.AXES, [None, None, None, 100]),
    }
    figures = metrics.figures([metrics.GradedItem(1, 1, 1, 1, True, True, 0.9, "", 1.0, 0.0, GIVEN)])
    rows = {1: text_report.ReportRow("a", figures), 2: text_report.ReportRow("b", figures)}
    labels = {"category": {1: "Billing"}, "sentiment": {1: "Neutral"}}
    printed = "\n".join(text_report.lines(rows, text_report.ReportContext(0.85, labels), [comparison]))
    assert "a and b cannot be told apart on these 100 items, by a narrow margin." in printed
    assert "more needed" not in printed
