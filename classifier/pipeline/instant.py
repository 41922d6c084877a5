"""Labels at once for texts that are no tickets: the same models, contract and gate, and nothing stored."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from classifier.contract.types import Answer, ClassifierError
from classifier.inference import asking
from classifier.models import (
    ContractVersion,
    Epoch,
    Gate,
    LanguageModel,
)
from classifier.pipeline import answer_check, gate, scoring

logger = logging.getLogger(__name__)


class Instant(NamedTuple):
    """One text, what the model in front or the primary said, and the second opinion where the primary was not sure."""

    text: str
    language_model: LanguageModel
    answer: Answer | ClassifierError
    sure: bool
    second_language_model: LanguageModel | None = None
    second: Answer | ClassifierError | None = None

    def as_dict(self) -> dict[str, Any]:
        """The four keys of the contract (null without a valid answer), and how they came about."""
        return _labels(self.answer) | {
            "review_flag": not self.sure,
            "fallback_review": self._fallback(),
            "model": self.language_model.name,
            "latency_ms": round(self.answer.usage.latency_ms, 1),
        }

    def _fallback(self) -> dict[str, Any] | None:
        if self.second is None or self.second_language_model is None:
            return None
        return _labels(self.second) | {"model": self.second_language_model.name}


Said = dict[int, Answer | ClassifierError]
"""What a model said, by the place of the text among those given."""


def classify(texts: Sequence[str], settings: Gate, version: ContractVersion) -> Iterator[Instant]:
    """One result a text, in order. Each model is asked about the whole sequence at once, so give it in batches.

    What would pass is told as things stand; of a text that is no ticket nothing is audited.
    """
    front, language_model, epoch = (
        settings.front_in_charge(),
        settings.primary_in_charge(),
        gate.epoch_in_force(settings, version),
    )
    in_front = _in_front(front, texts, version)
    taken = [place for place in range(len(texts)) if _is_confident(in_front.get(place), settings.front_threshold)]
    left = [place for place in range(len(texts)) if place not in taken]
    answers = {place: in_front[place] for place in taken} | _said(language_model, texts, left, version)
    sure = _sure(epoch, texts, answers, taken, front, version)
    doubtful = [place for place in range(len(texts)) if isinstance(answers[place], Answer) and place not in sure]
    second = settings.second_in_charge()
    if second is None and front and settings.is_of_another_family(front):
        second = front
    seconds = in_front if second == front else _said(second, texts, doubtful, version)
    for place, text in enumerate(texts):
        by = front if front and place in taken else language_model
        opinion = seconds.get(place) if place in doubtful and second != by else None
        yield Instant(text, by, answers[place], place in sure, second, opinion)


def _sure(
    epoch: Epoch, texts: Sequence[str], answers: Said, taken: Sequence[int], front: LanguageModel | None,
    version: ContractVersion,
) -> set[int]:  # fmt: skip
    """The places of the answers that may pass. Of a fixed threshold on the confidence, the one in front has its own."""
    found = {place: answer for place, answer in answers.items() if isinstance(answer, Answer)}
    dictated = answer_check.dictated(
        [answer_check.Said(texts[place], one.category, one.sentiment) for place, one in found.items()],
        version.terms,
        epoch.scorer,
    )
    found = {place: one for (place, one), yes in zip(found.items(), dictated, strict=True) if not yes}
    if epoch.scorer is None:
        return {place for place, one in found.items() if place in taken or epoch.lets_pass(one.confidence, None)}
    by_front = {place: one for place, one in found.items() if place in taken}
    by_primary = {place: one for place, one in found.items() if place not in taken}
    passing: set[int] = set()
    for language_model, said in ((front, by_front), (epoch.scorer.language_model, by_primary)):
        if language_model and said:
            places, answered = list(said), list(said.values())
            shares = scoring.of_answers(
                [texts[place] for place in places], answered, language_model, epoch.scorer, version.terms
            )
            passing |= {
                place
                for place, one, share in zip(places, answered, shares, strict=True)
                if epoch.lets_pass(one.confidence, epoch.value(share))
            }
    return passing


def _in_front(front: LanguageModel | None, texts: Sequence[str], version: ContractVersion) -> Said:
    try:
        return _said(front, texts, range(len(texts)), version)
    except Exception:
        # As in the pipeline: the primary can answer, whatever is wrong with the model in front.
        logger.exception("%s failed in front; the primary is asked.", front)
        return {}


def _said(
    language_model: LanguageModel | None, texts: Sequence[str], places: Sequence[int], version: ContractVersion
) -> Said:
    if language_model is None or not places:
        return {}
    return dict(zip(places, asking.ask([texts[place] for place in places], language_model, version), strict=True))


def _is_confident(answer: Answer | ClassifierError | None, threshold: float) -> bool:
    return isinstance(answer, Answer) and answer.confidence >= threshold


def _labels(answer: Answer | ClassifierError) -> dict[str, Any]:
    if isinstance(answer, ClassifierError):
        return dict.fromkeys(("category", "sentiment", "confidence", "reasoning")) | {"error": str(answer)}
    return {
        "category": answer.category,
        "sentiment": answer.sentiment,
        "confidence": round(answer.confidence, 4),
        "reasoning": answer.reasoning,
    }
