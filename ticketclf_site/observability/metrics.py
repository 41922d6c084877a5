"""Prometheus metrics, read from the database, so that every web process reports the same figures.

Only memory and CPU time are those of the process that answers. The proxy in front counts requests and their times.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.registry import Collector

from classifier.models import LanguageModel
from classifier.tallies import BUCKETS, sums
from ticketclf_site.observability import gauges

__all__ = ["CONTENT_TYPE", "exposition"]

Totals = dict[tuple[str, ...], float]


def exposition() -> bytes:
    """All metrics in Prometheus text format (about thirty queries, whatever the size of the tables)."""
    return generate_latest(_REGISTRY)


class _Database(Collector):
    def collect(self) -> Iterable[Metric]:
        totals = sums()
        language_models = {
            str(language_model.pk): language_model
            for language_model in LanguageModel.objects.select_related("provider")
        }
        yield from _counters(totals, language_models)
        yield _latency(totals, language_models)
        yield from gauges.collect()

    def describe(self) -> Iterable[Metric]:
        return []  # otherwise registering would query the database at import


def _counters(totals: Totals, language_models: dict[str, LanguageModel]) -> Iterator[Metric]:
    received = CounterMetricFamily("ticketclf_tickets_received", "Tickets received.")
    received.add_metric([], totals.get(("received",), 0))
    yield received
    yield _counter("predictions", "Predictions.", {"classified": []}, totals, language_models)
    repaired = "Replies of models that had to be repaired to be read."
    yield _counter("replies_repaired", repaired, {"repaired": []}, totals, language_models)
    yield _counter("failures", "Failed predictions.", {"failed": []}, totals, language_models, "kind")
    tokens = {f"{way}_tokens{of}": [way] for way in ("input", "output") for of in ("", "_of_failures")}
    yield _counter("model_tokens", "Tokens used.", tokens, totals, language_models, "direction")
    costs = {"cost": ["tickets"], "cost_of_failures": ["failures"], "cost_of_runs": ["benchmark"]}
    yield _counter(
        "model_cost", "Cost of model calls, in the currency of the prices.", costs, totals, language_models, "purpose"
    )
    for name, help_text, key, labels in _OTHER_COUNTERS:
        family = CounterMetricFamily(f"ticketclf_{name}", help_text, labels=labels)
        for (counted, *values), value in totals.items():
            if counted == key:
                family.add_metric(values, value)
        yield family


_OTHER_COUNTERS = [
    ("verdicts", "Verdicts of the gate.", "judged", ["verdict", "reason"]),
    ("decisions", "Decisions of people.", "decided", ["verdict", "purpose"]),
]


def _counter(
    name: str,
    help_text: str,
    keys: dict[str, list[str]],
    totals: Totals,
    language_models: dict[str, LanguageModel],
    *more: str,
) -> Metric:
    """A counter by provider, model and `more` labels; `keys` maps each tally to values of those labels."""
    family = CounterMetricFamily(f"ticketclf_{name}", help_text, labels=["provider", "model", *more])
    added: dict[tuple[str, ...], float] = {}
    for (counted, *values), value in totals.items():
        if counted in keys and values and values[0] in language_models:
            labels = (*_names(language_models[values[0]]), *keys[counted], *values[1:])
            added[labels] = added.get(labels, 0) + value
    for labels, value in added.items():
        family.add_metric(list(labels), value)
    return family


def _latency(totals: Totals, language_models: dict[str, LanguageModel]) -> Metric:
    family = HistogramMetricFamily(
        "ticketclf_model_call_seconds", "Duration of a model call.", labels=["provider", "model"]
    )
    for key, language_model in language_models.items():
        number = totals.get(("classified", key), 0)
        if number:
            within = [(str(bucket), totals.get((f"within_{at}", key), 0)) for at, bucket in enumerate(BUCKETS)]
            total = totals.get(("ms", key), 0) / 1_000
            family.add_metric(list(_names(language_model)), [*within, ("+Inf", number)], total)
    return family


def _names(language_model: LanguageModel) -> tuple[str, str]:
    return language_model.provider.name, language_model.name


_REGISTRY = CollectorRegistry()
_REGISTRY.register(_Database())
ProcessCollector(registry=_REGISTRY)
PlatformCollector(registry=_REGISTRY)
