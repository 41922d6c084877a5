"""Execute a benchmark run: ask every model, grade and store its answers, and compute the figures.

Each result is stored as soon as it arrives, so an interrupted run resumes where it stopped and pays again only for
requests that were in flight.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.contract.types import Answer, ClassifierError, FailureKind, ProviderFault
from classifier.database.batches import chunked
from classifier.inference.ask_models import ResultStream
from classifier.leases import leases
from review.benchmark import metrics, runs
from review.benchmark.grading import Grader
from review.benchmark.metrics import GradedItem
from review.benchmark.population import ItemSource
from review.models import Contender, GoldLabel, Result, ReviewSettings, Run, SnapshotItem

AT_ONCE = 64

OnResult = Callable[[Contender, SnapshotItem, Result], None]


def execute_run(run_pk: int, *, on_result: OnResult = lambda contender, item, result: None) -> bool:
    """Ask all models of a run at the same time, and compute its figures. Returns False if the run is not waiting.

    `on_result` is called for each stored result, in its contender's thread.
    """
    with leases.hold(Run.objects.waiting().filter(pk=run_pk)) as runs:
        for run in runs:
            try:
                contenders = list(run.contenders.select_related("language_model__provider", "contract"))
                _leave_out_erased(run, len(contenders))
                _ask_all(run, contenders, on_result)
                _summarize(run, contenders)
            except Exception as error:
                # A retry would fail in the same way.
                _stop_run(run, str(error))
                raise
    return bool(runs)


def _stop_run(run: Run, note: str) -> None:
    """Stop the run, unless another worker has taken it over."""
    run.still_held.filter(state=Run.State.RUNNING).update(state=Run.State.STOPPED, note=note[:300])


@transaction.atomic(durable=True)
def _leave_out_erased(run: Run, contenders: int) -> None:
    """Count the items again. An erased item counts only if every contender has answered it, so that all contenders are
    compared on the same items.
    """
    if not leases.renew([run]):
        return
    answered = Result.objects.filter(runs.erased_text("item__gold"), contender__run=run).order_by()
    numbers = dict(answered.values_list("item").annotate(Count("pk")))
    by_all = [item for item, number in numbers.items() if number == contenders]
    answered.exclude(item__in=by_all).delete()
    run.items_count = runs.benchmark_items(run.snapshot).count() + len(by_all)
    run.save(update_fields=["items_count"])


def _ask_all(run: Run, contenders: Sequence[Contender], on_result: OnResult) -> None:
    if len(contenders) == 1:
        _ask_contender(run, contenders[0], on_result)
        return
    with ThreadPoolExecutor(len(contenders)) as threads:
        list(threads.map(lambda contender: _ask_in_thread(run, contender, on_result), contenders))


def _ask_in_thread(run: Run, contender: Contender, on_result: OnResult) -> None:
    try:
        _ask_contender(run, contender, on_result)
    finally:
        connection.close()


def _ask_contender(run: Run, contender: Contender, on_result: OnResult) -> None:
    """Ask for all unanswered items and store results as they come, until the run is stopped."""
    version, grader = contender.contract.loaded(), Grader()
    items: list[SnapshotItem] = []

    def texts() -> Iterator[str]:
        for item in _open_items(contender):
            items.append(item)
            yield item.gold.text

    asking = ResultStream(texts(), contender.language_model, version, examples=contender.examples)
    for group in asking:
        # A model that could not be asked, for its budget or its provider, has not failed.
        asked = [(items[place], answer) for place, answer in group if not _is_unasked(answer)]
        for result in _store([_result(contender, item, answer, grader) for item, answer in asked]):
            on_result(contender, result.item, result)
        if len(asked) < len(group):
            _stop_run(run, str(group[-1][1]))
        if not run.still_held.filter(state=Run.State.RUNNING).exists():
            asking.stop()


def _open_items(contender: Contender) -> Iterator[SnapshotItem]:
    """The unanswered items, read in chunks so that few are sent that were erased meanwhile."""
    unanswered = runs.benchmark_items(contender.run.snapshot).exclude(pk__in=contender.results.values("item"))
    for some in chunked(list(unanswered.order_by("position").values_list("pk", flat=True)), AT_ONCE):
        there = runs.benchmark_items(contender.run.snapshot).filter(pk__in=some)
        yield from there.select_related("gold").order_by("position")


def _store(results: Sequence[Result]) -> list[Result]:
    """Store the results, except those of texts erased meanwhile, whose answers may quote them. Returns those stored."""
    if not results:
        return []
    with transaction.atomic(durable=True):
        # Erasure holds this lock.
        list(ReviewSettings.objects.select_for_update().values_list("pk"))
        asked = {result.item.gold_id: result.item.gold.text for result in results}
        texts = dict(GoldLabel.objects.filter(pk__in=asked).values_list("pk", "text"))
        stored = [result for result in results if texts[result.item.gold_id] == asked[result.item.gold_id]]
        Result.objects.bulk_create(stored, ignore_conflicts=True)
    return stored


def _is_unasked(answer: Answer | ClassifierError) -> bool:
    return isinstance(answer, ProviderFault) or (
        isinstance(answer, ClassifierError) and answer.kind == FailureKind.BUDGET
    )


def _result(contender: Contender, item: SnapshotItem, answer: Answer | ClassifierError, grader: Grader) -> Result:
    usage, labels = answer.usage, contender.contract.labels
    result = Result(
        contender=contender,
        item=item,
        latency_ms=usage.latency_ms,
        cost=contender.language_model.cost(usage),
        category_right=False,
        sentiment_right=False,
    )
    if isinstance(answer, ClassifierError):
        result.failure, result.detail = answer.kind, str(answer)
        return result
    result.category, result.sentiment = labels.categories.get(answer.category), labels.sentiments.get(answer.sentiment)
    result.answer = f"{answer.category} | {answer.sentiment}"
    result.category_right = grader.category(answer.category, item.category, labels)
    result.sentiment_right = grader.sentiment(answer.sentiment, item.sentiment, labels)
    result.confidence, result.reasoning, result.repaired = answer.confidence, answer.reasoning, usage.repaired
    return result


def graded_items(contender: Contender) -> list[GradedItem]:
    """The contender's results in the order of the items (one query)."""
    rows = contender.results.order_by("item__position").values_list(
        "item__category",
        "item__sentiment",
        "category",
        "sentiment",
        "category_right",
        "sentiment_right",
        "confidence",
        "failure",
        "latency_ms",
        "cost",
        "item__origin",
        "item__share",
        "item__gold__group",
    )
    return [GradedItem(*row[:9], float(row[9]), ItemSource(*row[10:])) for row in rows]


def _summarize(run: Run, contenders: Sequence[Contender]) -> None:
    """Compute the figures once every contender has a result for every item."""
    _leave_out_erased(run, len(contenders))
    if not run.items_count:
        _stop_run(run, _("All texts of this run were erased, so there is nothing left to ask about."))
        return
    rows = {contender.pk: graded_items(contender) for contender in contenders}
    if any(len(graded) < run.items_count for graded in rows.values()):
        return
    comparisons = metrics.compare_contenders(rows)
    with transaction.atomic(durable=True):
        if not leases.renew([run]):
            return
        for contender in contenders:
            repaired = contender.results.filter(repaired=True).count()
            contender.figures = metrics.figures(rows[contender.pk]) | {"repaired": repaired}
            contender.save(update_fields=["figures"])
        finished = {"state": Run.State.FINISHED, "finished_at": timezone.now(), "comparisons": comparisons}
        run.still_held.update(**finished)
