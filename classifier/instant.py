"""Labels at once for texts that are no tickets: the same models, contract and threshold, and nothing stored."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from . import gate, labelling
from .contract import Answer, ClassifierError
from .models import ContractVersion, Gate, ModelSpec


class Instant(NamedTuple):
    """One text, what the primary said, and the second opinion where the primary was not sure."""

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


def classify(texts: Sequence[str], settings: Gate, version: ContractVersion) -> Iterator[Instant]:
    """One result a text, in order. Second opinions are asked for the whole sequence at once, so give it in batches."""
    spec, second_spec = settings.primary_in_charge(), settings.second_in_charge()
    answers = list(labelling.ask(texts, spec, version))
    sure = [isinstance(one, Answer) and gate.is_sure(one.confidence, settings.threshold) for one in answers]
    doubtful = [text for text, answer, passes in zip(texts, answers, sure, strict=True) if _is_doubtful(answer, passes)]
    seconds = labelling.ask(doubtful, second_spec, version) if second_spec and doubtful else iter(())
    for text, answer, passes in zip(texts, answers, sure, strict=True):
        second = next(seconds, None) if _is_doubtful(answer, passes) else None
        yield Instant(text, spec, answer, passes, second_spec, second)


def _is_doubtful(answer: Answer | ClassifierError, sure: bool) -> bool:
    return isinstance(answer, Answer) and not sure


def _labels(answer: Answer | ClassifierError) -> dict[str, Any]:
    if isinstance(answer, ClassifierError):
        return dict.fromkeys(("category", "sentiment", "confidence", "reasoning")) | {"error": str(answer)}
    return {
        "category": answer.category,
        "sentiment": answer.sentiment,
        "confidence": round(answer.confidence, 4),
        "reasoning": answer.reasoning,
    }
