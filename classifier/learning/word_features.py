"""The words-only model: TF-IDF over words and character n-grams, with linear support vectors.

scikit-learn fits it. Prediction is implemented here, since loading the library costs every worker 150 MB.
"""

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from classifier.learning.vector_space import Floats, Ints

MAX_WEIGHTS = 2_000_000
"""Maximum of terms times labels, which limits the size of a version."""
FEWEST_TERMS = 1_000
PENALTY = 0.5
UNKNOWN = -1.0
"""The score of a wrong label; also used for labels without examples."""

_WORD = re.compile(r"\b\w\w+\b")


def terms(text: str) -> Iterator[str]:
    """Words, word pairs, and character sequences of three to five within words and at their ends."""
    plain = text.lower()
    counts = _WORD.findall(plain)
    yield from counts
    yield from map(" ".join, zip(counts, counts[1:], strict=False))
    for word in plain.split():
        edged = f" {word} "
        for length in (3, 4, 5):
            for start in range(max(len(edged) - length + 1, 1)):
                yield edged[start : start + length]


class WordModel:
    """Known terms, their inverse document frequency, and weights of shape (labels, terms)."""

    def __init__(self, known: Sequence[str], rarity: Floats, weights: Floats, bias: Floats) -> None:
        self.known = known
        self.rarity = rarity
        self.weights = weights
        self.bias = bias

    @classmethod
    def none(cls) -> "WordModel":
        nothing = np.zeros(0, np.float32)
        return cls([], nothing, np.zeros((0, 0), np.float32), nothing)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {term: place for place, term in enumerate(self.known)}

    def scores(self, texts: Sequence[str]) -> Floats:
        """Signed distances from each label's boundary: shape (texts, labels)."""
        scores = np.tile(self.bias, (len(texts), 1))
        for row, text in enumerate(texts):
            places, shares = self.tf_idf_of(text)
            scores[row] += self.weights[:, places] @ shares
        return scores

    def tf_idf_of(self, text: str) -> tuple[Ints, Floats]:
        """Positions of the text's known terms and their TF-IDF weights, at length one."""
        counts = Counter(place for term in terms(text) if (place := self._places.get(term)) is not None)
        places = np.fromiter(counts, np.int64, len(counts))
        shares = (1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))) * self.rarity[places]
        return places, np.asarray(shares / max(float(np.linalg.norm(shares)), 1e-9), np.float32)


class TermCounts(NamedTuple):
    """Terms in alphabetical order, and how often each text contains each: a sparse matrix of shape (texts, terms)."""

    terms: npt.NDArray[np.object_]
    times: Any

    def part(self, rows: Ints) -> "TermCounts":
        return TermCounts(self.terms, self.times[rows])

    def scores(self, words: WordModel) -> Floats:
        """The word model's scores for these texts; it must know no other terms."""
        counts = _tf_idf(self.times[:, np.searchsorted(self.terms, words.known)], words.rarity)
        return np.asarray(counts @ words.weights.T + words.bias, np.float32)


@lru_cache(maxsize=1)
def count_terms(texts: tuple[str, ...]) -> TermCounts:
    """Count terms; the last result is cached, since both heads are trained on the same texts."""
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(analyzer=terms, dtype=np.float32)
    times = vectorizer.fit_transform(texts)
    return TermCounts(vectorizer.get_feature_names_out(), times)


def fit(counts: TermCounts, labels: Ints, count: int) -> WordModel:
    """Fit a word model; `labels` are below `count`, and labels without texts stay unknown."""
    from sklearn.svm import LinearSVC

    chosen = _most_frequent(counts, max(MAX_WEIGHTS // count, FEWEST_TERMS))
    times = counts.times[:, chosen]
    # As scikit-learn smooths: as if one more text contained every term.
    rarity = np.asarray(np.log((1 + times.shape[0]) / (1 + _texts_with(times))) + 1, np.float32)
    weights = np.zeros((count, len(chosen)), np.float32)
    bias = np.full(count, UNKNOWN, np.float32)
    present = np.unique(labels)
    if len(present) > 1:
        with warnings.catch_warnings():
            # With many labels of one example each, the library warns that they look like a regression target.
            warnings.simplefilter("ignore", UserWarning)
            machine = LinearSVC(C=PENALTY, random_state=0).fit(_tf_idf(times, rarity), labels)
        # For two labels the library fits a single boundary.
        two = len(present) == 2
        weights[present] = np.vstack([-machine.coef_, machine.coef_]) if two else machine.coef_
        bias[present] = np.concatenate([-machine.intercept_, machine.intercept_]) if two else machine.intercept_
    return WordModel(counts.terms[chosen].tolist(), rarity, weights, bias)


def _most_frequent(counts: TermCounts, most: int) -> Ints:
    """Positions of the most frequent terms."""
    texts_with_term = _texts_with(counts.times)
    chosen = np.flatnonzero(texts_with_term >= (2 if counts.times.shape[0] > 500 else 1))
    times = np.asarray(counts.times.sum(axis=0)).ravel()[chosen]
    return np.asarray(np.sort(chosen[np.argsort(-times, kind="stable")[:most]]), np.int64)


def _texts_with(times: Any) -> Ints:
    return np.bincount(times.indices, minlength=times.shape[1])


def _tf_idf(times: Any, rarity: Floats) -> Any:
    """Sublinear TF-IDF at length one, as in `WordModel.tf_idf_of`."""
    from sklearn.preprocessing import normalize

    shares = times.copy()
    shares.data = (1 + np.log(times.data)) * rarity[times.indices]
    return normalize(shares, copy=False)
