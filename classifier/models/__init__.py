"""The tables of the classifier, from the ground up: taxonomy, contract, drafts, models, tickets, what the
specialist learns, predictions, scores, gate, draws."""

from .contract import ContractVersion
from .draft import Draft, DraftLabel
from .draw import AuditDraw
from .epoch import Epoch
from .gate import About, Gate, Mode
from .learned import Encoding, Example, SpecialistVersion, Vector
from .prediction import Failure, Prediction
from .scoring import Score, Scorer
from .spec import ModelSpec, Provider, Spend
from .taxonomy import Category, Sentiment
from .ticket import Ticket
from .verdict import Reason, Verdict

__all__ = [
    "About",
    "AuditDraw",
    "Category",
    "ContractVersion",
    "Draft",
    "DraftLabel",
    "Encoding",
    "Epoch",
    "Example",
    "Failure",
    "Gate",
    "Mode",
    "ModelSpec",
    "Prediction",
    "Provider",
    "Reason",
    "Score",
    "Scorer",
    "Sentiment",
    "SpecialistVersion",
    "Spend",
    "Ticket",
    "Vector",
    "Verdict",
]
