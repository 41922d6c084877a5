"""Rows for tests, with readable defaults."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User

from classifier.embeddings import vector_store
from classifier.embeddings.encoder_files import encoder_digest
from classifier.learning.vector_space import Floats
from classifier.models import (
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
from review.models import Assignment, GoldLabel, LabelIssue, ReviewSettings
from tests.servers import OpenAIServer

PASSWORD = "a-long-and-odd-password"


def make_ticket(text: str = "My SAML SSO stopped working after the weekend deploy.", **values: Any) -> Ticket:
    return Ticket.objects.create(text=text, **values)


def make_user(name: str, *groups: str) -> User:
    user = User.objects.create_user(name, password=PASSWORD)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def make_language_model(server: OpenAIServer, *, name: str, family: str, **values: Any) -> LanguageModel:
    """A model behind a local server; values that belong to the provider go there."""
    of_provider = {key: values.pop(key) for key in ("api_key_env", "daily_budget") if key in values}
    provider = Provider.objects.create(name=f"{name}'s", base_url=server.base_url, **of_provider)
    return LanguageModel.objects.create(provider=provider, name=name, family=family, **{"timeout": 5.0} | values)


def make_prediction(ticket: Ticket, **values: Any) -> Prediction:
    """What the embedded model might have said, with the first labels of the taxonomy."""
    return Prediction.objects.create(ticket=ticket, **_said() | values)


def _said() -> dict[str, Any]:
    return {
        "language_model": LanguageModel.objects.zero_shot(),
        "contract": ContractVersion.objects.current(),
        "category": Category.objects.active().first(),
        "sentiment": Sentiment.objects.active().first(),
        "confidence": 0.9,
        "reasoning": "Because.",
    }


def make_verdict(prediction: Prediction, *, threshold: float = 0.85) -> Verdict:
    """The gate lets the prediction pass."""
    return Verdict.objects.create(
        ticket=prediction.ticket,
        epoch=confidence_epoch(prediction.language_model, prediction.contract, threshold),
        prediction=prediction,
        auto_accepted=True,
        reason=Reason.CONFIDENT,
    )


def configure_review(*, blind_share: float = 0, double_share: float = 0, **values: Any) -> ReviewSettings:
    """The review desk with these settings; as it is here, every ticket is one shown review, and draws repeat."""
    shares = {"blind_share": blind_share, "double_share": double_share}
    return ReviewSettings.objects.update_or_create(pk=1, defaults={"seed": "seed"} | shares | values)[0]


def hold(*tickets: Ticket, confidence: float = 0.5, second: Category | None = None, **values: Any) -> list[Assignment]:
    """The gate keeps new tickets for people, on what the embedded model might have said of them; their open
    assignments.

    `second` is the category that another model chooses. Further values are those of the prediction.
    """
    said = _said() | {"confidence": confidence} | values
    predictions = Prediction.objects.bulk_create(Prediction(ticket=ticket, **said) for ticket in tickets)
    seconds: dict[int, PredictionOutcome] = {}
    if second:
        others = LanguageModel.objects.exclude(pk__in=tickets[0].predictions.values("language_model"))
        said |= {"language_model": others.first(), "category": second}
        opinions = Prediction.objects.bulk_create(Prediction(ticket=ticket, **said) for ticket in tickets)
        seconds = {opinion.ticket_id: opinion for opinion in opinions}
    weighed = [gate.ScoredOutcome(prediction.ticket, prediction, None) for prediction in predictions]
    gate.record_verdicts(
        confidence_epoch(predictions[0].language_model, predictions[0].contract, 0.85), weighed, seconds
    )
    return list(
        Assignment.objects.open().filter(ticket__in=tickets).select_related("ticket").order_by("ticket_id", "number")
    )


def make_gold(text: str = "Where is my invoice?", category: str = "Billing", sentiment: str = "Neutral") -> GoldLabel:
    """A gold label of a text alone, as an import brings it."""
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
    """A training of the specialist that was not put in service."""
    return SpecialistVersion.objects.create(**{"labels": 100, "data": "0" * 64, "taught": b""} | values)


def make_label_issue(
    label: GoldLabel, category: str, sentiment: str = "Neutral", self_confidence: float = 0.1
) -> LabelIssue:
    """A version that was not taught this label would give that one."""
    said = {"category": Category.objects.get(name=category), "sentiment": Sentiment.objects.get(name=sentiment)}
    version = SpecialistVersion.objects.first() or make_version()
    return LabelIssue.objects.create(gold=label, version=version, self_confidence=self_confidence, **said)


def make_example(
    text: str, *, category: str = "Billing", sentiment: str = "Neutral", ticket: Ticket | None = None
) -> Example:
    """A text that models may learn from and be shown, with the label that people settled on."""
    label = {"category": Category.objects.get(name=category), "sentiment": Sentiment.objects.get(name=sentiment)}
    return Example.objects.create(text=text, digest=text_digest(text), group=0, ticket=ticket, **label)


def make_vector(text: str, values: Floats) -> Vector:
    """As the encoder might have given it for this text."""
    stored = values.astype("float16").tobytes()
    return Vector.objects.create(digest=text_digest(text), encoder=encoder_digest(settings.ENCODER_FILE), values=stored)


def make_topic(text: str = "I need proof of insurance for my car") -> Ticket:
    """One of several tickets about one thing that a model was unsure of; nobody has an assignment before them."""
    tickets = [make_ticket(f"{text}, number {number}") for number in range(6)]
    vector_store.embeddings_for([ticket.text for ticket in tickets])
    for ticket in tickets:
        said = make_prediction(ticket, confidence=0.3)
        epoch = confidence_epoch(said.language_model, said.contract, 0.85)
        Verdict.objects.create(
            ticket=ticket, epoch=epoch, prediction=said, auto_accepted=False, reason=Reason.BELOW_THRESHOLD
        )
    Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets]).update(state=Ticket.State.NEEDS_REVIEW)
    return tickets[0]
