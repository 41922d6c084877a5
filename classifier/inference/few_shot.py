"""Chooses the labelled examples that an endpoint is shown with each text."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from django.db.models import Avg
from django.db.models.functions import Length

from classifier.contract.prompt import LONGEST_EXAMPLE
from classifier.contract.types import FewShotExample, Option
from classifier.database.batches import chunked
from classifier.embeddings import nearest_examples, vector_store
from classifier.models import ContractVersion, Example, LanguageModel, Provider
from classifier.models.specialist import text_digest
from classifier.security import prompt_injection

logger = logging.getLogger(__name__)

BATCH = 64
"""Texts compared with all examples together, limited by memory."""

LABELS_LENGTH = 100
"""Approximate characters of an example's labels and JSON."""

_CANDIDATES_PER_EXAMPLE = 4
_LENGTH_SAMPLE = 1_000


def example_count(language_model: LanguageModel, wanted: int | None = None) -> int:
    """How many examples to show: `wanted`, or what the model's row says; zero for embedded models."""
    if language_model.provider.kind != Provider.Kind.CHAT:
        return 0
    return language_model.examples if wanted is None else wanted


def examples_for(texts: Sequence[str], version: ContractVersion, number: int) -> list[Sequence[FewShotExample]]:
    """The nearest examples of each text, nearest first, with labels that the contract offers. Empty if none are wanted
    or the search fails, since models can answer without.
    """
    if not number:
        return []
    try:
        return [examples for part in chunked(texts, BATCH) for examples in _nearest(part, version, number)]
    except Exception:
        # Tickets need an answer even if the encoder fails.
        logger.exception("Finding examples failed; models are asked without them.")
        return []


def prompt_length(number: int) -> int:
    """About how many characters this many examples add to a prompt, judging by the latest ones (one query)."""
    if not number:
        return 0
    latest = Example.objects.order_by("-pk").annotate(length=Length("text"))[:_LENGTH_SAMPLE]
    average = latest.aggregate(average=Avg("length"))["average"]
    return 0 if average is None else number * (min(int(average), LONGEST_EXAMPLE) + LABELS_LENGTH)


def _nearest(texts: Sequence[str], version: ContractVersion, number: int) -> Iterator[Sequence[FewShotExample]]:
    # More than needed, since some are the text itself or have labels that are not offered.
    nearest_by_text = nearest_examples.index().nearest(
        vector_store.embeddings_for(texts), _CANDIDATES_PER_EXAMPLE * number + 1
    )
    examples = nearest_examples.examples_by_key({neighbour.key for nearest in nearest_by_text for neighbour in nearest})
    categories, sentiments = _names(version.terms.categories), _names(version.terms.sentiments)
    for text, nearest in zip(texts, nearest_by_text, strict=True):
        own = text_digest(text)
        others = (
            examples[neighbour.key]
            for neighbour in nearest
            if neighbour.key in examples and examples[neighbour.key].digest != own
        )
        yield tuple(islice(_named(others, categories, sentiments), number))


def _named(
    examples: Iterable[Example], categories: dict[int, str], sentiments: dict[int, str]
) -> Iterator[FewShotExample]:
    for example in examples:
        # Instructions in an example would affect every ticket it is shown with.
        if prompt_injection.is_suspected_injection(example.text):
            continue
        if example.category_id in categories and example.sentiment_id in sentiments:
            yield FewShotExample(
                text=example.text, category=categories[example.category_id], sentiment=sentiments[example.sentiment_id]
            )


def _names(options: Iterable[Option]) -> dict[int, str]:
    return {key: option.name for option in options for key in option.keys}
