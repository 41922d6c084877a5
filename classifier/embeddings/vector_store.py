"""Embeddings of texts, stored by the hashes of text and encoder."""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from django.db.models import Max

from classifier.database.batches import chunked
from classifier.embeddings.encoder_set import EncoderSet
from classifier.embeddings.sources import encoder_sources
from classifier.learning.vector_space import Embeddings, Floats, Ints
from classifier.leases import leases
from classifier.models import Encoding, Ticket, Vector
from classifier.models.specialist import text_digest

CHUNK = 500
BATCH = 64
SECONDS = 10.0
"""Time limit of one call of `embed_new_tickets`."""

Stored = dict[tuple[str, str], Floats]
"""Embeddings by digest and encoder."""


class StoredEmbeddings(NamedTuple):
    """Which of the texts asked for have embeddings, as indexes, and those."""

    rows: Ints
    embeddings: Embeddings


def embeddings_for(texts: Sequence[str]) -> Embeddings:
    """The raw embeddings of texts; missing ones are computed and stored. Raises CorruptEncoder."""
    encoders = EncoderSet(encoder_sources())
    wanted = {text: [source.name for source in encoders.readers(text)] for text in texts}
    return _complete(wanted, texts, encoders.encode)


def label_embeddings(texts: Sequence[str]) -> Embeddings:
    """The same for labels' descriptions, which every encoder reads. Raises CorruptEncoder."""
    encoders = EncoderSet(encoder_sources())
    return _complete(dict.fromkeys(texts, [source.name for source in encoders.sources]), texts, encoders.encode_labels)


def _complete(
    wanted: dict[str, list[str]], texts: Sequence[str], encode: Callable[[list[str]], Embeddings]
) -> Embeddings:
    """The embeddings by the encoders wanted for each text."""
    digests = {text: text_digest(text) for text in wanted}
    stored = _read(digests.values())
    missing = [text for text, names in wanted.items() if not all((digests[text], name) in stored for name in names)]
    for part in chunked(missing, BATCH):
        stored |= _store([digests[text] for text in part], encode(part))
    return _stacked([digests[text] for text in texts], stored)


def stored_embeddings(digests: Sequence[str]) -> StoredEmbeddings:
    """The stored embeddings of these texts. Nothing is encoded."""
    stored = _read(digests)
    known = {digest for digest, _name in stored}
    rows = np.array([row for row, digest in enumerate(digests) if digest in known], np.int64)
    return StoredEmbeddings(rows, _stacked([digests[row] for row in rows], stored))


def embed_new_tickets(seconds: float = SECONDS) -> None:
    """Embed tickets that have arrived since the last run, for so many seconds. Only one process at a time does it; if
    it dies, the next continues.
    """
    encoders = _digest_of_encoders()
    Encoding.objects.get_or_create(encoder=encoders)
    with leases.hold(Encoding.objects.filter(encoder=encoders)) as held:
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
    until = Encoding.objects.filter(encoder=_digest_of_encoders()).values_list("until", flat=True)
    latest = Ticket.objects.aggregate(latest=Max("pk"))["latest"] or 0
    return latest > (until.first() or 0)


def _digest_of_encoders() -> str:
    """Identifies the encoders in use together: after a change, all tickets are gone through again."""
    return hashlib.sha256(" ".join(source.name for source in encoder_sources()).encode()).hexdigest()


def _read(digests: Iterable[str]) -> Stored:
    names = [source.name for source in encoder_sources()]
    stored: Stored = {}
    for part in chunked(set(digests), CHUNK):
        rows = Vector.objects.filter(digest__in=part, encoder__in=names).values_list("digest", "encoder", "values")
        stored |= {
            (digest, name): np.frombuffer(values, np.float16).astype(np.float32) for digest, name, values in rows
        }
    return stored


def _store(digests: Sequence[str], embeddings: Embeddings) -> Stored:
    halved = {name: vectors.astype(np.float16) for name, vectors in embeddings.by_encoder.items()}
    new = {
        (digest, name): vector
        for name, vectors in halved.items()
        for digest, vector in zip(digests, vectors, strict=True)
        if vector.any()
    }
    Vector.objects.bulk_create(
        [Vector(digest=digest, encoder=name, values=vector.tobytes()) for (digest, name), vector in new.items()],
        ignore_conflicts=True,
    )
    return {key: vector.astype(np.float32) for key, vector in new.items()}


def _stacked(digests: Sequence[str], stored: Stored) -> Embeddings:
    """One row for each digest, by encoder in the order of the sources."""
    by_encoder = {}
    for source in encoder_sources():
        width = next((len(vector) for (_digest, name), vector in stored.items() if name == source.name), 0)
        if width:
            nothing = np.zeros(width, np.float32)
            by_encoder[source.name] = np.array(
                [stored.get((digest, source.name), nothing) for digest in digests], np.float32
            ).reshape(len(digests), width)
    return Embeddings(by_encoder)
