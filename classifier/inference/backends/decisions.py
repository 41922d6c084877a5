"""Classifies with any model behind the decisions protocol, which gives a probability for every label."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from classifier.contract import attributes, prompt
from classifier.contract.answer import LONGEST_REASONING
from classifier.contract.options import names
from classifier.contract.types import (
    Answer,
    AttributeValue,
    ClassifierError,
    Contract,
    FailureKind,
    LabelDistributions,
    LogProbs,
    Option,
    Question,
)
from classifier.inference.backends.decision import Decision
from classifier.inference.backends.endpoint import Endpoint
from classifier.inference.backends.logprobs import LOWEST
from classifier.inference.backends.remote import RemoteClassifier


class DecisionsClassifier(RemoteClassifier):
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def answer(self, question: Question, contract: Contract) -> Answer:
        """See `RemoteClassifier`. The confidence is the product of both labels' probabilities. Ignores examples."""
        text = prompt.shorten(question.text)
        decision, usage = await self._endpoint.decide(
            known_faults=self._endpoint.faults,
            harmless=partial(_request, prompt.HARMLESS_TEXT, contract),
            **_request(text, contract),
        )
        usage = replace(usage, shortened=text != question.text)
        try:
            return replace(_answer(decision, contract, text), usage=usage)
        except ClassifierError as error:
            error.usage = usage
            raise


def _request(text: str, contract: Contract) -> dict[str, Any]:
    return {"input": json.dumps(text, ensure_ascii=False), "questions": prompt.questions(contract)}


def _answer(decision: Decision, contract: Contract, text: str) -> Answer:
    categories = _probabilities("category", decision, contract.categories)
    sentiments = _probabilities("sentiment", decision, contract.sentiments)
    category, sentiment = max(categories, key=categories.__getitem__), max(sentiments, key=sentiments.__getitem__)
    return Answer(
        category=category,
        sentiment=sentiment,
        confidence=categories[category] * sentiments[sentiment],
        reasoning=f"{_ranking(categories)} {_ranking(sentiments)}"[:LONGEST_REASONING],
        logprobs=LogProbs(category=_log(categories[category]), sentiment=_log(sentiments[sentiment])),
        probabilities=LabelDistributions(categories, sentiments),
        **_attributes(decision, contract, category, text),
    )


def _attributes(decision: Decision, contract: Contract, category: str, text: str) -> dict[str, Any]:
    """The likeliest answers to attributes and, by pattern, texts; refused and unknown ones are unusable."""
    usable: dict[str, AttributeValue] = {}
    unusable: list[str] = []
    for attribute in contract.attributes:
        if not attribute.is_asked_of(category):
            continue
        if choices := names(attributes.question_choices(attribute)):
            shares = decision.get(attribute.key) or {}
            best = max(shares, key=shares.__getitem__, default="")
            if best in choices:
                usable[attribute.key] = attributes.chosen_value(attribute, best)
            else:
                unusable.append(attribute.key)
        elif copied := attributes.text_by_pattern(attribute, text):
            usable[attribute.key] = copied
    return {"attributes": usable, "unusable": tuple(unusable)}


def _probabilities(axis: str, decision: Decision, options: Sequence[Option]) -> dict[str, float]:
    """The probability of each label; one that is offered alone needs no question. Raises ClassifierError."""
    offered = names(options)
    shares = decision.get(axis) if len(offered) > 1 else {offered[0]: 1.0}
    if not shares:
        raise ClassifierError(f"The model refused to name a {axis}.", kind=FailureKind.REFUSED, permanent=True)
    if unknown := sorted(set(shares) - set(offered)):
        raise ClassifierError(
            f"{unknown[0][:80]!r} is not a {axis} of the list.", kind=FailureKind.UNKNOWN_LABEL, permanent=True
        )
    return {name: shares.get(name, 0.0) for name in offered}


def _ranking(shares: dict[str, float]) -> str:
    """The two likeliest labels."""
    best = sorted(shares, key=shares.__getitem__, reverse=True)[:2]
    return ", ".join(f"{name} {shares[name]:.0%}" for name in best) + "."


def _log(share: float) -> float:
    return max(math.log(share), LOWEST)
