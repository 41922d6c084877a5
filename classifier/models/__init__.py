"""The tables of the classifier, from the ground up: taxonomy, contract, drafts, models, tickets, what the
specialist learns, predictions, scores, gate, draws."""

from .access import Allowance, ApiKey, KeptReply
from .archive import Archive
from .contract import ContractVersion
from .draft import Draft, DraftLabel
from .draw import AuditDraw
from .epoch import Epoch
from .erasure import Erasure
from .gate import About, Gate, Mode
from .helpdesk import HelpDesk, WriteBack
from .learned import Encoding, Example, SpecialistVersion, Vector
from .mailbox import Mailbox
from .outbox import Delivery, Event, Webhook
from .prediction import Failure, Prediction
from .pulse import Pulse
from .scoring import Score, Scorer
from .spec import ModelSpec, Provider, Spend
from .tally import Fold, Tally
from .taxonomy import Category, Sentiment
from .ticket import Ticket
from .verdict import Reason, Verdict

__all__ = [
    "About",
    "Allowance",
    "ApiKey",
    "Archive",
    "AuditDraw",
    "Category",
    "ContractVersion",
    "Delivery",
    "Draft",
    "DraftLabel",
    "Encoding",
    "Epoch",
    "Erasure",
    "Event",
    "Example",
    "Failure",
    "Fold",
    "Gate",
    "KeptReply",
    "HelpDesk",
    "Mailbox",
    "Mode",
    "ModelSpec",
    "Prediction",
    "Provider",
    "Pulse",
    "Reason",
    "Score",
    "Scorer",
    "Sentiment",
    "SpecialistVersion",
    "Spend",
    "Tally",
    "Ticket",
    "Vector",
    "Verdict",
    "Webhook",
    "WriteBack",
]
