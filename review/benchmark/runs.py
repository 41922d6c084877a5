"""Start, stop and resume benchmark runs, estimate their cost, and load the built-in items."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Left
from django.utils.translation import gettext as _

from classifier.contract.prompt import LONGEST_TEXT
from classifier.inference import budget, few_shot
from classifier.models import Category, ContractVersion, LanguageModel, Sentiment
from classifier.privacy.redaction import ERASED
from review.gold import gold_labels
from review.models import Contender, GoldLabel, Run, Side, Snapshot, SnapshotItem

BUILT_IN = Path(__file__).parent.parent / "data" / "benchmark.jsonl"
MOST_CONTENDERS = 12
COST_SAMPLE = 500
"""How many texts the cost is estimated from."""


class NothingToRun(Exception):
    """The snapshot has no benchmark items, or the choice of models is invalid; the message says which."""


class Entry(NamedTuple):
    """A model to run under a contract. `label` names a draft or an earlier contract; it is empty for the one in force.

    Each prompt shows `examples` solved tickets, or the model's own number if None.
    """

    language_model: LanguageModel
    contract: ContractVersion
    label: str = ""
    examples: int | None = None

    @property
    def shown(self) -> int:
        """How many solved tickets each prompt shows; 0 if the model cannot be shown any."""
        return few_shot.example_count(self.language_model, self.examples)

    @property
    def name(self) -> str:
        return str(self.contender())

    def contender(self, **run: Run) -> Contender:
        return Contender(
            language_model=self.language_model, contract=self.contract, label=self.label, examples=self.shown, **run
        )


class Progress(NamedTuple):
    done: int
    total: int

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 100


def load_built_in() -> None:
    """Store the built-in items whose labels the taxonomy has as benchmark labels, each once."""
    categories = {name: pk for pk, name in Category.objects.active().paths().items()}
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
    gold_labels.add_gold_labels(fresh.values(), dict.fromkeys(fresh, Side.BENCHMARK))


def benchmark_labels(snapshot: Snapshot | None) -> QuerySet[GoldLabel]:
    """The benchmark labels of a snapshot, or those that a new one would have."""
    if snapshot:
        return GoldLabel.objects.filter(pk__in=benchmark_items(snapshot).values("gold"))
    return GoldLabel.objects.usable().on_side(Side.BENCHMARK)


def count_items(snapshot: Snapshot | None, entries: Sequence[Entry]) -> int:
    """Count the items that each entry would be asked about. Raises NothingToRun."""
    items = benchmark_labels(snapshot).count()
    if not items and not snapshot:
        raise NothingToRun(_("No benchmark labels yet: review some tickets or import labels."))
    if not items:
        raise NothingToRun(_("This snapshot has no benchmark labels; choose another, or label more tickets."))
    if not entries:
        raise NothingToRun(_("Choose at least one model."))
    if len(entries) > MOST_CONTENDERS:
        raise NothingToRun(_("Choose at most %d models for one run.") % MOST_CONTENDERS)
    return items


@transaction.atomic
def start_run(snapshot: Snapshot, entries: Sequence[Entry], *, by: User | None = None) -> Run:
    """Create a run that waits to be executed. Raises NothingToRun."""
    if not Snapshot.objects.select_for_update().filter(pk=snapshot.pk).values_list("pk"):
        raise NothingToRun(_("This snapshot has been deleted; choose another."))
    items = count_items(snapshot, entries)
    run = Run.objects.create(snapshot=snapshot, items_count=items, created_by=by)
    Contender.objects.bulk_create(entry.contender(run=run) for entry in entries)
    return run


def estimate_cost(snapshot: Snapshot | None, entry: Entry) -> Decimal:
    """Estimate the cost from some of the texts, with one request per item."""
    items = benchmark_labels(snapshot)
    texts = list(items.values_list(Left("text", LONGEST_TEXT), flat=True)[:COST_SAMPLE])
    prompt = len(entry.contract.system_prompt) + few_shot.prompt_length(entry.shown)
    number = len(texts) if len(texts) < COST_SAMPLE else items.count()
    return budget.expected_cost(entry.language_model, prompt, texts) * number / max(len(texts), 1)


def stop_run(run: Run, note: str = "") -> bool:
    """Stop a run; its answers are kept. Returns whether it was running."""
    running = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING)
    return bool(running.update(state=Run.State.STOPPED, note=note[:300]))


def resume_run(run: Run) -> bool:
    """Resume a stopped run. Returns whether it was stopped."""
    # A worker that still waits for open requests keeps its lease; otherwise they would be sent twice.
    stopped = Run.objects.filter(pk=run.pk, state=Run.State.STOPPED)
    return bool(stopped.update(state=Run.State.RUNNING, note=""))


def benchmark_items(snapshot: Snapshot) -> QuerySet[SnapshotItem]:
    """The snapshot's benchmark items whose texts were not erased."""
    return SnapshotItem.objects.filter(snapshot=snapshot, side=Side.BENCHMARK).exclude(erased_text("gold"))


def erased_text(gold_label: str) -> Q:
    """Matches gold labels whose texts were erased, not only masked."""
    return Q((f"{gold_label}__digest__startswith", "erased:"), (f"{gold_label}__text", ERASED))
