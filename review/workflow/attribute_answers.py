"""Compares and completes stored answers to attributes."""

from typing import Any

from classifier.contract.types import AttributeKind
from classifier.models import Attribute, AttributeOption, Prediction
from classifier.models.attributes import StoredAnswers
from review.workflow.decision_records import Label


def conflicting(first: StoredAnswers, second: StoredAnswers) -> bool:
    """Whether an attribute that both answer has two different answers; case and spaces of texts don't count, and a
    merged option is its successor (one query where anything differs at first sight).
    """
    differing = [(first[key], second[key]) for key in first.keys() & second.keys() if first[key] != second[key]]
    pairs = [(_comparable(one), _comparable(another)) for one, another in differing]
    wanted = {pk for pair in pairs for answer in pair if isinstance(answer, frozenset) for pk in answer}
    merged = AttributeOption.objects.filter(pk__in=wanted, merged_into__isnull=False) if wanted else None
    successors = dict(merged.values_list("pk", "merged_into")) if merged is not None else {}
    return any(_resolved(one, successors) != _resolved(another, successors) for one, another in pairs)


def _comparable(answer: Any) -> Any:
    """Options as a set of keys; a text without regard to case and spaces."""
    if isinstance(answer, bool):
        return answer
    if isinstance(answer, str):
        return " ".join(answer.casefold().split())
    return frozenset(answer if isinstance(answer, list) else [answer])


def _resolved(answer: Any, successors: dict[int, int]) -> Any:
    return frozenset(successors.get(pk, pk) for pk in answer) if isinstance(answer, frozenset) else answer


def text_keys() -> frozenset[str]:
    """The keys of text attributes in stored answers (one query)."""
    return frozenset(map(str, Attribute.objects.filter(kind=AttributeKind.TEXT).values_list("pk", flat=True)))


def completed(label: Label, prediction: Prediction | None, of_text: frozenset[str]) -> Label:
    """The label with the ticket's own suggestion for attributes that it leaves open and for texts."""
    shared = {key: answer for key, answer in label.attributes.items() if key not in of_text}
    return label._replace(attributes=(prediction.attributes if prediction else {}) | shared)
