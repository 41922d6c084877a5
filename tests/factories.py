"""Rows for tests, with readable defaults."""

from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group, User

from classifier.embeddings import vector_store
from classifier.embeddings.sources import encoder_sources
from classifier.learning.vector_space import Floats
from classifier.models import (
    Attribute,
    AttributeOption,
    Category,
    ContractVersion,
    Example,
    LanguageModel,
    Prediction,
    Provider,
    Reason,
    Sentiment,
    SpecialistVersion,
    Ticket,
    Vector,
    Verdict,
)
from classifier.models.specialist import text_digest
from classifier.pipeline import gate
from classifier.pipeline.gate import confidence_epoch
from classifier.pipeline.predict import PredictionOutcome
from review.gold import gold_labels
from review.models import Assignment, DuplicateGroup, GoldLabel, LabelIssue, ReviewSettings, Side
from tests.servers import OpenAIServer

PASSWORD = "a-long-and-odd-password"


def make_ticket(text: str = "My SAML SSO stopped working after the weekend deploy.", **values: Any) -> Ticket:
    return Ticket.objects.create(text=text, **values)


def make_user(name: str, *groups: str) -> User:
    user = User.objects.create_user(name, password=PASSWORD)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def make_language_model(server: OpenAIServer, *, name: str, family: str, **values: Any) -> LanguageModel:
    """A model behind a local server; `api_key_env` and `daily_budget` are set on its provider."""
    provider_values = {key: values.pop(key) for key in ("api_key_env", "daily_budget") if key in values}
    provider = Provider.objects.create(name=f"{name}'s", base_url=server.base_url, **provider_values)
    return LanguageModel.objects.create(provider=provider, name=name, family=family, **{"timeout": 5.0} | values)


def make_attribute(key: str, kind: str, *options: str, **values: Any) -> Attribute:
    """An attribute named like its key, with these options."""
    attribute = Attribute.objects.create(key=key, kind=kind, **{"name": key.capitalize()} | values)
    for name in options:
        AttributeOption.objects.create(attribute=attribute, name=name)
    return attribute


def make_prediction(ticket: Ticket, **values: Any) -> Prediction:
    """A prediction by the embedded model with the first labels of the taxonomy."""
    return Prediction.objects.create(ticket=ticket, **_prediction_values() | values)


def _prediction_values() -> dict[str, Any]:
    return {
        "language_model": LanguageModel.objects.zero_shot(),
        "contract": ContractVersion.objects.current(),
        "category": Category.objects.active().first(),
        "sentiment": Sentiment.objects.active().first(),
        "confidence": 0.9,
        "reasoning": "Because.",
    }


def make_verdict(prediction: Prediction, *, threshold: float = 0.85) -> Verdict:
    """The gate auto-accepts the prediction."""
    return Verdict.objects.create(
        ticket=prediction.ticket,
        epoch=confidence_epoch(prediction.language_model, prediction.contract, threshold),
        prediction=prediction,
        auto_accepted=True,
        reason=Reason.CONFIDENT,
    )


def distinct_text() -> str:
    """A text that is like no other. Of letters, since texts that differ in digits are near-duplicates."""
    return str(uuid4()).translate(str.maketrans("0123456789", "ghijklmnop"))


def configure_review(
    *, blind_share: float = 0, double_share: float = 0, sample_share: float = 0, **values: Any
) -> ReviewSettings:
    """Store these review settings. By default every ticket gets one review with a suggestion, and draws repeat."""
    shares = {"blind_share": blind_share, "double_share": double_share, "sample_share": sample_share}
    return ReviewSettings.objects.update_or_create(pk=1, defaults={"seed": "seed"} | shares | values)[0]


def send_to_review(
    *tickets: Ticket, confidence: float = 0.5, second: Category | None = None, **values: Any
) -> list[Assignment]:
    """Have the gate send new tickets to review, with a prediction each; return their open assignments.

    `second` is the category that a second model chooses; further values are set on the predictions.
    """
    prediction_values = _prediction_values() | {"confidence": confidence} | values
    predictions = Prediction.objects.bulk_create(Prediction(ticket=ticket, **prediction_values) for ticket in tickets)
    seconds: dict[int, PredictionOutcome] = {}
    if second:
        others = LanguageModel.objects.exclude(pk__in=tickets[0].predictions.values("language_model"))
        prediction_values |= {"language_model": others.first(), "category": second}
        opinions = Prediction.objects.bulk_create(Prediction(ticket=ticket, **prediction_values) for ticket in tickets)
        seconds = {opinion.ticket_id: opinion for opinion in opinions}
    outcomes = [gate.ScoredOutcome(prediction.ticket, prediction, None) for prediction in predictions]
    gate.record_verdicts(
        confidence_epoch(predictions[0].language_model, predictions[0].contract, 0.85), outcomes, seconds
    )
    return list(
        Assignment.objects.open().filter(ticket__in=tickets).select_related("ticket").order_by("ticket_id", "number")
    )


def make_gold(text: str = "Where is my invoice?", category: str = "Billing", sentiment: str = "Neutral") -> GoldLabel:
    """A gold label of a text without a ticket, as from an import."""
    label = GoldLabel(
        text=text,
        digest=GoldLabel.digest_of(text),
        category=Category.objects.get(name=category),
        sentiment=Sentiment.objects.get(name=sentiment),
        origin=GoldLabel.Origin.IMPORT,
    )
    gold_labels.add_gold_labels([label])
    return label


def make_version(**values: Any) -> SpecialistVersion:
    """A version of the specialist that is not deployed."""
    return SpecialistVersion.objects.create(**{"labels": 100, "data": "0" * 64, "taught": b""} | values)


def make_label_issue(
    label: GoldLabel,
    category: str,
    sentiment: str = "Neutral",
    self_confidence: float = 0.1,
    side: Side = Side.TRAINING,
) -> LabelIssue:
    """A version that has not seen this gold label predicts another label."""
    DuplicateGroup.objects.filter(gold_labels=label).update(side=side)
    label_values = {"category": Category.objects.get(name=category), "sentiment": Sentiment.objects.get(name=sentiment)}
    version = SpecialistVersion.objects.first() or make_version()
    return LabelIssue.objects.create(gold=label, version=version, self_confidence=self_confidence, **label_values)


def make_example(
    text: str, *, category: str = "Billing", sentiment: str = "Neutral", ticket: Ticket | None = None
) -> Example:
    """A settled text that models may learn from and see as an example."""
    label = {"category": Category.objects.get(name=category), "sentiment": Sentiment.objects.get(name=sentiment)}
    return Example.objects.create(text=text, digest=text_digest(text), group=0, ticket=ticket, **label)


def make_vector(text: str, values: Floats) -> Vector:
    """A stored embedding of the text."""
    stored = values.astype("float16").tobytes()
    return Vector.objects.create(digest=text_digest(text), encoder=encoder_sources()[0].name, values=stored)


def make_topic(text: str = "I need proof of insurance for my car") -> Ticket:
    """One of six similar tickets that need review, without assignments, because a model was unsure."""
    tickets = [make_ticket(f"{text}, number {number}") for number in range(6)]
    vector_store.embeddings_for([ticket.text for ticket in tickets])
    for ticket in tickets:
        prediction = make_prediction(ticket, confidence=0.3)
        epoch = confidence_epoch(prediction.language_model, prediction.contract, 0.85)
        Verdict.objects.create(
            ticket=ticket, epoch=epoch, prediction=prediction, auto_accepted=False, reason=Reason.BELOW_THRESHOLD
        )
    Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets]).update(state=Ticket.State.NEEDS_REVIEW)
    return tickets[0]
