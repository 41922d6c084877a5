"""The second looks at errors that audits found, and the error limit that follows from them."""

from itertools import groupby
from operator import itemgetter

from classifier.models import Category
from classifier.models.gate import Criterion
from review.certification.missed_share import SecondLooks
from review.certification.sequential_test import risk_for_missed_share
from review.models import AccuracyTarget, Assignment, Audit, Decision
from review.workflow.audits import is_same_or_below

MOST = 2_000
"""Errors whose second looks are counted, the earliest ones."""


def error_limit(target: AccuracyTarget, about: str) -> float:
    """The largest share of errors among audits that meets the target (three queries)."""
    looks = SecondLooks.start(risk_for_missed_share(target.risk))
    looks.add(repeated_errors(about))
    return target.error_limit(looks.most_missed(target.missed_share))


def repeated_errors(about: str) -> list[bool]:
    """By error that the first person found, in the order of the audits: whether the second one made the model's."""
    judged, prediction = Audit.objects.judged().filter(flaw="", draw__void=False), "draw__verdict__prediction__"
    wrong = judged.filter(category_right=False)
    if about == Criterion.BOTH:
        wrong = judged.exclude(category_right=True, sentiment_right=True)
    found = wrong.order_by("pk").values_list("ticket", f"{prediction}category", f"{prediction}sentiment")
    answers = {ticket: answer for ticket, *answer in found[:MOST]}
    blind = Decision.objects.effective().labelled().filter(ticket__in=answers, blind=True)
    rows = blind.filter(purpose=Assignment.Purpose.AUDIT).order_by("ticket", "pk")
    labels = groupby(rows.values_list("ticket", "category", "sentiment"), key=itemgetter(0))
    by_ticket = {ticket: [label[1:] for label in group] for ticket, group in labels}
    parents = dict(Category.objects.values_list("pk", "parent"))

    def repeats(ticket: int, category: int | None, sentiment: int | None) -> bool:
        predicted, predicted_sentiment = answers[ticket]
        same = about == Criterion.CATEGORY or sentiment == predicted_sentiment
        return same and is_same_or_below(predicted, category, parents)

    looks = [[repeats(ticket, *label) for label in by_ticket.get(ticket, [])[:2]] for ticket in answers]
    return [pair[1] for pair in looks if len(pair) == 2 and not pair[0]]
