"""Rows for tests, with readable defaults."""

from typing import Any

from django.contrib.auth.models import Group, User

from classifier.gate import epoch_of
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
    defaults = {
        "spec": ModelSpec.objects.embedded(),
        "contract": ContractVersion.objects.in_force(),
        "category": Category.objects.active().first(),
        "sentiment": Sentiment.objects.active().first(),
        "confidence": 0.9,
        "reasoning": "Because.",
    }
    return Prediction.objects.create(ticket=ticket, **defaults | values)


def make_verdict(prediction: Prediction, *, threshold: float = 0.85) -> Verdict:
    """The gate lets the prediction pass."""
    return Verdict.objects.create(
        ticket=prediction.ticket,
        epoch=epoch_of(prediction.spec, prediction.contract, threshold),
        prediction=prediction,
        accepted=True,
        reason=Reason.SURE,
    )
