"""What the embedded model answers to attributes: choices by prototypes, texts by their pattern."""

from collections.abc import Sequence
from typing import NamedTuple

from classifier.contract import attributes
from classifier.contract.options import names
from classifier.contract.types import AttributeKind, AttributeTerms, AttributeValue, Contract
from classifier.learning.heads import BoundHead, Head
from classifier.learning.prototypes import Encode, offered_labels
from classifier.learning.vector_space import Embeddings, Ints

LEAST_PROBABILITY = 0.5
"""A choice that is less likely stays empty."""


class _Choice(NamedTuple):
    attribute: AttributeTerms
    head: BoundHead
    names: list[str]


class AttributeModel:
    """Answers a contract's attributes from the embeddings that the labels are answered from."""

    def __init__(self, encode: Encode, contract: Contract) -> None:
        self._categories = names(contract.categories)
        self._texts = [attribute for attribute in contract.attributes if attribute.pattern]
        self._choices = [
            _Choice(attribute, _head(encode, attribute), names(attributes.choices(attribute)))
            for attribute in contract.attributes
            if attributes.choices(attribute) and _has_prototypes(attribute)
        ]

    def answers(self, texts: Sequence[str], embeddings: Embeddings, places: Ints) -> list[dict[str, AttributeValue]]:
        """The answers of each text by the attribute's key; `embeddings` are those of the texts,
        `places` those of the texts' categories among the contract's, of shape (texts,).
        """
        answers: list[dict[str, AttributeValue]] = [{} for _text in texts]
        categories = [self._categories[place] for place in places]
        for attribute, head, offered in self._choices:
            probabilities = head.probabilities(embeddings, texts)
            for row, category in enumerate(categories):
                best = int(probabilities[row].argmax())
                if probabilities[row, best] >= LEAST_PROBABILITY and attribute.is_asked_of(category):
                    answers[row][attribute.key] = attributes.chosen_value(attribute, offered[best])
        for attribute in self._texts:
            for row, category in enumerate(categories):
                copied = attributes.text_by_pattern(attribute, texts[row])
                if copied and attribute.is_asked_of(category):
                    answers[row][attribute.key] = copied
        return answers


def _has_prototypes(attribute: AttributeTerms) -> bool:
    """Whether yes and no have examples to tell them apart; options have at least their names."""
    return attribute.kind != AttributeKind.YES_NO or bool(attribute.examples and attribute.counterexamples)


def _head(encode: Encode, attribute: AttributeTerms) -> BoundHead:
    return BoundHead(Head.untrained(), offered_labels(attributes.choices(attribute), encode))
