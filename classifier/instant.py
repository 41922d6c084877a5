"""Labels at once for texts that are no tickets: the same models, contract and threshold, and nothing stored."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from . import gate, labelling
from .contract import Answer, ClassifierError
from .models import ContractVersion, Gate, ModelSpec

logger = logging.getLogger(__name__)


class Instant(NamedTuple):
    """One text, what the model in front or the primary said, and the second opinion where the primary was not sure."""

    text: str
    spec: ModelSpec
    answer: Answer | ClassifierError
    sure: bool
    second_spec: ModelSpec | None = None
    second: Answer | ClassifierError | None = None

    def as_dict(self) -> dict[str, Any]:
        """The four keys of the contract (null without a valid answer), and how they came about."""
        return _labels(self.answer) | {
            "review_flag": not self.sure,
            "fallback_review": self._fallback(),
            "model": self.spec.name,
            "latency_ms": round(self.answer.usage.latency_ms, 1),
        }

    def _fallback(self) -> dict[str, Any] | None:
        if self.second is None or self.second_spec is None:
            return None
        return _labels(self.second) | {"model": self.second_spec.name}


Said = dict[int, Answer | ClassifierError]
"""What a model said, by the place of the text among those given."""


def classify(texts: Sequence[str], settings: Gate, version: ContractVersion) -> Iterator[Instant]:
    """One result a text, in order. Each model is asked about the whole sequence at once, so give it in batches."""
    front, spec = settings.front_in_charge(), settings.primary_in_charge()
    in_front = _in_front(front, texts, version)
    left = [place for place in range(len(texts)) if not _is_sure(in_front.get(place), settings.front_threshold)]
    answers = _said(spec, texts, left, version)
    doubtful = [place for place in left if _is_doubtful(answers[place], settings.threshold)]
    second = settings.second_in_charge()
    if second is None and front and settings.is_of_another_family(front):
        second = front
    seconds = in_front if second == front else _said(second, texts, doubtful, version)
    for place, text in enumerate(texts):
        if place in answers:
            sure = _is_sure(answers[place], settings.threshold)
            yield Instant(text, spec, answers[place], sure, second, seconds.get(place) if place in doubtful else None)
        elif front:
            yield Instant(text, front, in_front[place], True)


def _in_front(front: ModelSpec | None, texts: Sequence[str], version: ContractVersion) -> Said:
    try:
        return _said(front, texts, range(len(texts)), version)
    except Exception:
        # As in the pipeline: the primary can answer, whatever is wrong with the model in front.
        logger.exception("%s failed in front; the primary is asked.", front)
        return {}


def _said(spec: ModelSpec | None, texts: Sequence[str], places: Sequence[int], version: ContractVersion) -> Said:
    if spec is None or not places:
        return {}
    return dict(zip(places, labelling.ask([texts[place] for place in places], spec, version), strict=True))


def _is_sure(answer: Answer | ClassifierError | None, threshold: float) -> bool:
    return isinstance(answer, Answer) and gate.is_sure(answer.confidence, threshold)


def _is_doubtful(answer: Answer | ClassifierError, threshold: float) -> bool:
    return isinstance(answer, Answer) and not gate.is_sure(answer.confidence, threshold)


def _labels(answer: Answer | ClassifierError) -> dict[str, Any]:
    if isinstance(answer, ClassifierError):
        return dict.fromkeys(("category", "sentiment", "confidence", "reasoning")) | {"error": str(answer)}
    return {
        "category": answer.category,
        "sentiment": answer.sentiment,
        "confidence": round(answer.confidence, 4),
        "reasoning": answer.reasoning,
    }
