"""Benchmark runs: start one, work it off in the background, stop it, go on with it; and the built-in items.

The rows say what is to do: a result is written once, as soon as it is there, so a run that was cut off goes on where it
was, and nobody pays twice but for what was under way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Avg, Count, Q, QuerySet
from django.db.models.functions import Length
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier import budget, showing
from classifier.chunks import chunked
from classifier.contract import Answer, ClassifierError, FailureKind
from classifier.heartbeat import beating
from classifier.labelling import Asking
from classifier.models import Category, ContractVersion, ModelSpec, Sentiment
from classifier.models.taxonomy import paths
from classifier.wiping import ERASED

from . import gold, scores
from .judging import Judge
from .models import Contender, Desk, GoldLabel, Result, Run, Side, Snapshot, SnapshotItem
from .scores import Scored

BUILT_IN = Path(__file__).parent / "data" / "benchmark.jsonl"
LEASE = timedelta(seconds=60)
MOST_CONTENDERS = 12
AT_ONCE = 64

Told = Callable[[Contender, SnapshotItem, Result], None]


class NothingToRun(Exception):
    """The snapshot holds nothing out, or no model was picked; the message says which."""


class Entry(NamedTuple):
    """A model that is to run under a contract; `label` tells drafts and earlier contracts from the one in force.

    It is shown `examples` solved tickets with each question, or as many as its row says.
    """

    spec: ModelSpec
    contract: ContractVersion
    label: str = ""
    examples: int | None = None

    @property
    def shown(self) -> int:
        """How many solved tickets it is shown; none where it cannot be shown any."""
        return showing.number_for(self.spec, self.examples)

    @property
    def name(self) -> str:
        """As the contender of a run is called."""
        return str(self.contender())

    def contender(self, **run: Run) -> Contender:
        return Contender(spec=self.spec, contract=self.contract, label=self.label, examples=self.shown, **run)


class Progress(NamedTuple):
    done: int
    of: int

    @property
    def percent(self) -> int:
        return 100 * self.done // self.of if self.of else 100


def load_built_in() -> None:
    """Store the built-in items whose labels the taxonomy has; once each, and all of them to measure with."""
    categories = {name: pk for pk, name in paths(Category.objects.active()).items()}
    sentiments = dict(Sentiment.objects.active().values_list("name", "pk"))
    fresh: dict[str, GoldLabel] = {}
    for line in BUILT_IN.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        digest = GoldLabel.digest_of(item["text"])
        if item["category"] in categories and item["sentiment"] in sentiments:
            fresh[digest] = GoldLabel(
                text=item["text"],
                digest=digest,
                category_id=categories[item["category"]],
                sentiment_id=sentiments[item["sentiment"]],
                origin=GoldLabel.Origin.BUILT_IN,
            )
    with transaction.atomic():
        stored = set(GoldLabel.objects.filter(digest__in=fresh).values_list("digest", flat=True))
        missing = [label for digest, label in fresh.items() if digest not in stored]
        gold.place(missing, dict.fromkeys(fresh, Side.BENCHMARK))


def check(snapshot: Snapshot, entries: Sequence[Entry]) -> int:
    """How many items each of them would be asked about. Raises NothingToRun."""
    items = held_out(snapshot).count()
    if not items:
        raise NothingToRun(_("This snapshot holds nothing on the benchmark side; choose another, or label more."))
    if not entries:
        raise NothingToRun(_("Choose at least one model."))
    if len(entries) > MOST_CONTENDERS:
        raise NothingToRun(_("Choose at most %d models for one run.") % MOST_CONTENDERS)
    return items


@transaction.atomic
def start(snapshot: Snapshot, entries: Sequence[Entry], *, by: User | None = None) -> Run:
    """A run that somebody works off from now on. Raises NothingToRun."""
    items = check(snapshot, entries)
    run = Run.objects.create(snapshot=snapshot, items_count=items, created_by=by)
    Contender.objects.bulk_create(entry.contender(run=run) for entry in entries)
    return run


def estimate(snapshot: Snapshot, entry: Entry) -> Decimal:
    """About what a contender will cost: tokens by the length of what is sent, one request for each item."""
    texts = held_out(snapshot).aggregate(number=Count("pk"), length=Avg(Length("gold__text")))
    prompt = len(entry.contract.system_prompt) + showing.length_of(entry.shown)
    number: int = texts["number"]
    return budget.expected(entry.spec, prompt + int(texts["length"] or 0)) * number


def stop(run: Run) -> bool:
    """Ask no further; what has been answered stays. Whether it was running."""
    return _stop(run, "")


def _stop(run: Run, note: str) -> bool:
    running = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING)
    return bool(running.update(state=Run.State.STOPPED, note=note[:300]))


def resume(run: Run) -> bool:
    """Go on with a stopped run where it was. Whether it was stopped."""
    # A worker that still waits for what was under way keeps it, or that would be asked about twice.
    stopped = Run.objects.filter(pk=run.pk, state=Run.State.STOPPED)
    return bool(stopped.update(state=Run.State.RUNNING, note=""))


def progress(run: Run) -> Progress:
    of = run.items_count * run.contenders.count()
    return Progress(Result.objects.filter(contender__run=run).count(), of)


def work_off(run_pk: int, *, told: Told = lambda contender, item, result: None) -> bool:
    """Ask all its models, each beside the others, and sum up. Whether the run was there to be taken up.

    `told` hears of each result once it is stored, from the thread of its contender.
    """
    taken = Run.objects.waiting().filter(pk=run_pk).update(available_at=timezone.now() + LEASE)
    if not taken:
        return False
    run = Run.objects.get(pk=run_pk)
    try:
        with beating(lambda: Run.objects.filter(pk=run_pk).update(available_at=timezone.now() + LEASE), LEASE):
            contenders = list(run.contenders.select_related("spec__provider", "contract"))
            _leave_out_erased(run, len(contenders))
            _ask_all(run, contenders, told)
            _finish(run, contenders)
    except Exception as error:
        # It would come to the same the next time.
        _stop(run, str(error))
        raise
    finally:
        Run.objects.filter(pk=run_pk).update(available_at=timezone.now())
    return True


def held_out(snapshot: Snapshot) -> QuerySet[SnapshotItem]:
    """The items to measure with: of one that was erased there is nothing left to ask about."""
    return SnapshotItem.objects.filter(snapshot=snapshot, side=Side.BENCHMARK).exclude(_erased("gold"))


def _erased(gold_label: str) -> Q:
    """That the text of this gold label was erased; one that was only masked can still be asked about."""
    return Q((f"{gold_label}__digest__startswith", "erased:"), (f"{gold_label}__text", ERASED))


@transaction.atomic(durable=True)
def _leave_out_erased(run: Run, contenders: int) -> None:
    """Count the items anew. One that was erased stays where all have answered; else it counts for none of them, so that
    they are compared on the same items.
    """
    said = Result.objects.filter(_erased("item__gold"), contender__run=run).order_by()
    numbers = dict(said.values_list("item").annotate(Count("pk")))
    by_all = [item for item, number in numbers.items() if number == contenders]
    said.exclude(item__in=by_all).delete()
    run.items_count = held_out(run.snapshot).count() + len(by_all)
    run.save(update_fields=["items_count"])


def _ask_all(run: Run, contenders: Sequence[Contender], told: Told) -> None:
    if len(contenders) == 1:
        _ask(run, contenders[0], told)
        return
    with ThreadPoolExecutor(len(contenders)) as threads:
        list(threads.map(lambda contender: _ask_in_thread(run, contender, told), contenders))


def _ask_in_thread(run: Run, contender: Contender, told: Told) -> None:
    try:
        _ask(run, contender, told)
    finally:
        connection.close()


def _ask(run: Run, contender: Contender, told: Told) -> None:
    """Everything that this contender has not answered yet, stored as it comes; less of it where the run is stopped."""
    version, judge = contender.contract.restored(), Judge()
    items: list[SnapshotItem] = []

    def texts() -> Iterator[str]:
        for item in _open_items(contender):
            items.append(item)
            yield item.gold.text

    asking = Asking(texts(), contender.spec, version, examples=contender.examples)
    for group in asking:
        # Who was not asked for want of money has not failed.
        asked = [(items[place], answer) for place, answer in group if not _is_unpaid(answer)]
        for result in _stored([_result(contender, item, answer, judge) for item, answer in asked]):
            told(contender, result.item, result)
        if len(asked) < len(group):
            _stop(run, str(group[-1][1]))
        if not Run.objects.filter(pk=run.pk, state=Run.State.RUNNING).exists():
            asking.stop()


def _open_items(contender: Contender) -> Iterator[SnapshotItem]:
    """What it has not answered, read a part at a time, so that little is asked about that was erased meanwhile."""
    unanswered = held_out(contender.run.snapshot).exclude(pk__in=contender.results.values("item"))
    for some in chunked(list(unanswered.order_by("position").values_list("pk", flat=True)), AT_ONCE):
        there = held_out(contender.run.snapshot).filter(pk__in=some)
        yield from there.select_related("gold").order_by("position")


def _stored(results: Sequence[Result]) -> list[Result]:
    """What is kept of these: of a text that was erased meanwhile nothing, for what was said may quote it."""
    if not results:
        return []
    with transaction.atomic(durable=True):
        # Whoever erases holds this.
        list(Desk.objects.select_for_update().values_list("pk"))
        asked = {result.item.gold_id: result.item.gold.text for result in results}
        texts = dict(GoldLabel.objects.filter(pk__in=asked).values_list("pk", "text"))
        kept = [result for result in results if texts[result.item.gold_id] == asked[result.item.gold_id]]
        Result.objects.bulk_create(kept, ignore_conflicts=True)
    return kept


def _is_unpaid(answer: Answer | ClassifierError) -> bool:
    return isinstance(answer, ClassifierError) and answer.kind == FailureKind.BUDGET


def _result(contender: Contender, item: SnapshotItem, answer: Answer | ClassifierError, judge: Judge) -> Result:
    usage, labels = answer.usage, contender.contract.labels
    result = Result(
        contender=contender,
        item=item,
        latency_ms=usage.latency_ms,
        cost=contender.spec.cost(usage),
        category_right=False,
        sentiment_right=False,
    )
    if isinstance(answer, ClassifierError):
        result.failure, result.detail = answer.kind, str(answer)
        return result
    result.category, result.sentiment = labels.categories.get(answer.category), labels.sentiments.get(answer.sentiment)
    result.answer = f"{answer.category} | {answer.sentiment}"
    result.category_right = judge.category(answer.category, item.category, labels)
    result.sentiment_right = judge.sentiment(answer.sentiment, item.sentiment, labels)
    result.confidence, result.reasoning = answer.confidence, answer.reasoning
    return result


def scored(contender: Contender) -> list[Scored]:
    """Its results in the order of the items (one query)."""
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
    )
    return [Scored(*row[:-1], float(row[-1])) for row in rows]


def _finish(run: Run, contenders: Sequence[Contender]) -> None:
    """Sum up where every contender has a result for every item."""
    _leave_out_erased(run, len(contenders))
    if not run.items_count:
        _stop(run, _("Every text of this run was erased; there is nothing left to measure with."))
        return
    rows = {contender.pk: scored(contender) for contender in contenders}
    if any(len(of_one) < run.items_count for of_one in rows.values()):
        return
    comparisons = scores.comparisons(rows)
    with transaction.atomic(durable=True):
        for contender in contenders:
            contender.figures = scores.figures(rows[contender.pk])
            contender.save(update_fields=["figures"])
        finished = {"state": Run.State.FINISHED, "finished_at": timezone.now(), "comparisons": comparisons}
        Run.objects.filter(pk=run.pk).update(**finished)
