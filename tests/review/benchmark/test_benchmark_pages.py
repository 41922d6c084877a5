"""The pages of a benchmark: a run is started, watched, read, argued with, and made use of."""

import re
from collections.abc import Callable
from dataclasses import astuple
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from classifier.models import Category, ContractVersion, Gate, LanguageModel, Sentiment
from classifier.taxonomy import drafts
from review.benchmark import baseline, execution, metrics, model_answers, model_report, pairwise, runs
from review.benchmark.formatting import LabelNames
from review.benchmark.metrics import AXES
from review.benchmark.model_answers import AnswerFilter
from review.benchmark.population import FEWEST_DRAWN
from review.benchmark.results_table import ResultsTable
from review.benchmark.runs import Entry
from review.gold import disputes, gold_labels, snapshots
from review.models import Assignment, Contender, GoldLabel, Result, Run, Snapshot
from review.stats.paired_tests import compare
from tests.background import queued
from tests.factories import make_language_model, make_user
from tests.review.benchmark.test_benchmark import CATEGORIES, GIVEN, SENTIMENTS, hold_out, started
from tests.servers import OpenAIServer, by_text

pytestmark = pytest.mark.usefixtures("catalogue")

BENCHMARK, START = reverse("review:benchmark"), reverse("review:start_run")
PERFECT = by_text(CATEGORIES, SENTIMENTS)
EMBEDDED = "embedded-minilm"

Says = Callable[[int, Result], None]
"""What is to become of the result of the item at this place."""


def read(client: Client, url: str, **headers: str) -> str:
    response = client.get(url, headers=headers)
    assert response.status_code == 200, url
    return str(response.content.decode())


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def rows_of(content: str, heading: str) -> list[str]:
    """The rows of the table under the heading with this id."""
    body = content.split(f'id="{heading}"')[1].split("</section>")[0].split("<tbody>")[1].split("</tbody>")[0]
    return [plain(row) for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)]


def right(_place: int, result: Result) -> None:
    """As expected, and sure of it."""


def failing(_place: int, result: Result) -> None:
    result.failure, result.detail, result.confidence, result.answer = "timeout", "It took too long.", None, ""
    result.category = result.sentiment = None
    result.category_right = result.sentiment_right = False


def wrong_at(*places: int, confidence: float = 0.6) -> Says:
    def say(place: int, result: Result) -> None:
        if place in places:
            others = Category.objects.active().exclude(pk=result.category or 0)
            result.category, result.category_right = others.earliest("pk").pk, False
            result.confidence = confidence

    return say


def finished(snapshot: Snapshot, models: dict[str, Says]) -> Run:
    """A run whose models have said this, summed up as the worker does it."""
    version = ContractVersion.objects.current()
    language_models = [LanguageModel.objects.filter(name=name).first() or _language_model(name) for name in models]
    run = runs.start_run(snapshot, [Entry(language_model, version) for language_model in language_models])
    contenders = list(run.contenders.select_related("language_model"))
    for contender, say in zip(contenders, models.values(), strict=True):
        results = []
        for place, item in enumerate(runs.benchmark_items(snapshot).order_by("position")):
            result = Result(
                contender=contender,
                item=item,
                category=item.category,
                sentiment=item.sentiment,
                answer="As expected",
                category_right=True,
                sentiment_right=True,
                confidence=0.95,
                reasoning="It says so.",
                latency_ms=100 + place,
                cost=Decimal("0.001"),
            )
            say(place, result)
            results.append(result)
        Result.objects.bulk_create(results)
    execution._summarize(run, contenders)
    return Run.objects.get(pk=run.pk)


def _language_model(name: str) -> LanguageModel:
    server = OpenAIServer()
    server.base_url = "http://127.0.0.1:9/v1"
    return make_language_model(server, name=name, family=name)


def contender_of(run: Run, name: str) -> Contender:
    return run.contenders.select_related("run", "language_model", "contract").get(language_model__name=name)


def url_of(contender: Contender, page: str = "contender") -> str:
    return reverse(f"review:{page}", args=[contender.run_id, contender.pk])


def one_more() -> Snapshot:
    """What is held out now, with one more label."""
    text = "One that came later: the lift is stuck between two floors."
    values = {"category": Category.objects.earliest("pk"), "sentiment": Sentiment.objects.earliest("pk")}
    gold_labels.add_gold_labels([GoldLabel(text=text, digest=GoldLabel.digest_of(text), origin="import", **values)])
    return snapshots.create_snapshot()


# Starting one


def test_models_without_a_key_are_disabled_and_name_the_variable(lead_client: Client) -> None:
    content = read(lead_client, BENCHMARK)
    boxes = dict(re.findall(r'<input type="checkbox" name="models" ([^>]*)>\s*<span>(.*?)</label>', content))
    states = {plain(name): attributes for attributes, name in boxes.items()}
    assert next(value for name, value in states.items() if name.startswith(EMBEDDED)).endswith(" checked")
    closed = next(name for name, value in states.items() if "disabled" in value and name.startswith("gpt"))
    assert "OPENAI_API_KEY is missing" in closed


def choice(**values: Any) -> dict[str, Any]:
    return {"models": [LanguageModel.objects.zero_shot().pk], "contracts": ["in-force"], "snapshot": ""} | values


def test_the_estimated_cost_is_shown_before_a_run_starts(lead_client: Client) -> None:
    hold_out(6)
    priced = _language_model("priced")
    LanguageModel.objects.filter(pk=priced.pk).update(price_per_request=Decimal("0.5"))
    response = lead_client.post(START, choice(models=[LanguageModel.objects.zero_shot().pk, priced.pk]))
    content = plain(response.content.decode())
    assert "Ask about 6 items?" in content
    assert "embedded-minilm in force free at its prices" in content
    assert "priced in force 3.0000" in content
    assert "Total 3.0000" in content
    assert not Run.objects.exists()


def test_an_estimate_freezes_nothing_and_the_run_takes_the_labels_of_its_start(
    lead_client: Client, lea: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    hold_out(6)
    content = lead_client.post(START, choice()).content.decode()
    one_more()
    lead_client.post(START, choice())
    assert Snapshot.objects.count() == 2, "those made by hand alone"
    assert "new snapshot of the current labels" in content
    form = content.split('action="/review/benchmark/start/"')[1].split("</form>")[0]
    sent: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form):
        sent.setdefault(name, []).append(value)
    with django_capture_on_commit_callbacks(execute=True):
        response = lead_client.post(START, sent | {"confirmed": "yes"})
    run = Run.objects.get()
    assert response.headers["Location"] == run.get_absolute_url()
    assert (run.items_count, run.created_by, run.state) == (7, lea, "running")
    assert [contender.language_model.name for contender in run.contenders.all()] == [EMBEDDED]
    assert [job.args for job in queued("review.benchmark.tasks.run_benchmark")] == [[run.pk]]


def test_a_started_run_is_executed_and_its_figures_are_shown(lead_client: Client) -> None:
    hold_out(6)
    with OpenAIServer(PERFECT) as server:
        language_model = make_language_model(server, name="perfect", family="a")
        response = lead_client.post(START, choice(models=[language_model.pk], confirmed="yes"))
        assert execution.execute_run(Run.objects.get().pk)
    content = plain(read(lead_client, response.headers["Location"]))
    assert "perfect 100.0% (61.0 to 100.0)" in content
    assert "Only one model: nothing to rank." in content


def test_models_can_be_compared_under_several_contracts(lead_client: Client, catalogue: None) -> None:
    hold_out(6)
    earlier = ContractVersion.objects.current()
    Category.objects.create(name="Complaint")
    response = lead_client.post(START, choice(contracts=["in-force", str(earlier.pk)]))
    assert f"embedded-minilm {earlier} free" in plain(response.content.decode())
    lead_client.post(START, choice(contracts=["in-force", str(earlier.pk)], confirmed="yes"))
    run = Run.objects.get()
    assert [str(contender) for contender in run.contenders.all()] == [EMBEDDED, f"{EMBEDDED} ({earlier})"]
    assert run.contenders.last().contract == earlier


def test_a_draft_runs_alongside_the_contract_in_force(lead_client: Client, lea: User) -> None:
    hold_out(3)
    draft = drafts.create("Finer words", lea)
    content = read(lead_client, f"{BENCHMARK}?draft={draft.pk}")
    assert re.search(rf'value="draft-{draft.pk}"[^>]* checked', content)
    both = choice(contracts=["in-force", f"draft-{draft.pk}"], confirmed="yes")
    response = lead_client.post(START, both)
    assert response.status_code == 422
    assert "Finer words leads to the same prompt as another chosen contract." in plain(response.content.decode())
    draft.instructions = "Label this ticket with care."
    draft.save()
    lead_client.post(START, both)
    assert [str(contender) for contender in Run.objects.get().contenders.all()] == [
        EMBEDDED,
        f"{EMBEDDED} (Finer words)",
    ]


def test_a_contender_under_a_draft_links_to_the_changed_answers(lead_client: Client) -> None:
    run = finished(hold_out(3), {"a": right, "b": right})
    first, second = contender_of(run, "a"), contender_of(run, "b")
    drafted = ContractVersion.objects.create(digest="1" * 64, system_prompt="Say.", answer_schema={})
    Contender.objects.filter(pk=second.pk).update(
        language_model=first.language_model, contract=drafted, label="Finer words"
    )
    assert url_of(second, "draft_changes") in read(lead_client, url_of(second))
    assert "Effect of the draft" not in read(lead_client, url_of(first))


def test_a_contract_without_its_options_is_not_offered(lead_client: Client) -> None:
    old = ContractVersion.objects.create(digest="0" * 64, system_prompt="Say.", answer_schema={})
    assert str(old) not in read(lead_client, BENCHMARK)
    assert lead_client.post(START, choice(contracts=[str(old.pk)])).status_code == 422


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"models": []}, "Choose at least one model."),
        ({"contracts": []}, "Choose at least one contract."),
        ({"models": ["999999"]}, "Select a valid choice"),
        ({"snapshot": "nonsense"}, "Select a valid choice"),
    ],
)
def test_an_invalid_choice_is_explained_next_to_the_form(
    lead_client: Client, changed: dict[str, Any], message: str
) -> None:
    hold_out(3)
    response = lead_client.post(START, choice(**changed) | {"confirmed": "yes"})
    assert response.status_code == 422
    assert message in plain(response.content.decode())
    assert not Run.objects.exists()


def test_a_model_without_a_key_cannot_be_chosen(lead_client: Client) -> None:
    hold_out(3)
    keyless = LanguageModel.objects.get(name="gpt-4.1-mini")
    assert lead_client.post(START, choice(models=[keyless.pk]) | {"confirmed": "yes"}).status_code == 422


def test_the_page_says_where_labels_come_from_if_there_are_none(lead_client: Client) -> None:
    response = lead_client.post(START, choice())
    assert response.status_code == 422
    assert "No benchmark labels yet" in plain(response.content.decode())


def test_the_page_explains_an_empty_taxonomy(lead_client: Client) -> None:
    Sentiment.objects.update(retired=True)
    assert "at least one active category and one active sentiment" in plain(read(lead_client, BENCHMARK))
    assert lead_client.post(START, choice()).status_code == 422


def test_a_snapshot_can_be_preselected_in_the_url(lead_client: Client) -> None:
    first, _second = hold_out(3), one_more()
    content = read(lead_client, f"{BENCHMARK}?snapshot={first.digest}")
    assert len(re.findall(r"<option value=\"\w{12}\"", content)) == 2
    content = read(lead_client, f"{BENCHMARK}?snapshot={first.short}")
    assert f'<option value="{first.short}" selected>' in content


# Watching it


def test_the_progress_of_a_run_is_shown_and_polled(lead_client: Client) -> None:
    run = started(hold_out(4), _language_model("slow"))
    content = read(lead_client, run.get_absolute_url())
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in content
    assert "0 of 4 answers, 0%" in plain(content)
    (item, *_rest) = runs.benchmark_items(run.snapshot)
    result = {"confidence": 0.5, "latency_ms": 1, "cost": Decimal("0.25")}
    Result.objects.create(
        contender=run.contenders.get(), item=item, category_right=False, sentiment_right=False, **result
    )
    part = read(lead_client, run.get_absolute_url(), **{"hx-request": "true"})
    assert part.startswith('<section id="progress"')
    assert 'hx-trigger="every 2s"' in part
    assert '<progress max="4" value="1"' in part
    assert "slow 1 of 4 0 0.2500" in plain(part)


def test_the_progress_page_reloads_once_the_run_has_finished(lead_client: Client) -> None:
    run = finished(hold_out(3), {"a": right})
    response = lead_client.get(run.get_absolute_url(), headers={"hx-request": "true"})
    assert response.headers["HX-Refresh"] == "true"
    assert "refresh" not in read(lead_client, run.get_absolute_url()).split("<title>")[0]


def test_a_run_can_be_stopped_and_resumed(
    lead_client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    run = started(hold_out(4), _language_model("slow"))
    lead_client.post(reverse("review:stop_run", args=[run.pk]))
    content = read(lead_client, run.get_absolute_url())
    assert "Stopped manually." in content
    assert "refresh" not in content.split("<title>")[0]
    assert "hx-trigger" not in content
    with django_capture_on_commit_callbacks(execute=True):
        lead_client.post(reverse("review:resume_run", args=[run.pk]))
    run.refresh_from_db()
    assert run.state == "running"
    assert len(queued("review.benchmark.tasks.run_benchmark")) == 1
    lead_client.post(reverse("review:resume_run", args=[run.pk]))
    assert len(queued("review.benchmark.tasks.run_benchmark")) == 1


def test_the_page_says_why_a_run_has_stopped(lead_client: Client) -> None:
    run = started(hold_out(4), _language_model("dear"))
    Run.objects.update(state="stopped", note="The daily budget of dear's is used up <b>today</b>.")
    content = read(lead_client, run.get_absolute_url())
    assert "is used up &lt;b&gt;today" in content
    assert "Resume" in content


def test_a_contender_without_figures_redirects_to_its_run(lead_client: Client) -> None:
    run = started(hold_out(4), _language_model("slow"))
    (contender,) = run.contenders.all()
    assert lead_client.get(url_of(contender)).headers["Location"] == run.get_absolute_url()
    assert "No answers yet." in read(lead_client, url_of(contender, "answers"))
    lead_client.post(url_of(contender, "set_threshold"), {"threshold": "0.5"})
    assert Gate.current().threshold == 0.85


def test_runs_are_listed_with_their_progress(lead_client: Client) -> None:
    snapshot = hold_out(4)
    finished(snapshot, {"a": right, "b": right})
    started(snapshot, _language_model("slow"))
    newest, oldest = rows_of(read(lead_client, BENCHMARK), "runs")
    assert re.match(r"Run \d+ running 0% slow 4", newest)
    assert re.match(r"Run \d+ finished a , b 4", oldest)


# Reading it


@pytest.fixture
def compared(db: None, catalogue: None) -> Run:
    """Three models on 40 items: a always right, b wrong on two, c failing on everything."""
    return finished(hold_out(40), {"b": wrong_at(0, 1), "c": failing, "a": right})


def test_the_page_shows_the_stored_figures(lead_client: Client, compared: Run) -> None:
    content = read(lead_client, compared.get_absolute_url())
    first, second, third = rows_of(content, "accuracy")
    assert first.startswith("a among the best 100.0% (91.2 to 100.0) 100.0% (91.2 to 100.0) 100.0%")
    assert second.startswith("b among the best 95.0% (83.5 to 98.6) 95.0% (83.5 to 98.6) 100.0%")
    assert third.startswith("c 0.0% (0.0 to 8.8)")
    figures = contender_of(compared, "b").figures
    assert f"{figures['axes']['category']['macro_f1']['value']:.3f}" in second
    _one, confident, none = rows_of(content, "confidence")
    assert confident.startswith("b 95.0% (83.5 to 98.6) 100.0% (90.8 to 100.0) 0")
    assert none == "c 0.0% (0.0 to 8.8) unknown 0 unknown unknown unknown unknown"
    _one, two, three = rows_of(content, "expense")
    assert two == "b 120 137 139 1.0000 0.0400 none"
    assert three == "c unknown unknown unknown 1.0000 0.0400 timeout 40"
    assert "In all it cost 0.1200." in plain(content)


def test_indistinguishable_models_are_not_ranked(lead_client: Client, compared: Run) -> None:
    content = read(lead_client, compared.get_absolute_url())
    verdict = plain(content.split('class="verdict"')[1].split("</section>")[0])
    assert "these items can't tell which of them is better: a , b ." in verdict
    verdicts = [plain(cell) for cell in re.findall(r'<th scope="row" class="said[^"]*">(.*?)</th>', content)]
    items_needed = next(
        pair["items_needed"] for pair in compared.comparisons if {pair["only_first"], pair["only_second"]} == {0, 2}
    )
    assert verdicts == [
        f"a and b cannot be told apart on these 40 items: about {round(items_needed - 40, -1):,} more are needed.",
        "a is better than c.",
        "b is better than c.",
    ]


def test_equally_good_models_get_no_number_of_items_needed(lead_client: Client) -> None:
    run = finished(hold_out(5), {"a": right, "b": right})
    assert "a and b are right equally often on these 5 items." in plain(read(lead_client, run.get_absolute_url()))


def test_a_narrow_difference_among_many_comparisons_is_attributed_to_their_number() -> None:
    """Twenty alone right of twenty-five would do for one pair; of 45 pairs it does not."""
    compared = compare([True] * 20 + [False] * 5 + [True] * 75, [False] * 20 + [True] * 5 + [True] * 75)
    stored = {
        "first": 1,
        "second": 2,
        "n": compared.n,
        "only_first": compared.only_first,
        "only_second": compared.only_second,
        "p": compared.p,
        "adjusted": 45 * compared.p,
        "difference": list(astuple(compared.difference)),
        "items_needed": compared.items_needed,
        "macro_f1": dict.fromkeys(AXES, [None, None, None, 100]),
    }
    assert pairwise.pair_verdict(stored, {1: "a", 2: "b"}, 45).text == (
        "a and b cannot be told apart on these 100 items, as one of 45 comparisons."
    )


def test_differences_are_better_minus_worse() -> None:
    run = finished(hold_out(40), {"c": failing, "a": right})
    (pair,) = ResultsTable(run).pairs
    assert (pair.first, pair.second, pair.only_first, pair.only_second) == ("a", "c", 40, 0)
    assert (pair.difference.estimate, pair.difference.high) == (1, 1)
    assert 0.8 < (pair.difference.low or 0) < 1
    assert all((share.estimate or 0) > 0 for share in pair.macro)


def test_a_threshold_between_two_hundredths_counts_as_the_stricter_one(lead_client: Client) -> None:
    run = finished(hold_out(10), {"a": wrong_at(0, confidence=0.863), "b": wrong_at(0, confidence=0.857)})
    Gate.objects.update(threshold=0.855)
    gated = {row.contender.language_model.name: row.gated for row in ResultsTable(run).rows}
    assert [(gated[name].accepted, gated[name].wrong) for name in ("a", "b")] == [(10, 1), (9, 0)]
    assert "At a threshold of 0.86" in read(lead_client, run.get_absolute_url())


@pytest.mark.parametrize("items", [3, 12])
def test_the_run_page_costs_the_same_however_many_items(
    lead_client: Client, items: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    snapshot = hold_out(items)
    baseline.pin(contender_of(finished(snapshot, {"old": failing}), "old"))
    run = finished(snapshot, {"a": right, "b": wrong_at(0), "c": failing})
    lead_client.get(run.get_absolute_url())
    # Session, person with permissions, the gate's notice; run, contenders, threshold, baseline, changes, what is alike
    # to the contract's examples.
    with django_assert_num_queries(10):
        lead_client.get(run.get_absolute_url())
    contender = contender_of(run, "b")
    with django_assert_num_queries(8):
        lead_client.get(url_of(contender))
    with django_assert_num_queries(8):
        lead_client.get(url_of(contender, "answers"))


def test_models_with_equal_names_show_their_providers(lead_client: Client) -> None:
    snapshot = hold_out(3)
    run, under_way = (
        finished(snapshot, {"a": right, "b": failing, "c": failing}),
        started(snapshot, _language_model("d")),
    )
    LanguageModel.objects.filter(name="b").update(name="a")
    content = plain(read(lead_client, run.get_absolute_url()))
    assert "a (a's) and a (b's) cannot be told apart on these 3 items" in content
    assert " c 0.0%" in content
    assert "a (a's) , a (b's) , c" in plain(read(lead_client, BENCHMARK))
    assert "d's" not in read(lead_client, under_way.get_absolute_url())


def test_leaked_examples_are_warned_about_before_and_after_a_run(lead_client: Client) -> None:
    snapshot = hold_out(3)
    leak_warnings = "The examples of the contract in force give %s away"
    assert "away" not in plain(lead_client.post(START, choice()).content.decode())
    texts = [item.gold.text for item in runs.benchmark_items(snapshot).select_related("gold")]
    Category.objects.filter(name="Billing").update(examples=f"{texts[0]}\nNothing like it.")
    assert leak_warnings % "1 item" in plain(lead_client.post(START, choice()).content.decode())
    assert leak_warnings % "1 item" in plain(read(lead_client, finished(snapshot, {"a": right}).get_absolute_url()))
    Category.objects.filter(name="Account").update(examples=texts[1])
    assert leak_warnings % "2 items" in plain(lead_client.post(START, choice()).content.decode())
    # What came later is no part of what was measured.
    later = "One that came later: the lift is stuck between two floors."
    one_more()
    Category.objects.filter(name="Account").update(examples=later)
    assert leak_warnings % "1 item" in plain(read(lead_client, finished(snapshot, {"a": right}).get_absolute_url()))


def test_the_pages_work_for_a_single_item_and_a_failing_model(lead_client: Client) -> None:
    run = finished(hold_out(1), {"a": right, "c": failing})
    content = read(lead_client, run.get_absolute_url())
    assert "Unknown for want of items:" in content
    for name in ("a", "c"):
        page = plain(read(lead_client, url_of(contender_of(run, name))))
        assert "Macro-F1 of 0 classes unknown" in page
        assert read(lead_client, url_of(contender_of(run, name), "answers"))
    assert "It gave no valid answer, so no threshold would auto-accept anything." in page
    assert "Nothing: every answer is right." in plain(read(lead_client, url_of(contender_of(run, "a"))))


def test_a_large_confusion_matrix_shows_the_most_confused_classes(lead_client: Client) -> None:
    snapshot = hold_out(3)
    made = Category.objects.bulk_create(Category(name=f"Category {n}") for n in range(model_report.MOST_CLASSES + 2))
    pks = [category.pk for category in made]
    # All but the last two are taken for the first one; of the first, one item is taken for the last.
    answers = dict.fromkeys(pks[:-2], pks[0]) | {pk: pk for pk in pks[-2:]}
    rows = [metrics.GradedItem(pk, 1, answers[pk], 1, pk == answers[pk], True, 0.9, "", 1.0, 0.0, GIVEN) for pk in pks]
    rows.append(metrics.GradedItem(pks[0], 1, pks[-1], 1, False, True, 0.9, "", 1.0, 0.0, GIVEN))
    contender = contender_of(finished(snapshot, {"a": right}), "a")
    Contender.objects.update(figures=metrics.figures(rows))
    matrix = model_report.AxisReport(
        "category", Contender.objects.get().figures, LabelNames(contender.run, contender)
    ).matrix
    assert matrix
    assert (matrix.left_out, len(matrix.rows), len(matrix.columns)) == (2, 30, 31)
    assert matrix.columns[-1] == "others"
    assert "Category 0" in matrix.columns
    assert sum(cell.number for row in matrix.rows for cell in row.cells) == sum(row.support for row in matrix.rows)
    content = read(lead_client, url_of(contender))
    assert content.count('<table class="matrix">') == 2
    assert "2 labels that are confused less often are under" in plain(content)
    assert content.count("<li><a") == model_report.MOST_CONFUSED


def test_charts_use_decimal_points_in_every_language(lead_client: Client, compared: Run) -> None:
    german = {"accept-language": "de"}
    content = read(lead_client, compared.get_absolute_url(), **german) + read(
        lead_client, url_of(contender_of(compared, "b")), **german
    )
    placed = re.findall(r' (?:cx|cy|x|y|x1|x2|y1|y2|r|width|height|viewBox|value)="([^"]*)"', content)
    assert len(placed) > 50
    assert not [value for value in placed if "," in value]
    assert '<html lang="de"' in content


def test_charts_have_text_alternatives(lead_client: Client, compared: Run) -> None:
    content = read(lead_client, url_of(contender_of(compared, "b")))
    for name in ("risk", "reliability"):
        assert f'role="img" aria-labelledby="{name}-title {name}-text"' in content
        assert f'<title id="{name}-title">' in content
        assert f'<desc id="{name}-text">' in content


# Its answers


def test_each_cell_of_the_matrix_links_to_as_many_answers_as_it_shows(lead_client: Client, compared: Run) -> None:
    for name in ("a", "b", "c"):
        contender = contender_of(compared, name)
        content = read(lead_client, url_of(contender))
        cells = re.findall(r'<td class="shade[^"]*"><a href="([^"]+)">(\d+)</a>', content)
        assert cells
        for url, number in cells:
            assert plain(read(lead_client, unescape(url))).count("Expected ") - number_of_filters == int(number), url
        assert sum(int(number) for _url, number in cells) == 2 * 40


number_of_filters = 2
"""That begin with the word which stands beside each answer as well."""


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ({}, 40),
        ({"show": "wrong"}, 2),
        ({"show": "right"}, 38),
        ({"show": "wrong_category"}, 2),
        ({"show": "wrong_sentiment"}, 0),
        ({"failure": "timeout"}, 0),
        ({"change": "fixed"}, 38),
        ({"change": "broken"}, 0),
    ],
)
def test_answers_can_be_filtered(compared: Run, wanted: dict[str, str], number: int) -> None:
    results = model_answers.filter_results(
        contender_of(compared, "b"), AnswerFilter(**wanted), contender_of(compared, "c")
    )
    assert results.count() == number


def test_a_right_answer_below_the_expected_label_counts_as_the_expected_one() -> None:
    snapshot = hold_out(4)
    finer = Category.objects.create(name="Finer", parent=Category.objects.get(name="Billing"))

    def say(_place: int, result: Result) -> None:
        result.category = finer.pk

    contender = contender_of(finished(snapshot, {"a": say}), "a")
    item = runs.benchmark_items(snapshot).first()
    expected = model_answers.filter_results(contender, AnswerFilter(predicted_category=str(item.category)), None)
    assert item in {result.item for result in expected}
    assert not model_answers.filter_results(contender, AnswerFilter(predicted_category=str(finer.pk)), None)


def test_invalid_filters_in_the_url_are_ignored(lead_client: Client, compared: Run) -> None:
    url = url_of(contender_of(compared, "b"), "answers")
    for query in ("show=x&category=99999999999999999999&failure=x&page=x", "change=fixed&predicted_category=none%00"):
        assert "40 answers" in plain(read(lead_client, f"{url}?{query}"))


def test_answers_are_paged_and_can_be_fetched_as_a_fragment(lead_client: Client, compared: Run) -> None:
    url = url_of(contender_of(compared, "b"), "answers")
    assert read(lead_client, url).count('class="what"') == 25
    assert read(lead_client, f"{url}?page=2").count('class="what"') == 15
    part = read(lead_client, f"{url}?show=wrong", **{"hx-request": "true"})
    assert part.startswith('<div id="answers" ')
    assert "2 answers" in part.split('hx-swap-oob="innerHTML"')[1]


def test_an_answer_is_shown_next_to_the_expected_label(lead_client: Client, compared: Run) -> None:
    wrong = read(lead_client, url_of(contender_of(compared, "b"), "answers") + "?show=wrong")
    item = contender_of(compared, "b").results.filter(category_right=False).first().item
    name = compared.snapshot.names("categories")[item.category or 0]
    assert f"Expected {name} missed" in plain(wrong)
    assert "Answered As expected confidence 0.60 Reasoning It says so." in plain(wrong)
    failed = plain(read(lead_client, url_of(contender_of(compared, "c"), "answers") + "?failure=timeout"))
    assert "Failed timeout It took too long." in failed


def test_hostile_text_in_answers_is_escaped(lead_client: Client) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    snapshot = hold_out(2)
    GoldLabel.objects.filter(pk=snapshot.items.first().gold_id).update(text=hostile * 100)

    def say(place: int, result: Result) -> None:
        result.reasoning, result.answer = hostile, hostile
        if place:
            failing(place, result)
            result.detail = hostile

    run = finished(snapshot, {hostile: say, "b": right})
    contender = contender_of(run, hostile)
    for url in (run.get_absolute_url(), url_of(contender), url_of(contender, "answers"), BENCHMARK):
        content = read(lead_client, url)
        assert "<img src=x" not in content, url
        assert "&lt;img src=x" in content, url


def test_a_long_text_is_collapsed_and_can_be_opened(lead_client: Client) -> None:
    snapshot = hold_out(1)
    GoldLabel.objects.update(text="a" * model_answers.SHOWN + "b" * model_answers.LONGEST_TEXT)
    content = read(lead_client, url_of(contender_of(finished(snapshot, {"a": right}), "a"), "answers"))
    assert "a" * model_answers.SHOWN + "</div>" in content
    assert "The rest of the text" in content
    assert f"… and {model_answers.SHOWN} characters more" in content


# Disputing


def test_a_label_can_be_disputed_from_a_wrong_answer(lead_client: Client, lea: User, compared: Run) -> None:
    result = contender_of(compared, "b").results.filter(category_right=False).first()
    back = "show=wrong&page=1"
    response = lead_client.post(
        reverse("review:dispute_benchmark_label", args=[result.pk]), {"reason": "It is about a bill.", "back": back}
    )
    assert response.headers["Location"] == url_of(result.contender, "answers") + "?" + back
    gold = GoldLabel.objects.get(pk=result.item.gold_id)
    assert (gold.state, gold.note) == ("disputed", "It is about a bill.")
    assert set(Assignment.objects.filter(ticket=gold.ticket).values_list("excluded_reviewer", "blind")) == {
        (lea.pk, True)
    }
    content = read(lead_client, response.headers["Location"])
    assert "Two reviewers will label it again" in content
    assert content.count("Dispute the label") == 1
    assert f"Ticket {gold.ticket_id}" not in content, "a filter would reveal the label that people may change"
    content = read(lead_client, url_of(result.contender, "answers"))
    assert "The label is disputed" in plain(content)
    assert f"Ticket {gold.ticket_id}" in content


def test_a_dispute_needs_a_reason(lead_client: Client, compared: Run) -> None:
    result = contender_of(compared, "b").results.first()
    response = lead_client.post(
        reverse("review:dispute_benchmark_label", args=[result.pk]), {"reason": " "}, follow=True
    )
    assert "Describe briefly what is wrong with the label." in plain(response.content.decode())
    assert not GoldLabel.objects.exclude(state="active").exists()


def test_a_label_is_disputed_once(lead_client: Client, lea: User, compared: Run) -> None:
    result = contender_of(compared, "b").results.select_related("item__gold").first()
    disputes.dispute(result.item.gold, lea)
    response = lead_client.post(
        reverse("review:dispute_benchmark_label", args=[result.pk]), {"reason": "Again."}, follow=True
    )
    assert "already disputed" in plain(response.content.decode())


# The threshold


def test_the_threshold_tool_shows_how_many_would_be_auto_accepted_and_how_many_wrong(
    lead_client: Client, compared: Run
) -> None:
    url = url_of(contender_of(compared, "b"))
    at_gate = plain(read(lead_client, url))
    assert (
        "0.85 : 38 of 40 tickets are auto-accepted: 95.0% (83.5 to 98.6). 0 of them are wrong: 0.0% (0.0 to 9.2)."
        in at_gate
    )
    assert "2 need review." in at_gate
    assert "This is the gate's threshold." in at_gate
    content = read(lead_client, f"{url}?threshold=0.6")
    assert (
        "40 of 40 tickets are auto-accepted: 100.0% (91.2 to 100.0). 2 of them are wrong: 5.0% (1.4 to 16.5)."
        in plain(content)
    )
    assert "Save 0.60 as the gate's threshold" in content
    assert "Nothing is auto-accepted" in plain(read(lead_client, f"{url}?threshold=1"))
    for nonsense in ("x", "2", "-1", "nan", "1e999"):
        assert 'value="0.85"' in read(lead_client, f"{url}?threshold={nonsense}")


def test_the_threshold_slider_fetches_only_a_fragment(lead_client: Client, compared: Run) -> None:
    part = read(lead_client, url_of(contender_of(compared, "b")) + "?threshold=0.6", **{"hx-request": "true"})
    assert "<h1" not in part
    assert 'id="slider"' not in part
    assert "40 of 40 tickets are auto-accepted" in plain(part.split('hx-swap-oob="innerHTML"')[1])


def test_saving_a_threshold_changes_the_gate_and_records_who_and_why(
    lead_client: Client, lea: User, compared: Run
) -> None:
    contender = contender_of(compared, "b")
    response = lead_client.post(url_of(contender, "set_threshold"), {"threshold": "0.6"}, follow=True)
    assert "Tickets with a confidence of 0.60 or more are now auto-accepted." in plain(response.content.decode())
    gate = Gate.current()
    assert gate.threshold == 0.6
    latest = gate.history.first()
    assert latest.history_user == lea
    assert latest.history_change_reason == f"Run {compared.pk}, b: 40 of 40 auto-accepted, 2 wrong"
    for nonsense in ("", "x", "2"):
        lead_client.post(url_of(contender, "set_threshold"), {"threshold": nonsense})
    assert Gate.current().threshold == 0.6


def test_the_threshold_can_only_be_saved_with_the_permission(client: Client, compared: Run) -> None:
    analyst = make_user("ann")
    analyst.user_permissions.add(Permission.objects.get(codename="benchmark"))
    client.force_login(analyst)
    contender = contender_of(compared, "b")
    content = read(client, f"{url_of(contender)}?threshold=0.5")
    assert "as the gate's threshold" not in content
    assert client.post(url_of(contender, "set_threshold"), {"threshold": "0.5"}).status_code == 403
    assert Gate.current().threshold == 0.85


def test_the_threshold_tool_says_if_the_gate_uses_another_model(lead_client: Client, compared: Run) -> None:
    contender = contender_of(compared, "b")
    assert f"The gate uses {EMBEDDED}, which these figures don't cover." in plain(read(lead_client, url_of(contender)))
    Gate.objects.update(primary=contender.language_model)
    assert "which these figures don't cover" not in read(lead_client, url_of(contender))


@pytest.mark.parametrize("drawn", [FEWEST_DRAWN - 1, FEWEST_DRAWN])
def test_figures_stand_for_all_tickets_once_enough_labels_are_drawn_from_all_arrivals(
    lead_client: Client, drawn: int
) -> None:
    snapshot = hold_out(80)
    places = snapshot.items.order_by("position").values_list("pk", flat=True)
    snapshot.items.update(origin="decision")
    snapshot.items.filter(pk__in=places[:drawn]).update(origin="sample", share=0.02)
    snapshot.items.filter(pk=places[0]).update(origin="audit", share=0.5)
    run = finished(snapshot, {"a": wrong_at(0, *range(drawn, 80), confidence=0.95)})
    contender = contender_of(run, "a")
    pages = [plain(read(lead_client, url)) for url in (run.get_absolute_url(), url_of(contender))]
    lead_client.post(url_of(contender, "set_threshold"), {"threshold": "0.6"})
    if drawn < FEWEST_DRAWN:
        assert contender.figures["both"][0] == pytest.approx((drawn - 1) / 80)
        assert all("Held tickets only." in page and "threshold of 0.85" not in page for page in pages)
        assert "Choose a threshold" not in pages[1]
        assert Gate.current().threshold == 0.85
    else:
        assert contender.figures["both"][0] == pytest.approx(29 * 50 / (29 * 50 + 2))
        assert all("These figures stand for all tickets: they come from 30 items" in page for page in pages)
        assert "30 of 30 tickets are auto-accepted" in pages[1]
        assert Gate.current().threshold == 0.6


# The baseline


def test_later_runs_are_compared_with_the_pinned_baseline(lead_client: Client) -> None:
    snapshot = hold_out(10)
    old = finished(snapshot, {"old": wrong_at(0, 1, 2)})
    response = lead_client.post(url_of(contender_of(old, "old"), "pin_baseline"), follow=True)
    assert "Later results are now compared with old." in plain(response.content.decode())
    new = finished(snapshot, {"new": wrong_at(2, 3), "old": right})
    content = read(lead_client, new.get_absolute_url())
    first, second = rows_of(content, "accuracy")
    assert "3 fixed , 0 broken of 10" in first
    assert "2 fixed , 1 broken of 10" in second
    for url in re.findall(r'href="([^"]*change=broken)"', content)[1:]:
        assert "1 answer" in plain(read(lead_client, unescape(url)))
    assert "is the baseline" in plain(read(lead_client, old.get_absolute_url()))
    lead_client.post(reverse("review:unpin_baseline"))
    assert "fixed" not in plain(read(lead_client, new.get_absolute_url()))


def test_changes_count_only_labels_in_both_snapshots() -> None:
    first = hold_out(6)
    old = contender_of(finished(first, {"old": wrong_at(*range(6))}), "old")
    second = one_more()
    assert second != first
    run = finished(second, {"new": right})
    baseline.pin(old)
    (row,) = ResultsTable(run).rows
    assert (row.change.common, row.change.fixed, row.change.broken) == (6, 6, 0)
    fixed = model_answers.filter_results(
        contender_of(run, "new"), AnswerFilter(change="fixed"), contender_of(old.run, "old")
    )
    assert fixed.count() == 6


# Who may


def test_an_agent_is_refused_and_sees_no_link_to_the_benchmark(client: Client, ana: User, compared: Run) -> None:
    client.force_login(ana)
    contender = contender_of(compared, "b")
    for url in (BENCHMARK, compared.get_absolute_url(), url_of(contender), url_of(contender, "answers")):
        assert client.get(url).status_code == 403
    assert BENCHMARK not in read(client, "/")


def test_a_contender_of_another_run_is_not_found(lead_client: Client, compared: Run) -> None:
    contender = contender_of(compared, "b")
    assert lead_client.get(reverse("review:contender", args=[compared.pk + 1, contender.pk])).status_code == 404
    assert lead_client.get(reverse("review:benchmark_run", args=[compared.pk + 1])).status_code == 404
