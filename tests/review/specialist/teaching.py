"""Labels to learn from: gold labels whose texts tell what they are about."""

import random
from collections.abc import Mapping

from classifier.models import Category, Sentiment
from review.gold import gold_labels
from review.models import GoldLabel, Side

SUBJECTS = {
    "Billing": ["invoice", "refund", "charge", "receipt", "payment", "price", "card", "tax"],
    "Technical": ["crash", "error", "bug", "slow", "outage", "webhook", "timeout", "screen"],
    "Account": ["password", "login", "user", "profile", "role", "email", "access", "owner"],
    "General": ["idea", "calendar", "press", "school", "job", "partner", "colour", "praise"],
}
TONES = {
    "Negative": ["is terrible", "makes me angry", "failed again"],
    "Neutral": ["needs a look", "is what I ask about"],
}


def message(category: str, sentiment: str, number: int) -> str:
    chance = random.Random(f"{category} {sentiment} {number}")  # noqa: S311 - only words
    first, second = chance.sample(SUBJECTS[category], 2)
    return (
        f"The {first} of case {chance.randrange(10**6):x}{number} {chance.choice(TONES[sentiment])}, the {second} too."
    )


def place(counts: Mapping[str, int], *, side: str = Side.TRAINING, start: int = 0) -> list[GoldLabel]:
    """So many gold labels of each category, of both tones in turn, all on one side."""
    categories = {category.name: category for category in Category.objects.active()}
    sentiments = {sentiment.name: sentiment for sentiment in Sentiment.objects.active()}
    labels = []
    for category, count in counts.items():
        for number in range(start, start + count):
            sentiment = ("Negative", "Neutral")[number % 2]
            text = message(category, sentiment, number)
            labels.append(
                GoldLabel(
                    text=text,
                    digest=GoldLabel.digest_of(text),
                    category=categories[category],
                    sentiment=sentiments[sentiment],
                    origin=GoldLabel.Origin.IMPORT,
                )
            )
    gold_labels.add_gold_labels(labels, {label.digest: side for label in labels})
    return labels
