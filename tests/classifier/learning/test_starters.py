"""Sentiments are known before there are labels, as far as an installation's are the usual ones."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from safetensors import safe_open

from classifier.contract.types import Option
from classifier.embeddings.sources import MINILM, PACKAGED
from classifier.learning.heads import BoundHead, Head, OfferedLabel, Starter
from classifier.learning.starters import FILE, with_starters
from classifier.learning.training import learn
from classifier.management.commands.train_starters import TEXTS
from tests.classifier.learning import clouds

pytestmark = pytest.mark.once

USUAL = [Option(name="Positive"), Option(name="Neutral"), Option(name="Negative")]


def offer(options: list[Option], encoder: str = MINILM.name) -> list[OfferedLabel]:
    offered = clouds.offered(len(options))
    named = [label._replace(prototype={encoder: label.prototype[clouds.ENCODER]}) for label in offered]
    return with_starters(options, named)


def directions(options: list[Option]) -> list[list[float] | None]:
    starters = [label.starters.get(MINILM.name) for label in offer(options)]
    return [starter.direction.tolist() if starter else None for starter in starters]


@pytest.mark.parametrize(
    "options",
    [
        [Option(name="Positiv"), Option(name="Neutral"), Option(name="Negativ")],
        [Option(name="Positivo"), Option(name="Neutro"), Option(name="Negativo")],
        [
            Option(name="Fan", description="The customer is happy or grateful."),
            Option(name="As usual", description="The customer asks calmly."),
            Option(name="Trouble", description="The customer is angry."),
        ],
    ],
)
def test_a_sentiment_is_known_by_its_name_or_description(options: list[Option]) -> None:
    assert directions(options) == directions(USUAL)


def test_some_of_the_usual_sentiments_are_known_in_any_order() -> None:
    positive, _neutral, negative = directions(USUAL)
    assert directions([USUAL[2], USUAL[0]]) == [negative, positive]


@pytest.mark.parametrize(
    "options",
    [
        [*USUAL, Option(name="Urgent")],
        [Option(name="Positive"), Option(name="Praise"), Option(name="Negative")],
        [Option(name="Urgent", description="Has to be answered today."), Option(name="Not urgent")],
        [Option(name="Mixed", description="Happy with the product and angry at the price."), *USUAL],
    ],
)
def test_other_sentiments_start_from_their_descriptions(options: list[Option]) -> None:
    assert directions(options) == [None] * len(options)


def test_an_encoder_of_ones_own_starts_from_descriptions() -> None:
    assert [label.starters for label in offer(USUAL, encoder="own")] == [{}] * 3


def test_the_packaged_starters_were_trained_on_these_texts() -> None:
    with safe_open(FILE, "np") as starters:
        assert starters.metadata()["texts"] == hashlib.sha256(TEXTS.read_bytes()).hexdigest()
        assert set(starters.keys()) == {
            f"{source.name}.{part}" for source in PACKAGED for part in ("directions", "biases")
        }


def started(places: list[int]) -> list[OfferedLabel]:
    """Labels that start in the clouds at these places."""
    offered = clouds.offered(len(places))
    return [
        label._replace(starters={clouds.ENCODER: Starter(offered[place].prototype[clouds.ENCODER], 0.0)})
        for label, place in zip(offered, places, strict=True)
    ]


def accuracy(head: Head, offered: list[OfferedLabel]) -> float:
    unseen = clouds.examples([30, 30, 30], seed=5)
    shares = BoundHead(head, offered).probabilities(unseen.embeddings, unseen.texts)
    return float((shares.argmax(axis=1) + 1 == unseen.labels).mean())


def test_labels_override_a_wrong_starter() -> None:
    wrong = started([1, 2, 0])
    assert accuracy(Head.untrained(), wrong) < 0.2
    trial = learn(clouds.examples([40, 40, 40]), wrong)
    assert trial
    assert accuracy(trial.head, wrong) > 0.8


def test_a_renamed_sentiment_keeps_the_starter_that_its_labels_corrected() -> None:
    trial = learn(clouds.examples([40, 40, 40]), started([0, 1, 2]))
    assert trial
    assert accuracy(trial.head, clouds.offered(3)) == accuracy(trial.head, started([0, 1, 2])) > 0.8


def test_the_bias_of_a_starter_counts_until_there_are_labels() -> None:
    faint = np.full(clouds.WIDTH, 1e-6, np.float32)
    offered = [
        label._replace(starters={clouds.ENCODER: Starter(faint, bias)})
        for label, bias in zip(clouds.offered(3), (0, 0, 1), strict=True)
    ]
    unseen = clouds.examples([3, 3, 3])
    best = BoundHead(Head.untrained(), offered).probabilities(unseen.embeddings, unseen.texts).argmax(axis=1)
    assert Counter(best.tolist()) == {2: 9}
