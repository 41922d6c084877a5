"""Rows for tests, with readable defaults."""

from typing import Any

from django.contrib.auth.models import Group, User

from classifier import gate
from classifier.gate import epoch_of
from classifier.labelling import Labelled, Outcome
from classifier.models import (
    Category,
    ContractVersion,
    ModelSpec,
    Prediction,
    Provider,
    Reason,
    Sentiment,
    Ticket,
    Verdict,
)
from review.models import Desk, Seat
from tests.servers import OpenAIServer

PASSWORD = "a-long-and-odd-password"


def make_ticket(text: str = "My SAML SSO stopped working after the weekend deploy.", **values: Any) -> Ticket:
    return Ticket.objects.create(text=text, **values)


def make_user(name: str, *groups: str) -> User:
    user = User.objects.create_user(name, password=PASSWORD)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def make_spec(server: OpenAIServer, *, name: str, family: str, **values: Any) -> ModelSpec:
    """A model behind a local server; values that belong to the provider go there."""
    of_provider = {key: values.pop(key) for key in ("api_key_env", "daily_budget") if key in values}
    provider = Provider.objects.create(name=f"{name}'s", base_url=server.base_url, **of_provider)
    return ModelSpec.objects.create(provider=provider, name=name, family=family, **{"timeout": 5.0} | values)


def make_prediction(ticket: Ticket, **values: Any) -> Prediction:
    """What the embedded model might have said, with the first labels of the taxonomy."""
    return Prediction.objects.create(ticket=ticket, **_said() | values)


def _said() -> dict[str, Any]:
    return {
        "spec": ModelSpec.objects.embedded(),
        "contract": ContractVersion.objects.in_force(),
        "category": Category.objects.active().first(),
        "sentiment": Sentiment.objects.active().first(),
        "confidence": 0.9,
        "reasoning": "Because.",
    }


def make_verdict(prediction: Prediction, *, threshold: float = 0.85) -> Verdict:
    """The gate lets the prediction pass."""
    return Verdict.objects.create(
        ticket=prediction.ticket,
        epoch=epoch_of(prediction.spec, prediction.contract, threshold),
        prediction=prediction,
        accepted=True,
        reason=Reason.SURE,
    )


def run_desk(*, blind_share: float = 0, double_share: float = 0, **values: Any) -> Desk:
    """The review desk with these settings; as it is here, every ticket is one shown review, and draws repeat."""
    shares = {"blind_share": blind_share, "double_share": double_share}
    return Desk.objects.update_or_create(pk=1, defaults={"seed": "seed"} | shares | values)[0]


def hold(*tickets: Ticket, confidence: float = 0.5, second: Category | None = None, **values: Any) -> list[Seat]:
    """The gate keeps new tickets for people, on what the embedded model might have said of them; their open seats.

    `second` is the category that another model chooses. Further values are those of the prediction.
    """
    said = _said() | {"confidence": confidence} | values
    predictions = Prediction.objects.bulk_create(Prediction(ticket=ticket, **said) for ticket in tickets)
    seconds: dict[int, Outcome] = {}
    if second:
        others = ModelSpec.objects.exclude(pk__in=tickets[0].predictions.values("spec"))
        said |= {"spec": others.first(), "category": second}
        opinions = Prediction.objects.bulk_create(Prediction(ticket=ticket, **said) for ticket in tickets)
        seconds = {opinion.ticket_id: opinion for opinion in opinions}
    labelled = [Labelled(prediction.ticket, prediction) for prediction in predictions]
    gate.hold(epoch_of(predictions[0].spec, predictions[0].contract, 0.85), labelled, seconds)
    return list(Seat.objects.open().filter(ticket__in=tickets).select_related("ticket").order_by("ticket_id", "number"))
