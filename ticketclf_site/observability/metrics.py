"""Metrics for Prometheus, read from the database: every web process tells the same, however many there are.

Only what the process itself takes (memory, processor time) is of the one that happened to answer. Requests and their
times are for the proxy in front to count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.registry import Collector

from classifier.models import LanguageModel
from classifier.tallies import BUCKETS, sums
from ticketclf_site.observability import gauges

__all__ = ["CONTENT_TYPE", "exposition"]

Sums = dict[tuple[str, ...], float]


def exposition() -> bytes:
    """All metrics in the text format of Prometheus (about twenty queries, whatever the tables hold)."""
    return generate_latest(_REGISTRY)


class _Database(Collector):
    def collect(self) -> Iterable[Metric]:
        found = sums()
        language_models = {
            str(language_model.pk): language_model
            for language_model in LanguageModel.objects.select_related("provider")
        }
        yield from _counters(found, language_models)
        yield _latency(found, language_models)
        yield from gauges.all_of_them()

    def describe(self) -> Iterable[Metric]:
        return []  # else the registry would ask the database while this module is imported


def _counters(found: Sums, language_models: dict[str, LanguageModel]) -> Iterator[Metric]:
    received = CounterMetricFamily("ticketclf_tickets_received", "Tickets that have come in.")
    received.add_metric([], found.get(("received",), 0))
    yield received
    yield _counter("predictions", "Answers of models.", {"classified": []}, found, language_models)
    yield _counter(
        "failures", "Tickets that a model could not answer for.", {"failed": []}, found, language_models, "kind"
    )
    tokens = {f"{way}_tokens{of}": [way] for way in ("input", "output") for of in ("", "_of_failures")}
    yield _counter("model_tokens", "Tokens that models took.", tokens, found, language_models, "direction")
    costs = {"cost": ["tickets"], "cost_of_failures": ["failures"], "cost_of_runs": ["benchmark"]}
    yield _counter(
        "model_cost", "What models cost, in the currency of the prices.", costs, found, language_models, "purpose"
    )
    for name, said, key, labels in _PLAIN:
        family = CounterMetricFamily(f"ticketclf_{name}", said, labels=labels)
        for (counted, *values), value in found.items():
            if counted == key:
                family.add_metric(values, value)
        yield family


_PLAIN = [
    ("verdicts", "What the gate decided.", "judged", ["verdict", "reason"]),
    ("decisions", "What people said.", "decided", ["verdict", "purpose"]),
]


def _counter(
    name: str, said: str, keys: dict[str, list[str]], found: Sums, language_models: dict[str, LanguageModel], *more: str
) -> Metric:
    """A counter by provider and model, and by what stands in `keys` beside what is counted, or in its own key."""
    family = CounterMetricFamily(f"ticketclf_{name}", said, labels=["provider", "model", *more])
    added: dict[tuple[str, ...], float] = {}
    for (counted, *values), value in found.items():
        if counted in keys and values and values[0] in language_models:
            labels = (*_names(language_models[values[0]]), *keys[counted], *values[1:])
            added[labels] = added.get(labels, 0) + value
    for labels, value in added.items():
        family.add_metric(list(labels), value)
    return family


def _latency(found: Sums, language_models: dict[str, LanguageModel]) -> Metric:
    family = HistogramMetricFamily(
        "ticketclf_model_call_seconds", "Time that a model took for an answer.", labels=["provider", "model"]
    )
    for key, language_model in language_models.items():
        number = found.get(("classified", key), 0)
        if number:
            within = [(str(bucket), found.get((f"within_{at}", key), 0)) for at, bucket in enumerate(BUCKETS)]
            total = found.get(("ms", key), 0) / 1_000
            family.add_metric(list(_names(language_model)), [*within, ("+Inf", number)], total)
    return family


def _names(language_model: LanguageModel) -> tuple[str, str]:
    return language_model.provider.name, language_model.name


_REGISTRY = CollectorRegistry()
_REGISTRY.register(_Database())
ProcessCollector(registry=_REGISTRY)
PlatformCollector(registry=_REGISTRY)
