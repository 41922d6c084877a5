"""The tables of the classifier, from the ground up: taxonomy, contract, drafts, models, tickets, what the
specialist learns, predictions, gate."""

from .contract import ContractVersion
from .draft import Draft, DraftLabel
from .gate import Epoch, Gate, Reason, Verdict
from .learned import Encoding, Example, SpecialistVersion, Vector
from .prediction import Failure, Prediction
from .spec import ModelSpec, Provider, Spend
from .taxonomy import Category, Sentiment
from .ticket import Ticket

__all__ = [
    "Category",
    "ContractVersion",
    "Draft",
    "DraftLabel",
    "Encoding",
    "Epoch",
    "Example",
    "Failure",
    "Gate",
    "ModelSpec",
    "Prediction",
    "Provider",
    "Reason",
    "Sentiment",
    "SpecialistVersion",
    "Spend",
    "Ticket",
    "Vector",
    "Verdict",
]
