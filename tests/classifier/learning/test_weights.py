import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load as arrays_of
from safetensors.numpy import save as bytes_of

from classifier.learning.heads import BoundHead, Head
from classifier.learning.training import learn
from classifier.learning.weights import CorruptWeights, SpecialistWeights, dump, load
from tests.classifier.learning import clouds

pytestmark = pytest.mark.once


def a_version() -> SpecialistWeights:
    trial = learn(clouds.examples([30, 30, 30]), clouds.offered(3))
    assert trial
    return SpecialistWeights(category=trial.head, sentiment=Head.untrained(), novelty_thresholds={"an encoder": 0.25})


STORED = dump(a_version())


def sha256(stored: bytes) -> str:
    return hashlib.sha256(stored).hexdigest()


def test_weights_survive_a_round_trip() -> None:
    learned, offered, unseen = a_version(), clouds.offered(3), clouds.examples([9, 9, 9], seed=4)
    back = load(STORED, sha256(STORED))
    assert back.novelty_thresholds == {"an encoder": 0.25}
    assert back.category.mixes == learned.category.mixes
    assert back.category.languages == learned.category.languages
    for before, after in ((learned.category, back.category), (learned.sentiment, back.sentiment)):
        then = BoundHead(before, offered).probabilities(unseen.embeddings, unseen.texts)
        now = BoundHead(after, offered).probabilities(unseen.embeddings, unseen.texts)
        np.testing.assert_allclose(now, then, atol=1e-3)
    np.testing.assert_array_equal(back.category.record.losses, learned.category.record.losses)


def test_serialisation_is_deterministic() -> None:
    assert dump(a_version()) == STORED


@given(st.integers(0, len(STORED) - 1), st.integers(1, 255))
def test_a_changed_byte_is_detected(place: int, change: int) -> None:
    spoilt = bytearray(STORED)
    spoilt[place] ^= change
    with pytest.raises(CorruptWeights, match="deploy another version"):
        load(bytes(spoilt), sha256(STORED))


@pytest.mark.parametrize("stored", [b"", b"not weights", STORED[:-40], b"\x80\x04K\x01."])
def test_invalid_bytes_are_refused(stored: bytes) -> None:
    with pytest.raises(CorruptWeights):
        load(stored, sha256(stored))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("category.0.sums", lambda array: array[:, :10]),
        ("category.0.weights", lambda array: array * np.nan),
        ("category.word_weights", lambda array: array[:1]),
        ("facts", lambda array: array[:-1]),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(name: str, change: object) -> None:
    arrays = arrays_of(STORED)
    arrays[name] = np.ascontiguousarray(change(arrays[name]))  # type: ignore[operator]  # one of the four above
    stored = bytes_of(arrays)
    with pytest.raises(CorruptWeights):
        load(stored, sha256(stored))
