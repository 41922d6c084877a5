"""Encodes texts with every encoder that reads their language."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from classifier.embeddings import encoders
from classifier.embeddings.encoders import Encoder
from classifier.embeddings.readable import readable
from classifier.embeddings.sources import CorruptEncoder, EncoderSource, report
from classifier.learning.language_detection import UNKNOWN, language_of, reads_like_english
from classifier.learning.vector_space import Embeddings, Floats, Ints

Compute = Callable[[Encoder, Sequence[str]], Floats]


def _encode(encoder: Encoder, texts: Sequence[str]) -> Floats:
    return encoder.encode(texts)


class EncoderSet:
    """Encoders, the one that knows the most languages last. They are loaded when they are first needed; one that
    cannot be loaded is left out.
    """

    def __init__(self, sources: Sequence[EncoderSource]) -> None:
        self.sources = sources

    def readers(self, text: str) -> Sequence[EncoderSource]:
        """The encoders that know the text's language; the last one if none does. Where the language is unknown, a text
        with English's small words counts as English.
        """
        language = language_of(text) or ("en" if reads_like_english(text) else UNKNOWN)
        return [source for source in self.sources if source.knows(language)] or self.sources[-1:]

    def knows(self, text: str) -> bool:
        """Whether any encoder was made for the text's language; an unknown one counts as known."""
        language = language_of(text)
        return language == UNKNOWN or any(source.knows(language) for source in self.sources)

    def encode(self, texts: Sequence[str], compute: Compute = _encode) -> Embeddings:
        """The texts' embeddings. Raises CorruptEncoder if no encoder can be loaded."""
        readers = [self.readers(text) for text in texts]
        by_encoder = {}
        for source, encoder in self.loaded():
            rows: Ints = np.flatnonzero([source in reading for reading in readers])
            own = compute(encoder, [readable(texts[row]) for row in rows])
            vectors = np.zeros((len(texts), own.shape[1]), np.float32)
            vectors[rows] = own
            by_encoder[source.name] = vectors
        return Embeddings(by_encoder)

    def encode_labels(self, texts: Sequence[str]) -> Embeddings:
        """The same for labels' descriptions, which every encoder reads, in whatever language they are."""
        plain = [readable(text) for text in texts]
        return Embeddings({source.name: encoder.encode(plain) for source, encoder in self.loaded()})

    def loaded(self) -> Iterator[tuple[EncoderSource, Encoder]]:
        """The encoders that can be loaded. Raises CorruptEncoder if none can."""
        problems: list[CorruptEncoder] = []
        for source in self.sources:
            try:
                encoder = encoders.load(source)
            except CorruptEncoder as error:
                report(str(error))
                problems.append(error)
            else:
                yield source, encoder
        if len(problems) == len(self.sources):
            raise problems[0]
