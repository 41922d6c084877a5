"""Publish training labels as the examples that models learn from and are shown."""

from collections.abc import Iterable

from django.db import transaction

from classifier.database.batches import chunked
from classifier.embeddings import nearest_examples
from classifier.models import Example
from review.models import GoldLabel

CHUNK = 500
_DRAWN = (GoldLabel.Origin.BLIND, *GoldLabel.DRAWN)
_FOLLOWS = ["group", "category_id", "sentiment_id", "ticket_id", "random_sample"]


@transaction.atomic
def publish_examples() -> int:
    """Bring the examples in line with the training labels. Returns how many there are. Safe to run concurrently."""
    taught = GoldLabel.objects.for_training()
    wanted = {
        digest: (*follows, origin in _DRAWN)
        for digest, *follows, origin in taught.values_list(
            "digest", "group", "category", "sentiment", "ticket", "origin"
        )
    }
    known = dict(_known())
    for digests in chunked((digest for digest in known if digest not in wanted), CHUNK):
        Example.objects.filter(digest__in=digests).delete()
    for digests in chunked((digest for digest in wanted if known.get(digest) != wanted[digest]), CHUNK):
        rows = [
            Example(digest=digest, text=text, **dict(zip(_FOLLOWS, wanted[digest], strict=True)))
            for digest, text in taught.filter(digest__in=digests).values_list("digest", "text")
        ]
        changed = ["group", "category", "sentiment", "ticket", "random_sample", "changed_at"]
        Example.objects.bulk_create(rows, update_conflicts=True, unique_fields=["digest"], update_fields=changed)
    nearest_examples.invalidate_index()
    return len(wanted)


def _known() -> Iterable[tuple[str, tuple[int | None, ...]]]:
    for digest, *labels in Example.objects.values_list("digest", *_FOLLOWS):
        yield digest, tuple(labels)
