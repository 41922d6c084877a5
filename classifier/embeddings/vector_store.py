"""Embeddings of texts, stored by the hashes of text and encoder."""

import time
from collections.abc import Sequence

import numpy as np
from django.db.models import Max

from classifier.database.batches import chunked
from classifier.embeddings.readable import readable
from classifier.embeddings.sources import encoder_sources
from classifier.learning.vector_space import WIDTH, Floats
from classifier.leases import leases
from classifier.models import Encoding, Ticket, Vector
from classifier.models.specialist import text_digest

CHUNK = 500
BATCH = 64
SECONDS = 10.0
"""Time limit of one call of `embed_new_tickets`."""


def embeddings_for(texts: Sequence[str]) -> Floats:
    """The raw embeddings of texts, of shape (len(texts), WIDTH); missing ones are computed and stored. Raises
    CorruptEncoder.
    """
    digests = [text_digest(text) for text in texts]
    known = stored_embeddings(digests)
    missing = {digest: text for digest, text in zip(digests, texts, strict=True) if digest not in known}
    for part in chunked(missing.items(), BATCH):
        known |= _encoded(dict(part))
    return np.stack([known[digest] for digest in digests]) if digests else np.zeros((0, WIDTH), np.float32)


def stored_embeddings(digests: Sequence[str]) -> dict[str, Floats]:
    """The stored embeddings of these texts, by digest."""
    name = encoder_sources()[0].name
    embeddings: dict[str, Floats] = {}
    for part in chunked(set(digests), CHUNK):
        rows = Vector.objects.filter(digest__in=part, encoder=name).values_list("digest", "values")
        embeddings |= {digest: np.frombuffer(values, np.float16).astype(np.float32) for digest, values in rows}
    return embeddings


def embed_new_tickets(seconds: float = SECONDS) -> None:
    """Embed tickets that have arrived since the last run, for so many seconds. Only one process at a time does it; if
    it dies, the next continues.
    """
    encoder = encoder_sources()[0].name
    Encoding.objects.get_or_create(encoder=encoder)
    with leases.hold(Encoding.objects.filter(encoder=encoder)) as held:
        for progress in held:
            _fill(progress, time.monotonic() + seconds)


def _fill(progress: Encoding, until: float) -> None:
    while time.monotonic() < until:
        tickets = list(Ticket.objects.filter(pk__gt=progress.until).order_by("pk").values_list("pk", "text")[:BATCH])
        if not tickets:
            return
        embeddings_for([text for _pk, text in tickets])
        progress.until = tickets[-1][0]
        if not progress.still_held.update(until=progress.until):
            return


def is_behind() -> bool:
    """Whether tickets wait for embeddings; False while tickets wait for labels, which come first."""
    if Ticket.objects.waiting().exists():
        return False
    until = Encoding.objects.filter(encoder=encoder_sources()[0].name).values_list("until", flat=True)
    latest = Ticket.objects.aggregate(latest=Max("pk"))["latest"] or 0
    return latest > (until.first() or 0)


def _encoded(texts: dict[str, str]) -> dict[str, Floats]:
    from classifier.embeddings import encoders  # whose runtime most processes never need

    model = encoders.load(encoder_sources()[0])
    halved = model.encode([readable(text) for text in texts.values()]).astype(np.float16)
    Vector.objects.bulk_create(
        [
            Vector(digest=digest, encoder=model.name, values=values.tobytes())
            for digest, values in zip(texts, halved, strict=True)
        ],
        ignore_conflicts=True,
    )
    return dict(zip(texts, halved.astype(np.float32), strict=True))
