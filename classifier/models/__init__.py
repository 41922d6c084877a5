"""The tables of the classifier, from the ground up: taxonomy, contract, model specs, tickets, predictions, gate."""

from .contract import ContractVersion
from .gate import Epoch, Gate, Reason, Verdict
from .prediction import Failure, Prediction
from .spec import ModelSpec, Provider, Spend
from .taxonomy import Category, Sentiment
from .ticket import Ticket

__all__ = [
    "Category",
    "ContractVersion",
    "Epoch",
    "Failure",
    "Gate",
    "ModelSpec",
    "Prediction",
    "Provider",
    "Reason",
    "Sentiment",
    "Spend",
    "Ticket",
    "Verdict",
]
