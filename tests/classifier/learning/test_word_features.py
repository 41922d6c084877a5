import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from classifier.learning import word_features

pytestmark = pytest.mark.once

TEXTS = [
    "My card was charged twice",
    "Refund the card payment",
    "The app crashes on start",
    "Crash again: the app!",
] * 3
LABELS = np.array([0, 0, 1, 1] * 3)


def test_the_word_model_separates_labels_by_their_words() -> None:
    learned = word_features.fit(word_features.count_terms(tuple(TEXTS)), LABELS, 3)
    scores = learned.scores(["card refund please", "it crashes", "nothing known here xyz"])
    assert scores.argmax(axis=1).tolist()[:2] == [0, 1]
    assert (scores[:, 2] == word_features.UNKNOWN).all()


def test_predictions_match_scikit_learn() -> None:
    learned = word_features.fit(word_features.count_terms(tuple(TEXTS)), LABELS, 2)
    library = TfidfVectorizer(analyzer=word_features.terms, sublinear_tf=True, dtype=np.float32).fit(TEXTS)
    weights = library.transform(["Why was my card charged again?"]).toarray()[0]
    places, shares = learned.tf_idf_of("Why was my card charged again?")
    mine = dict(zip((learned.known[place] for place in places), shares, strict=True))
    names = library.get_feature_names_out()
    theirs = {names[place]: value for place, value in enumerate(weights) if value}
    assert mine.keys() == theirs.keys()
    assert all(mine[term] == pytest.approx(theirs[term], rel=1e-4) for term in mine)


def test_counted_texts_score_like_raw_texts() -> None:
    counted = word_features.count_terms((*TEXTS, "Why was my card charged again?", ""))
    learned = word_features.fit(counted.part(np.arange(len(TEXTS))), LABELS, 2)
    texts = [TEXTS[1], "Why was my card charged again?", ""]
    asked = counted.part(np.array([1, len(TEXTS), len(TEXTS) + 1]))
    np.testing.assert_allclose(asked.scores(learned), learned.scores(texts), rtol=1e-4, atol=1e-6)


@given(st.text(max_size=60))
def test_terms_are_words_pairs_and_parts_of_words(text: str) -> None:
    terms = list(word_features.terms(text))
    whole = CountVectorizer(ngram_range=(1, 2), strip_accents=None).build_analyzer()(text)
    assert terms[: len(whole)] == whole
    assert all(2 <= len(term) <= 5 for term in terms[len(whole) :])


def test_a_text_without_known_terms_scores_the_bias() -> None:
    learned = word_features.fit(word_features.count_terms(tuple(TEXTS)), LABELS, 2)
    np.testing.assert_allclose(learned.scores([""])[0], learned.bias)


def test_many_labels_reduce_the_vocabulary() -> None:
    texts = [f"term{number}" for number in range(3_000)]
    labels = np.arange(3_000) % 1_000
    learned = word_features.fit(word_features.count_terms(tuple(texts)), labels, 1_000)
    assert len(learned.known) * 1_000 <= word_features.MAX_WEIGHTS
