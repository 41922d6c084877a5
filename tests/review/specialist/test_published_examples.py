"""Nothing like a benchmark label is ever taught or shown to a model."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from classifier.models import Category, Example, Sentiment
from classifier.taxonomy import initial_data as shipped
from review.duplicates import minhash
from review.gold import gold_labels
from review.models import GoldLabel, Side
from review.specialist import published_examples

WORDS = "invoice refund charge login password export outage seat plan thanks slow error crash".split()  # noqa: SIM905


def message(seed: int, change: int) -> str:
    """One of a few messages, with some of its words changed: near-duplicates and others, as they come."""
    chance = random.Random(seed)  # noqa: S311 - only words
    words = [chance.choice(WORDS) + chance.choice(WORDS) for _ in range(14)]
    for place in range(change):
        words[place * 3] = f"other{change}"
    return " ".join(words)


class LeakTest(TestCase):
    def setUp(self) -> None:
        shipped.load()

    @settings(max_examples=30)
    @given(
        batches=st.lists(
            st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=6), min_size=1, max_size=5
        ),
        retire=st.integers(0, 5),
    )
    def test_no_example_is_a_near_duplicate_of_a_benchmark_label(
        self, batches: list[list[tuple[int, int]]], retire: int
    ) -> None:
        given_label = {"category": Category.objects.first(), "sentiment": Sentiment.objects.first()}
        for batch in batches:
            texts = {GoldLabel.digest_of(text): text for text in (message(*sample) for sample in batch)}
            known = set(GoldLabel.objects.values_list("digest", flat=True))
            gold_labels.add_gold_labels(
                [
                    GoldLabel(text=text, digest=digest, origin=GoldLabel.Origin.IMPORT, **given_label)
                    for digest, text in texts.items()
                    if digest not in known
                ]
            )
            published_examples.publish_examples()
        for label in GoldLabel.objects.all()[:retire]:
            GoldLabel.objects.filter(pk=label.pk).update(state=GoldLabel.State.RETIRED)
        published_examples.publish_examples()
        taught = [minhash.shingles(text) for text in Example.objects.values_list("text", flat=True)]
        held_out = GoldLabel.objects.on_side(Side.BENCHMARK).values_list("text", flat=True)
        for text in held_out:
            own = minhash.shingles(text)
            assert all(minhash.similarity(own, other) < minhash.MIN_SIMILARITY for other in taught)
        usable = GoldLabel.objects.usable().on_side(Side.TRAINING).count()
        assert Example.objects.count() == usable
