"""Training data of the specialist: examples with their vectors, and the labels on offer."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from classifier.contract.types import Option
from classifier.embeddings import vector_store
from classifier.learning import prototypes
from classifier.learning.examples import Examples
from classifier.learning.heads import OfferedLabel
from classifier.learning.starters import with_starters
from classifier.learning.vector_space import Embeddings, Floats, Ints, common_encoder, coverage_weights
from classifier.models import ContractVersion, Example, Ticket
from classifier.models.specialist import text_digest

AXES = ("category", "sentiment")
LATEST = 2_000
"""Latest tickets that stand for the tickets to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Examples by axis, with the digests of their texts in the same order, and the labels offered on each axis.

    An example without a label on an axis has the label 0 there, which is never offered.
    """

    examples: dict[str, Examples]
    offered: dict[str, list[OfferedLabel]]
    contract: ContractVersion
    digests: list[str]

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def data_digest(self) -> str:
        """A digest of the texts and their labels, independent of the examples' keys."""
        labels = zip(self.digests, *(self.examples[name].labels for name in AXES), strict=True)
        lines = sorted(f"{digest} {category} {sentiment}" for digest, category, sentiment in labels)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def taught(self) -> bytes:
        """Three rows of 64-bit integers: the examples' keys, their categories, their sentiments."""
        keys = self.examples["category"].keys
        return np.stack([keys, *(self.examples[name].labels for name in AXES)]).tobytes()


def load_training_data() -> TrainingData:
    """Load the published examples; texts without a vector are encoded. Raises EmptyTaxonomy, CorruptEncoder."""
    contract = ContractVersion.objects.current()
    columns = ["pk", "digest", "text", "group", "category", "sentiment", "random_sample"]
    rows = list(Example.objects.order_by("pk").values_list(*columns))
    texts = [row[2] for row in rows]
    embeddings = vector_store.embeddings_for(texts)
    category = Examples(
        keys=_ints(row[0] for row in rows),
        texts=texts,
        embeddings=embeddings,
        labels=_ints(row[4] or 0 for row in rows),
        groups=_ints(row[3] for row in rows),
        random_sample=np.fromiter((row[6] for row in rows), bool),
        weights=_coverage(embeddings),
    )
    return TrainingData(
        examples={"category": category, "sentiment": replace(category, labels=_ints(row[5] or 0 for row in rows))},
        offered={
            "category": offered_labels(contract.terms.categories),
            "sentiment": offered_sentiments(contract.terms.sentiments),
        },
        contract=contract,
        digests=[row[1] for row in rows],
    )


def offered_labels(options: Sequence[Option]) -> list[OfferedLabel]:
    """The labels with their prototypes. Raises CorruptEncoder."""
    return prototypes.offered_labels(options, vector_store.label_embeddings)


def offered_sentiments(options: Sequence[Option]) -> list[OfferedLabel]:
    """The same with their starters. Raises CorruptEncoder."""
    return with_starters(options, offered_labels(options))


def _coverage(examples: Embeddings) -> Floats:
    """How much of the latest traffic each example represents, by the encoder that reads most of both."""
    texts = Ticket.objects.order_by("-pk").values_list("text", flat=True)[:LATEST]
    _rows, latest = vector_store.stored_embeddings([text_digest(text) for text in texts])
    name = common_encoder(examples, latest)
    if not name:
        return np.ones(len(examples), np.float32)
    return coverage_weights(examples.by_encoder[name], latest.by_encoder[name])


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)
