"""Incremental counts of decisions and of benchmark results and their cost."""

from django.db.models import Count, QuerySet, Sum

from classifier.tallies import CountedTable, Counts
from review.models import Decision, Result


def _decided(decisions: QuerySet[Decision]) -> Counts:
    rows = decisions.order_by().values_list("verdict", "purpose").annotate(number=Count("pk"))
    return {("decided", verdict, purpose): number for verdict, purpose, number in rows}


def _measured(results: QuerySet[Result]) -> Counts:
    rows = results.order_by().values_list("contender__language_model").annotate(number=Count("pk"), cost=Sum("cost"))
    counts: Counts = {}
    for language_model, number, cost in rows:
        counts["measured", str(language_model)], counts["cost_of_runs", str(language_model)] = number, float(cost)
    return counts


SOURCES = (
    CountedTable("decisions", Decision.objects.all, _decided),
    CountedTable("results", Result.objects.all, _measured),
)
